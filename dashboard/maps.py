"""The map of a run's items: where each lies, computed once in the background and kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np

from core.artifact import Run
from core.data import queries
from core.errors import BadInput
from core.types import Array, Floats, Ints

if TYPE_CHECKING:
    from core.pipeline import Ready

WIDE, HIGH = 1.7, 0.95  # how far the outermost points lie from the middle, in half heights
MOST_LABELS = 200_000  # items whose names are held; of more, each is asked for when it is wanted
MOST_CORNERS = 500
METHODS = ("pca",)

Report = Callable[[str], None]  # told the name of the step that begins


@dataclass(frozen=True, eq=False)
class Placed:
    """A run's N items in the space of its vectors and on the map, the most popular first."""

    ready: Ready
    codes: Ints  # (N,) the item's code
    vectors: Floats  # (N, D)
    x: Floats  # (N,)
    y: Floats  # (N,) both scaled alike, 0 in the middle
    kept: float  # of the vectors' variance, what the map shows; 0 … 1

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


def has_vectors(run: Run) -> bool:
    """Whether the run's model has vectors of items; the model is not loaded for it."""
    from core.config import model_class
    from core.types import Encoder

    return issubclass(model_class(run.config.model), Encoder)


def place(ready: Ready, report: Report) -> Placed:
    """The items of a run on their first two principal axes.

    Raises:
        BadInput: the model has no vectors, or too few items for a map.
    """
    report("vectors")
    log = ready.dataset.interactions
    codes = np.argsort(-np.bincount(log.items, minlength=log.n_items), kind="stable")
    vectors = _vectors(ready)[codes]
    folder = ready.run.folder / "maps"
    path = folder / f"pca-{ready.run.artifact_hash[:16]}.npy"
    report("axes")
    found = _read(path, len(codes))
    if found is None:
        flat, kept = axes(vectors)
        found = np.vstack([scaled(flat).T, np.full((1, len(codes)), kept, np.float32)])
        with suppress(OSError):  # a folder that cannot be written to: computed again next time
            folder.mkdir(exist_ok=True)
            temporary = folder / f".{uuid4().hex}.npy"
            np.save(temporary, found, allow_pickle=False)
            temporary.replace(path)
    return Placed(ready, codes, vectors, found[0], found[1], float(found[2, 0]))


def _read(path: Any, n: int) -> Floats | None:
    try:
        found: Floats = np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        return None
    whole = found.shape == (3, n) and found.dtype == np.float32 and bool(np.isfinite(found).all())
    return found if whole else None


def _vectors(ready: Ready) -> Floats:
    from core.types import Encoder

    model = ready.model
    if not isinstance(model, Encoder):
        raise BadInput(f"{ready.run.name} has no vectors of items: choose another run")
    vectors: Floats = model.encode_items().detach().float().cpu().numpy()
    if len(vectors) < 3:
        raise BadInput(f"a map needs 3 items or more, not {len(vectors)}")
    return vectors


def axes(vectors: Floats) -> tuple[Floats, float]:
    """The vectors (N, D) on their first two principal axes (N, 2), and their share of the variance.

    The axis along which they differ most comes first, and the largest entry of each axis is
    positive, so that the same vectors always give the same map.
    """
    centred = vectors - vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    variances, directions = np.linalg.eigh(centred.T.astype(np.float64) @ centred)
    strongest = directions[:, ::-1][:, :2]
    largest = np.abs(strongest).argmax(axis=0)
    strongest = strongest * np.where(strongest[largest, range(strongest.shape[1])] < 0, -1, 1)
    flat = np.zeros((len(vectors), 2), np.float32)
    flat[:, : strongest.shape[1]] = centred @ strongest.astype(np.float32)
    total = float(variances.sum())
    return flat, float(variances[::-1][:2].sum()) / total if total > 0 else 1.0


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


class Background:
    """Something that takes a while, made once in a thread and shared by all who look."""

    def __init__(self, make: Callable[[Report], Placed]) -> None:
        self.step = "load"
        self.error: Exception | None = None
        self._made: Placed | None = None
        self._done = Event()
        Thread(target=self._run, args=(make,), name="map", daemon=True).start()

    def _run(self, make: Callable[[Report], Placed]) -> None:
        try:
            self._made = make(self._report)
        except Exception as caught:  # told to whoever asks
            self.error = caught
        self._done.set()

    def _report(self, step: str) -> None:
        self.step = step

    def get(self, patience_s: float = 0) -> Placed | None:
        """What was made, or None if it is not ready in this time; raises what went wrong."""
        if not self._done.wait(patience_s):
            return None
        if self.error is not None:
            raise self.error
        return self._made
