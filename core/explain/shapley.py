"""Shapley values: in closed form, by all coalitions, or by permutations with a control variate.

v is a game of n players with values (…, O): O numbers, which share their coalitions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, reduce
from math import comb
from operator import add
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.ndimage import uniform_filter1d

from core.types import Array, Ints

MOST_ENUMERATED = 12  # players
CIRCLE = 15  # orders that are one order begun elsewhere
FADINGS, POWERS = (1.0, 0.5, 0.0), (1, 2)  # of the control variate
ORDERS = 16  # whose features are made at a time
FOLDS, NEAR = 4, 5  # of the jackknife; events on either side whose errors are like one's own
RIDGE = 1e-4  # relative to the mean square of its features


def from_fading_shares(shares: Array, fading: Array) -> Array:
    """Shapley values (n, O) of v(S) = Σ_{i ∈ S} shares[i] · fading[number of j ∈ S after i].

    In a random order the number of the m later players that came before i is uniform on 0 … m, so
    i's own term is worth shares[i] · mean(fading[0 … m]). A later player who joins i and l others
    changes i's term from fading[l] to fading[l + 1]; that i and l of the m - 1 others came before
    it has probability (l + 1) / (m (m + 1)).
    """
    n = len(shares)
    if not n:
        return np.zeros_like(shares)
    later = np.arange(n)[::-1]
    own = np.cumsum(fading) / np.arange(1, n + 1)  # by m
    steps = np.concatenate([[0.0], np.cumsum(np.arange(1, n) * np.diff(fading))])
    m = np.maximum(later, 1)
    pull = steps[later] / (m * (m + 1))  # of each player after i, on i's term
    pulled = np.cumsum(shares * pull[:, None], axis=0) - shares * pull[:, None]
    values: Array = shares * own[later][:, None] + pulled
    return values


def coalitions(n: int) -> Array:
    """All 2^n of them as rows of a boolean (2^n, n): the first is empty, the last has all."""
    keep: Array = (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(bool)
    return keep


def from_coalitions(values: Array) -> Array:
    """Shapley values (n, O) from v of all `coalitions(n)`, (2^n, O)."""
    n = len(values).bit_length() - 1
    keep = coalitions(n)
    size = keep.sum(axis=1)
    weight = np.array([1 / (n * comb(n - 1, k)) for k in range(n)])
    with_it = np.append(0.0, weight)[size]  # joined a coalition of one fewer
    without = np.append(weight, 0.0)[size]
    shapley: Array = np.where(keep, with_it[:, None], -without[:, None]).T @ values
    return shapley


def random_orders(
    n: int, pairs: int, rng: np.random.Generator, groups: Array | None = None
) -> Ints:
    """Random orders of n players (2 · pairs, n), each followed by its reverse.

    About 15 each are one random order that begins elsewhere in a circle, evenly spaced, so that
    everyone is early and late alike: fewer histories, and smaller errors, than by free draws. With
    groups (n,) the members of a group stay together, groups and members in random order.
    """
    drawn = np.empty((pairs, n), np.int64)
    if groups is not None:
        names, codes = np.unique(groups, return_inverse=True)
        among = rng.permuted(np.tile(np.arange(len(names)), (pairs, 1)), axis=1)
        drawn[:] = np.argsort(among[:, codes] + rng.random((pairs, n)), axis=1)
    else:
        circles = max(1, round(pairs / min(CIRCLE, max(1, n // 2))))
        for rows in np.array_split(np.arange(pairs), circles):
            starts = np.arange(len(rows)) * n // max(1, len(rows))
            circle = rng.permutation(n)
            drawn[rows] = circle[(starts[:, None] + np.arange(n)) % max(1, n)]
    return np.stack([drawn, drawn[:, ::-1]], axis=1).reshape(2 * pairs, n)


def prefixes(orders: Array) -> Array:
    """The players before each step of each order, boolean (orders, n + 1, n)."""
    position = np.argsort(orders, axis=1)  # (orders, n) of each player
    before: Array = position[:, None, :] < np.arange(orders.shape[1] + 1)[None, :, None]
    return before


class Sampled(NamedTuple):
    """What orders say of n players."""

    values: Array  # (n, O)
    se: Array  # (n, O) standard errors
    halves: tuple[Array, Array]  # (n, O) each: the same from every other pair of orders alone


def from_orders(v: Callable[[Array], Array], orders: Array, *, control: bool = True) -> Sampled:
    """Shapley values from marginals along orders (2 · pairs, n), of at least 2 pairs."""
    n = orders.shape[1]
    sums = OrderSums(n, control=control)
    sums.add(orders, v(prefixes(orders).reshape(-1, n)))
    return sums.sampled()


class OrderSums:
    """Shapley values from marginals along random orders, of which more may be added at any time.

    With a control variate g: v - g is averaged and g's exact values are added; g is a ridge fit to
    the same coalitions (`_features`), whose values presume free orders, so orders that keep groups
    together go without. A coalition counts in it by 1 / its size: the few small ones, in which an
    event does most, would else be fitted worst. Whatever the orders, values add up to
    v(all) - v(∅).

    The errors are the jackknife's, over FOLDS parts of the pairs, each left out of the fit as well
    as of the mean. Whether an early place came up that makes an old event matter is chance, so that
    few pairs say little of one event's error alone: it is put together, half and half, with the
    mean of those of the NEAR events before and after it.

    All of it follows from sums over the pairs of a part, which are all that is kept: what was
    added before is not gone through again.
    """

    def __init__(self, n: int, *, control: bool = True) -> None:
        self.n, self.pairs = n, 0
        self.exact = _exact_features(n) if control else np.zeros((n, 0))  # (n, F)
        self._parts: list[_Part] = []

    def add(self, orders: Array, values: Array) -> None:
        """More orders (2 · pairs, n), each followed by its reverse, and v of their `prefixes`.

        Args:
            orders: As `random_orders` gives them.
            values: Of the coalitions before each step, (2 · pairs · (n + 1), O).
        """
        values = values.reshape(len(orders), self.n + 1, -1)
        values = values - values[:, :1]
        fold = (self.pairs + np.arange(len(orders) // 2)) % FOLDS
        self.pairs += len(orders) // 2
        for k in np.unique(fold):
            if k == len(self._parts):
                f, o = self.exact.shape[1], values.shape[2]
                shapes = ((f, f), (f, o), (self.n, f), (self.n, o))
                self._parts.append(_Part(0, *(np.zeros(shape) for shape in shapes)))
            chosen = np.flatnonzero(np.repeat(fold == k, 2))
            for some in np.array_split(chosen, -(-len(chosen) // ORDERS)):
                self._parts[k].add(orders[some], values[some], bool(self.exact.shape[1]))

    def sampled(self) -> Sampled:
        """What all orders so far say; they must be of two pairs at least."""
        every = range(len(self._parts))
        by = cache(self._by)  # of two parts each is what the other leaves
        left_out = np.stack([by(*(k for k in every if k != out)) for out in every])
        return Sampled(by(*every), _jackknife(left_out), (by(*every[0::2]), by(*every[1::2])))

    def _by(self, *parts: int) -> Array:
        """Values by the orders of these parts alone, (n, O), with g fitted to their coalitions."""
        together = reduce(add, (self._parts[k] for k in parts))
        fit = _ridge(together.gram, together.against)
        rest = together.values - together.features @ fit
        values: Array = rest / together.orders + self.exact @ fit
        return values


@dataclass
class _Part:
    """Sums over the orders of a part."""

    orders: int
    gram: Array  # (F, F) of the features, coalitions weighing 1 / their size
    against: Array  # (F, O) of the features and v
    features: Array  # (n, F) what each player adds to them when joining
    values: Array  # (n, O) what each adds to v

    def __add__(self, other: _Part) -> _Part:
        return _Part(
            self.orders + other.orders,
            self.gram + other.gram,
            self.against + other.against,
            self.features + other.features,
            self.values + other.values,
        )

    def add(self, orders: Array, values: Array, control: bool) -> None:
        """Orders (R, n) and v less v(∅) of their coalitions, (R, n + 1, O)."""
        self.orders += len(orders)
        _add_marginals(self.values, values, orders)
        if not control:
            return
        keep = prefixes(orders)
        features = _features(keep.reshape(-1, keep.shape[2]))
        _add_marginals(self.features, features.reshape(*keep.shape[:2], -1), orders)
        root = 1 / np.sqrt(np.maximum(keep.sum(axis=2), 1)).reshape(-1, 1)
        features *= root
        self.gram += features.T @ features
        self.against += features.T @ (values.reshape(len(root), -1) * root)


def _add_marginals(total: Array, values: Array, orders: Array) -> None:
    """Add to total (n, O) what players add along orders (R, n) to values (R, n + 1, O)."""
    for order, along in zip(orders, values, strict=True):
        total[order] += np.diff(along, axis=0)


def _jackknife(left_out: Array) -> Array:
    """Standard errors (n, O) from the values without each fold, (folds, n, O)."""
    folds = len(left_out)
    variance = (folds - 1) * left_out.var(axis=0)
    near = uniform_filter1d(variance, 2 * NEAR + 1, axis=0, mode="nearest")
    se: Array = np.sqrt((variance + near) / 2)
    return se


def marginals(values: Array, orders: Array) -> Array:
    """What each player adds when joining, the mean of each pair of orders, (pairs, n, O)."""
    n = orders.shape[1]
    steps = np.diff(values.reshape(len(orders), n + 1, -1), axis=1)  # (orders, n, O)
    marginals = np.empty_like(steps)
    np.put_along_axis(marginals, orders[:, :, None], steps, axis=1)
    by_pair = marginals.reshape(-1, 2, n, values.shape[1])  # (pairs, 2, n, O)
    paired: Array = by_pair.mean(axis=1)
    return paired


def _features(keep: Array) -> Array:
    """What the control variate is made of, of coalitions keep (M, n), (M, F).

    x_i γ^(number of later players present), the latest count most; x_i / |S| and x_i / |S|², which
    is what means and attention to few do.
    """
    n = keep.shape[1]
    present = keep.astype(np.float64)
    later = np.cumsum(keep[:, ::-1], axis=1)[:, ::-1] - keep
    features = [present * (g ** np.arange(n, dtype=float))[later] for g in FADINGS]
    size = np.maximum(present.sum(axis=1, keepdims=True), 1)
    return np.concatenate([*features, *(present / size**power for power in POWERS)], axis=1)


def _exact_features(n: int) -> Array:
    """The Shapley values of each of `_features`, (n, F)."""
    sizes = np.arange(1, n + 1, dtype=float)
    fading = [from_fading_shares(np.eye(n), g ** np.arange(n, dtype=float)) for g in FADINGS]
    return np.concatenate([*fading, *(_of_size(sizes**-power) for power in POWERS)], axis=1)


def _of_size(h: Array) -> Array:
    """Shapley values (n, n) of the games x_i h(|S|), a column for each i; h of sizes 1 … n, (n,).

    i joins k - 1 others with probability 1 / n for each k; another joins i and k - 1 others, which
    turns h(k) into h(k + 1), with probability k / (n (n - 1)).
    """
    n = len(h)
    own = float(h.mean()) if n else 0.0
    k = np.arange(1, n)
    others = float((k * np.diff(h)).sum()) / (n * (n - 1)) if n > 1 else 0.0
    values: Array = np.eye(n) * own + (1 - np.eye(n)) * others
    return values


def _ridge(gram: Array, against: Array) -> Array:
    if not len(gram):
        return against
    scale = max(np.trace(gram) / len(gram), 1e-12)
    factor = cho_factor(gram + RIDGE * scale * np.eye(len(gram)), check_finite=False)
    weights: Array = cho_solve(factor, against, check_finite=False)
    return weights
