from __future__ import annotations

from types import SimpleNamespace

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.quality import behaviour
from core.data.quality import report as quality
from core.data.quality.cleaning import _find_core, clean, parse_steps
from core.data.quality.verdict import SENTENCES, SEVERITIES
from core.data.store import Workspace

START = pd.Timestamp("2023-01-01")


def log(n_users: int = 200, n_items: int = 40, per_user: int = 10, seed: int = 0) -> pd.DataFrame:
    """A healthy log: everybody takes different items, evenly, over some months."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user_id": np.repeat(np.arange(n_users), per_user),
            "item_id": np.concatenate(
                [rng.choice(n_items, per_user, replace=False) for _ in range(n_users)]
            ),
            "timestamp": times(rng.permutation(n_users * per_user) * 3600),
            "event": "view",
        }
    )


def times(seconds) -> pd.Series:
    return pd.Series(START + pd.to_timedelta(np.asarray(seconds), "s")).astype("datetime64[us]")


def more(*rows: tuple, times_of: int = 1) -> pd.DataFrame:
    """The healthy log and these rows (user, item, time, event)."""
    extra = pd.DataFrame(
        list(rows) * times_of, columns=["user_id", "item_id", "timestamp", "event"]
    )
    extra["timestamp"] = pd.to_datetime(extra["timestamp"]).astype("datetime64[us]")
    return pd.concat([log(), extra], ignore_index=True)


@pytest.fixture
def verdicts(make_dataset):
    def ask(events: pd.DataFrame, **options) -> dict[str, quality.Verdict]:
        report = quality.quality_report(make_dataset(events, **options))
        for verdict in report:
            assert verdict.severity in SEVERITIES
            assert verdict.sentence()
            if verdict.cleaning:
                parse_steps(verdict.cleaning)
        return {verdict.key: verdict for verdict in report}

    return ask


def test_a_healthy_log_has_nothing_to_warn_of(verdicts):
    items = pd.DataFrame({"item_id": range(40), "color": ["red", "blue"] * 20})
    found = verdicts(log(), items=items)
    assert set(found) == set(SENTENCES)
    assert {key for key, v in found.items() if v.severity != "ok"} == {"rejected"}  # its one row
    assert {v.cleaning for v in found.values()} == {None}


def test_questions_of_time_need_times(verdicts):
    found = verdicts(log().drop(columns="timestamp"))
    assert set(SENTENCES) - set(found) == {
        "bots",
        "future_times",
        "past_times",
        "tied_times",
        "drift",
    }


def test_missing_values(verdicts):
    events = log().assign(value=[None] * 500 + [1.0] * 1500, note=[None] + ["x"] * 1999)
    found = verdicts(events)["missing"]
    assert found.severity == "warn"
    assert found.numbers == {"columns": 2, "share": 0.25}
    assert found.evidence.to_dict("list") == {
        "column": ["value", "note"],
        "missing": [500, 1],
        "share": [0.25, 1 / 2000],
    }
    assert verdicts(log().assign(note=[None] * 1999 + ["x"]))["missing"].severity == "note"


def test_duplicates_and_repeats(verdicts):
    row = (3, 77, "2023-01-05", "view")
    found = verdicts(more(row, times_of=31))
    assert found["duplicates"].numbers == {"duplicates": 30, "share": 30 / 2031}
    assert found["duplicates"].severity == "warn"
    assert found["duplicates"].cleaning == "dedupe"
    assert found["duplicates"].evidence[["user_id", "item_id", "times"]].to_numpy().tolist() == [
        [3, 77, 31]
    ]
    assert found["repeats"].numbers["repeats"] == 30
    assert found["repeats"].severity == "note"
    later = (3, 77, "2023-01-06", "view")
    assert verdicts(more(row, later))["duplicates"].numbers["duplicates"] == 0
    assert verdicts(more(row, later))["repeats"].numbers["repeats"] == 1


def test_a_rating_given_twice_is_a_warning(verdicts):
    events = more(*[(3, 77, f"2023-01-{day:02}", "view") for day in range(1, 31)])
    found = verdicts(events.assign(value=5.0))["repeats"]
    assert (found.severity, found.cleaning) == ("warn", "last_only")


def test_returns(verdicts):
    found = verdicts(more((3, 77, "2023-01-05", "return"), times_of=5))["returns"]
    assert found.numbers == {"returns": 5, "share": 5 / 2005}
    assert (found.severity, found.cleaning) == ("note", "drop_returns")


def test_bots(verdicts):
    found = verdicts(
        pd.concat(
            [
                log(),
                pd.DataFrame(
                    {
                        "user_id": 999,
                        "item_id": np.arange(1000) % 40,
                        "timestamp": times(np.arange(1000) * 2),
                        "event": "view",
                    }
                ),
            ]
        )
    )["bots"]
    assert found.numbers == {"bots": 1, "share": pytest.approx(1000 / 3000)}
    assert (found.severity, found.cleaning) == ("bad", "drop_bots")
    assert found.evidence["user_id"].tolist() == [999]


def test_groups_of_people_are_no_bots(verdicts):
    roles = {"user_id": "age+zip", "item_id": "item_id", "timestamp": "timestamp"}
    assert "bots" not in verdicts(log(), mapping=roles)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, unique=True, max_size=60)
)
def test_a_core_that_is_proposed_leaves_something(pairs):
    users, items = (len(set(side)) for side in zip(*pairs, strict=True))
    counts = {"users": users, "items": items}
    step = behaviour._core(SimpleNamespace(counts=counts), len(pairs))
    if step:
        con = duckdb.connect()
        frame = pd.DataFrame(pairs, columns=["user_id", "item_id"])
        con.register("frame", frame)
        con.execute("CREATE TABLE kept AS FROM frame")
        _find_core(con, parse_steps(step)[0].number)
        assert con.execute("SELECT count(*) FROM core").fetchall()[0][0] > 0


def test_impossible_times(verdicts):
    found = verdicts(
        more(
            (1, 77, "2024-01-05", "view"),
            (2, 78, "1970-01-01", "view"),
            (3, 79, "1970-01-01", "view"),
        )
    )
    assert found["future_times"].numbers == {"future": 1, "share": 1 / 2003}
    assert (found["future_times"].severity, found["future_times"].cleaning) == (
        "warn",
        "drop_future",
    )
    assert found["past_times"].numbers == {"past": 2, "share": 2 / 2003}
    assert found["past_times"].evidence["events"].tolist() == [2]
    assert found["past_times"].cleaning == "drop_before=1990"


def test_tied_times(verdicts):
    events = log()
    events["timestamp"] = times(np.arange(len(events)) // 10 * 10 * 3600)  # each user in one moment
    found = verdicts(events)["tied_times"]
    assert found.numbers == {"tied": 2000, "share": 1.0}
    assert found.severity == "warn"


def test_sparsity_by_hand(verdicts):
    found = verdicts(log(n_users=100, n_items=40, per_user=4))["sparsity"]
    assert found.numbers == {"density": 0.1, "per_user": 4.0, "per_item": 10.0}
    assert (found.severity, found.cleaning) == ("warn", "k_core=3")  # 400 pairs > 2 · 140
    assert verdicts(log(per_user=1))["sparsity"].severity == "bad"


def test_the_long_tail(verdicts):
    events = log()
    events.loc[events.index >= 300, "item_id"] = 7  # 1 item of 40 takes 85 %
    found = verdicts(events)["long_tail"]
    assert found.severity == "note"
    assert found.numbers["head"] > 0.85
    assert found.evidence["items"].tolist() == [4] * 10
    assert found.evidence["share"].sum() == pytest.approx(1)


def test_users_with_one_event(verdicts):
    found = verdicts(log(per_user=1))["one_event_users"]
    assert found.numbers == {"users": 200, "share": 1.0}
    assert (found.severity, found.cleaning) == ("warn", "min_events=2")


def test_heavy_users(verdicts):
    many = pd.DataFrame(
        {
            "user_id": 500,
            "item_id": np.arange(3000) % 40,
            "timestamp": times(np.arange(3000) * 3700),
            "event": "view",
        }
    )
    found = verdicts(pd.concat([log(), many]))["heavy_users"]
    assert found.numbers["most"] == 3000
    assert found.numbers["median"] == 10
    assert found.numbers["share"] == pytest.approx(3010 / 5000)  # the busiest 2 of 201
    assert (found.severity, found.cleaning) == ("warn", "cap=1000")


def test_drift(verdicts):
    events = log()
    events["timestamp"] = times(np.arange(len(events)) * 3600)
    late = events.index >= 1800
    events.loc[late, "item_id"] += 1000
    found = verdicts(events)["drift"]
    assert found.severity == "warn"
    assert found.numbers["new_items"] == pytest.approx(1, abs=0.01)
    assert found.numbers["new_users"] == pytest.approx(1, abs=0.05)  # user after user, in time
    assert found.numbers["kept"] == 1  # all 40 items of the first half are in the second
    assert found.evidence["events"].tolist() == pytest.approx([200] * 10, abs=1)


def test_rejected_rows_without_those_cleaned_away(verdicts):
    counts = {
        "rows_read": 2200,
        "rows_kept": 2000,
        "rows_rejected": 200,
        "users": 200,
        "items": 40,
        "rejected": {"no_user": 120, "bad_time": 30, "cleaned:cap": 50},
    }
    found = verdicts(log(), counts=counts)["rejected"]
    assert found.numbers == {"rejected": 150, "read": 2200, "share": 150 / 2200}
    assert found.severity == "warn"
    assert found.evidence["reason"].tolist() == ["no_user", "bad_time"]


def test_attributes(verdicts):
    items = pd.DataFrame({"item_id": range(30), "color": ["red"] * 15 + [None] * 15, "n": None})
    found = verdicts(log(), items=items)["attributes"]
    assert found.numbers == {"share": 15 / 40, "columns": 2}
    assert found.severity == "warn"
    assert found.evidence["items"].tolist() == [15, 0]
    assert verdicts(log())["attributes"].severity == "note"


def test_a_lonely_log_is_bad(verdicts):
    assert verdicts(log(n_users=1))["size"].severity == "bad"
    assert verdicts(log(n_users=20))["size"].severity == "warn"


@pytest.mark.parametrize(
    ("key", "rows"),
    [
        ("duplicates", [(3, 77, "2023-01-05", "view")] * 3),
        ("returns", [(3, 77, "2023-01-05", "return")]),
        ("future_times", [(3, 77, "2025-01-05", "view")]),
        ("past_times", [(3, 77, "1971-01-05", "view")]),
        ("one_event_users", [(user, 7, "2023-01-05", "view") for user in range(700, 730)]),
    ],
)
def test_the_cleaning_that_is_proposed_mends_it(tmp_path, make_dataset, key, rows):
    info = make_dataset(more(*rows))
    home = Workspace.open(tmp_path / "home")
    before = {verdict.key: verdict for verdict in quality.quality_report(info)}
    cleaned = clean(home, info, before[key].cleaning)
    after = {verdict.key: verdict for verdict in quality.quality_report(cleaned)}
    assert after[key].cleaning is None
    assert cleaned.counts["rows_kept"] < info.counts["rows_kept"]


def test_the_shops_log_is_judged_as_it_is_known(workspace):
    """UCI Online Retail: 135,080 of 541,909 rows have no customer (its own description)."""
    found = {v.key: v for v in quality.quality_report(workspace.dataset("online-retail"))}
    assert found["rejected"].numbers["rejected"] == 135_080
    assert found["rejected"].severity == "warn"
    assert found["duplicates"].cleaning == "dedupe"
    assert found["returns"].numbers["returns"] > 8000
