"""What there is to say about a run's vectors, as values, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.embed import Drift, Finding, NeighbourAccuracy, Quality, Step
from core.types import Array


@dataclass(frozen=True)
class AttributeAccuracy:
    """How often an attribute's value follows from a thing's nearest neighbours."""

    name: str
    accuracy: NeighbourAccuracy

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, **asdict(self.accuracy), "gain": self.accuracy.gain}


@dataclass(frozen=True)
class MapReport:
    """How a map was made, and how far it can be believed."""

    axes: int  # 2 or 3
    laid_out: int  # points that were laid out; the others were placed among them
    quality: Quality

    def to_json(self) -> dict[str, Any]:
        return {"axes": self.axes, "laid_out": self.laid_out, **asdict(self.quality)}


@dataclass(frozen=True)
class ClusterReport:
    """A cluster: its code, 0 the largest, what it is called, and how many things it has."""

    cluster: int
    label: str
    size: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class MovedItem:
    """An item that moved while the run learnt."""

    item: Any  # its id
    label: str
    cosine: float  # with itself, before and after

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, eq=False)
class DriftReport:
    """How the items moved from epoch to epoch, and those that moved most in the second half."""

    steps: tuple[Step, ...]
    moved: tuple[MovedItem, ...]

    @classmethod
    def of(cls, drift: Drift, ids: Array, labels: Sequence[str]) -> DriftReport:
        """The same with the items' ids and labels, (I,) each, in code order."""
        rows = drift.half.moved if drift.half else np.zeros(0, np.int64)
        cosines = drift.half.cosines[rows].tolist() if drift.half else []
        moved = zip(ids[rows].tolist(), rows.tolist(), cosines, strict=True)
        items = tuple(MovedItem(item, labels[row], cosine) for item, row, cosine in moved)
        return cls(drift.steps, items)

    def to_json(self) -> dict[str, Any]:
        return {
            "steps": [step.to_json() for step in self.steps],
            "moved": [item.to_json() for item in self.moved],
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class EmbeddingReport:
    """What there is to say about the vectors of a run's items or users."""

    run: str
    model: str
    of: str  # items or users
    component: str  # one of core.embed.components
    epoch: int | None  # None: the run's own
    rows: int
    dim: int
    kept: float  # as in core.embed.Vectors
    diagnosis: tuple[Finding, ...]
    drift: DriftReport | None  # None where no two epochs were kept
    attributes: tuple[AttributeAccuracy, ...]  # the best told from neighbours first
    map: MapReport | None
    clusters: tuple[ClusterReport, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "model": self.model,
            "of": self.of,
            "component": self.component,
            "epoch": self.epoch,
            "rows": self.rows,
            "dim": self.dim,
            "kept": self.kept,
            "diagnosis": [finding.to_json() for finding in self.diagnosis],
            "drift": self.drift and self.drift.to_json(),
            "attributes": [attribute.to_json() for attribute in self.attributes],
            "map": self.map and self.map.to_json(),
            "clusters": [cluster.to_json() for cluster in self.clusters],
        }
