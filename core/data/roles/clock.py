"""Which column, or which columns together, say when: a guess with its evidence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from duckdb import DuckDBPyRelation

from core.data.roles.guess import TIME_FORMAT, Guess, column_for
from core.data.roles.moments import CLOCK_NAMES, cell_of, unit_of
from core.data.roles.names import NAMES
from core.data.roles.profiles import Profile
from core.data.roles.time_study import MOST_STUDIED, Cells, study
from core.data.roles.times import SEVERAL_ZONES, TimeFormat, moment_sql, text_sql
from core.data.store import literal, quoted
from core.errors import BadInput

OTHER_DAYS = re.compile(r"birth|born|dob|release|expir|publish")  # of no event: never when it was
_CLOCK = r"[0-9]{1,2} ?[hH] ?[0-9]{2}|[0-9]{1,2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?( ?[AaPp][Mm])?"


def guess_clock(
    found: Guess,
    sample: DuckDBPyRelation,
    columns: Sequence[Profile],
    free: Sequence[Profile],
    given: Mapping[str, str | None],
) -> None:
    """Gives `found` the column of times and how it is written.

    Raises:
        BadInput: the given column holds no times.
    """
    if "timestamp" in given:
        if given["timestamp"] is not None:
            _as_said(found, sample, columns, given["timestamp"], given.get(TIME_FORMAT))
        return
    likely = [c for name in NAMES["timestamp"] for c in free if c.key == name and c.filled]
    likely += [c for c in free if c not in likely and c.type.startswith(("TIMESTAMP", "DATE"))]
    said = given.get(TIME_FORMAT)
    if said and likely:
        _set_time(found, likely[0].name, _said(said))
        return
    for column in likely:
        time = _study(sample, columns, column.name)
        if time and time.kind == "clock":
            _set_with_clock(found, sample, free, column, time)
            return
    if _from_units(found, sample, columns, free):
        return
    for column in likely:
        if column.is_whole and (time := _study(sample, columns, column.name, ordered=True)):
            _set_time(found, column.name, time)
            return
    if likely:
        examples = _examples(sample, quoted(likely[0].name))
        found.evidence["timestamp"] = (
            f"{likely[0].name!r} holds {', '.join(map(repr, examples)) or 'nothing'}, which is no "
            f"known way of writing times: {_remedy(examples)}"
        )
    ordered = column_for("order", free)
    if ordered and ordered.is_whole and _counts_up(sample, ordered, found.mapping["user_id"]):
        time = TimeFormat(
            "order", 1.0, f"whole numbers from {ordered.low:.0f} that count up within each user"
        )
        _set_time(found, ordered.name, time)
        return
    _by_content(found, sample, free)


def _said(way: str) -> TimeFormat:
    return TimeFormat(way, 1.0, f"read as {way}, as you said", said=True)


def _as_said(
    found: Guess,
    sample: DuckDBPyRelation,
    columns: Sequence[Profile],
    column: str,
    way: str | None,
) -> None:
    if way:
        _set_time(found, column, _said(way))
        return
    whole = next((c.is_whole for c in columns if c.name == column), False)
    time = _study(sample, columns, column, ordered=whole)
    if time is None:
        cell, _ = cell_of(column, {c.name: c.type for c in columns})
        examples = _examples(sample, cell)
        raise BadInput(
            f"timestamp: {column!r} holds {', '.join(map(repr, examples)) or 'nothing'}, which no "
            f"known way of writing times reads: {_remedy(examples)}"
        )
    _set_time(found, column, time)


def _study(
    sample: DuckDBPyRelation, columns: Sequence[Profile], column: str, *, ordered: bool = False
) -> TimeFormat | None:
    cell, type = cell_of(column, {c.name: c.type for c in columns})
    time = study([Cells("", sample, cell, type)], column, looks_ordered=ordered)
    return replace(time, by_file={}) if time else None


def _set_with_clock(
    found: Guess,
    sample: DuckDBPyRelation,
    free: Sequence[Profile],
    column: Profile,
    time: TimeFormat,
) -> None:
    """A day goes together with the time of day that stands in another column."""
    others = [c for c in free if c is not column and c.filled]
    if _says_only_days(sample, column, time):
        parts = [c for c in others if _is_clock(sample, c)][:1] or _hours(others)
        together = "+".join(c.name for c in (column, *parts))
        joined = _study(sample, free, together) if parts else None
        if joined and joined.kind == "clock":
            _set_time(found, together, joined)
            return
    _set_time(found, column.name, time)


def _says_only_days(sample: DuckDBPyRelation, column: Profile, time: TimeFormat) -> bool:
    moment = moment_sql(quoted(column.name), column.type, time.way)
    clocks = f"count(CASE WHEN {moment} <> date_trunc('day', {moment}) THEN 1 END)"
    return bool(sample.aggregate(clocks).fetchall()[0][0] == 0)


def _is_clock(sample: DuckDBPyRelation, column: Profile) -> bool:
    """Whether this column says a time of day: 16:44, or 1644 where its name says so as well."""
    named = column.key in CLOCK_NAMES or column.key.endswith(("time", "zeit"))
    if column.type.startswith("TIME") and not column.type.startswith("TIMESTAMP"):
        return True
    text = f"trim({text_sql(quoted(column.name), column.type)})"
    tests = [f"regexp_full_match({text}, {literal(_CLOCK)})"]
    if named:
        hours = f"TRY_CAST({text} AS INTEGER)"
        tests += [
            f"regexp_full_match({text}, '[0-9]{{1,4}}') AND {hours} < 2400 AND {hours} % 100 < 60",
            f"regexp_full_match({text}, '[0-9]{{5,6}}') AND {hours} < 240000"
            f" AND {hours} % 100 < 60 AND {hours} // 100 % 100 < 60",
            rf"regexp_full_match({text}, '0?\.[0-9]+')",
            rf"regexp_full_match({text}, '(1899-12-3[01]|1900-01-0[01])[ T].*')",
        ]
    read = f"count(CASE WHEN {' OR '.join(f'({test})' for test in tests)} THEN 1 END)"
    return bool(sample.aggregate(read).fetchall()[0][0] >= 0.9 * column.filled)


def _hours(columns: Sequence[Profile]) -> list[Profile]:
    """The columns of hour, minute and second, as far as they are there; none without an hour."""
    units = {unit_of(c.name): c for c in reversed(columns) if c.is_whole}
    if "hour" not in units:
        return []
    return [units[unit] for unit in ("hour", "minute", "second") if unit in units]


def _from_units(
    found: Guess,
    sample: DuckDBPyRelation,
    columns: Sequence[Profile],
    free: Sequence[Profile],
) -> bool:
    """Whether year, month and what is finer stand in columns of their own; they are taken then."""
    filled = [c for c in free if c.filled and not OTHER_DAYS.search(c.key)]
    units = {unit_of(c.name): c for c in reversed(filled)}
    if "year" not in units or "month" not in units:
        return False
    order = ["year", "month", "day", "hour", "minute", "second"]
    named = [units[unit].name for unit in order if unit in units]
    if "hour" not in units and (clock := [c for c in filled if _is_clock(sample, c)]):
        named = [name for name in named if name != clock[0].name] + [clock[0].name]
    together = "+".join(named)
    time = _study(sample, columns, together)
    if time is None or time.kind != "clock":
        return False
    _set_time(found, together, time)
    return True


def _by_content(found: Guess, sample: DuckDBPyRelation, free: Sequence[Profile]) -> None:
    # Texts that read as times are times, whatever their name; a day of birth or release is not.
    likely = [c for c in free if not OTHER_DAYS.search(c.key) and _may_hold_times(c)]
    for column in likely[:MOST_STUDIED]:
        time = _study(sample, free, column.name)
        if time:
            _set_with_clock(found, sample, free, column, time)
            return
    other = [c for c in free if c.is_text and OTHER_DAYS.search(c.key)][:MOST_STUDIED]
    read = next((c for c in other if _study(sample, free, c.name)), None)
    if read and "timestamp" not in found.evidence:
        found.evidence["timestamp"] = (
            f"none: {read.name!r} holds times, but by its name not those of the events; "
            f"say timestamp={read.name} if it does"
        )


def _may_hold_times(column: Profile) -> bool:
    nameless = re.fullmatch(r"column\d+|unnamed_\d+", column.name)
    return bool(nameless) or "time" in column.key or "date" in column.key or column.is_text


def _set_time(found: Guess, column: str, time: TimeFormat) -> None:
    found.mapping["timestamp"], found.time = column, time
    said = found.evidence.get("timestamp", "")
    known = said if said.endswith("as you said") else repr(column)
    found.evidence["timestamp"] = f"{known}: {time.evidence}"


def _counts_up(sample: DuckDBPyRelation, column: Profile, user: str | None) -> bool:
    """Whether the numbers of a user's records run without a gap: an order, not a slot on a page."""
    if user is None or user not in sample.columns or column.distinct < 4:
        return False
    step = f"TRY_CAST({quoted(column.name)} AS BIGINT)"
    steps = sample.aggregate(
        f"{quoted(user)} AS u, count({step}) AS n, count(DISTINCT {step}) AS different,"
        f" max({step}) - min({step}) + 1 AS width",
        quoted(user),
    ).filter("n > 1")
    whole = "count(CASE WHEN n = different AND width <= 1.5 * n THEN 1 END)"
    runs, total = steps.aggregate(f"{whole}, count(*)").fetchall()[0]
    return bool(total and runs >= 0.95 * total)


def _examples(sample: DuckDBPyRelation, cell: str) -> list[str]:
    """Three of the cells, the first in the order of the alphabet."""
    seen = sample.project(f"CAST({cell} AS VARCHAR) AS x").filter("x IS NOT NULL").distinct()
    return [x[:60] for (x,) in seen.order("x").limit(3).fetchall()]


def _remedy(cells: Sequence[str]) -> str:
    """What to do about times that nothing reads."""
    for zone in SEVERAL_ZONES:
        if any(re.search(rf"\b{zone}\b", cell) for cell in cells):
            return f"{zone} is a zone of several places; write its hours from UTC, such as +05:30"
    return "say it with time_format=…, such as %d/%m/%Y (or s, ms, us, order)"
