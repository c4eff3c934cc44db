"""What a fit found out beside the scores; run.json keeps it, pages and commands read it there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from core.types import Params


@dataclass(frozen=True)
class ComponentFindings:
    """What a component of a fusion is worth."""

    name: str  # of the component: a run's id, or as auto calls it
    model: str
    weights: tuple[float, ...]  # by segment of history length
    validation: float | None  # its NDCG@10 on validation, alone; None without validation

    def to_json(self) -> dict[str, Any]:
        """The same as JSON."""
        return asdict(self) | {"weights": list(self.weights)}


@dataclass(frozen=True)
class ChoiceFindings:
    """A model that auto thought of, whether it was taken, and why."""

    model: str
    params: Params
    taken: bool
    reason: str  # a key of core.models.ensemble.choice.WHY; "" in runs of old
    seconds: float  # that fitting it twice was thought to take
    apart: str  # what tells it from another of the same model
    about: Mapping[str, float]  # the numbers in its reason
    name: str  # of the component
    why: str  # its reason in words
    took: float | None  # seconds; None if it was not taken
    decay: float | None = None  # of a history, where another than the usual one was better

    def to_json(self) -> dict[str, Any]:
        """The same as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, choice: Mapping[str, Any]) -> Self:
        """As run.json has it; what an older version did not write is empty."""
        absent = {"reason": "", "apart": "", "about": {}, "name": choice["model"], "decay": None}
        given = absent | dict(choice)
        return cls(**{f.name: given[f.name] for f in fields(cls)})


@dataclass(frozen=True)
class FusionFindings:
    """How much each component of a fusion counts, and what the fusion is worth."""

    segments: tuple[int, ...]  # the history lengths at which they begin
    components: tuple[ComponentFindings, ...]
    validation: float | None  # NDCG@10 of the sum, on validation; None without validation
    candidates: int | None  # that the first of two stages finds; None where scores are added up
    choices: tuple[ChoiceFindings, ...] | None = None  # of auto; None of another fusion
    people: int = 0  # whose validation events were asked; 0: not said
    newcomers: int = 0  # people who gave the weights of empty histories; 0: they are as the others'

    def to_json(self) -> dict[str, Any]:
        """The same as JSON."""
        result = {
            "segments": list(self.segments),
            "components": [component.to_json() for component in self.components],
            "validation": self.validation,
            "candidates": self.candidates,
            "people": self.people,
            "newcomers": self.newcomers,
        }
        if self.choices is not None:
            result["choices"] = [choice.to_json() for choice in self.choices]
        return result

    @classmethod
    def from_json(cls, record: Mapping[str, Any] | None) -> Self | None:
        """As run.json has it; None where it was no fusion."""
        if not record or "components" not in record:
            return None
        components = (
            ComponentFindings(c["name"], c["model"], tuple(c["weights"]), c["validation"])
            for c in record["components"]
        )
        choices = None
        if "choices" in record:
            choices = tuple(ChoiceFindings.from_json(choice) for choice in record["choices"])
        return cls(
            segments=tuple(record["segments"]),
            components=tuple(components),
            validation=record["validation"],
            candidates=record.get("candidates"),
            choices=choices,
            people=record.get("people", 0),
            newcomers=record.get("newcomers", 0),
        )


@dataclass(frozen=True)
class LabelFindings:
    """How often a label is told rightly for people who were kept apart."""

    name: str
    kinds: tuple[str, ...]
    people: int  # kept apart
    right: float | None  # share of them; None without any
    commonest: float | None  # the same, were the commonest kind told of all

    def to_json(self) -> dict[str, Any]:
        """The same as JSON."""
        return asdict(self) | {"kinds": list(self.kinds)}


@dataclass(frozen=True)
class UnifiedFindings:
    """What the unified model told beside the next item."""

    label: LabelFindings | None = field(default=None)

    def to_json(self) -> dict[str, Any]:
        """The same as JSON; empty without a label."""
        return {} if self.label is None else {"label": self.label.to_json()}
