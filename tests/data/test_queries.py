from __future__ import annotations

import pandas as pd
import pytest

from core.data import queries
from core.errors import NotFound


@pytest.fixture
def shop(make_dataset):
    events = pd.DataFrame(
        {
            "user_id": [1, 1, 1, 12, 12, 2],
            "item_id": ["a", "b", "a", "a", "c", "a"],
            "timestamp": pd.to_datetime(
                ["2024-01-01 10:00", "2024-01-01 11:00", "2024-01-02 10:00"] * 2
            ).astype("datetime64[us]"),
            "event": ["view", "view", "buy", "view", "buy", None],
            "value": [1.0, 2.0, None, 2.0, 5.0, 1.0],
            'odd "name"': [1, 2, 3, 4, 5, 6],
        }
    )
    items = pd.DataFrame(
        {"item_id": ["a", "b"], "sku": ["x" * 40, "y" * 40], "Product Name": ["Ball", "Big ball"]}
    )
    return make_dataset(events, items=items, weights={"view": 1.0, "buy": 5.0})


@pytest.fixture
def bare(make_dataset):
    return make_dataset(pd.DataFrame({"user_id": ["u", "v"], "item_id": [7, 8]}))


def rows(frame: pd.DataFrame) -> list[tuple]:
    return list(frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None))


def test_overview(shop, bare):
    numbers = queries.overview(shop)
    assert numbers.events == 6
    assert numbers.users == numbers.items == 3
    assert numbers.events_per_pair == pytest.approx(6 / 9)
    assert numbers.density == pytest.approx(5 / 9)  # (1, a) occurs twice
    assert (numbers.mean_per_user, numbers.median_per_user) == (2, 2)
    assert str(numbers.last) == "2024-01-02 10:00:00"
    assert queries.overview(bare).first is None


def test_how_many_last_events_have_the_time_of_the_one_before(make_dataset, shop, bare):
    assert queries.last_events(bare) == queries.LastEvents(0, 0)
    assert queries.last_events(shop) == queries.LastEvents(0, 1)
    people = {"tied": [2, 2], "apart": [1, 1, 2], "alone": [3], "returned": [4, 5, 5]}
    events = pd.DataFrame(
        [(user, time) for user, times in people.items() for time in times],
        columns=["user_id", "timestamp"],
    ).sort_values("user_id", kind="stable", ignore_index=True)
    events["item_id"] = range(len(events))
    events["event"] = "buy"
    last = events["user_id"].eq("returned") & ~events["user_id"].duplicated(keep="last")
    events.loc[last, "event"] = "return"
    log = make_dataset(events, weights={"buy": 1.0, "return": 0.0}, time_kind="order")
    found = queries.last_events(log)
    assert (found.tied, found.again) == (pytest.approx(1 / 3), pytest.approx(2 / 3))


def test_the_most_popular(shop, bare):
    assert rows(queries.top_items(shop, 2)) == [("a", "Ball", 4, 3), ("b", "Big ball", 1, 1)]
    assert rows(queries.top_items(shop))[2] == ("c", "c", 1, 1)  # no label: its id
    assert rows(queries.top_items(bare)) == [(7, "7", 1, 1), (8, "8", 1, 1)]


def test_values(shop, bare):
    assert rows(queries.values(shop)) == [(1, 2), (2, 2), (5, 1)]
    assert rows(queries.values(shop, bins=2)) == [(1, 4), (3, 1)]
    assert queries.values(bare).empty


def test_activity(shop, bare, make_dataset):
    by_hour = queries.activity(shop)
    assert rows(by_hour[["events", "users"]]) == [(2, 2), (2, 2), (2, 2)]
    by_day = queries.activity(shop, bins=3)
    assert [str(period) for period in by_day["period"]] == [
        "2024-01-01 00:00:00",
        "2024-01-02 00:00:00",
    ]
    assert by_day["events"].tolist() == [4, 2]
    assert queries.activity(bare).empty
    order = make_dataset(pd.DataFrame({"user_id": 1, "item_id": 1, "timestamp": range(10)}))
    assert rows(queries.activity(order, bins=2)) == [(0, 5, 1), (5, 5, 1)]


def test_the_long_tail_ends_at_one(shop, make_dataset):
    assert rows(queries.long_tail(shop)) == [
        (1, 4, pytest.approx(4 / 6)),
        (2, 1, pytest.approx(5 / 6)),
        (3, 1, 1.0),
    ]
    many = make_dataset(pd.DataFrame({"user_id": 1, "item_id": range(5000)}))
    curve = queries.long_tail(many, points=100)
    assert len(curve) <= 110
    assert curve["share"].iloc[-1] == 1
    assert curve["rank"].iloc[-1] == 5000


def test_items_of_one_name_are_told_apart(make_dataset):
    """Titles of a catalogue repeat: an edition, a remake, a colour."""
    events = pd.DataFrame(
        {"user_id": [1, 1, 2], "item_id": ["a", "b", "c"], "timestamp": [1, 2, 3]}
    )
    titles = pd.DataFrame({"item_id": ["a", "b", "c"], "title": ["Solaris", "Solaris", "Stalker"]})
    info = make_dataset(events, items=titles)
    assert queries.item_labels(info, ["a", "c"]).to_dict() == {"a": "Solaris (a)", "c": "Stalker"}
    found = queries.search_items(info, "solaris").set_index("item_id")["label"]
    assert found.to_dict() == {"a": "Solaris (a)", "b": "Solaris (b)"}


def test_labels(shop, bare, make_dataset):
    assert queries.item_labels(shop, ["b", "nobody", "a"]).to_dict() == {
        "b": "Big ball",
        "nobody": "nobody",
        "a": "Ball",
    }
    assert queries.item_labels(bare, [8]).to_dict() == {8: "8"}
    assert queries.item_labels(bare, []).to_dict() == {}
    events = pd.DataFrame({"user_id": [1], "item_id": [1]})
    texts = pd.DataFrame({"item_id": [1], "brand": ["Acme"], "kind": ["toy.ball"], "n": [3]})
    lists = pd.DataFrame({"item_id": [1], "tags": [["red", "ball"]], "n": [3]})
    quoted = pd.DataFrame({"item_id": [1], 'my "title"; --': ["it's"]})
    assert queries.item_labels(make_dataset(events, items=texts), [1])[1] == "Acme · toy.ball"
    assert queries.item_labels(make_dataset(events, items=lists), [1])[1] == "red, ball"
    assert queries.item_labels(make_dataset(events, items=quoted), [1])[1] == "it's"


def test_a_history_is_latest_first(shop, bare):
    history = queries.user_history(shop, "1")  # as a URL knows the id
    assert list(history.columns) == ["timestamp", "item_id", "label", "event", "value"]
    assert rows(history[["item_id", "label", "event"]]) == [
        ("a", "Ball", "buy"),
        ("b", "Big ball", "view"),
        ("a", "Ball", "view"),
    ]
    assert len(queries.user_history(shop, 1, n=2)) == 2
    assert list(queries.user_history(bare, "u").columns) == ["item_id", "label"]
    for nobody in ("3", "x", "1; DROP TABLE log", "99999999999999999999", "1.0"):
        with pytest.raises(NotFound, match="has no user"):
            queries.user_history(shop, nobody)
    with pytest.raises(NotFound):
        queries.user_history(bare, "' OR 1=1 --")


def test_search(shop):
    assert rows(queries.search_users(shop, "1")) == [(1, 3), (12, 2)]
    assert rows(queries.search_users(shop, " 12 ")) == [(12, 2)]
    assert len(queries.search_users(shop, "")) == 3
    assert queries.search_users(shop, "%").empty
    assert rows(queries.search_items(shop, "BALL")) == [("a", "Ball", 4), ("b", "Big ball", 1)]
    assert rows(queries.search_items(shop, "c")) == [("c", "c", 1)]
    assert queries.search_items(shop, "_").empty


def test_rejected(shop):
    assert rows(queries.rejected_summary(shop)) == [("no_user", 1, pytest.approx(1 / 7))]
    assert rows(queries.rejected_sample(shop)) == [("a.csv", 7, "no_user", "", ",3")]
    assert queries.rejected_sample(shop, "bad_time").empty
    assert len(queries.rejected_sample(shop, "no_user")) == 1


def test_the_first_rows(shop):
    assert len(queries.events_sample(shop, 2)) == 2
    assert 'odd "name"' in queries.events_sample(shop)
