"""What a run is worth beside simple rules, as metrics.json keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self

from core.data.durable import known_entries

SURE = 0.05  # the corrected p below which a difference is called one

_RULES = {
    "transitions": "what follows what (a transition graph)",
    "last_period": "what was popular in the last period",
    "repeats": "the people's own items again",
}


@dataclass(frozen=True)
class Margin:
    """How far a run is ahead of a rule in one metric, person by person."""

    metric: str
    reached: float  # by the rule
    run: float  # by the run, on the same people
    difference: float  # run - rule
    se: float | None  # its standard error over people; None of fewer than two
    low: float  # 95 % bootstrap interval of the difference
    high: float
    p: float  # two-sided, sign-flip test
    p_holm: float  # the same, corrected for all rules and metrics of this run


@dataclass(frozen=True)
class Shortcut:
    """A rule, and the run's margins over it; without any where it cannot be asked."""

    name: str  # transitions, last_period or repeats
    margins: tuple[Margin, ...]

    @property
    def verdict(self) -> str:
        """By the first metric: better, worse, unsure, same (on every person) or none."""
        if not self.margins:
            return "none"
        first = self.margins[0]
        if first.difference == first.low == first.high == 0:
            return "same"
        if first.p_holm >= SURE:
            return "unsure"
        return "better" if first.difference > 0 else "worse"


@dataclass(frozen=True)
class Period:
    """What the rule of the last period counted."""

    kind: str  # clock: the last tenth of the time span; order: of the events; all: no times
    events: int
    first: int | None  # the times of its first and last event: Unix seconds, or order numbers
    last: int | None

    @property
    def ends(self) -> tuple[str, str]:
        """Its first and last time as people read them: days, or numbers; empty without times."""
        first, last = self.first, self.last
        if first is None or last is None:
            return "", ""
        if self.kind != "clock":
            return str(first), str(last)
        days = (datetime.fromtimestamp(at, UTC).date().isoformat() for at in (first, last))
        return next(days), next(days)

    def sentence(self) -> str:
        """In English."""
        what = {
            "clock": "the last tenth of the time learnt from",
            "order": "the last tenth of the events learnt from",
            "all": "all that was learnt from, as the log has no times",
        }[self.kind]
        when = "" if self.kind == "all" else ", {} to {}".format(*self.ends)
        return f"the last period is {what}: {self.events:,} events{when}"


@dataclass(frozen=True)
class RunShortcuts:
    """A run beside rules that learnt from the same events and were asked the same questions."""

    people: int  # that the rules and the run are compared on
    of: int  # that the run was evaluated on
    events: int  # that the rules learnt from
    period: Period
    shortcuts: tuple[Shortcut, ...]

    def sentence(self) -> str:
        """In English, no more than the figures say; "" where there are none."""
        first = next((s.margins[0] for s in self.shortcuts if s.margins), None)
        if first is None:
            return ""
        said = {
            "better": "better than",
            "worse": "worse than",
            "unsure": "not surely better or worse than",
            "same": "person by person the same as",
        }
        parts = [
            f"{words} {' and '.join(names)}"
            for verdict, words in said.items()
            if (names := [_RULES[s.name] for s in self.shortcuts if s.verdict == verdict])
        ]
        whom = f"{self.people:,} people" + ("" if self.people == self.of else f" of {self.of:,}")
        return f"by {first.metric} on {whom}, the run is {'; '.join(parts)}"

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """As `to_json` wrote it; entries that are not known here are left out."""
        values = known_entries(cls, content)
        values["period"] = Period(**known_entries(Period, content["period"]))
        values["shortcuts"] = tuple(
            Shortcut(
                rule["name"],
                tuple(Margin(**known_entries(Margin, margin)) for margin in rule["margins"]),
            )
            for rule in content["shortcuts"]
        )
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """As metrics.json and `recscope evaluate --json` have it, the verdicts included."""
        rules = [
            {
                "name": rule.name,
                "verdict": rule.verdict,
                "margins": [asdict(margin) for margin in rule.margins],
            }
            for rule in self.shortcuts
        ]
        return {**asdict(self), "shortcuts": rules, "sentence": self.sentence()}
