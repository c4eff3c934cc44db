"""How models and their weights are compared while they are fitted: NDCG@10 on validation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from core.models.common.tensors import tensor
from core.types import Holdout, Ints, Queries

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
    """A function that measures a model on held-out events by its mean NDCG@10.

    All items are ranked; those of the history are hidden unless they are targets; ties count
    against a target. More than 10,000 queries: a drawn part.

    Args:
        score: (B, n_items) for queries.
        holdout: What came next.
        rng: Draws the part.
        block: Queries scored at once.
    """
    n = len(holdout)
    if n > VALIDATION_QUERIES:
        holdout = holdout[np.sort(rng.choice(n, VALIDATION_QUERIES, replace=False))]
    queries, targets, starts = holdout.queries, holdout.targets, holdout.offsets
    counts: Ints = np.diff(starts)

    def measure() -> float:
        gain = 0.0
        for low in range(0, len(queries), block):
            high = min(low + block, len(queries))
            block_queries = queries[low:high]
            with torch.no_grad():
                scores = score(block_queries)
            owners = tensor(np.repeat(np.arange(high - low), counts[low:high]), scores.device)
            wanted = tensor(targets[starts[low] : starts[high]], scores.device)
            hit = scores[owners, wanted]
            seen = (
                tensor(block_queries.rows, scores.device),
                tensor(block_queries.items, scores.device),
            )
            scores = scores.index_put(seen, scores.new_tensor(-np.inf))
            scores[owners, wanted] = hit
            ranks = (scores[owners] >= hit[:, None]).sum(dim=1)
            gains = torch.where(ranks <= VALIDATION_K, 1 / torch.log2(1 + ranks.double()), 0.0)
            gain += float(
                (gains / ideal_dcg(tensor(counts[low:high], scores.device)[owners])).sum()
            )
        return gain / max(1, int((counts > 0).sum()))

    return measure
