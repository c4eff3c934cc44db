"""Whether a training took longer than it promised, and which part of it did."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from core.findings import FusionFindings
from core.runs.artifact import Run
from core.runs.config import model_class

AUTO = "auto"


@dataclass(frozen=True)
class Overrun:
    """A training that took longer than it was allowed to, in seconds."""

    promised: float
    took: float
    part: str | None  # the component that went furthest beyond; None: the weights and the files
    part_thought: float  # that this part was thought to take; 0 for what was not thought of
    part_took: float

    def to_json(self) -> dict[str, Any]:
        """The same as JSON."""
        return asdict(self)

    def sentence(self) -> str:
        """In English."""
        part = self.part or "all beside the components (reading, weights)"
        return (
            f"took {self.took:,.0f} s, longer than the {self.promised:,.0f} s it was given: "
            f"{part} took {self.part_took:,.1f} s, thought to be {self.part_thought:,.1f} s"
        )


def overrun(run: Run) -> Overrun | None:
    """By how much a run of auto went beyond its minutes; None where it kept to them."""
    findings = FusionFindings.from_json(run.meta.get("findings"))
    if run.config.model != AUTO or findings is None:
        return None
    params = {"minutes": model_class(AUTO).Config().minutes, **run.config.params}
    promised = 60 * float(params["minutes"])
    if run.seconds <= promised:
        return None
    parts: list[tuple[str | None, float, float]] = [
        (choice.name, choice.seconds, choice.took)
        for choice in findings.choices or ()
        if choice.took is not None
    ]
    parts.append((None, 0.0, max(0.0, run.seconds - sum(took for *_, took in parts))))
    part, thought, took = max(parts, key=lambda part: part[2] - part[1])
    return Overrun(promised, run.seconds, part, thought, took)
