"""How far a map can be believed: what it keeps of who is near whom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.embed.neighbours import unit
from core.models.common.gram import chunks
from core.types import PAD, Array, Ints

SAMPLE = 2000  # points that are looked at, of all N that they are compared with
K = 15


@dataclass(frozen=True)
class Quality:
    """A map against the vectors it shows, on a sample of its points; all figures lie in 0 … 1.

    None of a map with fewer than three points: nobody on it could be nearer than another.
    """

    trustworthiness: float | None  # 1: no point has a neighbour there that is far away in truth
    recall: (
        float | None
    )  # of the k nearest in truth, the share that is among the k nearest on the map
    k: int
    points: int  # looked at


def quality(vectors: Array, points: Array, *, k: int = K, seed: int = 0) -> Quality:
    """Of a map (N, d) of vectors (N, D), compared by cosine; O(2,000 · N).

    Trustworthiness as Venna and Kaski, ICANN 2001, 1 - 2 / (n k (2N - 3k - 1)) Σ over map
    neighbours beyond the k nearest of (rank - k), over a sample of n points; it needs k < N / 2.
    """
    n = len(vectors)
    if n < 3:
        return Quality(None, None, 0, n)
    k = min(k, (n - 1) // 2)
    sample = np.sort(np.random.default_rng(seed).permutation(n)[:SAMPLE])
    table, points = unit(vectors), np.asarray(points, np.float32)
    penalty = hits = 0.0
    for chunk in chunks(len(sample), n, mib=32):
        rows = sample[chunk]
        far = _distances(table, rows)
        near = np.argpartition(_distances(points, rows), k - 1, axis=1)[:, :k]
        own = np.take_along_axis(far, near, axis=1)
        far.sort(axis=1)
        for row, distances in zip(far, own, strict=True):
            ranks = np.searchsorted(row, distances, side="left") + 1
            penalty += float(np.maximum(ranks - k, 0).sum())
            hits += float((ranks <= k).sum())
    worst = len(sample) * k * (2 * n - 3 * k - 1) / 2
    return Quality(1 - penalty / worst, hits / (len(sample) * k), k, len(sample))


def _distances(table: Array, rows: Ints) -> Array:
    """Squared distances (B, N) of these rows to all; inf to itself."""
    squares = np.square(table).sum(axis=1)
    distances = squares[rows][:, None] + squares - 2 * table[rows] @ table.T
    distances[np.arange(len(rows)), rows] = np.inf
    return np.asarray(distances, np.float32)


@dataclass(frozen=True)
class NeighbourAccuracy:
    """How often neighbours tell what an attribute's value is, and how often guessing does."""

    right: float  # by the vote of the k nearest
    commonest: float  # by always saying the commonest value
    things: int  # that have a value

    @property
    def gain(self) -> float:
        """Of what guessing gets wrong, the share that neighbours get right; below 0 if worse."""
        return (self.right - self.commonest) / (1 - self.commonest) if self.commonest < 1 else 0.0


def neighbour_accuracy(
    neighbours: Array, values: Array, things: Array | None = None
) -> NeighbourAccuracy:
    """How much of an attribute is known from neighbours.

    Each of those that have a value is told by the vote of its neighbours that have one; of equal
    votes the nearest one's; with none the commonest value is said.

    Args:
        neighbours: Rows (B, K), the nearest first; PAD for none.
        values: Of all N, (N,) codes or PAD.
        things: Whose neighbours these are, (B,); all N if not given.
    """
    values = np.asarray(values, np.int64)
    things = np.arange(len(values)) if things is None else np.asarray(things, np.int64)
    valued = np.flatnonzero(values[things] >= 0)
    if not len(valued):
        return NeighbourAccuracy(0.0, 0.0, 0)
    truth, near = values[things[valued]], np.asarray(neighbours)[valued]
    common = int(np.bincount(values[values >= 0]).argmax())
    votes = np.where(near >= 0, values[near], PAD)
    same = (votes[:, :, None] == votes[:, None, :]).sum(axis=2) * (votes >= 0)
    best = np.take_along_axis(votes, same.argmax(axis=1)[:, None], axis=1)[:, 0]
    predicted = np.where(same.max(axis=1) > 0, best, common)
    return NeighbourAccuracy(
        float((predicted == truth).mean()), float((truth == common).mean()), len(valued)
    )
