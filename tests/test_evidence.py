"""The evidence for a reason against a recount with pandas, and what must not count."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from core import pipeline
from core.data.store import Workspace
from core.pipeline.explanations.evidence import Evidence, LearntLog, evidence
from core.runs.request import RunRequest
from core.types import Queries

START = 1_600_000_000
PEOPLE = ["u'; DROP TABLE taken; --", 'say "hi"', "用户", "", "λ", "🦜", "0", "00"]
THINGS = ["it's", 'a "b"', "茶", "$item", "%", "é", "1", "01"]


@pytest.fixture
def learnt(make_dataset, tmp_path):
    """A run of `popularity`, or another model, over a log made up in the test."""
    workspace = Workspace.open(tmp_path / "evidence")

    def learn(events: pd.DataFrame, model="popularity", *params, split="none", **tables):
        ident = f"{len(list(workspace.datasets_folder.iterdir())):012d}"
        info = make_dataset(events, id=ident, **tables)
        info.folder.rename(workspace.datasets_folder / ident)
        request = RunRequest(info.id, model, params, split=split, device="cpu")
        return pipeline.load_run(workspace, pipeline.train(workspace, request))

    return learn


def history(loaded, items) -> Queries:
    """A stranger who took these."""
    codes = loaded.items.encode(items)
    assert (codes >= 0).all()
    return Queries(np.array([-1]), np.array([0, len(codes)]), codes, np.ones(len(codes), "f4"))


def recount(events: pd.DataFrame, a, b) -> tuple[int, int, int, float, list]:
    """people, before, then, expected, who: of the events that count."""
    keys = ["user_id", "item_id"]
    if "timestamp" not in events:
        pairs = events[keys].drop_duplicates()
        took = {item: set(pairs.user_id[pairs.item_id == item]) for item in (a, b)}
        others = pairs[pairs.item_id != b].groupby("user_id").size()
        people = pairs.user_id.drop_duplicates()
        frame = pd.DataFrame({"b": people.isin(took[b]).to_numpy()}, index=people)
        frame["others"] = others.reindex(people).fillna(0).astype(int)
        share = frame.groupby(frame.others.map(lambda n: int(n + 1).bit_length())).b
        both = sorted(took[a] & took[b])
        expected = share.transform("mean")[frame.index.isin(took[a])].sum()
        return len(took[a]), 0, len(both), expected, both
    first = events.groupby(keys, as_index=False).timestamp.min()
    first["is_b"] = first.item_id == b
    first = first.sort_values(["user_id", "timestamp", "is_b"])
    first["place"] = first.groupby("user_id").cumcount() + 1
    time_a = first[first.item_id == a].set_index("user_id").timestamp
    time_b = first[first.is_b].set_index("user_id").timestamp
    own_b = first.user_id.map(time_b)
    open_ = first.timestamp.between(time_b.min(), time_b.max()) if len(time_b) else first.is_b
    risk = first[open_ & ((first.timestamp <= own_b) | own_b.isna())]
    share = risk.groupby(risk.place.map(int.bit_length)).is_b.transform("mean")
    expected = share[risk.timestamp > risk.user_id.map(time_a)].sum()
    both = pd.concat([time_a.rename("a"), time_b.rename("b")], axis=1).dropna()
    then = sorted(both.index[both.b > both.a])
    return len(time_a), int((both.b <= both.a).sum()), len(then), float(expected), then


def check(found: Evidence, events: pd.DataFrame, b) -> None:
    people, before, then, expected, who = recount(events, found.item_id, b)
    assert (found.people, found.before, found.then) == (people, before, then)
    assert found.expected == pytest.approx(expected, abs=1e-9)
    assert list(found.who) == who[:50]
    assert found.ordered == ("timestamp" in events)


EVENT = st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 12), st.integers(0, 1))


@pytest.mark.slow
@given(
    rows=st.lists(EVENT, min_size=1, max_size=60),
    kind=st.sampled_from(["clock", "order", "none"]),
    strange=st.booleans(),
    platforms=st.booleans(),
)
@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_as_pandas_counts_it_for_every_pair_of_any_log(learnt, rows, kind, strange, platforms):
    users, items, times, where = np.array(rows).T
    events = pd.DataFrame({"user_id": users, "item_id": items})
    if strange:
        events = pd.DataFrame(
            {"user_id": np.array(PEOPLE)[users], "item_id": np.array(THINGS)[items]}
        )
    if kind != "none":
        events["timestamp"] = times
    if kind == "clock":
        moments = pd.to_datetime(START + times * 3600, unit="s")
        events["timestamp"] = moments.astype("datetime64[us]")
    if platforms:
        events["platform"] = np.array(["app", "web"])[where]
    loaded = learnt(events)
    query = history(loaded, loaded.items.ids.tolist() * 2)
    log = LearntLog.of(loaded)
    for code, b in enumerate(loaded.items.ids.tolist()):
        found = log.evidence(query, code)
        assert [each.item_id for each in found] == [i for i in loaded.items.ids.tolist() if i != b]
        for each in found:
            check(each, events, b)


def long_log(seed: int, times: bool = True, people: int = 400, things: int = 25) -> pd.DataFrame:
    """People of few and of many events who draw from one popularity, and nothing else."""
    rng = np.random.default_rng(seed)
    popularity = 1 / np.arange(1, things + 1)
    sizes = np.minimum(rng.geometric(0.15, people), things)
    draws = [rng.choice(things, n, False, popularity / popularity.sum()) for n in sizes]
    events = pd.DataFrame(
        {"user_id": np.repeat(np.arange(people), sizes), "item_id": np.concatenate(draws)}
    )
    if times:
        events["timestamp"] = events.groupby("user_id").cumcount()
    return events


@pytest.mark.parametrize("split", ["leave-last-out", "by-time"])
def test_events_held_out_do_not_count(learnt, split):
    events = long_log(1)
    rng = np.random.default_rng(2)
    events["timestamp"] = rng.integers(0, 10_000, len(events))
    events = events.sort_values(["user_id", "timestamp"], ignore_index=True)
    loaded = learnt(events, split=split)
    if split == "by-time":
        kept = events[events.timestamp < np.sort(events.timestamp)[int(len(events) * 0.9)]]
    else:
        last = ~events.user_id.duplicated(keep="last") & events.user_id.duplicated(keep=False)
        kept = events[~last]
    assert 0 < len(kept) < len(events)
    query = history(loaded, range(10))
    other = 0
    for b in (0, 11, 24):
        for found in evidence(loaded, query, int(loaded.items.encode([b])[0])):
            check(found, kept, b)
            other += recount(events, found.item_id, b)[:4] != recount(kept, found.item_id, b)[:4]
    assert other, "held out or not makes a difference here"


@pytest.mark.slow
@pytest.mark.parametrize("refit", [True, False])
def test_validation_counts_where_the_model_was_refitted_to_it(learnt, refit):
    events = long_log(3)
    loaded = learnt(events, "neumf", "epochs=1", f"refit={refit}", split="leave-last-out")
    longer = events.groupby("user_id").item_id.transform("size")
    from_end = longer - events.timestamp
    held = (from_end <= 1) & (longer > 1)
    if not refit:
        held |= (from_end <= 2) & (longer > 2)
    for found in evidence(loaded, history(loaded, [1, 2, 3]), int(loaded.items.encode([0])[0])):
        check(found, events[~held], 0)


def test_returns_and_other_events_that_count_nothing_are_no_evidence(learnt):
    events = long_log(4)
    events["event"] = np.where(np.random.default_rng(0).random(len(events)) < 0.3, "view", "buy")
    loaded = learnt(events, weights={"buy": 1.0, "view": 0.0})
    for found in evidence(loaded, history(loaded, [1, 2]), int(loaded.items.encode([0])[0])):
        check(found, events[events.event == "buy"], 0)


@pytest.mark.slow
@pytest.mark.parametrize("times", [True, False])
def test_where_items_have_nothing_to_do_with_each_other_nothing_is_claimed(learnt, times):
    """Neither long histories nor popular items make a lift: of 6 worlds, 12 pairs each."""
    claims = pairs = 0
    for seed in range(6):
        loaded = learnt(long_log(seed, times, people=1000))
        for b in (2, 12, 22):
            code = int(loaded.items.encode([b])[0])
            for found in evidence(loaded, history(loaded, [0, 5, 15, 20]), code):
                pairs += 1
                claims += found.verdict in ("more", "fewer")
    assert claims <= 0.1 * pairs  # 5 % are expected; a share of all people would claim most


def test_a_planted_cause_is_seen_and_its_effect_is_not_taken_for_one(learnt):
    events = long_log(5, people=600)
    for_good = np.random.default_rng(0).choice(600, 120, False)
    length = events.groupby("user_id").size()
    cause = pd.DataFrame({"user_id": for_good, "item_id": 100, "timestamp": length[for_good]})
    effect = cause.assign(item_id=101, timestamp=cause.timestamp + 1)[:90]
    later = pd.DataFrame({"user_id": range(600), "item_id": 102, "timestamp": length + 2})
    loaded = learnt(pd.concat([events, cause, effect, later], ignore_index=True))
    code = loaded.items.encode([100, 101]).tolist()
    (forward,) = evidence(loaded, history(loaded, [100]), code[1])
    assert (forward.people, forward.before, forward.then) == (120, 0, 90)
    assert forward.verdict == "more"
    assert forward.low > 1.5
    (backward,) = evidence(loaded, history(loaded, [101]), code[0])
    assert (backward.people, backward.before, backward.then) == (90, 90, 0)
    assert backward.verdict != "more"


def test_an_item_that_came_late_is_not_lifted_by_another_that_came_late(learnt):
    """Half of all people came before either of them was there."""
    rng = np.random.default_rng(6)
    frames = []
    for user in range(2000):
        late = user >= 1000
        items = rng.choice(np.arange(0 if late else 5, 30), 8, False)
        frames.append(pd.DataFrame({"user_id": user, "item_id": items}))
    events = pd.concat(frames, ignore_index=True)
    events["timestamp"] = np.arange(len(events))
    loaded = learnt(events)
    found = evidence(loaded, history(loaded, [1, 2, 3]), int(loaded.items.encode([0])[0]))
    assert all(0.8 < each.lift < 1.2 for each in found)


def of(then: int, expected: float) -> Evidence:
    return Evidence(0, "a", "A", 50, 0, then, expected, True, (), None)


@pytest.mark.parametrize(
    ("then", "expected", "verdict"),
    [
        (4, 0.01, "too_little"),  # however large the lift
        (5, 0.5, "more"),
        (5, 4.0, "chance"),
        (0, 4.9, "too_little"),
        (0, 20.0, "fewer"),
        (3, 20.0, "fewer"),
        (0, 0.0, "too_little"),
        (61, 19.7, "more"),
    ],
)
def test_what_may_be_claimed(then, expected, verdict):
    assert of(then, expected).verdict == verdict


@pytest.mark.parametrize("then", [0, 1, 5, 61, 4000])
def test_the_interval_is_garwoods(then):
    found = of(then, 19.7)
    low = stats.chi2.ppf(0.025, 2 * then) / 2 if then else 0.0
    assert found.low * 19.7 == pytest.approx(low)
    assert found.high * 19.7 == pytest.approx(stats.chi2.ppf(0.975, 2 * then + 2) / 2)
    assert found.lift == then / 19.7
    assert of(then, 0.0).lift is of(then, 0.0).low is of(then, 0.0).high is None


def test_at_most_fifty_people_are_named_and_none_in_json(learnt):
    rows = [(user, item, item) for user in range(80) for item in (0, 1)]
    loaded = learnt(pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]))
    (found,) = evidence(loaded, history(loaded, [0]), 1)
    assert (found.people, found.then, found.who) == (80, 80, tuple(range(50)))
    plain = found.to_json()
    assert "who" not in plain
    assert plain["verdict"] == "chance"  # whoever is there took both: nothing to compare with


def test_only_the_events_asked_for_and_never_the_item_itself(learnt):
    loaded = learnt(long_log(7))
    query = history(loaded, [3, 1, 3, 0])
    assert [each.item_id for each in evidence(loaded, query, 0)] == [3, 1]
    assert [each.item_id for each in evidence(loaded, query, 0, [1, 3])] == [1]
    assert evidence(loaded, query, 0, [3]) == evidence(loaded, query, 0, []) == ()


def test_without_its_dataset_there_is_none(learnt):
    loaded = learnt(long_log(8))
    loaded.workspace.delete_dataset(loaded.run.config.dataset)
    again = pipeline.load_run(loaded.workspace, loaded.run)
    assert LearntLog.of(again) is None
    assert evidence(again, history(again, [1]), 0) is None


ITEMS = pd.DataFrame(
    {
        "item_id": range(4),
        "genres": ["Comedy|Drama", "Drama|War", "Comedy|Drama", "War"],
        "title": ["the red lantern of Oz", "red harvest and the rain", "blue note jazz", "the war"],
    }
)


def test_what_two_items_share_is_told_for_models_that_read_it(learnt):
    rows = [(user, item, item) for user in range(6) for item in range(4)]
    events = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    loaded = learnt(events, "content", items=ITEMS)
    one, two, three = evidence(loaded, history(loaded, [1, 2, 3]), 0)
    assert [(v.name, v.items) for v in two.shared.attributes] == [
        ("genres=Comedy", 2),
        ("genres=Drama", 3),
    ]
    assert [(v.name, v.items) for v in one.shared.words] == [("title: red", 2), ("title: the", 3)]
    assert [v.name for v in one.shared.attributes] == ["genres=Drama"]
    assert three.shared.attributes == ()
    assert two.to_json()["shared"] == {
        "attributes": [{"name": "genres=Comedy", "items": 2}, {"name": "genres=Drama", "items": 3}],
        "words": [],
    }
    many = pd.DataFrame({"item_id": range(60), "title": [f"the red {n}" for n in range(60)]})
    many.loc[:1, "title"] = ["the rare one", "the rare two"]
    loaded = learnt(pd.DataFrame({"user_id": 0, "item_id": range(60)}), "content", items=many)
    (found,) = evidence(loaded, history(loaded, [1]), 0)
    assert [word.name for word in found.shared.words] == ["title: rare"]  # "the" tells nothing
    blind = learnt(events, items=ITEMS)
    assert [each.shared for each in evidence(blind, history(blind, [1, 2]), 0)] == [None, None]
