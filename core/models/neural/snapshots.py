"""What the items were to a model after a few of its epochs, to see how they came to lie so."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

MOST_BYTES = 64 * 2**20  # of all epochs together; where three of them need more, none is kept
FEWEST = 3  # the first, the best, the last


class Snapshots:
    """The items' vectors (I, D) after the first epoch, powers of two, the best and the last.

    Where not all fit into MOST_BYTES the earlier powers of two go; float32, on the CPU.

    Args:
        vectors: The items' vectors as they are now; called while the averaged weights are in place.
    """

    def __init__(self, vectors: Callable[[], Tensor]) -> None:
        self._vectors = vectors
        self.kept: dict[int, Tensor] = {}  # by epoch, rising

    def take(self, epoch: int, best: int) -> None:
        """Keeps those of this epoch, the last so far, and lets go what is no longer wanted."""
        vectors = self._vectors().detach()
        room = MOST_BYTES // max(1, 4 * vectors.numel())
        if room < FEWEST:
            return
        self.kept[epoch] = vectors.to("cpu", torch.float32, copy=True)
        powers = (2**power for power in reversed(range(epoch.bit_length())))
        wanted = [e for e in dict.fromkeys((epoch, best, 1, *powers)) if e in self.kept]
        self.kept = {e: self.kept[e] for e in sorted(wanted[:room])}


def is_snapshot(epoch: int, epochs: int) -> bool:
    """Whether this epoch of so many is kept for good whatever follows: a power of two, the end.

    >>> [epoch for epoch in range(1, 12) if is_snapshot(epoch, 11)]
    [1, 2, 4, 8, 11]
    """
    return epoch == epochs or epoch & (epoch - 1) == 0
