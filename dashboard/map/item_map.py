"""A run's items in one space of its vectors, and where each lies on a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from core.data import queries
from core.embed import Quality
from core.models.common.linear_history import HistoryLinear
from core.pipeline import LoadedRun, Neighbourhood
from core.runs.artifact import Run
from core.runs.config import model_class
from core.types import Array, Encoder, FeatureBlock, Floats, Ints

LAYOUTS = ("neighbours", "axes")
SOLID = "solid"  # the third: in three axes, drawn otherwise (dashboard/map/solid.py)
JUDGED_AT_ONCE = 100_000  # items whose vectors are judged without being asked; it takes O(N)
WITHOUT = ("popularity", "recent_popularity")  # models linear in the history, with one row for all


@dataclass(frozen=True, eq=False)
class Groups:
    """Clusters of N items: which each is in, the largest first, and what they are called."""

    codes: Ints  # (N,)
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class ItemMap:
    """A run's N items in one space of its vectors and on a map, the most popular first."""

    loaded: LoadedRun
    near: Neighbourhood  # the space, and what is near in it
    codes: Ints  # (N,) the item's code
    x: Floats  # (N,)
    y: Floats  # (N,) both scaled alike, 0 in the middle
    share: float  # of the vectors' variance, what their first two axes show; 0 … 1
    quality: Quality | None = None  # of the map that keeps neighbours, else None
    groups: Groups | None = None

    @property
    def layout(self) -> str:
        """One of LAYOUTS."""
        return "axes" if self.quality is None else "neighbours"

    @property
    def identity(self) -> str:
        """The same for equal maps of the same run, and no others."""
        run = self.loaded.run
        space = f"{self.near.vectors.component} {self.near.epoch}"
        return f"{run.id} {run.artifact_hash} {space} {self.layout}"

    @cached_property
    def events(self) -> Ints:
        """How often each item was taken, (N,), falling."""
        log = self.loaded.load_dataset().interactions
        return np.bincount(log.items, minlength=log.n_items)[self.codes]

    @cached_property
    def rows(self) -> Ints:
        """The row of each item by its code, (N,)."""
        rows = np.empty_like(self.codes)
        rows[self.codes] = np.arange(len(self.codes))
        return rows

    @cached_property
    def buffer(self) -> bytes:
        """int32 N | float32 x[N] | float32 y[N], little-endian: what the browser draws."""
        arrays = (np.array([len(self.codes)], "<i4"), self.x.astype("<f4"), self.y.astype("<f4"))
        return b"".join(array.tobytes() for array in arrays)

    @cached_property
    def terms(self) -> FeatureBlock | None:
        """The categories and words of each item, (N, F); None where nothing is known."""
        terms = self.near.terms
        return terms and FeatureBlock(terms.names, terms.matrix[self.codes])

    @cached_property
    def _names(self) -> Any:
        """What all items are called, some 30 bytes each."""
        ids = self.loaded.items.decode(self.codes)
        return queries.item_labels(self.loaded.load_dataset().info, ids.tolist()).array

    def ids(self, rows: Array) -> list[Any]:
        """The items' own ids."""
        ids: list[Any] = self.loaded.items.decode(self.codes[rows]).tolist()
        return ids

    def names(self, rows: Sequence[int] | Array) -> list[str]:
        """What the items in these rows are called; IndexError if there is no such row."""
        return [str(name) for name in self._names.take(np.asarray(rows, np.int64))]

    def row(self, item_id: str | None) -> int:
        """The row of the item with this id, -1 if the run knows none."""
        code = int(self.loaded.items.encode([item_id])[0]) if item_id else -1
        return int(self.rows[code]) if code >= 0 else -1


def has_vectors(run: Run, runs: Sequence[Run]) -> bool:
    """Whether the run's model has vectors of items; no weights are loaded for it.

    Args:
        run: The run.
        runs: Those that it may be a fusion of.
    """
    if components := str(run.config.params.get("components", "")):
        return any(has_vectors(fused, ()) for fused in runs if fused.id in components.split(","))
    model = model_class(run.config.model)
    if issubclass(model, Encoder):
        return True
    return issubclass(model, HistoryLinear) and run.config.model not in WITHOUT
