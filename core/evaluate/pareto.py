"""Which runs are on the front of two measures, and what their intervals leave open.

A run is behind another only where the other is surely better in one measure and not worse in the
other; a difference within its interval makes nobody better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.evaluate.intervals import bootstrap
from core.evaluate.metrics import Values
from core.types import Array

FRONT, OPEN, BEHIND = "front", "open", "behind"


@dataclass(frozen=True, eq=False)
class Objective:
    """What R runs are worth by one measure, more being better, and which are surely better."""

    values: Values  # (R,)
    surely: Array  # (R, R) bool: the row's value is above the column's by more than chance


@dataclass(frozen=True)
class FrontPlace:
    """Where a run stands between two measures.

    "front": by the figures nobody is at least as good in both and better in one. "behind": somebody
    surely is. "open": somebody is by the figures, but within the intervals.
    """

    run: str
    place: str
    behind: tuple[str, ...]  # the runs that surely are


def front(runs: Sequence[str], first: Objective, second: Objective) -> list[FrontPlace]:
    """The place of each run between two measures.

    >>> exact = [Objective(v, v[:, None] > v) for v in (np.array([3, 2, 1]), np.array([1, 2, 1]))]
    >>> [place.place for place in front(["a", "b", "c"], *exact)]
    ['front', 'front', 'behind']
    """
    places = []
    for j, run in enumerate(runs):
        equal_or_better = [(o.values >= o.values[j]) for o in (first, second)]
        better = (first.values > first.values[j]) | (second.values > second.values[j])
        ahead = equal_or_better[0] & equal_or_better[1] & better
        surely = _surely_ahead(first, second, j) | _surely_ahead(second, first, j)
        place = BEHIND if surely.any() else OPEN if ahead.any() else FRONT
        places.append(FrontPlace(run, place, tuple(np.array(runs)[surely].tolist())))
    return places


def _surely_ahead(one: Objective, other: Objective, j: int) -> Array:
    """Those (R,) that surely beat run j in one measure, and in the other surely do or are equal."""
    held: Array = one.surely[:, j] & (other.surely[:, j] | (other.values == other.values[j]))
    return held


def surely_higher(values: Values, seed: int = 0) -> Array:
    """Which run's mean is above which other's, (R, R): row above column.

    By the 95 % bootstrap interval of the paired differences, each pair by itself.

    Args:
        values: A row per user, a column per run, (n, R), n ≥ 1.
        seed: Of the random draws.
    """
    n_runs = values.shape[1]
    above, below = np.triu_indices(n_runs, 1)
    higher = np.zeros((n_runs, n_runs), bool)
    if len(above):
        differences = values[:, above] - values[:, below]
        low, high = bootstrap(differences, np.random.default_rng(seed))
        higher[above, below], higher[below, above] = low > 0, high < 0
    return higher


def clear_of(low: Values, high: Values) -> Array:
    """The same (R, R) from an interval (R,) of each run, where there is nothing to pair."""
    clear: Array = low[:, None] > high[None, :]
    return clear
