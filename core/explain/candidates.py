"""The items that may be recommended after a history."""

from __future__ import annotations

import numpy as np

from core.types import Array, Queries


def candidates(query: Queries, n_items: int) -> Array:
    """The items that may be recommended after one history, (I,) bool: all but its own.

    All, where fewer than two would be left: an item is not held against itself alone.
    """
    allowed = np.ones(n_items, bool)
    allowed[query.items.astype(np.int64)] = False
    return allowed if allowed.sum() > 1 else np.ones(n_items, bool)
