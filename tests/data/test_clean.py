from __future__ import annotations

import json
from collections import Counter

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data.quality.cleaning import CLEANINGS, clean, parse_steps
from core.data.store import Workspace
from core.errors import BadInput

HOUR = 3600
NOW = pd.Timestamp("2024-01-01")  # when the made-up datasets were created


@pytest.fixture
def home(tmp_path) -> Workspace:
    return Workspace.open(tmp_path / "home")


def log(rows: list[tuple], columns: str = "user_id item_id timestamp value") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=columns.split())
    if "timestamp" in frame:
        frame["timestamp"] = pd.Timestamp("2020-06-01") + pd.to_timedelta(frame["timestamp"], "s")
        frame["timestamp"] = frame["timestamp"].astype("datetime64[us]")
    return frame


def kept_rows(info) -> list[int]:
    frame = pd.read_parquet(info.folder / "events.parquet")
    return frame["source_row"].tolist()


ROWS = [
    (1, 10, 0, 5.0),  # source row 1
    (1, 10, 0, 5.0),  # the same again
    (1, 10, 0, 4.0),  # another rating at the same time
    (1, 20, 50, 3.0),
    (2, 10, 10, None),
    (2, 20, 5, 2.0),
    (3, 30, 7, 1.0),
]


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("dedupe", [1, 3, 4, 6, 5, 7]),
        ("last_only", [3, 4, 6, 5, 7]),
        ("min_value=3", [1, 2, 3, 4, 5]),  # the one without a value stays
        ("min_value=-1.5", [1, 2, 3, 4, 6, 5, 7]),
        ("cap=2", [3, 4, 6, 5, 7]),
        ("cap=1", [4, 5, 7]),
        ("min_events", [1, 2, 3, 4, 6, 5]),
        ("min_events=3", [1, 2, 3, 4]),
        ("k_core=2", [1, 2, 3, 4, 6, 5]),
        ("drop_before=1999", [1, 2, 3, 4, 6, 5, 7]),
    ],
)
def test_steps_by_hand(home, make_dataset, step, expected):
    info = make_dataset(log(ROWS))
    assert kept_rows(clean(home, info, [step])) == expected


def test_returns_future_and_distant_past_go(home, make_dataset):
    frame = pd.DataFrame(
        {
            "user_id": [1, 1, 2, 2, 2],
            "item_id": [1, 2, 3, 4, 5],
            "timestamp": [
                NOW,
                NOW + pd.Timedelta(hours=23),  # a zone off, not the future
                NOW + pd.Timedelta(hours=25),
                pd.Timestamp("1970-01-01"),
                pd.Timestamp("1990-01-01"),
            ],
            "event": ["view", "return", "view", "view", "view"],
        }
    )
    frame["timestamp"] = frame["timestamp"].astype("datetime64[us]")
    info = make_dataset(frame)
    assert kept_rows(clean(home, info, "drop_future")) == [1, 2, 4, 5]
    assert kept_rows(clean(home, info, "drop_before")) == [1, 2, 5, 3]
    assert kept_rows(clean(home, info, "drop_returns")) == [1, 4, 5, 3]


def test_bots_are_the_tireless(home, make_dataset):
    hasty = [(1, item, item) for item in range(1000)]  # one a second, for 17 minutes
    sleepless = [(2, 1, hour * HOUR) for hour in range(20)]
    person = [(3, item, 60 * item) for item in range(19 * 60)]  # once a minute, 19 hours
    basket = [(4, item, 7 * HOUR) for item in range(1500)]  # one order of 1,500 lines
    info = make_dataset(log(hasty + sleepless + person + basket, "user_id item_id timestamp"))
    cleaned = clean(home, info, "drop_bots")
    users = pd.read_parquet(cleaned.folder / "events.parquet")["user_id"].unique().tolist()
    assert users == [3, 4]
    cleaned = clean(home, info, "drop_bots=1001")
    users = pd.read_parquet(cleaned.folder / "events.parquet")["user_id"].unique().tolist()
    assert users == [1, 3, 4]


@settings(max_examples=30)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=40),
    k=st.integers(2, 3),
)
def test_the_core_against_a_dumber_derivation(pairs, k):
    from core.data.quality.cleaning import _find_core

    left = set(pairs)
    while True:
        users, items = Counter(u for u, _ in left), Counter(i for _, i in left)
        smaller = {(u, i) for u, i in left if users[u] >= k and items[i] >= k}
        if smaller == left:
            break
        left = smaller
    con = duckdb.connect()
    frame = pd.DataFrame(pairs, columns=["user_id", "item_id"])
    con.register("frame", frame)
    con.execute("CREATE TABLE kept AS FROM frame")
    _find_core(con, k)
    assert set(con.sql("FROM core").fetchall()) == left


def test_rows_read_are_rows_kept_and_rows_rejected(home, make_dataset):
    info = make_dataset(log(ROWS), items=pd.DataFrame({"item_id": [10], "color": ["red"]}))
    cleaned = clean(home, info, ["dedupe", "cap=1"])
    counts = cleaned.counts
    rejected = pd.read_parquet(cleaned.folder / "rejected.parquet")
    assert counts["rows_read"] == info.counts["rows_read"] == 8
    assert counts["rows_read"] == counts["rows_kept"] + counts["rows_rejected"]
    assert counts["rows_rejected"] == len(rejected) == sum(counts["rejected"].values())
    assert counts["rejected"] == {"no_user": 1, "cleaned:dedupe": 1, "cleaned:cap": 3}
    assert rejected["reason"].value_counts().to_dict() == counts["rejected"]
    assert (counts["users"], counts["items"]) == (3, 3)
    gone = rejected[rejected["reason"] == "cleaned:dedupe"].iloc[0]
    assert (gone["file"], gone["line"], gone["detail"]) == ("a.csv", 2, "dedupe")
    record = json.loads(gone["record"])
    assert record == {
        "user_id": 1,
        "item_id": 10,
        "timestamp": "2020-06-01 00:00:00",
        "value": 5.0,
        "source_row": 2,
    }
    assert (cleaned.folder / "items.parquet").read_bytes() == info.path("items").read_bytes()


def test_a_long_log_stays_in_order(home, make_dataset):
    n = 300_000  # more than one row group, which threads would write as they come
    users = np.arange(n) // 10
    frame = pd.DataFrame({"user_id": users, "item_id": np.arange(n) % 97, "timestamp": range(n)})
    info = make_dataset(frame)
    assert kept_rows(clean(home, info, "cap=9")) == [
        row for row in range(1, n + 1) if row % 10 != 1
    ]


def test_a_version_knows_where_it_comes_from(home, make_dataset):
    info = make_dataset(log(ROWS))
    cleaned = clean(home, info, "dedupe,k_core=2")
    assert cleaned.parent == info.id
    assert cleaned.meta["cleaning"] == ["dedupe", "k_core=2"]
    assert cleaned.name == "made-up (dedupe, k_core=2)"
    again = clean(home, cleaned, "cap")
    assert again.meta["cleaning"] == ["dedupe", "k_core=2", "cap=1000"]
    assert [d.id for d in home.datasets()] == [again.id, cleaned.id]


def test_counts_add_up_over_versions(home, make_dataset):
    once = clean(home, make_dataset(log(ROWS)), "cap=2")
    twice = clean(home, once, "cap=1")
    assert once.counts["rejected"] == {"no_user": 1, "cleaned:cap": 2}
    assert twice.counts["rejected"] == {"no_user": 1, "cleaned:cap": 4}
    assert twice.counts["rows_rejected"] == 5 == 8 - twice.counts["rows_kept"]
    assert len(pd.read_parquet(twice.folder / "rejected.parquet")) == 5


def test_the_same_steps_give_the_same_version(home, make_dataset):
    info = make_dataset(log(ROWS))
    first = clean(home, info, "dedupe, k_core = 2")
    second = clean(home, info, ["dedupe", "k_core=2"], name="other")
    assert first.id == second.id
    assert second.name == "other"
    assert first.created == second.created
    assert clean(home, info, ["k_core=2", "dedupe"]).id != first.id


def test_columns_of_any_name_come_along(home, make_dataset):
    names = ["time", "row", "select", 'a"b', "Größe", "gone"]
    frame = log(ROWS).assign(**{name: np.arange(7) for name in names})
    cleaned = clean(home, make_dataset(frame), "dedupe")
    events = pd.read_parquet(cleaned.folder / "events.parquet")
    assert set(events.columns) == {*frame.columns, "source_row"}
    assert events["time"].tolist() == [0, 2, 3, 5, 4, 6]


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ("deduppe", "there is no cleaning 'deduppe': choose from dedupe"),
        ("dedupe=2", "takes no number"),
        ("k_core=x", "k_core needs a whole number from 2, not 'x'"),
        ("k_core=1", "from 2, not '1'"),
        ("k_core=2.5", "whole number"),
        ("k_core=", "whole number"),
        ("cap=0", "from 1"),
        ("cap=nan", "whole number"),
        ("cap=inf", "whole number"),
        ("min_value", "needs a number, as in min_value=3"),
        ("min_value=inf", "needs a number"),
        ("", "no cleaning was given"),
        ([], "no cleaning was given"),
        ("k_core=4", "after k_core=4 nothing is left of the 7 events"),
        ("drop_returns", "needs a column of events"),
    ],
)
def test_what_cannot_be_done_is_refused(home, make_dataset, steps, sentence):
    info = make_dataset(log(ROWS))
    with pytest.raises(BadInput, match=sentence):
        clean(home, info, steps)
    assert home.datasets() == []
    assert list(home.tmp_folder.iterdir()) == []


def test_a_log_without_times_says_so(home, make_dataset):
    info = make_dataset(log([(1, 2)], "user_id item_id"))
    for step in ("drop_future", "drop_bots", "drop_before=1990"):
        with pytest.raises(BadInput, match="needs times"):
            clean(home, info, step)


@pytest.mark.parametrize("name", CLEANINGS)
def test_every_cleaning_can_be_given_as_it_is_named(name):
    cleaning = CLEANINGS[name]
    text = name if cleaning.minimum is None or cleaning.default else f"{name}=3"
    (step,) = parse_steps(text)
    assert parse_steps(str(step)) == [step]
