"""Two spaces of the same things held side by side: who is near whom in each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.embed.diagnosis import kept_neighbours
from core.embed.neighbours import nearest
from core.errors import BadInput
from core.types import Array, Ints


@dataclass(frozen=True, eq=False)
class SpaceComparison:
    """The K nearest of n of N things in two spaces; PAD where there are no more."""

    sample: Ints  # (n,) rows of the N
    first: Ints  # (n, K) rows
    second: Ints  # (n, K)

    @cached_property
    def kept(self) -> Array:
        """Of each thing's nearest in the first space, the share that is in the second, (n,)."""
        return kept_neighbours(self.first, self.second)

    def among(self, chosen: Array, rows: Array) -> tuple[float, float]:
        """Of the nearest of several of the n, the share that is chosen, in each space, 0 … 1.

        Args:
            chosen: The mask (N,).
            rows: Positions in `sample`.
        """
        return _share(self.first[rows], chosen), _share(self.second[rows], chosen)


def compare_spaces(first: Array, second: Array, sample: Array, k: int) -> SpaceComparison:
    """Whose neighbours some of N things have in two spaces, by cosine; O(n · N · D).

    Args:
        first: The N things in one space, (N, D).
        second: The same things in the same order in another, (N, E).
        sample: The rows (n,) that are looked at.
        k: Neighbours of each, itself left out.

    Raises:
        BadInput: the spaces have not equally many things, or an entry is not finite.
    """
    if len(first) != len(second):
        raise BadInput(
            f"two spaces are compared over the same things, not {len(first)} and {len(second)}"
        )
    sample = np.asarray(sample, np.int64)
    near = [nearest(x, np.asarray(x)[sample], k, sample).items for x in (first, second)]
    return SpaceComparison(sample, *near)


def _share(near: Ints, chosen: Array) -> float:
    there = near >= 0
    return float(chosen[near[there]].mean()) if there.any() else 0.0
