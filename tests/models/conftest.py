"""A small asymmetric world: repeats, weights, gaps in the ratings, an item that nobody took."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from core.types import FeatureBlock, Features, Interactions, Queries, TrainData

START = 1_600_000_000  # September 2020
DAY = 86_400

# user, item, weight, days after START, rating; item 7 is only in the catalogue
EVENTS = np.array(
    [
        (0, 0, 1, 0, 5),
        (0, 1, 1, 1, 4),
        (0, 2, 3, 5, np.nan),
        (0, 1, 1, 9, 2),
        (1, 1, 1, 2, 3),
        (1, 2, 2, 3, 4),
        (1, 3, 1, 4, 1),
        (2, 0, 1, 1, 4.5),
        (2, 2, 1, 30, np.nan),
        (3, 4, 1, 31, 2),
        (3, 2, 1, 32, 3),
        (3, 0, 1, 33, 5),
        (3, 5, 5, 34, 4),
        (4, 5, 1, 35, 3.5),
        (4, 4, 1, 35, 1),
        (5, 6, 1, 36, 2.5),
        (6, 1, 1, 37, 3),
        (6, 5, 1, 38, 2),
        (6, 3, 1, 39, 4),
        (6, 0, 1, 40, 3),
        (6, 2, 1, 40, 5),
    ]
)
N_USERS, N_ITEMS = 8, 8  # user 7 did nothing


@pytest.fixture
def log() -> Interactions:
    """The world's events."""
    users, items, weights, days, values = EVENTS.T
    return Interactions(
        users=users.astype(np.int64),
        items=items.astype(np.int64),
        weights=weights.astype(np.float32),
        n_users=N_USERS,
        n_items=N_ITEMS,
        times=(START + days * DAY).astype(np.int64),
        values=values.astype(np.float32),
    )


@pytest.fixture
def features() -> Features:
    """What is known of its items; nothing of item 6."""
    kinds = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 0], [0, 1], [0, 0], [1, 0]])
    tags = np.array(
        [[1, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 0, 0], [1, 1, 1], [0, 0, 0], [0, 1, 0]]
    )
    words = np.zeros((8, 4), np.float32)
    words[[0, 1, 2, 3, 7], [0, 0, 1, 2, 3]] = [0.6, 1, 0.8, 1, 1]
    words[[0, 2], [1, 3]] = [0.8, 0.6]
    prices = np.array([[1, 7], [2, 7], [3, np.nan], [9, 7], [5, 8], [6, 9], [np.nan] * 2, [2, 7]])
    return Features(
        categorical=FeatureBlock(("kind=a", "kind=b"), sparse.csr_matrix(kinds)),
        multi_hot=FeatureBlock(("tag=x", "tag=y", "tag=z"), sparse.csr_matrix(tags)),
        numeric=FeatureBlock(("price", "size"), prices.astype(np.float32)),
        text=FeatureBlock(("p", "q", "r", "s"), sparse.csr_matrix(words)),
    )


@pytest.fixture
def world(log: Interactions, features: Features) -> TrainData:
    """All that a model may learn from."""
    return TrainData(log, item_features=features)


@pytest.fixture
def queries() -> Queries:
    """A known user, a stranger, an empty history, a repeat, an unknown item's neighbour."""
    return Queries(
        users=np.array([6, -1, -1, 2, 7]),
        offsets=np.array([0, 5, 7, 7, 10, 11]),
        items=np.array([1, 5, 3, 0, 2, 2, 0, 4, 4, 3, 7]),
        weights=np.array([1, 1, 1, 1, 1, 2, 1, 1, 3, 1, 1], np.float32),
        values=np.array([3, 2, 4, 3, 5, 1, np.nan, 4, 5, 2, np.nan], np.float32),
    )
