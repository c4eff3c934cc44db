"""What the lists are like beside being right: new, varied, popular, to each one's taste, fair.

One value per query, or one for the whole catalogue. A function gives None where the data cannot
tell (no attributes, no histories).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from core.evaluate.metrics import Values
from core.models.common.attributes import TASTE_SMOOTHING, Attribute, categories, mix, taste, traits
from core.types import PAD, Array, Features, Interactions, Ints, Queries

BLOCK_VALUES = 2**24  # of a dense intermediate: 128 MiB


@dataclass(frozen=True, eq=False)
class Lists:
    """The first K items for each of B queries, and the world to judge them by."""

    items: Ints  # (B, K) best first; PAD where fewer are left
    holders: Ints  # (I,) users who have each item in training
    n_users: int  # users who have any item in training
    histories: sparse.csr_matrix | None = None  # (B, I) 1 where the query has the item
    traits: sparse.csr_matrix | None = None  # (I, F) unit rows; zero for an item without attributes
    taste: Attribute | None = None

    @cached_property
    def popularity(self) -> Values:
        """Share of the users who have each item, (I,)."""
        return self.holders / max(1, self.n_users)

    @classmethod
    def of(
        cls, items: Ints, queries: Queries, train: Interactions, features: Features | None
    ) -> Lists:
        """The lists (B, K) of these queries (B,) with what training and attributes say."""
        n_items = train.n_items
        owned = train.queries().matrix(n_items)  # a repeat is one holder
        histories = queries.matrix(n_items)
        histories.data[:] = 1
        described = categories(features)
        return cls(
            items=items,
            holders=np.bincount(owned.indices, minlength=n_items),
            n_users=int(np.count_nonzero(np.diff(owned.indptr))),
            histories=histories if histories.nnz else None,
            traits=traits(features),
            taste=None if described is None else taste(described, train.items),
        )

    def matrix(self, k: int) -> sparse.csr_matrix:
        """(B, I) 1 where the item is among the first k of the query's list."""
        first = self.items[:, :k]
        there = first != PAD
        offsets = np.concatenate([[0], np.cumsum(there.sum(axis=1))])
        shape = (len(first), len(self.holders))
        return sparse.csr_matrix((np.ones(offsets[-1]), first[there], offsets), shape=shape)

    def mean(self, values: Array, k: int) -> Values:
        """Mean of a value per item (I,) over the first k of each list, (B,); 0 for an empty one."""
        listed = self.matrix(k)
        return np.asarray(listed @ values / np.maximum(1, np.diff(listed.indptr)))

    def exposure(self, k: int, queries: slice | Array = slice(None)) -> Ints:
        """In how many of these queries' first k each item stands, (I,)."""
        first = self.items[queries, :k]
        return np.bincount(first[first != PAD], minlength=len(self.holders))


def novelty(lists: Lists, k: int) -> Values | None:
    """Mean self-information −log2(users who have the item ÷ users) of the list, in bits.

    0 … log2(users); higher is less known, which is not by itself better. An item nobody has counts
    as if one user had it; an empty list counts 0. Source: Zhou et al., PNAS 107(10), 2010, p. 4512;
    Vargas and Castells, RecSys 2011.

    >>> lists = Lists(np.array([[0, 1]]), holders=np.array([4, 1]), n_users=4)
    >>> novelty(lists, k=2).tolist()  # (0 + 2) / 2
    [1.0]
    """
    return lists.mean(-np.log2(np.maximum(lists.holders, 1) / max(1, lists.n_users)), k)


def diversity(lists: Lists, k: int) -> Values | None:
    """Mean of 1 − cosine of the attributes over all pairs in the list. 0 … 1, higher is wider.

    Items without attributes are left out; fewer than two with them count 0. Source: intra-list
    distance, Smyth and McClave, ICCBR 2001; Ziegler et al., WWW 2005.

    >>> traits = sparse.csr_matrix([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> lists = Lists(np.array([[0, 1, 2]]), np.array([1, 1, 1]), n_users=1, traits=traits)
    >>> diversity(lists, k=3).round(4).tolist()  # pairs at 0, 1 and 1
    [0.6667]
    """
    if lists.traits is None:
        return None
    listed = lists.matrix(k)
    described = listed @ (np.diff(lists.traits.indptr) > 0).astype(float)  # items in the list, (B,)
    pairs = described * (described - 1)
    length = np.zeros(len(pairs))  # |Σ unit vectors|² = items + Σ over ordered pairs of cosine
    for block in _blocks(len(pairs), k * max(1, lists.traits.nnz // max(1, lists.traits.shape[0]))):
        total = listed[block] @ lists.traits
        length[block] = np.asarray(total.multiply(total).sum(axis=1)).ravel()
    distance = 1 - (length - described) / np.maximum(pairs, 1)
    return np.where(pairs > 0, np.clip(distance, 0, 1), 0.0)


def popularity_bias(lists: Lists, k: int) -> Values | None:
    """Mean popularity of the list ÷ mean popularity of what the users consumed themselves.

    Popularity is the share of users who have the item. 0 or more; 1 is best, above 1 the model
    pushes popular items, below 1 rare ones. The mean over queries is 1 + the popularity lift of
    Abdollahpouri et al., "The Connection Between Popularity Bias, Calibration, and Fairness in
    Recommendation", RecSys 2020; the lower part is one number, the mean over all queries with a
    history of their own mean. None where there are no histories.

    >>> histories = sparse.csr_matrix([[0.0, 1.0]])
    >>> lists = Lists(np.array([[0]]), np.array([4, 2]), n_users=4, histories=histories)
    >>> popularity_bias(lists, k=1).tolist()  # 1 ÷ .5
    [2.0]
    """
    if lists.histories is None:
        return None
    lengths = np.diff(lists.histories.indptr)
    own = (lists.histories @ lists.popularity)[lengths > 0] / lengths[lengths > 0]
    if not own.sum():
        return None
    return np.asarray(lists.mean(lists.popularity, k) / own.mean())


def calibration(lists: Lists, k: int) -> Values | None:
    """How far the list's mix of attribute values is from the history's own mix, in nats.

    KL(p ‖ q̃) = Σ p ln(p ÷ q̃), q̃ = .99 q + .01 p, p the mix of the history's items, q that of the
    list, every item counting alike. 0 … ln 100 ≈ 4.6; lower is closer to the user's taste. A query
    whose history has no such attribute has no taste to miss: 0. Source: Steck, "Calibrated
    Recommendations", RecSys 2018, eq. 5 and 6, without weights.

    >>> taste = Attribute("genre", sparse.csr_matrix([[1.0, 0.0], [0.0, 1.0]]))
    >>> histories = sparse.csr_matrix([[1.0, 1.0]])
    >>> lists = Lists(np.array([[0]]), np.array([1, 1]), 1, histories, taste=taste)
    >>> calibration(lists, k=1).round(4).tolist()  # .5 ln(.5 / .995) + .5 ln(.5 / .005)
    [1.9585]
    """
    if lists.histories is None or lists.taste is None:
        return None
    listed, shares = lists.matrix(k), lists.taste.shares
    distance = np.zeros(len(lists.items))
    for block in _blocks(len(distance), shares.shape[1]):
        p = mix(lists.histories[block] @ shares)
        q = mix(listed[block] @ shares)
        mixed = (1 - TASTE_SMOOTHING) * q + TASTE_SMOOTHING * p
        ratio = np.divide(p, mixed, out=np.ones_like(p), where=p > 0)
        distance[block] = (p * np.log(ratio)).sum(axis=1)
    return np.maximum(distance, 0.0)


def _blocks(n: int, width: int) -> Iterator[slice]:
    step = max(1, BLOCK_VALUES // max(1, width))
    return (slice(start, start + step) for start in range(0, n, step))


def coverage(exposure: Ints) -> float:
    """Share of the catalogue that stands in at least one list. 0 … 1, higher is wider.

    Source: Ge, Delgado-Battenfeld and Jannach, "Beyond Accuracy", RecSys 2010.

    >>> coverage(np.array([3, 0, 1, 0]))
    0.5
    """
    return float(np.count_nonzero(exposure) / max(1, len(exposure)))


def gini(exposure: Ints) -> float:
    """Gini coefficient of how often each item of the catalogue is listed; lower is more even.

    Σ (2j − I − 1)·c_j ÷ (I·Σ c), c ascending, j from 1. 0 (all alike) … 1 − 1/I (one item has
    all); 0 where nothing is listed. Source: Gini 1912; for recommenders Fleder and Hosanagar,
    Management Science 55(5), 2009.

    >>> gini(np.array([0, 1, 3]))  # (−2·0 + 0·1 + 2·3) / (3·4)
    0.5
    """
    c, n = np.sort(exposure), len(exposure)
    total = n * c.sum()
    return float(((2 * np.arange(1, n + 1) - n - 1) * c).sum() / total) if total else 0.0
