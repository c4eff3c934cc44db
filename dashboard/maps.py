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

from core.artifact import Run
from core.data import queries
from core.errors import BadInput
from core.types import Array, Block, Floats, Ints
from dashboard.background import Report

if TYPE_CHECKING:
    from core.embed import Quality
    from core.pipeline import Near, Ready

WIDE, HIGH = 1.7, 0.95  # how far the outermost points lie from the middle, in half heights
MOST_LABELS = 200_000  # items whose names are held; of more, each is asked for when it is wanted
MOST_CORNERS = 500
AT_ONCE = 50_000  # items whose map of neighbours is made without being asked for
JUDGED_AT_ONCE = 100_000  # items whose vectors are judged without being asked; it takes O(N)
LAYOUTS = ("neighbours", "axes")
SEED = 0
WITHOUT = ("popularity", "recent_popularity")  # models linear in the history, with one row for all


@dataclass(frozen=True, eq=False)
class Groups:
    """Clusters of N items: which each is in, the largest first, and what they are called."""

    codes: Ints  # (N,)
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Placed:
    """A run's N items in one space of its vectors and on a map, the most popular first."""

    ready: Ready
    near: Near  # the space, and what is near in it
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
        return f"{run.id} {run.artifact_hash} {self.near.vectors.component} {self.layout}"

    @cached_property
    def events(self) -> Ints:
        """How often each item was taken, (N,), falling."""
        log = self.ready.dataset.interactions
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
    def known(self) -> Block | None:
        """The categories and words of each item, (N, F); None where nothing is known."""
        from core.embed import words

        found = words(self.ready.dataset.item_features)
        return found and Block(found.names, found.matrix[self.codes])

    @cached_property
    def _names(self) -> list[str] | None:
        if len(self.codes) > MOST_LABELS:
            return None
        return self._ask(self.codes)

    def ids(self, rows: Array) -> list[Any]:
        """The items' own ids."""
        ids: list[Any] = self.ready.items.decode(self.codes[rows]).tolist()
        return ids

    def names(self, rows: Sequence[int] | Array) -> list[str]:
        """What the items in these rows are called; IndexError if there is no such row."""
        known, rows = self._names, np.asarray(rows, np.int64)
        if known is None:
            return self._ask(self.codes[rows])
        return [known[row] for row in rows.tolist()]

    def _ask(self, codes: Ints) -> list[str]:
        ids = self.ready.items.decode(codes)
        labels = queries.item_labels(self.ready.dataset.info, ids.tolist())
        return [str(label) for label in labels]

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
    from core.config import model_class
    from core.models.blocks import HistoryLinear
    from core.types import Encoder

    if parts := str(run.config.params.get("components", "")):
        return any(has_vectors(one, ()) for one in runs if one.id in parts.split(","))
    model = model_class(run.config.model)
    if issubclass(model, Encoder):
        return True
    return issubclass(model, HistoryLinear) and run.config.model not in WITHOUT


def place(ready: Ready, component: str, report: Report) -> Placed:
    """The items of a run on the first two principal axes of their vectors.

    Raises:
        BadInput: the model has no vectors or no such component, or too few items for a map.
    """
    from core.embed import PCA
    from core.pipeline import Near

    report("items", None)
    log = ready.dataset.interactions
    _ = ready.dataset.item_features  # read here and not by the page, which would stand still
    report("vectors", None)
    codes = np.argsort(-np.bincount(log.items, minlength=log.n_items), kind="stable")
    near = Near(ready, component, seed=SEED)
    vectors = near.vectors.values
    if len(vectors) < 3:
        raise BadInput(f"a map needs 3 items or more, not {len(vectors)}")
    report("axes", None)
    axes = PCA.fit(vectors, min(2, vectors.shape[1]))
    flat = np.zeros((len(codes), 2), np.float32)
    flat[:, : len(axes.axes[0])] = axes.place(vectors)
    nowhere = np.zeros(0, np.float32)
    return _scaled(Placed(ready, near, codes, nowhere, nowhere, axes.share), flat)


def arrange(placed: Placed, report: Report) -> Placed:
    """The same items on the map that keeps neighbours, with clusters, as kept on disk or made."""
    path = _path(placed)
    kept = _read(path, len(placed.codes))
    if kept is None:
        kept = _arranged(placed, report)
        with suppress(OSError):  # a folder that cannot be written to: made again next time
            path.parent.mkdir(exist_ok=True)
            temporary = path.with_name(f".{uuid4().hex}.npz")
            np.savez(temporary, allow_pickle=False, **kept)
            temporary.replace(path)
    return _restored(placed, kept)


def is_arranged(placed: Placed) -> bool:
    """Whether the map that keeps neighbours has been made before."""
    return _path(placed).exists()


def _path(placed: Placed) -> Path:
    run = placed.ready.run
    what = f"1 {run.artifact_hash} {placed.near.vectors.component} {SEED}"
    return run.folder / "maps" / f"{hashlib.sha256(what.encode()).hexdigest()[:24]}.npz"


def _arranged(placed: Placed, report: Report) -> dict[str, Array]:
    from core.embed import Map, clusters, names_of, quality, words

    vectors = placed.near.vectors.values
    made = Map.fit(vectors, 2, seed=SEED, on_step=lambda share: report("map", share))
    report("quality", None)
    found = quality(vectors, made.points, seed=SEED)
    report("clusters", None)
    groups = clusters(vectors, seed=SEED)
    typical = placed.names(placed.rows[groups.typical(vectors)])
    names = names_of(groups, words(placed.ready.dataset.item_features), typical)
    return {
        "points": made.points,
        "groups": groups.codes,
        "names": np.array(names, np.str_),
        "quality": np.array([found.trustworthiness, found.recall, found.k, found.points]),
    }


def _restored(placed: Placed, kept: dict[str, Array]) -> Placed:
    from core.embed import Quality

    trust, recall, k, points = kept["quality"].tolist()
    groups = Groups(kept["groups"][placed.codes], tuple(kept["names"].tolist()))
    whole = replace(placed, quality=Quality(trust, recall, int(k), int(points)), groups=groups)
    flat = kept["points"]
    lies = np.ptp(flat[:, 0]) >= np.ptp(flat[:, 1])  # a screen is wider than it is high
    return _scaled(whole, flat if lies else flat[:, ::-1])


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


def _scaled(placed: Placed, flat: Floats) -> Placed:
    """With these places (N, 2), in code order."""
    x, y = scaled(flat)[placed.codes].T
    return replace(placed, x=np.ascontiguousarray(x), y=np.ascontiguousarray(y))


def scaled(flat: Floats) -> Floats:
    """Moved and scaled, both axes alike, so that all (N, 2) lie within ±WIDE and ±HIGH."""
    places = flat.astype(np.float64)
    low, high = places.min(axis=0), places.max(axis=0)
    middled = places - (low + high) / 2
    half = (high - low) / 2
    factor = max(float(half[0]) / WIDE, float(half[1]) / HIGH) or 1.0
    return np.asarray(middled / factor, np.float32)


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
    px, py = x[near].astype(np.float64), y[near].astype(np.float64)
    odd = np.zeros(len(near), bool)
    for (xi, yi), (xj, yj) in zip(corners, np.roll(corners, 1, axis=0), strict=True):
        if yi != yj:
            crosses = (yi > py) != (yj > py)
            odd ^= crosses & (px < (xj - xi) * (py - yi) / (yj - yi) + xi)
    found = np.zeros(len(x), bool)
    found[near] = odd
    return found
