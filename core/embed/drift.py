"""How far things moved from epoch to epoch, once the turning of the whole space is taken out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from core.embed.alignment import align
from core.embed.diagnosis import BAD, OK, WARN, Finding, kept_neighbours
from core.embed.neighbours import nearest, unit
from core.types import Array, Ints

NEAR = 15
SAMPLE = 1000  # things whose neighbours are looked at
MOST_MOVED = 10
# Of its neighbours, what a thing keeps over the second half of the training: from the first on it
# is settled, below the second it is not settling either. Where validation ended the training,
# recvae and two_tower on the MovieLens sample kept about half: the middle is no fault.
SETTLED, SETTLING = 0.8, 0.5
COLLAPSED = 0.5  # of the directions that were filled, what is left where things fell together


@dataclass(frozen=True, eq=False)
class Step:
    """From what N things were after one epoch to what they were after a later one."""

    before: int
    after: int
    cosines: Array  # (N,) float64, of each with itself, aligned; NaN where a vector is 0
    overlap: float  # of its 15 nearest, what a thing keeps, 0 … 1; the mean of a sample

    @property
    def cosine(self) -> float:
        """The mean cosine of a thing with itself; 1 where none can be compared."""
        finite = self.cosines[np.isfinite(self.cosines)]
        return float(finite.mean()) if len(finite) else 1.0

    @property
    def moved(self) -> Ints:
        """The rows of those that moved, the furthest first; at most MOST_MOVED."""
        order = np.argsort(self.cosines, kind="stable")[:MOST_MOVED]
        return order[np.isfinite(self.cosines[order])]

    def to_json(self) -> dict[str, Any]:
        return {
            "before": self.before,
            "after": self.after,
            "cosine": self.cosine,
            "overlap": self.overlap,
        }


@dataclass(frozen=True, eq=False)
class Drift:
    """What happened between each kept epoch and the next, and whether it came to rest."""

    steps: tuple[Step, ...]
    half: Step | None = None  # the second half of it; None where there is no earlier epoch
    finding: Finding | None = None  # about that half


def drift(epochs: Mapping[int, Array], own: int, *, seed: int = 0) -> Drift:
    """How N things moved while a model learnt; O(N · D²) and 1,000 · N · D for each epoch.

    The finding is about the second half: from the latest of the epochs in the first half, or the
    first of all, to the run's own. An epoch or two before the end nothing moves much whatever the
    case. It is drift.settled, .settling, .moving or .collapsed, its rows those that moved most.

    Args:
        epochs: The things' vectors (N, D) by epoch, rising, `own` among them.
        own: The epoch that the run's own vectors are of.
        seed: Of the sample whose neighbours are looked at.
    """
    tables = {epoch: unit(vectors).astype(np.float64) for epoch, vectors in epochs.items()}
    n = len(tables[own])
    sample = np.sort(np.random.default_rng(seed).permutation(n)[:SAMPLE])
    near = {epoch: nearest(x, x[sample], NEAR, sample).items for epoch, x in tables.items()}

    def step(before: int, after: int) -> Step:
        x, y = tables[before], tables[after]
        cosines = ((x @ align(x, y)) * y).sum(axis=1)
        cosines[~(x.any(axis=1) & y.any(axis=1))] = np.nan
        overlap = float(kept_neighbours(near[before], near[after]).mean())
        return Step(before, after, cosines, overlap)

    steps = tuple(step(*pair) for pair in pairwise(epochs))
    if earlier := [epoch for epoch in epochs if epoch < own]:
        begin = max((epoch for epoch in earlier if 2 * epoch <= own), default=earlier[0])
        half = step(begin, own)
        was, now = (_directions(tables[epoch]) for epoch in (begin, own))
        return Drift(steps, half, _finding(half, was, now))
    return Drift(steps)


def _finding(half: Step, was: float, now: float) -> Finding:
    if now < COLLAPSED * was:
        key, severity = "collapsed", BAD
    elif half.overlap < SETTLING:
        key, severity = "moving", WARN
    else:
        key, severity = "settled" if half.overlap >= SETTLED else "settling", OK
    numbers = {"before": half.before, "after": half.after, "cosine": half.cosine}
    numbers |= {"overlap": half.overlap, "near": NEAR, "was": was, "now": now}
    return Finding(f"drift.{key}", severity, numbers, half.moved)


def _directions(table: Array) -> float:
    """How many directions unit vectors (N, D) fill: exp of the entropy of the singular values.

    As in diagnosis, but around the origin: vectors that all lean one way fill one.
    """
    sizes = np.linalg.eigvalsh(table.T @ table).clip(min=0) ** 0.5
    share = sizes[sizes > 0] / max(float(sizes.sum()), 1e-300)
    return float(np.exp(-(share * np.log(share)).sum()))
