"""What an evaluation found, as it is kept beside a run: metrics.json."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from core.data.durable import known_entries
from core.recommend.rules import RulesReport
from core.runs.shortcuts import RunShortcuts
from core.types import Interval, RerankReport, Slice

OF_RATINGS = ("rmse", "mae")  # how far predicted ratings are off


def meaningless(value_kind: str | None) -> tuple[str, ...]:
    """The metrics that say nothing of a log whose values are of this kind (DatasetInfo.value_kind).

    A quantity, a price or a duration is no opinion that a model could miss by a star.
    """
    return () if value_kind == "rating" else OF_RATINGS


@dataclass(frozen=True, kw_only=True)
class RunMetrics:
    """What a run is worth on what its split held out, and the conditions that this holds under."""

    run: str  # id
    name: str
    dataset: str  # id
    model: str
    split: str
    cut: str = ""  # where by-time cut, as in RunConfig
    split_tie_rate: float = 0.0  # share of users whose target is tied in time with their history
    hide_seen: bool
    rerank: RerankReport | None  # how lists were re-ranked, if they were
    rules: RulesReport | None = None  # what lists had to keep, and the cost; never stored
    users: int
    users_without_targets: int
    taste_attribute: str | None
    metrics: Mapping[str, Interval]  # "ndcg@10" → …
    target_hidden_share: float
    score_tie_rate: float
    seconds: float
    slices: tuple[Slice, ...] = ()
    list_ms: float | None = None  # milliseconds to rank all items for one person, of many at once
    shortcuts: RunShortcuts | None = None  # beside simple rules; None of an older evaluation

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """What metrics.json says; entries that are not known here are left out."""
        values = known_entries(cls, content)
        values["metrics"] = {
            name: Interval(ends["mean"], ends.get("low"), ends.get("high"))
            for name, ends in content["metrics"].items()
        }
        how = content.get("rerank")
        values["rerank"] = RerankReport(**known_entries(RerankReport, how)) if how else None
        values.pop("rules", None)
        values["slices"] = tuple(
            Slice(**known_entries(Slice, row)) for row in content.get("slices", ())
        )
        beside = content.get("shortcuts")
        values["shortcuts"] = RunShortcuts.from_json(beside) if beside else None
        return cls(**values)

    def without(self, names: Container[str]) -> RunMetrics:
        """The same without these metrics, by their names without k."""
        kept = {n: own for n, own in self.metrics.items() if n.partition("@")[0] not in names}
        return replace(self, metrics=kept)

    def to_json(self) -> dict[str, Any]:
        """As metrics.json and `recscope evaluate --json` have it."""
        content = asdict(self)
        beside = self.shortcuts.to_json() if self.shortcuts else None
        return {**content, "slices": list(content["slices"]), "shortcuts": beside}
