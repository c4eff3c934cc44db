"""What a search found: its trials, the best of them, and what mattered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from core.data.durable import known_entries
from core.types import Params


@dataclass(frozen=True)
class TrialReport:
    """One trial that counts."""

    trial: int  # from 1
    state: str  # done, pruned or failed
    validation: float | None  # NDCG@10: of the end, else the best before it was pruned
    params: Params  # what was searched
    epoch: int | None  # the last that was measured; None of a model without epochs
    seconds: float
    message: str  # why it failed; else empty


@dataclass(frozen=True)
class BestTrial:
    """The trial that ranked the validation events best."""

    params: Params
    validation: float
    trial: int


@dataclass(frozen=True)
class SearchResult:
    """What a search found, as its search.json keeps it and `recscope tune --json` prints it."""

    search: str  # id
    dataset: str  # id
    model: str
    split: str
    seed: int
    device: str
    space: Mapping[str, str]  # setting → where it was searched, as written
    trials: int
    pruned: int
    failed: int
    best: BestTrial
    defaults: Params  # of what was searched
    default_validation: float | None  # None where the defaults lie outside the space
    importance: Mapping[str, float]  # setting → its share, 0 … 1; none from too few trials
    seconds: float
    history: Sequence[TrialReport]
    run: str = ""  # id of the run of the best settings
    name: str = ""  # of that run
    created: str = ""  # when the search was asked for, ISO 8601, UTC

    @classmethod
    def from_json(cls, content: Mapping[str, Any], created: str) -> Self:
        """What search.json keeps under "result"; entries of a later version are left out."""
        values = known_entries(cls, content)
        values["best"] = BestTrial(**known_entries(BestTrial, content["best"]))
        values["history"] = [
            TrialReport(**known_entries(TrialReport, trial)) for trial in content["history"]
        ]
        return cls(**values | {"created": created})

    def to_json(self) -> dict[str, Any]:
        """As search.json and `recscope tune --json` have it."""
        content = asdict(self)
        del content["created"]  # search.json has it beside the result
        return content
