"""Shapley values: in closed form, by all coalitions, or by permutations with a control variate.

v is a game of n players with values (…, O): O numbers, which share their coalitions.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb

import numpy as np

from core.types import Array, Ints

MOST_ENUMERATED = 12  # players
FADINGS = (1.0, 0.8, 0.5, 0.0)  # of the control variate
RIDGE = 1e-3  # relative to the mean square of its features


def of_fading(shares: Array, fading: Array) -> Array:
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


def of_all(values: Array) -> Array:
    """Shapley values (n, O) from v of all `coalitions(n)`, (2^n, O)."""
    n = len(values).bit_length() - 1
    keep = coalitions(n)
    size = keep.sum(axis=1)
    weight = np.array([1 / (n * comb(n - 1, k)) for k in range(n)])
    with_it = np.append(0.0, weight)[size]  # joined a coalition of one fewer
    without = np.append(weight, 0.0)[size]
    found: Array = np.where(keep, with_it[:, None], -without[:, None]).T @ values
    return found


def orders(n: int, pairs: int, rng: np.random.Generator, groups: Array | None = None) -> Ints:
    """Random orders of n players (2 · pairs, n), each followed by its reverse.

    With groups (n,) the members of a group stay together, groups and members in random order.
    """
    if groups is None:
        drawn = rng.permuted(np.tile(np.arange(n), (pairs, 1)), axis=1)
    else:
        names, codes = np.unique(groups, return_inverse=True)
        among = rng.permuted(np.tile(np.arange(len(names)), (pairs, 1)), axis=1)
        drawn = np.argsort(among[:, codes] + rng.random((pairs, n)), axis=1)
    both = np.stack([drawn, drawn[:, ::-1]], axis=1)
    return both.reshape(2 * pairs, n)


def prefixes(orders: Array) -> Array:
    """The players before each step of each order, boolean (orders, n + 1, n)."""
    places = np.argsort(orders, axis=1)
    return places[:, None, :] < np.arange(orders.shape[1] + 1)[None, :, None]


Asked = Callable[[Array], Array]


def of_orders(v: Asked, orders: Array, *, control: bool = True) -> tuple[Array, Array]:
    """Shapley values (n, O) and their standard errors from marginals along orders (2 · pairs, n).

    With a control variate: v - g is averaged, and g's exact values are added, g a ridge fit to
    the same coalitions (`_features`): its values presume free orders, so orders that keep groups
    together go without. Both add up to v(all) - v(∅) whatever the orders.
    """
    n = orders.shape[1]
    keep = prefixes(orders)
    values = v(keep.reshape(-1, n))
    known = np.zeros((n, values.shape[1]))
    if control:
        flat = keep.reshape(-1, n)
        features, exact = _features(flat)
        _, once = np.unique(np.packbits(flat, axis=1), axis=0, return_index=True)
        weights = _ridge(features[once], values[once] - values[0])
        values = values - features @ weights
        known = exact @ weights
    steps = np.diff(values.reshape(len(orders), n + 1, -1), axis=1)
    marginals = np.empty_like(steps)
    np.put_along_axis(marginals, orders[:, :, None], steps, axis=1)
    paired = marginals.reshape(-1, 2, n, values.shape[1]).mean(axis=1)
    se = paired.std(axis=0, ddof=1) / np.sqrt(len(paired)) if len(paired) > 1 else None
    return known + paired.mean(axis=0), np.full_like(known, np.inf) if se is None else se


def _features(keep: Array) -> tuple[Array, Array]:
    """What the control variate is made of, (M, F), and the exact values of each, (n, F).

    x_i γ^(number of later players present), the latest count most, and x_i / √|S|, which is what
    normalised sums do.
    """
    n = keep.shape[1]
    present = keep.astype(np.float64)
    later = present[:, ::-1].cumsum(axis=1)[:, ::-1] - present
    features = [present * g**later for g in FADINGS]
    exact = [of_fading(np.eye(n), g ** np.arange(n, dtype=float)) for g in FADINGS]
    size = present.sum(axis=1, keepdims=True)
    features.append(present / np.sqrt(np.maximum(size, 1)))
    k = np.arange(1, n)
    own = np.mean(1 / np.sqrt(np.arange(1, n + 1)))
    others = np.sum(k * (1 / np.sqrt(k + 1) - 1 / np.sqrt(k))) / n if n > 1 else 0.0
    exact.append(np.eye(n) * own + (1 - np.eye(n)) * others / max(1, n - 1))
    return np.concatenate(features, axis=1), np.concatenate(exact, axis=1)


def _ridge(features: Array, values: Array) -> Array:
    gram = features.T @ features
    gram[np.diag_indices_from(gram)] += RIDGE * max(np.trace(gram) / len(gram), 1e-12)
    weights: Array = np.linalg.solve(gram, features.T @ values)
    return weights
