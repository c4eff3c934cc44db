"""A filter leaves what it says, and every figure is what a second, dumber count says."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.data import read_only
from core.data.profile import behaviour as behaviour_module
from core.data.profile import columns as columns_module
from core.data.profile.behaviour import behaviour
from core.data.profile.coded import FOLDER, open_coded
from core.data.profile.columns import kind_of, table_profile
from core.data.profile.figures import Left, in_bands, log_profile
from core.data.profile.filters import (
    DAY_S,
    HISTORY,
    ITEM,
    LOG,
    USER,
    Facet,
    Filter,
    band_names,
    parse_terms,
)
from core.data.profile.profile import profile
from core.errors import BadInput, NotFound
from tests.untouched import untouched

EVENT, PLATFORM = Facet(LOG, "event"), Facet(LOG, "platform")
GENRES, COUNTRY, BAND = Facet(ITEM, "genres"), Facet(USER, "country"), Facet(USER, HISTORY)
N_DAYS = 40
KINDS, SHOPS = ("buy", "view"), ("app", "web")
GENRE_NAMES, COUNTRIES = ("comedy", "drama", "war"), ("FI", "NO")


def made_up(seed: int = 3, n: int = 600) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    users, items = rng.integers(0, 30, n) ** 2 // 30, rng.geometric(0.1, n) % 20
    seconds = rng.integers(0, N_DAYS * 24, n) * 3600  # by the hour, so that there are ties
    events = pd.DataFrame(
        {
            "user_id": [f"u{user:02}" for user in users],
            "item_id": items,
            "timestamp": pd.to_datetime(seconds, unit="s").astype("datetime64[us]"),
            "event": np.array([*KINDS, None], object)[rng.integers(0, 3, n)],
            "platform": np.array(SHOPS)[rng.integers(0, 2, n)],
            "value": rng.integers(1, 6, n).astype(float),
        }
    )
    genres = [list(rng.choice(GENRE_NAMES, rng.integers(0, 3), replace=False)) for _ in range(20)]
    items_table = pd.DataFrame(
        {"item_id": range(20), "title": [f"Film {i}" for i in range(20)], "genres": genres}
    )
    users_table = pd.DataFrame(
        {
            "user_id": [f"u{user:02}" for user in range(30)],
            "country": np.array(COUNTRIES)[rng.integers(0, 2, 30)],
        }
    )
    return {"events": events, "items": items_table, "users": users_table}


@pytest.fixture
def tables() -> dict[str, pd.DataFrame]:
    return made_up()


@pytest.fixture
def info(make_dataset, tables):
    return make_dataset(tables["events"], items=tables["items"], users=tables["users"])


@pytest.fixture
def coded(info):
    return open_coded(info)


def joined(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """The log as a person would count it: with genres, country and band in each row."""
    log = tables["events"].sort_values(["user_id", "timestamp"], kind="stable")
    log = log.merge(tables["items"], on="item_id").merge(tables["users"], on="user_id")
    sizes = log["user_id"].map(log["user_id"].value_counts())
    begins = [int(name.split("..")[0]) for name in band_names()]
    log["band"] = [band_names()[np.searchsorted(begins, n, side="right") - 1] for n in sizes]
    log["time"] = log["timestamp"].astype("datetime64[s]").astype("int64")
    for key in ("item_id", "user_id"):
        earlier = [
            (log.loc[log[key] == one, "time"] < time).sum()
            for one, time in zip(log[key], log["time"], strict=True)
        ]
        log[f"cold_{key}"] = np.array(earlier) < 5
    return log


def left(log: pd.DataFrame, wanted: Filter) -> pd.DataFrame:
    fits = np.ones(len(log), bool)
    if wanted.since is not None:
        fits &= log["time"] >= wanted.since
    if wanted.until is not None:
        fits &= log["time"] < wanted.until
    for facet, column in (
        (EVENT, "event"),
        (PLATFORM, "platform"),
        (COUNTRY, "country"),
        (BAND, "band"),
    ):
        if values := wanted.values(facet):
            fits &= log[column].isin(values)
    if values := wanted.values(GENRES):
        fits &= np.array([bool(set(genres) & set(values)) for genres in log["genres"]])
    return log[fits]


def there(log: pd.DataFrame) -> Left:
    return Left(len(log), log["user_id"].nunique(), log["item_id"].nunique())


def some(values):
    return st.lists(st.sampled_from(values), unique=True, max_size=2)


@st.composite
def filters(draw):
    wanted = Filter()
    if draw(st.booleans()):
        unit = draw(st.sampled_from([DAY_S, 3600]))  # which cuts through days
        ends = sorted(
            draw(
                st.lists(
                    st.integers(0, N_DAYS * DAY_S // unit), min_size=2, max_size=2, unique=True
                )
            )
        )
        wanted = wanted.between(*(end * unit for end in ends))
    choices = (
        (EVENT, KINDS),
        (PLATFORM, SHOPS),
        (GENRES, GENRE_NAMES),
        (COUNTRY, COUNTRIES),
        (BAND, band_names()[:5]),
    )
    for facet, values in choices:
        wanted = wanted.choosing(facet, draw(some(values)))
    return wanted


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The log once for all filters, and the dumb count's own table of it."""
    from core.data.ingest.ingest import ingest
    from core.data.store import Workspace

    folder = tmp_path_factory.mktemp("world")
    tables = made_up()
    paths = {}
    for name, table in tables.items():
        paths[name] = folder / f"{name}.parquet"
        table.to_parquet(paths[name])
    made = ingest(
        Workspace.open(folder / "home"),
        [paths["events"]],
        items=[paths["items"]],
        users=[paths["users"]],
        mapping={name: name for name in ("event", "platform", "value")},
    )
    log = joined(tables)
    return open_coded(made), log.assign(event=log["event"].fillna("unknown"))  # as ingest has it


@settings(max_examples=60)
@given(filters())
def test_a_filter_leaves_what_a_dumb_count_does(world, wanted):
    coded, log = world
    rows, found = left(log, wanted), log_profile(coded, wanted)
    assert (found.events, found.users, found.items) == (
        len(rows), rows["user_id"].nunique(), rows["item_id"].nunique(),
    )  # fmt: skip
    assert (found.cold_items, found.cold_users) == (
        rows["cold_item_id"].sum(), rows["cold_user_id"].sum(),
    )  # fmt: skip
    assert found.per_user["n"].sum() == found.users
    assert found.per_item["n"].sum() == found.items
    if len(rows):
        top = rows["item_id"].value_counts()
        assert found.top_items["events"].tolist() == top.head(7).tolist()
        assert found.median_per_user == rows["user_id"].value_counts().median()


@settings(max_examples=40)
@given(filters())
def test_a_chart_shows_what_the_rest_of_the_filter_leaves(world, wanted):
    coded, log = world
    found = log_profile(coded, wanted)
    for each in found.facets:
        rows = left(log, wanted.choosing(each.facet, ()))
        column = {COUNTRY: "country", BAND: "band", GENRES: "genres"}.get(
            each.facet, each.facet.column
        )
        values = itertools.chain(*rows[column]) if each.facet == GENRES else rows[column].dropna()
        shown = dict(zip(each.values["value"], each.values["events"], strict=True))
        assert {value: n for value, n in shown.items() if n} == Counter(values), each.facet
        assert set(each.values.loc[each.values["chosen"], "value"]) == set(
            wanted.values(each.facet)
        )
    whenever = left(log, wanted.between(None, None))
    by_day = whenever.groupby(whenever["timestamp"].dt.floor("D")).size()
    assert (
        dict(zip(found.periods["period"], found.periods["events"], strict=True)) == by_day.to_dict()
    )
    held = found.periods[found.periods["chosen"]]
    if wanted.since is None:
        assert len(held) == len(found.periods)
    elif wanted.since % DAY_S == wanted.until % DAY_S == 0:
        assert held["events"].sum() == found.events


@settings(max_examples=30)
@given(filters())
def test_behaviour_is_what_a_dumb_count_says(world, wanted):
    coded, log = world
    rows = left(log, wanted)
    found = behaviour(coded, wanted, len(rows))
    assert (found.events, found.users, found.of) == (len(rows), rows["user_id"].nunique(), 1)
    gaps, visits, repeats = [], 0, 0
    for _, own in rows.groupby("user_id"):
        own_gaps = np.diff(np.sort(own["time"]))
        gaps += own_gaps.tolist()
        visits += 1 + (own_gaps > 1800).sum()
        repeats += len(own) - own["item_id"].nunique()
    assert (found.visits or 0) == visits
    assert found.gaps["n"].sum() == len(gaps)
    assert found.repeats * len(rows) == pytest.approx(repeats)
    if gaps:
        assert found.ties == pytest.approx(np.mean(np.array(gaps) == 0))
        assert found.gaps["n"].iloc[0] == gaps.count(0)
    assert found.visit_sizes["n"].sum() == visits


def test_terms_are_read_as_they_are_written():
    facets = (EVENT, PLATFORM, Facet(ITEM, "a=b"), Facet(ITEM, "a"), BAND)
    terms = ["time=2018-02", "event=view", "event=buy", "item.a=b=c", "item.a==c", "history=5..19"]
    wanted = parse_terms(terms, facets, "clock")
    assert wanted.values(Facet(ITEM, "a=b")) == ("c",)
    assert wanted.values(Facet(ITEM, "a")) == ("=c",)
    assert wanted.values(EVENT) == ("buy", "view")
    assert wanted.values(BAND) == ("5..19",)
    assert wanted.until - wanted.since == 28 * DAY_S
    assert parse_terms(wanted.terms("clock"), facets, "clock") == wanted
    assert wanted.line("clock").startswith("time=2018-02-01..2018-02-28,item.a==c,")
    assert not Filter()
    assert wanted.toggling(EVENT, "buy").values(EVENT) == ("view",)


@pytest.mark.parametrize(
    ("time", "written"),
    [
        ("2018", "2018-01-01..2018-12-31"),
        ("2018-12", "2018-12-01..2018-12-31"),
        ("2018-01..2018-03", "2018-01-01..2018-03-31"),
        ("..2018-03-05", "..2018-03-05"),
        ("2018-03-05T06:00..", "2018-03-05T06:00:00.."),
        ("2018-03-05T06:00..2018-03-05T07:59:59", "2018-03-05T06:00:00..2018-03-05T07:59:59"),
    ],
)
def test_both_ends_of_a_time_are_inside(time, written):
    wanted = parse_terms([f"time={time}"], (), "clock")
    assert wanted.terms("clock") == [f"time={written}"]
    assert parse_terms([f"time={written}"], (), "clock") == wanted


def test_order_numbers_are_times_too():
    wanted = parse_terms(["time=-5..7"], (), "order")
    assert (wanted.since, wanted.until) == (-5, 8)
    assert wanted.terms("order") == ["time=-5..7"]


@pytest.mark.parametrize(
    ("term", "kind", "sentence"),
    [
        ("colour=red", "clock", "is no filter of this log: write one of time, event"),
        ("event=", "clock", "is no filter"),
        ("time=2018", "none", "is no filter of this log: write one of event"),
        ("time=2018-13", "clock", "time is '2018-13': write a year, a month, a day"),
        ("time=2018-02-31", "clock", "time is '2018-02-31'"),
        ("time=2018..2017", "clock", "ends before it begins"),
        ("time=..", "clock", "say from when, until when, or both"),
        ("time=2018-01", "order", "this log's times are order numbers"),
    ],
)
def test_a_term_that_means_nothing_gets_a_sentence(term, kind, sentence):
    with pytest.raises(BadInput, match=sentence):
        parse_terms([term], (EVENT,), kind)


def test_a_value_that_the_log_does_not_have_is_named(coded):
    for term in ("event=sell", "item.genres=opera", "history=3", "user.country='; DROP TABLE log"):
        with pytest.raises(BadInput, match=r"no event has .*: there are "):
            coded.parse([term])
    assert coded.parse(["item.genres=war", "platform=app"]).values(GENRES) == ("war",)


def test_facets_are_attributes_of_few_values(coded):
    assert set(coded.facets) == {EVENT, PLATFORM, GENRES, COUNTRY, BAND}  # no title: all differ


def test_what_is_kept_is_made_once_and_again_where_it_is_damaged(info, coded):
    kept = info.folder / FOLDER / "log.parquet"
    before = kept.stat().st_mtime_ns
    assert open_coded(info).facets == coded.facets
    assert kept.stat().st_mtime_ns == before
    content = bytearray(kept.read_bytes())
    content[10] ^= 255
    kept.write_bytes(content)
    assert log_profile(open_coded(info), Filter()).events == 600
    assert kept.read_bytes() != bytes(content)
    said = json.loads((info.folder / FOLDER / "profile.json").read_text())
    (info.folder / FOLDER / "profile.json").write_text(json.dumps({**said, "format": 0}))
    assert open_coded(info).kinds == coded.kinds
    assert not list(info.folder.glob(".*"))  # nothing half made stays


def test_where_nothing_may_be_written_it_lies_elsewhere(info, monkeypatch):
    monkeypatch.setenv(read_only.VARIABLE, str(info.folder.parent))
    with untouched(info.folder):
        coded = open_coded(info)
        assert log_profile(coded, coded.parse(["event=buy"])).events > 0
    assert not (info.folder / FOLDER).exists()


def test_a_log_of_ids_alone(make_dataset):
    bare = make_dataset(pd.DataFrame({"user_id": [1, 1, 2], "item_id": ["a", "a", "b"]}))
    coded = open_coded(bare)
    found = log_profile(coded, Filter())
    assert (found.events, found.users, found.items, found.cold_items) == (3, 2, 2, None)
    assert found.periods.empty
    assert [each.facet for each in found.facets] == [BAND]
    how = behaviour(coded, Filter(), 3)
    assert (how.visits, how.ties, len(how.gaps)) == (None, None, 0)
    assert how.repeats == pytest.approx(1 / 3)
    only = coded.parse(["history=1"])
    assert log_profile(coded, only).events == 1


def test_a_log_with_order_numbers(make_dataset):
    order = make_dataset(
        pd.DataFrame({"user_id": 1, "item_id": range(900), "timestamp": range(100, 1000)})
    )
    coded = open_coded(order)
    found = log_profile(coded, coded.parse(["time=200..299"]))
    assert found.events == 100
    assert (found.periods["until"] - found.periods["period"]).unique().tolist() == [3]
    assert found.periods["events"].sum() == 900


def test_a_filter_that_leaves_nothing(coded):
    nothing = coded.parse(["time=1999"])
    found = log_profile(coded, nothing)
    assert (found.events, found.users, found.items, found.median_per_user) == (0, 0, 0, 0)
    how = behaviour(coded, nothing, 0)
    assert (how.events, how.repeats, len(how.together)) == (0, 1.0, 0) or how.repeats == 0


def test_bands_hold_every_count():
    frame = in_bands(np.array([1, 2, 3, 4, 5, 5000]))
    assert frame["n"].tolist() == [1, 1, 2, 1, 0, 0, 0, 0, 0, 0, 1]
    assert frame["most"].isna().tolist() == [False] * 10 + [True]


def test_pairs_are_those_that_meet_more_often_than_by_chance(make_dataset):
    """Bread and butter in 30 of 100 baskets; jam and tea as often, but never together."""
    baskets = [["bread", "butter"]] * 30 + [["jam"], ["tea"]] * 30 + [["salt"]] * 10
    rows = [(f"u{n:03}", item) for n, basket in enumerate(baskets) for item in basket]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id"])
    frame["timestamp"] = pd.Timestamp("2024-01-01").as_unit("us")
    coded = open_coded(make_dataset(frame))
    (pair,) = behaviour(coded, Filter(), len(frame)).together.itertuples()
    assert {pair.item_id, pair.other_id} == {"bread", "butter"}
    assert pair.n == 30
    assert pair.lift == pytest.approx(30 / (30 * 30 / 100))


def test_of_many_events_whole_people_are_drawn(coded, tables, monkeypatch):
    monkeypatch.setattr(behaviour_module, "MOST_EVENTS", 200)
    found = behaviour(coded, Filter(), 600)
    sizes = tables["events"]["user_id"].value_counts()
    assert found.of == 3
    assert 0 < found.users < len(sizes)
    assert found.events < 600
    again = behaviour(coded, Filter(), 600)
    assert (again.events, again.visits) == (found.events, found.visits)


def test_columns_are_those_of_the_events_that_are_left(coded, tables):
    wanted = coded.parse(["event=buy", "item.genres=war"])
    log = left(joined(tables), wanted)
    found = {c.column: c for c in table_profile(coded, wanted, "events", there(log)).columns}
    assert list(found) == ["user_id", "item_id", "timestamp", "event", "platform", "value"]
    assert found["event"].top == (("buy", len(log)),)
    assert found["user_id"].distinct == log["user_id"].nunique()
    value = found["value"]
    assert (value.kind, value.least, value.most) == (
        "number",
        log["value"].min(),
        log["value"].max(),
    )
    assert sum(value.bars) == len(log)
    assert dict(value.top) == {
        f"{k:.1f}": n for k, n in log["value"].value_counts().items() if n > 1
    }
    assert found["timestamp"].least == str(log["timestamp"].min())
    items = table_profile(coded, wanted, "items", there(log))
    assert items.rows == log["item_id"].nunique()
    genres = next(column for column in items.columns if column.column == "genres")
    assert genres.kind == "list"
    assert dict(genres.top)["war"] == items.rows
    users = table_profile(coded, wanted, "users", there(log))
    assert users.rows == log["user_id"].nunique()


def test_missing_values_and_columns_of_odd_names(make_dataset):
    frame = pd.DataFrame(
        {"user_id": [1, 2, 3, 4], "item_id": 1, 'odd "name"': [1.0, None, np.inf, 3.0]}
    )
    coded = open_coded(make_dataset(frame))
    odd = table_profile(coded, Filter(), "events", Left(4, 4, 1)).columns[-1]
    assert (odd.column, odd.missing, odd.least, odd.most) == ('odd "name"', 0.25, 1.0, 3.0)
    for table in ("items", "events; DROP"):
        with pytest.raises(NotFound, match=f"no table of {table}"):
            table_profile(coded, Filter(), table, Left(4, 4, 1))


def test_of_many_events_some_are_drawn(coded, monkeypatch):
    monkeypatch.setattr(columns_module, "MOST_ROWS", 100)
    found = table_profile(coded, Filter(), "events", Left(600, 25, 20))
    assert found.of == 6
    assert 50 < found.rows < 200
    assert [column.distinct for column in found.columns[:2]] == [25, 20]  # not of those drawn


@pytest.mark.parametrize(
    ("type_name", "kind"),
    [
        ("UBIGINT", "number"), ("DECIMAL(18,3)", "number"), ("TIMESTAMP WITH TIME ZONE", "time"),
        ("VARCHAR[]", "list"), ("BOOLEAN", "boolean"), ("STRUCT(a INT)", "STRUCT(a INT)"),
    ],
)  # fmt: skip
def test_types_have_names(type_name, kind):
    assert kind_of(type_name) == kind


def test_all_that_is_said_can_be_written(info):
    found = profile(info, ["event=buy", "time=1970-01"])
    said = json.loads(json.dumps(found.to_json()))
    assert said["filter"] == ["time=1970-01-01..1970-01-31", "event=buy"]
    assert said["events"] == found.figures.events
    assert found.sentence.startswith("time=1970-01-01..1970-01-31, event=buy: ")
    assert f"{found.figures.events} of 600 events" in found.sentence


def test_one_far_value_does_not_leave_the_others_in_one_bar(make_dataset):
    values = [*range(1000), 10**9]
    frame = pd.DataFrame({"user_id": range(1001), "item_id": 1, "price": values})
    coded = open_coded(make_dataset(frame))
    price = table_profile(coded, Filter(), "events", Left(1001, 1001, 1)).columns[-1]
    assert (price.least, price.most, sum(price.bars)) == (0, 10**9, 1001)
    assert min(price.bars) > 40
