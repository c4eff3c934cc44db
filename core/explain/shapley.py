"""Shapley values: in closed form, by all coalitions, or by permutations with a control variate.

v is a game of n players with values (…, O): O numbers, which share their coalitions.
"""

from __future__ import annotations

from collections.abc import Callable
from math import comb
from typing import NamedTuple

import numpy as np

from core.types import Array, Ints

MOST_ENUMERATED = 12  # players
CIRCLE = 15  # orders that are one order begun elsewhere
FADINGS = (1.0, 0.8, 0.5, 0.0)  # of the control variate
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
    """Shapley values from marginals along orders (2 · pairs, n), of at least 2 pairs.

    With a control variate g: v - g is averaged and g's exact values are added; g is a ridge fit to
    the same coalitions (`_features`), whose values presume free orders, so orders that keep groups
    together go without. Whatever the orders, values add up to v(all) - v(∅). The errors are those
    of a fit to the other half of the orders, which knows nothing of what it is held against: a
    little too large rather than too small.
    """
    n = orders.shape[1]
    keep = prefixes(orders).reshape(-1, n)  # (orders · (n + 1), n)
    values = v(keep)
    values = values - values[0]
    parity = np.arange(len(orders) // 2) % 2
    fits = [np.zeros((0, values.shape[1]))] * 3
    features, exact = np.zeros((len(keep), 0)), np.zeros((n, 0))
    if control:
        features, exact = _features(keep)
        rows = np.repeat(parity, 2 * (n + 1))
        halves = [_normal(features[rows == half], values[rows == half]) for half in (0, 1)]
        both = (halves[0][0] + halves[1][0], halves[0][1] + halves[1][1])
        fits = [_ridge(*normal) for normal in (both, *halves)]
    whole, even, odd = (marginals(values - features @ fit, orders) + exact @ fit for fit in fits)
    crossed = np.where(parity[:, None, None] == 0, odd, even)
    se = crossed.std(axis=0, ddof=1) / np.sqrt(len(parity))
    own = (even[parity == 0].mean(axis=0), odd[parity == 1].mean(axis=0))
    return Sampled(whole.mean(axis=0), se, own)


def marginals(values: Array, orders: Array) -> Array:
    """What each player adds when joining, the mean of each pair of orders, (pairs, n, O)."""
    n = orders.shape[1]
    steps = np.diff(values.reshape(len(orders), n + 1, -1), axis=1)  # (orders, n, O)
    marginals = np.empty_like(steps)
    np.put_along_axis(marginals, orders[:, :, None], steps, axis=1)
    by_pair = marginals.reshape(-1, 2, n, values.shape[1])  # (pairs, 2, n, O)
    paired: Array = by_pair.mean(axis=1)
    return paired


def _features(keep: Array) -> tuple[Array, Array]:
    """What the control variate is made of, (M, F), and the exact values of each, (n, F).

    x_i γ^(number of later players present), the latest count most, and x_i / √|S|, which is what
    normalised sums do.
    """
    n = keep.shape[1]
    present = keep.astype(np.float64)
    later = np.cumsum(keep[:, ::-1], axis=1)[:, ::-1] - keep
    features = [present * (g ** np.arange(n, dtype=float))[later] for g in FADINGS]
    exact = [from_fading_shares(np.eye(n), g ** np.arange(n, dtype=float)) for g in FADINGS]
    size = present.sum(axis=1, keepdims=True)
    features.append(present / np.sqrt(np.maximum(size, 1)))
    k = np.arange(1, n)
    own = np.mean(1 / np.sqrt(np.arange(1, n + 1)))
    others = np.sum(k * (1 / np.sqrt(k + 1) - 1 / np.sqrt(k))) / n if n > 1 else 0.0
    exact.append(np.eye(n) * own + (1 - np.eye(n)) * others / max(1, n - 1))
    return np.concatenate(features, axis=1), np.concatenate(exact, axis=1)


def _normal(features: Array, values: Array) -> tuple[Array, Array]:
    """Both sides of the normal equations."""
    return features.T @ features, features.T @ values


def _ridge(gram: Array, against: Array) -> Array:
    scale = max(np.trace(gram) / len(gram), 1e-12)
    weights: Array = np.linalg.solve(gram + RIDGE * scale * np.eye(len(gram)), against)
    return weights
