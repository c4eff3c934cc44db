"""The maps of a run's items: where each lies, made once in the background and kept on disk.

The principal axes are there at once; the map that keeps neighbours, its quality and the clusters
take their time. Both show the same vectors, those of one of the model's spaces.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from core.data import queries
from core.errors import BadInput
from core.runs.artifact import Run
from core.types import Array, FeatureBlock, Floats, Ints
from dashboard.background import Report

if TYPE_CHECKING:
    from core.embed import Quality
    from core.pipeline import LoadedRun, Neighbourhood

WIDE, HIGH = 1.7, 0.95  # how far the outermost points lie from the middle, in half heights
MOST_CORNERS = 500
AT_ONCE = 50_000  # items whose map of neighbours is made without being asked for
JUDGED_AT_ONCE = 100_000  # items whose vectors are judged without being asked; it takes O(N)
LAYOUTS = ("neighbours", "axes")
SOLID = "solid"  # the third: in three axes, drawn otherwise (dashboard/map/axes.py)
SEED = 0
WITHOUT = ("popularity", "recent_popularity")  # models linear in the history, with one row for all


@dataclass(frozen=True, eq=False)
class Groups:
    """Clusters of N items: which each is in, the largest first, and what they are called."""

    codes: Ints  # (N,)
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class PlacedItems:
    """A run's N items in one space of its vectors and on a map, the most popular first."""

    ready: LoadedRun
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
        run = self.ready.run
        space = f"{self.near.vectors.component} {self.near.epoch}"
        return f"{run.id} {run.artifact_hash} {space} {self.layout}"

    @cached_property
    def events(self) -> Ints:
        """How often each item was taken, (N,), falling."""
        log = self.ready.load_dataset().interactions
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
        parts = (np.array([len(self.codes)], "<i4"), self.x.astype("<f4"), self.y.astype("<f4"))
        return b"".join(part.tobytes() for part in parts)

    @cached_property
    def known(self) -> FeatureBlock | None:
        """The categories and words of each item, (N, F); None where nothing is known."""
        found = self.near.known
        return found and FeatureBlock(found.names, found.matrix[self.codes])

    @cached_property
    def _names(self) -> Any:
        """What all items are called, some 30 bytes each."""
        ids = self.ready.items.decode(self.codes)
        return queries.item_labels(self.ready.load_dataset().info, ids.tolist()).array

    def ids(self, rows: Array) -> list[Any]:
        """The items' own ids."""
        ids: list[Any] = self.ready.items.decode(self.codes[rows]).tolist()
        return ids

    def names(self, rows: Sequence[int] | Array) -> list[str]:
        """What the items in these rows are called; IndexError if there is no such row."""
        return [str(name) for name in self._names.take(np.asarray(rows, np.int64))]

    def row(self, item_id: str | None) -> int:
        """The row of the item with this id, -1 if the run knows none."""
        code = int(self.ready.items.encode([item_id])[0]) if item_id else -1
        return int(self.rows[code]) if code >= 0 else -1


def has_vectors(run: Run, runs: Sequence[Run]) -> bool:
    """Whether the run's model has vectors of items; nothing is loaded for it.

    Args:
        run: The run.
        runs: Those that it may be a fusion of.
    """
    from core.models.common.linear_history import HistoryLinear
    from core.runs.config import model_class
    from core.types import Encoder

    if parts := str(run.config.params.get("components", "")):
        return any(has_vectors(one, ()) for one in runs if one.id in parts.split(","))
    model = model_class(run.config.model)
    if issubclass(model, Encoder):
        return True
    return issubclass(model, HistoryLinear) and run.config.model not in WITHOUT


def place(
    ready: LoadedRun, component: str, report: Report, epoch: int | None = None
) -> PlacedItems:
    """The items of a run on the first two principal axes of their vectors.

    As they were after an epoch: on the axes of the run's own, so that only what moved has moved.

    Raises:
        BadInput: the model has no vectors or no such component, the epoch was not kept, or there
            are too few items for a map.
    """
    from core.embed import PCA
    from core.pipeline import Neighbourhood

    report("items", None)
    log = ready.load_dataset().interactions
    _ = ready.load_dataset().item_features  # read here and not by the page, which would stand still
    report("vectors", None)
    codes = np.argsort(-np.bincount(log.items, minlength=log.n_items), kind="stable")
    near = Neighbourhood(ready, component, epoch, seed=SEED)
    vectors = near.vectors.values
    own = vectors if epoch is None else replace(near, epoch=None).vectors.values
    if len(vectors) < 3:
        raise BadInput(f"a map needs 3 items or more, not {len(vectors)}")
    report("axes", None)
    axes = PCA.fit(own, min(2, own.shape[1]))
    flat, like = (np.zeros((len(codes), 2), np.float32) for _ in range(2))
    flat[:, : len(axes.axes[0])] = axes.place(vectors)
    like[:, : len(axes.axes[0])] = axes.place(own)
    whole = float(vectors.var(axis=0, dtype=np.float64).sum())
    share = float(flat.var(axis=0, dtype=np.float64).sum()) / whole if whole else 1.0
    nowhere = np.zeros(0, np.float32)
    return _scaled(PlacedItems(ready, near, codes, nowhere, nowhere, share), flat, like)


def arrange(placed: PlacedItems, report: Report) -> PlacedItems:
    """The same items on the map that keeps neighbours, with clusters, as kept on disk or made.

    As they were after an epoch: on a map that is begun from the run's own and laid on it.
    """
    kept = _kept(placed, report)
    return _restored(placed, kept, _kept(_own(placed), report)["points"])


def _own(placed: PlacedItems) -> PlacedItems:
    """The same items as they are in the end."""
    return replace(placed, near=replace(placed.near, epoch=None)) if placed.near.epoch else placed


def _kept(placed: PlacedItems, report: Report) -> dict[str, Array]:
    path = _path(placed)
    kept = _read(path, len(placed.codes))
    if kept is None:
        kept = _arranged(placed, report)
        with suppress(OSError):  # a folder that cannot be written to: made again next time
            path.parent.mkdir(exist_ok=True)
            temporary = path.with_name(f".{uuid4().hex}.npz")
            np.savez(temporary, allow_pickle=False, **kept)
            temporary.replace(path)
    return kept


def is_arranged(placed: PlacedItems) -> bool:
    """Whether the map that keeps neighbours has been made before."""
    return _path(placed).exists()


def _path(placed: PlacedItems) -> Path:
    run = placed.ready.run
    what = f"1 {run.artifact_hash} {placed.near.vectors.component} {SEED}"
    if placed.near.epoch:
        what += f" {placed.near.epoch}"
    return run.folder / "maps" / f"{hashlib.sha256(what.encode()).hexdigest()[:24]}.npz"


def _arranged(placed: PlacedItems, report: Report) -> dict[str, Array]:
    from core.embed import Map, clusters, names_of, quality, words
    from core.pipeline import continue_map

    def on_step(share: float) -> None:
        report("map", share)

    vectors = placed.near.vectors.values
    if placed.near.epoch:
        start = _kept(_own(placed), report)["points"]
        points = continue_map(start, vectors, seed=SEED, on_step=on_step)
    else:
        points = Map.fit(vectors, 2, seed=SEED, on_step=on_step).points
    report("quality", None)
    found = quality(vectors, points, seed=SEED)
    report("clusters", None)
    groups = clusters(vectors, seed=SEED)
    typical = placed.names(placed.rows[groups.typical(vectors)])
    names = names_of(groups, words(placed.ready.load_dataset().item_features), typical)
    return {
        "points": points,
        "groups": groups.codes,
        "names": np.array(names, np.str_),
        "quality": np.array([found.trustworthiness, found.recall, found.k, found.points]),
    }


def _restored(placed: PlacedItems, kept: dict[str, Array], like: Floats) -> PlacedItems:
    from core.embed import Quality

    trust, recall, k, points = kept["quality"].tolist()
    groups = Groups(kept["groups"][placed.codes], tuple(kept["names"].tolist()))
    whole = replace(placed, quality=Quality(trust, recall, int(k), int(points)), groups=groups)
    flat = kept["points"]
    lies = np.ptp(like[:, 0]) >= np.ptp(like[:, 1])  # a screen is wider than it is high
    return _scaled(whole, *((flat, like) if lies else (flat[:, ::-1], like[:, ::-1])))


def _read(path: Path, n: int) -> dict[str, Array] | None:
    """What is kept there, or None where it is not whole."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            kept = {name: stored[name] for name in ("points", "groups", "names", "quality")}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    groups = kept["groups"]
    shapes = kept["points"].shape == (n, 2) and groups.shape == (n,) and len(kept["quality"]) == 4
    named = shapes and groups.min() >= 0 and groups.max() < len(kept["names"])
    return kept if named and np.isfinite(kept["points"]).all() else None


def _scaled(placed: PlacedItems, flat: Floats, like: Floats) -> PlacedItems:
    """With these places (N, 2), in code order, in the frame of others."""
    x, y = scaled(flat, like)[placed.codes].T
    found = replace(placed, x=np.ascontiguousarray(x), y=np.ascontiguousarray(y))
    found.names([0])  # all are read here and not by the page, which would stand still
    return found


def scaled(flat: Floats, like: Floats | None = None) -> Floats:
    """Moved and scaled, both axes alike, so that all (N, 2) lie within ±WIDE and ±HIGH.

    With `like` moved as that one would be, and scaled so unless some then lay outside.
    """
    places = flat.astype(np.float64)
    frame = places if like is None else like.astype(np.float64)
    middle = (frame.min(axis=0) + frame.max(axis=0)) / 2
    half = np.abs(np.concatenate([places, frame]) - middle).max(axis=0)
    factor = max(float(half[0]) / WIDE, float(half[1]) / HIGH) or 1.0
    return np.asarray((places - middle) / factor, np.float32)


def inside(polygon: Any, x: Floats, y: Floats) -> Array:
    """Which points (N,) a polygon surrounds, by the even-odd rule, as the browser reckons it.

    Args:
        polygon: [[x, y], …] from a browser, not to be trusted.
        x: (N,)
        y: (N,)

    Raises:
        BadInput: this is no polygon.
    """
    try:
        corners = np.array(polygon, np.float64)
    except (TypeError, ValueError):
        corners = np.empty(0)
    if corners.ndim != 2 or corners.shape[1] != 2 or not 3 <= len(corners) <= MOST_CORNERS:
        raise BadInput(f"a selection is 3 to {MOST_CORNERS} corners of two numbers each")
    if not np.isfinite(corners).all():
        raise BadInput("a selection's corners must be finite numbers")
    (left, low), (right, high) = corners.min(axis=0), corners.max(axis=0)
    near = np.flatnonzero((x >= left) & (x <= right) & (y >= low) & (y <= high))
    found = np.zeros(len(x), bool)
    found[near] = _odd(corners, x[near].astype(np.float64), y[near].astype(np.float64))
    return found


def _odd(corners: Array, x: Array, y: Array) -> Array:
    """Whether a ray from each point crosses an odd number of edges, (N,).

    Between two neighbouring heights of corners all points cross the same few edges.
    """
    heights, rank = np.unique(corners[:, 1], return_inverse=True)
    band = np.searchsorted(heights, y, side="right").astype(np.uint16)  # ranks below it are below
    order = np.argsort(band, kind="stable")
    starts = np.searchsorted(band[order], np.arange(len(heights) + 2))
    ends = np.stack([rank, np.roll(rank, 1)])
    x, y, odd = x[order], y[order], np.zeros(len(x), bool)
    for height in range(1, len(heights)):
        part = slice(starts[height], starts[height + 1])
        for i in np.flatnonzero((ends[0] >= height) != (ends[1] >= height)).tolist():
            (xi, yi), (xj, yj) = corners[i], corners[i - 1]
            odd[part] ^= x[part] < (xj - xi) * (y[part] - yi) / (yj - yi) + xi
    found = np.empty_like(odd)
    found[order] = odd
    return found
