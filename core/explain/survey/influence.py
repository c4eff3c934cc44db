"""Which items that people took drive which that are recommended to them, and which drive none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.types import Array, Ints

TOP_DRIVERS = 5
SUPPORT_TO_BE_IDLE = 5  # users
IDLE = 0.1  # of what an event is worth on average, below which it does not matter


@dataclass(frozen=True)
class Influence:
    """How an item that people took drives another that is recommended to them."""

    driver: int
    item: int
    total: float  # Σ of the positive φ over users
    mean: float  # φ over all users who took the one and are recommended the other
    users: int  # to whom it is positive


@dataclass(frozen=True)
class Recommended:
    """An item among the first k, and what drives it most, by total."""

    item: int
    users: int
    drivers: tuple[Influence, ...]


@dataclass(frozen=True)
class Idle:
    """An item that people took and that hardly matters to what they are recommended."""

    item: int
    users: int
    size: float  # mean |φ|
    limit: float  # two standard errors over users above it


def influences(
    taken: Sequence[Ints], items: Sequence[Ints], values: Sequence[Array], n_items: int
) -> list[Influence]:
    """Every pair of an item taken and one recommended to the same user, by falling total.

    Args:
        taken: The items of each user's events, (n,).
        items: The items recommended to each, (T,).
        values: What each event is worth to each of those, (n, T).
        n_items: Items in the catalogue.
    """
    keys, worth = [], []
    for history, wanted, phi in zip(taken, items, values, strict=True):
        drivers, own = np.unique(history, return_inverse=True)
        summed = np.zeros((len(drivers), len(wanted)))
        np.add.at(summed, own, phi)
        keys.append((drivers[:, None] * n_items + wanted).ravel())
        worth.append(summed.ravel())
    pairs, own = np.unique(np.concatenate(keys), return_inverse=True)
    phi = np.concatenate(worth)
    total, users = np.bincount(own, np.maximum(phi, 0)), np.bincount(own, phi > 0)
    mean = np.bincount(own, phi) / np.bincount(own)
    return [
        Influence(
            driver=int(pairs[row] // n_items),
            item=int(pairs[row] % n_items),
            total=float(total[row]),
            mean=float(mean[row]),
            users=int(users[row]),
        )
        for row in np.argsort(-total, kind="stable").tolist()
    ]


def recommended_items(items: Sequence[Ints], pairs: Sequence[Influence]) -> tuple[Recommended, ...]:
    """Each item recommended to anyone with what drives it most, by falling number of users.

    The pairs come by falling total.
    """
    codes, counts = np.unique(np.concatenate(items), return_counts=True)
    drivers: dict[int, list[Influence]] = {code: [] for code in codes.tolist()}
    for pair in pairs:
        if pair.total > 0 and len(drivers[pair.item]) < TOP_DRIVERS:
            drivers[pair.item].append(pair)
    order = np.argsort(-counts, kind="stable")
    return tuple(
        Recommended(code, n, tuple(drivers[code]))
        for code, n in zip(codes[order].tolist(), counts[order].tolist(), strict=True)
    )


def idle_items(taken: Sequence[Ints], values: Sequence[Array]) -> tuple[Idle, ...]:
    """Items of five histories or more whose mean |φ| surely lies below a tenth of the usual.

    Surely: with two standard errors over users on top. What is too noisy to tell is not idle. The
    usual is the mean |φ| of an event, each user counting alike.
    """
    items, sizes = [], []
    for history, phi in zip(taken, values, strict=True):
        distinct, own = np.unique(history, return_inverse=True)
        items.append(distinct)
        sizes.append(np.bincount(own, np.abs(phi).mean(axis=1)) / np.bincount(own))
    usual = float(np.mean([np.abs(phi).mean() for phi in values]))
    every, own = np.unique(np.concatenate(items), return_inverse=True)
    size, n = np.concatenate(sizes), np.bincount(own)
    mean = np.bincount(own, size) / n
    spread = np.bincount(own, np.square(size - mean[own])) / np.maximum(n - 1, 1)
    limit = mean + 2 * np.sqrt(spread / n)
    rows = np.flatnonzero((n >= SUPPORT_TO_BE_IDLE) & (limit <= IDLE * usual))
    return tuple(
        Idle(int(every[row]), int(n[row]), float(mean[row]), float(limit[row]))
        for row in rows[np.argsort(limit[rows], kind="stable")]
    )
