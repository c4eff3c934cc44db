"""Which events of a version are looked at: a filter, and how a person writes it.

A filter is a list of terms: `time=2018-01..2018-03`, `event=purchase`, `platform=app`,
`item.genres=Drama` or `user.country=NO` for an attribute, `history=5..19` for people with so many
events in the whole log. Terms of the same kind are alternatives, those of different kinds must all
hold.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from core.errors import BadInput

DAY_S = 86400
LOG, ITEM, USER = "log", "item", "user"  # what a facet is an attribute of
HISTORY = "history"  # of a user: the number of events in the whole log, in bands
BANDS = (1, 2, 5, 20, 100, 500)  # where each begins
BETWEEN = ".."  # in a term

_YEAR_MONTH = re.compile(r"(\d{4})(?:-(\d{2}))?")


@dataclass(frozen=True, order=True)
class Facet:
    """Something by which events are chosen, of the event itself, its item or its user."""

    side: str  # LOG, ITEM or USER
    column: str

    @property
    def term(self) -> str:
        """What it is called in a term."""
        return self.column if self in (*OF_LOG, OF_HISTORY) else f"{self.side}.{self.column}"


OF_LOG = (Facet(LOG, "event"), Facet(LOG, "platform"))
OF_HISTORY = Facet(USER, HISTORY)


@dataclass(frozen=True, order=True)
class Choice:
    """Any of these values of a facet."""

    facet: Facet
    values: tuple[str, ...]


@dataclass(frozen=True)
class Filter:
    """Which events stay: those from `since` on and before `until` that fit every choice.

    Times are Unix seconds, or order numbers; None leaves that end open.
    """

    since: int | None = None
    until: int | None = None
    choices: tuple[Choice, ...] = ()

    def __bool__(self) -> bool:
        """Whether it leaves anything out."""
        return self != Filter()

    def values(self, facet: Facet) -> tuple[str, ...]:
        """The values of this facet that stay; () if all do."""
        return next((c.values for c in self.choices if c.facet == facet), ())

    def on(self, side: str) -> tuple[Choice, ...]:
        """The choices by facets of this side."""
        return tuple(choice for choice in self.choices if choice.facet.side == side)

    def choosing(self, facet: Facet, values: Iterable[str]) -> Filter:
        """The same with these values of the facet; with none of them, all stay."""
        others = [choice for choice in self.choices if choice.facet != facet]
        kept = tuple(sorted(set(values)))
        return replace(
            self, choices=tuple(sorted([*others, Choice(facet, kept)] if kept else others))
        )

    def toggling(self, facet: Facet, value: str) -> Filter:
        """The same with this value added to the facet's, or taken out of them."""
        return self.choosing(facet, set(self.values(facet)) ^ {value})

    def between(self, since: int | None, until: int | None) -> Filter:
        """The same from one time on, before another."""
        return replace(self, since=since, until=until)

    def terms(self, time_kind: str) -> list[str]:
        """As `parse_terms` reads it again; the same filter gives the same terms."""
        ends = (self.since, self.until)
        time = [] if ends == (None, None) else [f"time={written_time(*ends, time_kind)}"]
        return [*time, *(f"{c.facet.term}={value}" for c in self.choices for value in c.values)]

    def line(self, time_kind: str) -> str:
        """The terms in one line, in which those with a comma are quoted; "" without any."""
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(self.terms(time_kind))
        return line.getvalue()


def parse_terms(terms: Sequence[str], facets: Iterable[Facet], time_kind: str) -> Filter:
    """The filter of these terms; what values a facet has is not looked at.

    Args:
        terms: As a person writes them.
        facets: By what this log's events can be chosen.
        time_kind: "clock", "order", or "none".

    Raises:
        BadInput: a term that cannot be read, or is of nothing that this log has.

    >>> facets = (*OF_LOG, Facet(ITEM, "genres"))
    >>> parse_terms(["event=buy", "time=2018-02"], facets, "clock").terms("clock")
    ['time=2018-02-01..2018-02-28', 'event=buy']
    """
    known = {facet.term: facet for facet in facets}
    wanted = Filter()
    for term in terms:
        name = _name_of(term, known)
        value = term[len(name) + 1 :].strip()
        if name == "time" and time_kind != "none":
            if wanted.since is not None or wanted.until is not None:
                raise BadInput(f"time is given twice, the second time as {term!r}: give it once")
            wanted = wanted.between(*_parse_time(value, time_kind))
        elif name in known and value:
            facet = known[name]
            wanted = wanted.choosing(facet, {*wanted.values(facet), value})
        else:
            there = [*(["time"] if time_kind != "none" else []), *known]
            raise BadInput(
                f"{term!r} is no filter of this log: write one of {', '.join(there)}, "
                "then = and a value"
            )
    return wanted


def _name_of(term: str, known: Iterable[str]) -> str:
    """What stands before the sign; of a column with the sign in its name all of it."""
    fitting = [name for name in known if term.startswith(f"{name}=")]
    return max(fitting, key=len, default=term.partition("=")[0].strip())


def band_names() -> list[str]:
    """The values of OF_HISTORY, as terms write them.

    >>> band_names()[:3]
    ['1', '2..4', '5..19']
    """
    ends = [*(begin - 1 for begin in BANDS[1:]), None]
    return [
        str(begin) if end == begin else f"{begin}{BETWEEN}{end or ''}"
        for begin, end in zip(BANDS, ends, strict=True)
    ]


def _parse_time(text: str, time_kind: str) -> tuple[int | None, int | None]:
    """The first time that stays and the first that no longer does."""
    first, between, last = (part.strip() for part in text.partition(BETWEEN))
    ends = _order if time_kind == "order" else _moment
    since = ends(first, text)[0] if first else None
    until = ends(last if between else first, text)[1] if last or not between else None
    if since is None and until is None:
        raise BadInput(f"time is {text!r}: say from when, until when, or both, as {_AS[time_kind]}")
    if since is not None and until is not None and since >= until:
        raise BadInput(f"time is {text!r}, which ends before it begins: write the earlier first")
    return since, until


_AS = {"clock": "2018-01..2018-03", "order": "100..200"}


def _order(text: str, whole: str) -> tuple[int, int]:
    if not re.fullmatch(r"-?\d{1,18}", text):
        raise BadInput(f"time is {whole!r}, but this log's times are order numbers: write 100..200")
    return int(text), int(text) + 1


def _moment(text: str, whole: str) -> tuple[int, int]:
    """Where the year, month, day or second of this text begins, and where the next one does."""
    try:
        if months := _YEAR_MONTH.fullmatch(text):
            year, month = int(months[1]), months[2] and int(months[2])
            begin = datetime(year, month or 1, 1, tzinfo=UTC)
            end = datetime(year + (month in (None, 12)), (month or 12) % 12 + 1, 1, tzinfo=UTC)
            return int(begin.timestamp()), int(end.timestamp())
        begin = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(
            f"time is {whole!r}: write a year, a month, a day or a time, or two of them, "
            "such as 2018, 2018-01..2018-03 or 2018-01-05..2018-01-11"
        ) from None
    begin = begin if begin.tzinfo else begin.replace(tzinfo=UTC)
    step = timedelta(days=1) if len(text) <= len("2018-01-01") else timedelta(seconds=1)
    return int(begin.timestamp()), int((begin + step).timestamp())


def written_time(since: int | None, until: int | None, time_kind: str) -> str:
    """The two ends as a term has them, both still inside.

    >>> written_time(0, 2 * DAY_S, "clock")
    '1970-01-01..1970-01-02'
    """
    if time_kind == "order":
        last = None if until is None else until - 1
        return BETWEEN.join("" if end is None else str(end) for end in (since, last))
    first = "" if since is None else _written(since, whole=since % DAY_S == 0)
    end = "" if until is None else _written(until - 1, whole=until % DAY_S == 0)
    return f"{first}{BETWEEN}{end}"


def _written(time: int, *, whole: bool) -> str:
    moment = datetime.fromtimestamp(time, UTC)
    return f"{moment:%Y-%m-%d}" if whole else f"{moment:%Y-%m-%dT%H:%M:%S}"
