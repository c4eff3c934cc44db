"""How far things moved from epoch to epoch, once the turning of the whole space is taken out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from core.embed.alignment import align
from core.embed.diagnosis import BAD, OK, WARN, Finding, overlap
from core.embed.neighbours import unit
from core.types import Array, Ints

NEAR = 15
MOST_MOVED = 10
SETTLED = 0.8  # of its neighbours, what a thing keeps over half the training once it is settled
COLLAPSED = 0.5  # of the directions that were filled, what is left where things fell together


@dataclass(frozen=True, eq=False)
class Step:
    """From what N things were after one epoch to what they were after a later one."""

    before: int
    after: int
    cosines: Array  # (N,) float64, of each with itself, aligned; NaN where a vector is 0
    overlap: float  # of its 15 nearest, what a thing keeps, 0 … 1; of a sample of 2,000
    directions: tuple[float, float]  # filled before and after, 1 … D

    @property
    def cosine(self) -> float:
        """The mean cosine of a thing with itself; 1 where none can be compared."""
        known = self.cosines[np.isfinite(self.cosines)]
        return float(known.mean()) if len(known) else 1.0

    @property
    def moved(self) -> Ints:
        """The rows of those that moved, the furthest first; at most MOST_MOVED."""
        order = np.argsort(self.cosines, kind="stable")  # NaN last
        return order[self.cosines[order] < 1][:MOST_MOVED]


def steps(epochs: Mapping[int, Array], *, seed: int = 0) -> tuple[Step, ...]:
    """What happened between each kept epoch and the next; O(N · D²) and overlap's each.

    Args:
        epochs: Vectors (N, D) of the same things by epoch, rising.
        seed: Of the sample whose neighbours are looked at.
    """
    return tuple(step(epochs, *pair, seed=seed) for pair in pairwise(epochs))


def step(epochs: Mapping[int, Array], before: int, after: int, *, seed: int = 0) -> Step:
    """What happened between two of these epochs."""
    x, y = (unit(epochs[epoch]).astype(np.float64) for epoch in (before, after))
    cosines = ((x @ align(x, y)) * y).sum(axis=1)
    cosines[~(x.any(axis=1) & y.any(axis=1))] = np.nan
    kept = float(overlap(x, y, k=NEAR, seed=seed).mean())
    return Step(before, after, cosines, kept, (_directions(x), _directions(y)))


def _directions(table: Array) -> float:
    """How many directions unit vectors (N, D) fill: exp of the entropy of the singular values.

    As in diagnosis, but around the origin: vectors that all lean one way fill one.
    """
    sizes = np.linalg.eigvalsh(table.T @ table).clip(min=0) ** 0.5
    share = sizes[sizes > 0] / max(float(sizes.sum()), 1e-300)
    return float(np.exp(-(share * np.log(share)).sum()))


def drift(epochs: Mapping[int, Array], own: int, *, seed: int = 0) -> Finding | None:
    """Whether the vectors had come to rest, by what happened in the second half of the training.

    From the latest kept epoch that lies in the first half to the run's own: an epoch or two before
    its end nothing moves much whatever the case. None with fewer than two epochs up to there.

    Args:
        epochs: Vectors (N, D) of the same things by epoch, rising; `own` among them.
        own: The epoch that the run's vectors are of.
        seed: Of the sample whose neighbours are looked at.

    Returns:
        drift.settled, drift.moving or drift.collapsed; its rows moved most, the furthest first.
    """
    earlier = [epoch for epoch in epochs if epoch < own]
    if not earlier:
        return None
    found = step(
        epochs, max((e for e in earlier if 2 * e <= own), default=earlier[0]), own, seed=seed
    )
    was, now = found.directions
    key, severity = ("settled", OK) if found.overlap >= SETTLED else ("moving", WARN)
    if now < COLLAPSED * was:
        key, severity = "collapsed", BAD
    numbers = {
        "before": found.before,
        "after": found.after,
        "cosine": found.cosine,
        "overlap": found.overlap,
        "near": NEAR,
        "was": was,
        "now": now,
    }
    return Finding(f"drift.{key}", severity, numbers, found.moved)
