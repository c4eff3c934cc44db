"""The items that may be recommended after a history, and how high they stand in the mean."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from core.types import Array, Queries


def candidates(query: Queries, n_items: int) -> Array:
    """The items that may be recommended after one history, (I,) bool: all but its own.

    All, where fewer than two would be left: an item is not held against itself alone.
    """
    allowed = np.ones(n_items, bool)
    allowed[query.items.astype(np.int64)] = False
    return allowed if allowed.sum() > 1 else np.ones(n_items, bool)


def mean_of_candidates(scores: Tensor, allowed: Array) -> Tensor:
    """The mean of each row of scores (b, I) over the items allowed (I,), (b,) float64."""
    there = torch.from_numpy(allowed).to(scores.device)
    total = scores.masked_fill(~there, 0).sum(dim=1, dtype=torch.float64)
    return total / int(allowed.sum())
