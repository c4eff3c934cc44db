"""How models and their weights are compared while they are fitted: NDCG@10 on validation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from core.models.common.places import (
    at_least_as_high,
    distinct_targets,
    hide_seen_items,
    spread_ties,
)
from core.models.common.tensors import tensor
from core.types import Array, Holdout, Ints, Queries

VALIDATION_K = 10  # length of the lists, by which models and their weights are chosen
VALIDATION_QUERIES = 10_000  # at most; a drawn part of them decides as well, and sooner


def ideal_dcg(counts: Tensor) -> Tensor:
    """Σ of 1 / log2(1 + rank) where all targets, so many of a query, come first in a list of ten.

    >>> [round(x, 3) for x in ideal_dcg(torch.tensor([1, 2, 99])).tolist()]
    [1.0, 1.631, 4.544]
    """
    ranks = torch.arange(1, VALIDATION_K + 1, device=counts.device)
    best = (1 / torch.log2(1 + ranks)).cumsum(0)
    return best[counts.clamp(1, VALIDATION_K) - 1]


def validation_score(
    score: Callable[[Queries], Tensor], holdout: Holdout, rng: np.random.Generator, block: int
) -> Callable[[], float]:
    """A function that measures a model on held-out events by its mean NDCG@10, as `evaluate` does.

    More than 10,000 queries: a drawn part.

    Args:
        score: (B, n_items) for queries.
        holdout: What came next.
        rng: Draws the part.
        block: Queries scored at once.
    """
    people = np.flatnonzero(np.diff(holdout.offsets))
    if len(people) > VALIDATION_QUERIES:
        people = np.sort(rng.choice(people, VALIDATION_QUERIES, replace=False))
    asked = ValidationQueries(holdout[people])
    return lambda: float(asked.gains(score, block).sum()) / max(1, len(asked))


class ValidationQueries:
    """Held-out events as models are asked for them.

    All items are ranked; those of the history are hidden, so that a target among them is a miss;
    ties count against a target; a repeated target counts once.
    """

    def __init__(self, holdout: Holdout) -> None:
        self._queries = holdout.queries
        n_items = 1 + int(holdout.targets.max(initial=0))
        self._owners, self._targets = distinct_targets(holdout, n_items)
        self._starts = np.searchsorted(self._owners, np.arange(len(holdout) + 1))

    def __len__(self) -> int:
        return len(self._queries)

    def gains(self, score: Callable[[Queries], Tensor], block: int) -> Array:
        """NDCG@10 of each query, (B,) float64, so many of them scored at once."""
        gains = np.zeros(len(self))
        for low in range(0, len(self), block):
            high = min(low + block, len(self))
            own = slice(self._starts[low], self._starts[high])
            owners = self._owners[own] - low
            with torch.no_grad():
                scores = score(self._queries[low:high])
            allowed = hide_seen_items(scores, self._queries[low:high])
            rows, wanted = (tensor(x, scores.device) for x in (owners, self._targets[own]))
            reach = at_least_as_high(allowed, rows, wanted).cpu().numpy()
            gains[low:high] = np.bincount(owners, _ndcg(owners, reach), minlength=high - low)
        return gains


def _ndcg(owners: Ints, reach: Ints) -> Array:
    """What each target (T,) adds to its query's NDCG@10, in the order of its places."""
    order = np.lexsort((reach, owners))
    places = spread_ties(owners[order], reach[order])
    counts = torch.from_numpy(np.bincount(owners)[owners[order]])
    gains = np.where(places <= VALIDATION_K, 1 / np.log2(1.0 + places), 0.0)
    parts: Array = gains / ideal_dcg(counts).numpy()
    return parts
