"""Accuracy, one value per query, from the places that its targets got in the full ranking.

A place is a rank from 1. A query's places are distinct and ascending. A target that no list can
contain (it is in the history and seen items are hidden) is UNREACHABLE: a miss at every k.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.models.common.places import UNREACHABLE
from core.types import Array, Ints

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Places:
    """Where targets stand: places[offsets[b]:offsets[b + 1]] for query b, at least one each.

    >>> p = Places.of([[1, 3], [2]], candidates=[5, 5])
    >>> p.hits(2).tolist()
    [1.0, 1.0]
    """

    places: Ints  # (T,) from 1, distinct and ascending within a query, or UNREACHABLE
    offsets: Ints  # (B + 1,) every query has a target
    candidates: Ints  # (B,) items that could have been ranked

    @classmethod
    def of(cls, places: list[list[int]], candidates: list[int]) -> Places:
        """The same from nested lists."""
        offsets = np.cumsum([0, *map(len, places)])
        return cls(np.concatenate(places).astype(np.int64), offsets, np.array(candidates))

    @cached_property
    def n_targets(self) -> Ints:
        """Targets per query, (B,), at least 1."""
        return np.diff(self.offsets)

    @cached_property
    def order(self) -> Ints:
        """Which of its query's targets each one is, best first, (T,), from 1."""
        return np.arange(len(self.places)) - np.repeat(self.offsets[:-1], self.n_targets) + 1

    def total(self, values: Array) -> Values:
        """Sum of these values (T,) over the targets of each query, (B,)."""
        return np.asarray(np.add.reduceat(values.astype(np.float64), self.offsets[:-1]))

    def hits(self, k: int) -> Values:
        """Targets among the first k, (B,)."""
        return self.total(self.places <= k)


def precision(targets: Places, k: int) -> Values:
    """Hits ÷ k, also where fewer than k items could be listed. 0 … 1, higher is better.

    Source: trec_eval's P_k.

    >>> precision(Places.of([[1, 3, 9]], candidates=[20]), k=4).tolist()
    [0.5]
    """
    return targets.hits(k) / k


def recall(targets: Places, k: int) -> Values:
    """Hits ÷ all targets of the query. 0 … 1, higher is better; below 1 where targets exceed k.

    Source: trec_eval's recall_k; the rule of the Gowalla benchmark (He et al., "LightGCN", SIGIR
    2020). Others divide by min(k, targets).

    >>> recall(Places.of([[1, 3, 9]], candidates=[20]), k=4).round(4).tolist()
    [0.6667]
    """
    return targets.hits(k) / targets.n_targets


def hit_rate(targets: Places, k: int) -> Values:
    """1 where any target is among the first k, else 0. Higher is better.

    Source: trec_eval's success_k. With one target per query it equals recall.

    >>> hit_rate(Places.of([[3, 9], [5]], candidates=[20, 20]), k=4).tolist()
    [1.0, 0.0]
    """
    return (targets.places[targets.offsets[:-1]] <= k).astype(np.float64)


def f1(targets: Places, k: int) -> Values:
    """2·P·R ÷ (P + R) = 2·hits ÷ (k + targets). 0 … 1, higher is better.

    Source: van Rijsbergen, "Information Retrieval", 1979, with the P and R of this file.

    >>> f1(Places.of([[1, 3, 9]], candidates=[20]), k=4).round(4).tolist()  # 2·2 / (4 + 3)
    [0.5714]
    """
    return 2 * targets.hits(k) / (k + targets.n_targets)


def average_precision(targets: Places, k: int) -> Values:
    """Σ over hits of (hits so far ÷ place), ÷ all targets. 0 … 1, higher is better.

    Its mean over queries is MAP. Source: trec_eval's map_cut_k. Others divide by min(k, targets),
    which is the same wherever targets do not exceed k.

    >>> average_precision(Places.of([[1, 3, 9]], candidates=[20]), k=4).round(4).tolist()
    [0.5556]
    """
    # (1/1 + 2/3) / 3
    gains = np.where(targets.places <= k, targets.order / targets.places, 0.0)
    return targets.total(gains) / targets.n_targets


def reciprocal_rank(targets: Places, k: int) -> Values:
    """1 ÷ place of the best target, 0 where that is beyond k. 0 … 1, higher is better.

    Its mean over queries is MRR. Source: Voorhees, "The TREC-8 Question Answering Track", 1999.

    >>> reciprocal_rank(Places.of([[2, 3], [5]], candidates=[20, 20]), k=4).tolist()
    [0.5, 0.0]
    """
    first = targets.places[targets.offsets[:-1]]
    return np.where(first <= k, 1.0 / first, 0.0)


def ndcg(targets: Places, k: int) -> Values:
    """Σ over hits of 1 ÷ log2(place + 1), ÷ the same for a perfect list. 0 … 1, higher is better.

    The perfect list has min(k, targets) hits at its top. Source: Järvelin and Kekäläinen, ACM TOIS
    20(4), 2002, with gains 0 and 1; trec_eval's ndcg_cut_k.

    >>> ndcg(Places.of([[3], [1, 3]], candidates=[20, 20]), k=4).round(4).tolist()
    [0.5, 0.9197]
    """
    # second: (1 + 1/2) / (1 + 1/log2(3)) = 1.5 / 1.6309
    hit = targets.places <= k
    gains = np.zeros(len(hit))
    gains[hit] = 1 / np.log2(targets.places[hit] + 1.0)
    perfect = np.cumsum(1 / np.log2(np.arange(2, k + 2)))
    return np.asarray(targets.total(gains) / perfect[np.minimum(targets.n_targets, k) - 1])


def auc(targets: Places) -> Values:
    """Share of (target, other item) pairs in which the target stands above. 0 … 1, .5 is chance.

    Higher is better. Other items: those that could be ranked and are no targets; where there are
    none, a target that can be reached counts 1. A tie counts 0 (elsewhere often ½), and so does a
    target that cannot be reached. Source: Rendle et al., "BPR", UAI 2009, §3.

    >>> auc(Places.of([[1, 4], [2]], candidates=[5, 3])).round(4).tolist()  # (3 + 1) / (2·3), 1/2
    [0.6667, 0.5]
    """
    reached = targets.places != UNREACHABLE
    others = targets.candidates - targets.total(reached)
    above = np.where(reached, targets.places - targets.order, 0)
    lost = np.repeat(1 / np.maximum(others, 1), targets.n_targets) * above
    return targets.total(np.where(reached, 1 - lost, 0.0)) / targets.n_targets
