from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.data.dataset import load

SECONDS = 1_700_000_000


def clock(*seconds: float) -> pd.Series:
    return pd.to_datetime(pd.Series(seconds) + SECONDS, unit="s").astype("datetime64[us]")


@pytest.fixture
def shop(make_dataset):
    events = pd.DataFrame(
        {
            "user_id": ["b", "a", "b", "a", "c", "b"],
            "item_id": [30, 10, 20, 30, 10, 30],
            "timestamp": clock(5, 9, 5, 2, 1, 3),
            "event": ["view", "view", "cart", "return", "return", "purchase"],
            "value": [1.5, None, 2, 3, 4, 5],
            "platform": ["web", "app", "web", "app", "web", "web"],
        }
    )
    items = pd.DataFrame({"item_id": [30, 99, 10], "color": ["red", "blue", "green"]})
    weights = {"view": 1.0, "cart": 3.0, "purchase": 5.0, "return": 0.0}
    return make_dataset(events, items=items, weights=weights)


def test_by_hand(shop):
    data = load(shop)
    assert data.users.ids.tolist() == ["a", "b", "c"]
    assert data.items.ids.tolist() == [10, 20, 30]
    log = data.interactions
    assert log.users.tolist() == [0, 1, 1, 1]  # the returns are left out, user c remains known
    assert log.items.tolist() == [0, 2, 2, 1]
    assert (log.times - SECONDS).tolist() == [9, 3, 5, 5]
    assert log.weights.tolist() == [1, 5, 1, 3]
    np.testing.assert_array_equal(log.values, np.float32([np.nan, 5, 1.5, 2]))
    assert [data.event_names[code] for code in log.events] == ["view", "purchase", "view", "cart"]
    assert [data.platform_names[code] for code in log.platforms] == ["app", "web", "web", "web"]
    assert (log.n_users, log.n_items) == (3, 3)
    assert data.fingerprint == shop.id


def test_the_types_are_those_of_the_contract(shop):
    log = load(shop).interactions
    for name in ("users", "items", "times", "events", "platforms"):
        assert getattr(log, name).dtype == np.int64, name
    assert log.weights.dtype == np.float32
    assert log.values.dtype == np.float32
    assert log.times.flags.writeable  # torch shares no read-only memory without a warning


def test_the_table_of_items_is_in_code_order(shop):
    table = load(shop).item_table()
    assert table["item_id"].tolist() == [10, 20, 30]
    assert table["color"].fillna("").tolist() == ["green", "", "red"]  # 99 is in no event


def test_features_are_in_code_order(shop):
    block = load(shop).item_features.categorical
    assert block.names == ("color=green", "color=red")
    assert block.matrix.toarray().tolist() == [[1, 0], [0, 0], [0, 1]]


def test_what_a_log_lacks_is_absent(make_dataset):
    data = load(make_dataset(pd.DataFrame({"user_id": [1, 1, 2], "item_id": ["x", "y", "x"]})))
    log = data.interactions
    assert (log.times, log.values, log.events, log.platforms) == (None, None, None, None)
    assert log.weights.tolist() == [1, 1, 1]
    assert data.item_features is None
    assert data.user_features is None
    assert data.item_table()["item_id"].tolist() == ["x", "y"]


def test_order_numbers_are_kept_as_they_are(make_dataset):
    events = pd.DataFrame({"user_id": [1, 1, 1], "item_id": [5, 6, 7], "timestamp": [30, 10, 20]})
    log = load(make_dataset(events)).interactions
    assert log.times.tolist() == [10, 20, 30]
    assert log.items.tolist() == [1, 2, 0]


def test_events_without_a_type_weigh_one(make_dataset):
    events = pd.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "event": ["view", None]})
    log = load(make_dataset(events, weights={"view": 4.0})).interactions
    assert log.weights.tolist() == [4, 1]
    assert log.events.tolist() == [0, -1]


def test_against_a_dumber_derivation(make_dataset):
    rng = np.random.default_rng(3)
    n = 3000
    events = pd.DataFrame(
        {
            "user_id": rng.integers(0, 200, n).astype(str),
            "item_id": rng.integers(0, 90, n),
            "timestamp": clock(*rng.integers(0, 50, n)),
            "value": rng.integers(1, 6, n).astype(float),
        }
    )
    data = load(make_dataset(events))
    columns = (events[name].tolist() for name in events)
    rows = sorted((u, t, row, i, v) for row, (u, i, t, v) in enumerate(zip(*columns, strict=True)))
    assert data.users.decode(data.interactions.users).tolist() == [u for u, *_ in rows]
    assert data.items.decode(data.interactions.items).tolist() == [row[3] for row in rows]
    assert data.interactions.values.tolist() == [row[4] for row in rows]
