"""What is computed of coalitions of players, each of them once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from core.types import Array, Ints


class CoalitionMemo:
    """Coalitions of n players, and an array of this shape for each of the A that were asked for."""

    def __init__(self, n: int, shape: tuple[int, ...]) -> None:
        self.coalitions = np.zeros((0, n), bool)  # (A, n)
        self.values = np.zeros((0, *shape))  # (A, *shape)
        self._rows: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self.coalitions)

    def of(self, keep: Array, compute: Callable[[Array], Array]) -> Array:
        """The values of the coalitions keep (M, n), (M, *shape).

        `compute` is asked at once for all that are new, each once: (N, n) → (N, *shape).
        """
        keep = np.asarray(keep, bool).reshape(len(keep), self.coalitions.shape[1])
        keys = [row.tobytes() for row in np.packbits(keep, axis=1)]
        new: dict[bytes, int] = {}
        for row, key in enumerate(keys):
            if key not in self._rows:
                new.setdefault(key, row)
        if new:
            added = keep[list(new.values())]
            values = compute(added)
            self._rows |= {key: len(self) + row for row, key in enumerate(new)}
            self.coalitions = np.concatenate([self.coalitions, added])
            self.values = np.concatenate([self.values, values])
        rows: Ints = np.fromiter((self._rows[key] for key in keys), np.int64, len(keys))
        return self.values[rows]

    def replace(self, keep: Array, values: Array) -> None:
        """Another array for this coalition (n,), if there is one for it."""
        row = self._rows.get(np.packbits(np.asarray(keep, bool)).tobytes())
        if row is not None:
            self.values[row] = values
