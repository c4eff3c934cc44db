"""The global view, against loops over explanations and tables worked by hand."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse, stats

from core.errors import BadInput
from core.explain import explain
from core.explain.parts import explain_parts
from core.explain.survey.influence import Idle, idle_items
from core.explain.survey.overview import overview
from core.explain.survey.tables import OF_NOISE, Table
from core.models import MODELS
from core.types import FeatureBlock, Features, Interactions, Queries, Recommender, TrainData
from tests.explain.test_attribution import fitted

N = 8


def linear(weights: np.ndarray, base: np.ndarray | None = None) -> Recommender:
    """A model in which item i of a history adds weights[i, t] to the score of t."""
    n = len(weights)
    state = {"base": np.zeros(n) if base is None else base, "decay": np.ones(1)}
    return MODELS["ease"]().load(state | {"weights": weights.astype(np.float32)})


def did(*histories: tuple[int, ...], events: list[int] | None = None) -> Queries:
    """Somebody with codes 10, 11, … for each history."""
    lengths = [len(history) for history in histories]
    items = np.array([item for history in histories for item in history], np.int64)
    return Queries(
        users=np.arange(10, 10 + len(histories)),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        items=items,
        weights=np.ones(len(items), np.float32),
        times=np.arange(len(items)),
        events=None if events is None else np.array(events),
    )


BUCKETS = {1: "1", 2: "2", **dict.fromkeys((3, 4, 5), "3–5"), **dict.fromkeys(range(6, 11), "6–10")}


@pytest.mark.parametrize("name", ["ease", "unified", "fusion"])
def test_bars_by_recency_are_what_loops_over_explanations_find(name, world, queries):
    model = fitted(name, world)
    found = overview(model, queries, n_items=N, k=2)
    assert found.rows.tolist() == [0, 1, 3, 4]  # query 2 is empty
    assert found.users.tolist() == queries.users[[0, 1, 3, 4]].tolist()
    assert found.lengths.tolist() == [5, 2, 3, 1]
    sizes, values, shares = (defaultdict(dict) for _ in range(3))
    for row in found.rows.tolist():
        one = queries[row : row + 1]
        scores = model.score(replace(one, users=np.array([-1])))[0].numpy().copy()
        scores[one.items] = -np.inf
        top = np.argsort(-scores, kind="stable")[:2]
        phi = explain(model, one, top, n_items=N).values
        places = defaultdict(list)
        for age, event in enumerate(reversed(range(len(one.items)))):
            places[BUCKETS[age + 1]].append(event)
        for bucket, own in places.items():
            sizes[bucket][row] = np.mean([abs(phi[event, t]) for event in own for t in (0, 1)])
            values[bucket][row] = np.mean([phi[event, t] for event in own for t in (0, 1)])
            shares[bucket][row] = np.abs(phi[own]).sum() / max(np.abs(phi).sum(), 1e-30)
    bars = {bar.name: bar for bar in found.bars("recency")}
    assert list(bars) == ["1", "2", "3–5"]
    for name, bar in bars.items():
        own = list(sizes[name].values())
        assert bar.size == pytest.approx(np.mean(own), rel=1e-5)
        assert bar.se == pytest.approx(np.std(own, ddof=1) / len(own) ** 0.5, rel=1e-4)
        assert bar.value == pytest.approx(np.mean(list(values[name].values())), rel=1e-4, abs=1e-7)
        assert bar.share == pytest.approx(sum(shares[name].values()) / 4, rel=1e-4)
        assert bar.users == len(own)
        assert bar.noise == 0
    assert [bar.count for bar in bars.values()] == [4, 3, 4]
    counted = sum(any(own[row] for own in shares.values() if row in own) for row in found.rows)
    assert sum(bar.share for bar in bars.values()) == pytest.approx(counted / 4)


def test_components_and_parts_and_the_base_have_bars(world, queries, features):
    two = {name: fitted(name, world) for name in ("ease", "content")}
    model = MODELS["fusion"]().fit(replace(world, components=two), rng=np.random.default_rng(0))
    found = overview(model, queries, n_items=N, k=2, features=features)
    components, parts, bases, sums = [], defaultdict(list), [], []
    for row in found.rows.tolist():
        one = queries[row : row + 1]
        scores = model.score(replace(one, users=np.array([-1])))[0].numpy().copy()
        scores[one.items] = -np.inf
        top = np.argsort(-scores, kind="stable")[:2]
        told = explain(model, one, top, n_items=N)
        components.append(told.component_values())
        bases.append(np.abs(told.base).mean())
        sums.append(np.abs(told.values).sum(axis=0).mean())
        for item in top.tolist():
            own = explain_parts(model, one, item, features, n_items=N)
            for part, value in zip(own.parts, own.values, strict=True):
                parts[part.name or part.kind].append(value)
    bars = found.bars("component")
    assert [bar.name for bar in bars] == ["ease", "content"]
    for c, bar in enumerate(bars):
        assert bar.size == pytest.approx(np.mean([np.abs(own[c]).mean() for own in components]))
        assert bar.value == pytest.approx(np.mean([own[c].mean() for own in components]))
    bars = {bar.name: bar for bar in found.bars("part")}
    assert bars.keys() == parts.keys()
    for name, own in parts.items():
        assert bars[name].size == pytest.approx(np.abs(own).mean(), rel=1e-4, abs=1e-6)
        assert bars[name].value == pytest.approx(np.mean(own), rel=1e-4, abs=1e-6)
    base, history = found.bars("base")
    assert (base.name, history.name) == ("base", "history")
    assert base.size == pytest.approx(np.mean(bases))
    assert history.size == pytest.approx(np.mean(sums), rel=1e-5)
    expected = np.array(bases) / (np.array(bases) + sums)
    np.testing.assert_allclose(found.base_share, expected, rtol=1e-5)
    none = overview(fitted("ease", world), queries, n_items=N, features=features)
    assert not {"component", "part", "event"} & none.tables.keys()


def test_an_event_of_two_values_is_shared_out_by_hand():
    weights = np.zeros((5, 5))
    weights[:, 4] = [1, -2, 4, 8, 0]
    tags = sparse.csr_matrix([[1, 0], [1, 1], [0, 1], [0, 0], [0, 0]])
    kinds = sparse.csr_matrix([[1, 0], [0, 1], [1, 0], [1, 0], [1, 0]])
    features = Features(
        multi_hot=FeatureBlock(("tag=x", "tag=y"), tags),
        categorical=FeatureBlock(("kind=p", "kind=q"), kinds),
    )
    queries = did((0, 1, 2), (3, 1), events=[0, 1, 1, -1, 1])
    found = overview(
        linear(weights), queries, n_items=5, k=1, features=features, event_names=("view",)
    )
    told = {by: {bar.name: bar for bar in found.bars(by)} for by in found.tables}
    assert set(told) == {"recency", "event", "item.kind", "item.tag", "base"}
    x, y, other = (told["item.tag"][name] for name in ("x", "y", "other"))
    assert (x.users, y.users, other.users) == (2, 2, 1)
    # user 1: x has 1 and half of -2, y half of -2 and 4, in 1.5 events each; user 2 half of -2;
    # of 2 items that may be recommended to user 1, of 3 to user 2, the others get 0
    first, second = 1 - 1 / 2, 1 - 1 / 3
    assert x.size == pytest.approx((first * (1 + 1) / 1.5 + second * 2) / 2)
    assert x.value == pytest.approx((first * (1 - 1) / 1.5 - second * 2) / 2)
    assert y.size == pytest.approx((first * (1 + 4) / 1.5 + second * 2) / 2)
    assert x.share == pytest.approx((2 / 7 + 1 / 10) / 2)
    assert other.size == pytest.approx(second * 8)
    assert (other.share, other.count) == (pytest.approx(0.4), 1)
    assert told["item.kind"]["q"].size == pytest.approx((first * 2 + second * 2) / 2)
    assert list(told["event"]) == ["view", "1", "other"]
    assert told["event"]["1"].size == pytest.approx((first * (2 + 4) / 2 + second * 2) / 2)
    assert told["event"]["other"].value == pytest.approx(second * 8)


def test_of_many_values_the_rarest_are_one():
    tags = sparse.csr_matrix(np.eye(25))
    features = Features(categorical=FeatureBlock(tuple(f"c={i:02}" for i in range(25)), tags))
    weights = np.ones((25, 25))
    queries = did(*((i, 24 - i % 3) for i in range(22)))
    bars = overview(linear(weights), queries, n_items=25, k=1, features=features).bars("item.c")
    assert len(bars) == 21
    assert bars[-1].name == "other"
    assert {"22", "23", "24"} <= {bar.name for bar in bars}
    assert sum(bar.count for bar in bars) == 44


def test_planted_causes_drive_what_they_cause():
    """Who does 0 does 1 next, and only then; all else is by chance."""
    rng = np.random.default_rng(0)
    histories = []
    for user in range(300):
        events = rng.choice(np.arange(2, 12), 6, replace=False).tolist()
        at = rng.integers(0, 6)
        histories.append([*events[:at], 0, 1, *events[at:]] if user % 3 == 0 else events)
    users = np.repeat(np.arange(300), [len(history) for history in histories])
    items = np.concatenate(histories)
    log = Interactions(
        users, items, np.ones(len(users), np.float32), 300, 12, times=np.arange(len(users))
    )
    model = MODELS["transitions"]().fit(TrainData(log), rng=rng)
    asked = did(*((*history[:3], 0) for history in histories if 0 not in history[:3]))
    found = overview(model, asked, n_items=12, k=1, users=40)
    assert found.influences[0].driver == 0
    assert found.influences[0].item == 1
    assert found.influences[0].users > 30
    first = found.recommended[0]
    assert (first.item, first.drivers[0].driver) == (1, 0)
    assert first.users >= found.influences[0].users


def test_influence_by_hand():
    weights = np.zeros((6, 6))
    weights[0, 5], weights[1, 5], weights[2, 5], weights[3, 5] = 2, -1, 3, 0.5
    found = overview(linear(weights), did((0, 1, 0), (0, 2), (1, 3)), n_items=6, k=1)
    assert {one.item: one.users for one in found.recommended} == {5: 2, 0: 1}
    (pair,) = found.influences
    assert (pair.driver, pair.item, pair.users) == (0, 5, 2)
    # of 4 items that may be recommended to each, the others get 0
    assert pair.total == pytest.approx((4 + 2) * (1 - 1 / 4))
    assert pair.mean == pytest.approx(3 * (1 - 1 / 4))
    drivers = found.recommended[0].drivers
    assert [(one.driver, one.users) for one in drivers] == [(0, 2), (2, 1)]


def test_idle_items_matter_to_nobody():
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(10, 10))
    weights[3] = 0
    weights[4] = 0.01 * rng.normal(size=10)
    weights[5] = 0
    weights[6] = 0
    weights[6, 9] = 5  # by few, but then it matters a lot
    histories = [(0, 1, 2, 3, 4), (3, 4, 7), (3, 4, 6), (1, 3, 4), (2, 3, 4), (5, 0, 1), (6, 2, 8)]
    histories += [(6, 2), (6, 0), (6, 1)]
    found = overview(linear(weights), did(*histories), n_items=10)
    assert [one.item for one in found.idle] == [3, 4]
    assert found.idle[0].users == 5
    assert found.idle[0].size == found.idle[0].limit == 0
    assert 0 < found.idle[1].size < found.idle[1].limit < 0.1


def test_what_may_matter_to_others_is_not_idle():
    taken = [np.array([0, 1])] * 5
    values = [np.array([[1.0], [0.2 * (user == 2)]]) for user in range(5)]
    assert np.mean(values, axis=0)[1, 0] < 0.1 * np.mean(
        values
    )  # but for one of five it is a fifth
    assert idle_items(taken, values) == ()
    values = [np.array([[1.0], [0.01]])] * 5
    assert idle_items(taken, values) == (Idle(1, 5, pytest.approx(0.01), pytest.approx(0.01)),)
    assert idle_items(taken[:4], values[:4]) == ()


def test_cohorts_are_compared_by_welch():
    rng = np.random.default_rng(5)
    weights = rng.normal(size=(12, 12))
    histories = [tuple(rng.choice(12, n, replace=False)) for n in rng.integers(2, 8, 30)]
    found = overview(linear(weights), did(*histories), n_items=12)
    short = found.lengths <= 4
    for of in ("share", "size", "value"):
        for one in found.compare(short, "recency", of=of):
            table = found.tables["recency"]
            column = getattr(table, of)[:, table.names.index(one.name)]
            first, second = column[short], column[~short]
            first, second = first[np.isfinite(first)], second[np.isfinite(second)]
            welch = stats.ttest_ind(first, second, equal_var=False)
            low, high = welch.confidence_interval(0.95)
            assert (one.low, one.high) == pytest.approx((low, high))
            assert one.difference == pytest.approx(first.mean() - second.mean())
            assert (one.first, one.second) == pytest.approx((first.mean(), second.mean()))
            assert one.users == (len(first), len(second))
    names = [one.name for one in found.compare(short, "recency", of="size")]
    assert names == ["1", "2", "3–5"]  # nobody short has more
    (share,) = [one for one in found.compare(short, "recency") if one.name == "1"]
    assert share.low > 0  # the only one of few counts for more


def test_wrong_cohorts_are_refused():
    found = overview(linear(np.ones((4, 4))), did((0,), (1,), (2, 3), (0, 2)), n_items=4, k=1)
    with pytest.raises(BadInput, match="two users or more, not 1 and 3"):
        found.compare(np.array([True, False, False, False]), "recency")
    with pytest.raises(BadInput, match="among 4 users"):
        found.compare(np.ones(3, bool), "recency")
    with pytest.raises(BadInput, match="choose one of recency, base"):
        found.compare(np.array([True, True, False, False]), "event")
    with pytest.raises(BadInput, match="not by 'mean'"):
        found.compare(np.array([True, True, False, False]), "recency", of="mean")


def test_a_seed_decides_who_is_drawn_and_what_is_found(world):
    rng = np.random.default_rng(2)
    many = did(*(tuple(rng.integers(0, 6, n)) for n in rng.integers(13, 20, 12)))
    model = fitted("two_tower", world)
    told = []
    found = overview(
        model, many, n_items=N, users=4, seed=3, on_progress=lambda *share: told.append(share)
    )
    assert told == [("survey", 0.25), ("survey", 0.5), ("survey", 0.75), ("survey", 1.0)]
    again = overview(model, many, n_items=N, users=4, seed=3)
    assert again.rows.tolist() == found.rows.tolist() == sorted(found.rows.tolist())
    for by, table in found.tables.items():
        np.testing.assert_array_equal(again.tables[by].size, table.size)
    other = overview(model, many, n_items=N, users=4, seed=4)
    assert other.rows.tolist() != found.rows.tolist()
    all_of_them = [overview(model, many, n_items=N, seed=seed).bars("recency") for seed in (3, 4)]
    assert all_of_them[0] != all_of_them[1]
    bars = found.bars("recency")
    assert all(bar.noise > 0 for bar in bars)
    assert [bar.name for bar in bars] == ["1", "2", "3–5", "6–10", "11–20"]


def test_sampling_noise_is_told():
    phi, se = np.array([[1.0], [-1.0]]), np.array([[0.3], [0.5]])
    table = Table.of_events(("a", "b"), [np.array([[1.0, 0], [1, 0]])], [phi], [se])
    assert table.names == ("a",)
    (bar,) = table.bars()
    assert (bar.size, bar.value, bar.noise) == (1, 0, pytest.approx(0.4 * OF_NOISE))
    assert bar.se == np.inf  # of one user nothing is known about others
    drawn = np.abs(np.random.default_rng(0).normal(size=100_000)).mean()
    assert pytest.approx(drawn, abs=0.01) == OF_NOISE


def test_very_long_histories_share_the_value_of_their_oldest(world):
    rng = np.random.default_rng(2)
    long = did(tuple(rng.integers(0, 6, 260)), (1, 2))
    bars = overview(fitted("two_tower", world), long, n_items=N).bars("recency")
    assert [bar.count for bar in bars] == [2, 2, 3, 5, 10, 30, 210]
    assert bars[-1].name == "51+"
    alone = overview(fitted("two_tower", world), long[:1], n_items=N, k=1)
    item = alone.recommended[0].item
    scores = fitted("two_tower", world).score(did(tuple(long[:1].items), ())).numpy()
    others = np.delete(scores, long[:1].items, axis=1)
    lift = scores[:, item] - np.log(np.exp(others).sum(axis=1))
    total = sum(bar.value * bar.count for bar in alone.bars("recency"))
    assert total == pytest.approx(float(lift[0] - lift[1]), abs=1e-4)


def test_users_without_anything_to_tell_are_left_out():
    queries = did((0, 1, 2), (0,), ())
    found = overview(linear(np.ones((3, 3))), queries, n_items=3)
    assert found.rows.tolist() == [1]  # the first has seen all, the last did nothing
    with pytest.raises(BadInput, match="nobody here"):
        overview(linear(np.ones((3, 3))), did(()), n_items=3)
    with pytest.raises(BadInput, match="at least 1, not 0 and 5"):
        overview(linear(np.ones((3, 3))), queries, n_items=3, k=0, users=5)
