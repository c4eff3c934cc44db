"""Whether a run's explanations are faithful, as it is kept beside the run: faithfulness.json."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from core.data.durable import known_entries
from core.runs.identity import explanations_digest, runs_digest

MAIN = ("POS@10", "NEG@10", "DEL", "INS")  # of many measures, those that people read first
SURE = 2  # standard errors

# Order of the events, or what the values are held against → measure → figure.
Figures = Mapping[str, Mapping[str, "Figure"]]


@dataclass(frozen=True)
class Figure:
    """A mean over people; NaN where nobody has it."""

    mean: float
    se: float  # its standard error over people; NaN of fewer than two
    people: int  # of whom there is the figure


@dataclass(frozen=True)
class Standing:
    """On which measures the order by values is ahead of another, by more than two standard errors.

    Of a measure that too few people have, nothing is sure.
    """

    order: str  # that it is held against
    ahead: tuple[str, ...]
    behind: tuple[str, ...]
    unsure: tuple[str, ...]

    @property
    def measures(self) -> int:
        """How many there are."""
        return len(self.ahead) + len(self.behind) + len(self.unsure)


@dataclass(frozen=True, kw_only=True)
class RunFaithfulness:
    """Measures of core.explain.checks of a run's explanations, and the conditions they hold under.

    The order of each history's events by their values is measured beside simpler orders, for the
    best item of each of some people.
    """

    run: str  # id
    asked: int  # people that were to be drawn
    seed: int
    people: int  # that were measured
    events: float  # in their histories, the mean
    means: Figures  # by order ("values", "random", "cosine", …) and measure
    ahead: Figures  # how far values are ahead of each other order, person by person: more is better
    more_is_better: Mapping[str, bool]  # by measure, of the means
    explanations: str  # digest of the code that explained
    models: str  # and of the code that scored
    artifact_hash: str  # of the run's weights
    created: str  # ISO 8601, UTC
    seconds: float

    @property
    def older(self) -> bool:
        """Whether other code than this Recscope's explained or scored."""
        return (self.explanations, self.models) != (explanations_digest(), runs_digest())

    @property
    def sentence(self) -> str:
        """What is to be said before the figures of older code; "" where they are of this."""
        if not self.older:
            return ""
        which = "explanations" if self.explanations != explanations_digest() else "models"
        return (
            f"these figures, of {self.created[:10]}, are of older code for {which} than this "
            "Recscope has: measure them again"
        )

    def standings(self, measures: Sequence[str] = MAIN) -> tuple[Standing, ...]:
        """How values stand beside each other order, on these measures as far as there are any."""
        standings = []
        for order, figures in self.ahead.items():
            there = [name for name in measures if name in figures]
            ahead = tuple(m for m in there if figures[m].mean > SURE * figures[m].se)
            behind = tuple(m for m in there if figures[m].mean < -SURE * figures[m].se)
            unsure = tuple(m for m in there if m not in (*ahead, *behind))
            standings.append(Standing(order, ahead, behind, unsure))
        return tuple(standings)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """What faithfulness.json says; entries that are not known here are left out."""
        values = known_entries(cls, content)
        return cls(**{**values, **{name: _read(content[name]) for name in ("means", "ahead")}})

    def to_json(self) -> dict[str, Any]:
        """As faithfulness.json and `recscope faithfulness --json` have it."""
        return asdict(self) | {"means": _written(self.means), "ahead": _written(self.ahead)}


def _read(content: Mapping[str, Any]) -> Figures:
    return {
        order: {
            measure: Figure(_number(own["mean"]), _number(own["se"]), int(own["people"]))
            for measure, own in figures.items()
        }
        for order, figures in content.items()
    }


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _written(figures: Figures) -> dict[str, dict[str, dict[str, float | None]]]:
    """With null in the place of NaN, which JSON has not."""
    return {
        order: {
            measure: {
                name: None if math.isnan(value) else value for name, value in asdict(own).items()
            }
            for measure, own in measures.items()
        }
        for order, measures in figures.items()
    }
