"""Faithfulness re-derived event by event; the simpler orders against loops."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from core.errors import BadInput
from core.explain import explain
from core.explain.checks.baselines import (
    baselines,
    clusters,
    cosine_matrix,
    falling_order,
    group_values,
)
from core.explain.checks.faithfulness import MEASURES, faithfulness
from core.explain.item_rank import ItemRanks
from core.models import MODELS
from core.types import Interactions, Queries, TrainData

N_ITEMS = 30


class Sum:
    """A score is a sum over the history, and of the squares of what it sums; counts its batches."""

    def __init__(self, seed, n_items=N_ITEMS):
        rng = np.random.default_rng(seed)
        self.base = rng.normal(0, 1, n_items)
        self.rows = rng.normal(0.1, 1, (n_items, n_items))
        self.batches = []

    def score(self, queries):
        self.batches.append(len(queries))
        sums = np.zeros((len(queries), len(self.base)))
        np.add.at(sums, queries.rows, self.rows[queries.items])
        return torch.from_numpy((self.base + sums + 0.1 * sums**2).astype(np.float32))


class Encoding(Sum):
    """The same, with item vectors."""

    def encode(self, queries):
        return torch.zeros(len(queries), 2)

    def encode_items(self):
        return torch.from_numpy(self.rows[:, :4].astype(np.float32))


def history(items):
    n = len(items)
    return Queries(np.array([2]), np.array([0, n]), np.asarray(items), np.ones(n, np.float32))


def scored(model, query, kept):
    """All scores for a history of these events."""
    part = query.subsets(np.isin(np.arange(len(query.items)), list(kept))[None])
    return model.score(part)[0].tolist()


def alone(model, query, kept, item, n_items):
    """Share and rank for a history of these events, one history at a time."""
    scores = scored(model, query, kept)
    candidates = [i for i in range(n_items) if i == item or i not in query.items]
    share = 1 / sum(math.exp(score - scores[item]) for score in scores)
    return share, sorted(candidates, key=lambda i: (-scores[i], i)).index(item) + 1


def by_hand(model, query, item, order, n_items):
    n, order = len(order), list(order)
    full = alone(model, query, range(n), item, n_items)[0]
    tenths = [int(n * tenth / 10 + 0.5) for tenth in range(11)]
    few = [size for size in (1, 2, 3, 4, 5) if size <= n]
    found = {}
    for sizes, pairs, single in ((tenths, "", ""), (few, ",Ke", "@Ke")):
        cut = {
            "POS": [order[size:] for size in sizes],
            "NEG": [order[: n - size] for size in sizes],
            "INS": [order[:size] for size in sizes],
        }
        told = {
            kind: [alone(model, query, kept, item, n_items) for kept in lists]
            for kind, lists in cut.items()
        }
        for k in (1, 5, 10):
            for kind in ("POS", "NEG"):
                found[f"{kind}@{k}{pairs}"] = np.mean([rank <= k for _, rank in told[kind]])
        for kind, of in (("DEL", "POS"), ("INS", "INS")):
            found[kind + single] = np.mean([share / full for share, _ in told[of]])
    return found


@given(seed=st.integers(0, 10_000), n=st.integers(1, 23), item=st.integers(0, N_ITEMS - 1))
def test_as_reckoned_by_hand_and_in_one_batch(seed, n, item):
    rng, model = np.random.default_rng(seed), Sum(seed)
    query = history(rng.integers(0, N_ITEMS, n))
    orders = {"one": rng.permutation(n), "two": np.arange(n)}
    found = faithfulness(model, query, item, orders, n_items=N_ITEMS)
    assert len(model.batches) == 1
    for name, order in orders.items():
        assert list(found[name]) == list(MEASURES)
        expected = by_hand(model, query, item, order, N_ITEMS)
        assert found[name].keys() == expected.keys()
        for measure, value in expected.items():
            np.testing.assert_allclose(found[name][measure], value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "params"), [("ease", {}), ("transitions", {}), ("unified", {"epochs": 2, "dim": 8})]
)
def test_fitted_models(name, params, small_world: Interactions):
    model = MODELS[name](MODELS[name].Config(**params))
    model.fit(TrainData(small_world), rng=np.random.default_rng(1))
    query = small_world.queries(np.array([3]))
    found = faithfulness(model, query, 5, {"latest": np.arange(5)[::-1]}, n_items=7)
    expected = by_hand(model, query, 5, np.arange(5)[::-1], 7)
    for measure, value in expected.items():
        np.testing.assert_allclose(found["latest"][measure], value, rtol=1e-4, atol=1e-5)


def test_the_best_order_of_a_sum_is_that_of_its_values():
    """No other order is better on DEL and INS, and the reverse is the worst."""

    class Plain(Sum):
        def score(self, queries):
            sums = np.zeros((len(queries), len(self.base)))
            np.add.at(sums, queries.rows, self.rows[queries.items])
            return torch.from_numpy((self.base + sums).astype(np.float32))

    model, query = Plain(4), history([3, 9, 11, 20, 7])
    values = model.rows[query.items]
    item = int(values.sum(axis=0).argmax())
    model.rows[:, np.arange(N_ITEMS) != item] = 0  # whose scores do not change its share
    orders = {str(order): np.array(order) for order in permutations(range(5))}
    found = faithfulness(model, query, item, orders, n_items=N_ITEMS)
    best = found[str(tuple(falling_order(values[:, item], np.random.default_rng(0)).tolist()))]
    assert best["DEL"] == pytest.approx(min(one["DEL"] for one in found.values()))
    assert best["INS"] == pytest.approx(max(one["INS"] for one in found.values()))
    assert best["DEL"] < 0.5 < best["INS"]


def test_shares_may_grow_when_events_go():
    class Against(Sum):
        def score(self, queries):
            scores = np.zeros((len(queries), N_ITEMS), np.float32)
            scores[:, 0] = -queries.lengths
            return torch.from_numpy(scores)

    found = faithfulness(Against(0), history([1, 2]), 0, {"any": np.arange(2)}, n_items=N_ITEMS)
    assert found["any"]["DEL"] > 1
    assert found["any"]["POS@1"] == 3 / 11  # of 80, 90 and 100 %: both removed
    assert found["any"]["POS@1,Ke"] == 0.5


def lifted(model, query, kept, item):
    """How far the item's score lies above the mean of all that the whole history does not hold."""
    scores = scored(model, query, kept)
    return scores[item] - np.delete(scores, np.unique(query.items)).mean()


def test_bad_input():
    with pytest.raises(BadInput, match="empty history"):
        faithfulness(Sum(0), history([]), 0, {"none": np.arange(0)}, n_items=N_ITEMS)
    with pytest.raises(BadInput, match="order 'short' must hold each of 0 … 1 once"):
        faithfulness(Sum(0), history([1, 2]), 0, {"short": np.array([1])}, n_items=N_ITEMS)
    with pytest.raises(BadInput, match="codes in 0 … 29, not 30"):
        faithfulness(Sum(0), history([1, 2]), 30, {"all": np.arange(2)}, n_items=N_ITEMS)
    with pytest.raises(BadInput, match="no item vectors"):
        baselines(Sum(0), history([1]), 0, n_items=N_ITEMS, rng=np.random.default_rng(0))


def test_equal_values_come_in_random_order():
    rng = np.random.default_rng(0)
    orders = {tuple(falling_order([1, 3, 1, 2, 3], rng).tolist()) for _ in range(100)}
    assert orders == {(*a, 3, *b) for a in ((1, 4), (4, 1)) for b in ((0, 2), (2, 0))}


@given(seed=st.integers(0, 10_000))
def test_leave_one_out_and_cosine_against_loops(seed):
    rng, model = np.random.default_rng(seed), Encoding(seed)
    query, item = history(rng.integers(0, N_ITEMS, 14)), int(rng.integers(N_ITEMS))
    found = baselines(model, query, item, n_items=N_ITEMS, rng=rng)
    for order in found.values():
        assert sorted(order.tolist()) == list(range(14))
    full = lifted(model, query, range(14), item)
    falls = [full - lifted(model, query, {*range(14)} - {e}, item) for e in range(14)]
    np.testing.assert_allclose(
        np.array(falls)[found["leave-one-out"]], sorted(falls)[::-1], 1e-4, 1e-6
    )
    vectors = model.encode_items().numpy()
    alike = [
        vectors[e] @ vectors[item] / np.linalg.norm(vectors[e]) / np.linalg.norm(vectors[item])
        for e in query.items
    ]
    np.testing.assert_allclose(np.array(alike)[found["cosine"]], sorted(alike)[::-1], atol=1e-5)


def test_where_there_are_no_vectors_rows_say_what_is_alike():
    rows = sparse.csr_matrix(np.random.default_rng(3).poisson(0.5, (N_ITEMS, N_ITEMS)))
    dense = rows.toarray().astype(float)
    dense[7] = 0
    given_ = {"n_items": N_ITEMS}
    one, two = (
        baselines(
            Sum(1), history([7, 3, 5, 5, 9]), 4, rng=np.random.default_rng(1), rows=r, **given_
        )
        for r in (sparse.csr_matrix(dense), dense)
    )
    assert all((one[name] == two[name]).all() for name in one)
    found = cosine_matrix(sparse.csr_matrix(dense), np.array([7, 3, 5]))
    assert found[0].tolist() == [0, 0, 0]
    expected = dense[3] @ dense[5] / np.linalg.norm(dense[3]) / np.linalg.norm(dense[5])
    assert found[1, 2] == pytest.approx(expected)


def test_clusters_are_those_that_lie_apart_and_no_more_than_asked():
    rng = np.random.default_rng(5)
    middles = np.eye(4)[[0, 1, 2, 0, 1, 2, 3, 3, 0]]
    points = middles + 0.01 * rng.normal(size=middles.shape)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    for seed in range(5):
        found = clusters(points @ points.T, 4, np.random.default_rng(seed))
        assert (found[:, None] == found[None]).tolist() == (
            middles @ middles.T > 0.5
        ).tolist() or len(set(found)) < 4
        assert len(set(clusters(points @ points.T, 2, np.random.default_rng(seed)))) == 2
    twins = np.eye(3)[[0, 1, 0, 1]]
    assert clusters(twins @ twins.T, 10, rng).tolist() in ([0, 1, 0, 1], [1, 0, 1, 0])
    assert clusters(np.zeros((0, 0)), 10, rng).tolist() == []


def test_a_group_of_one_each_is_the_explanation_itself():
    model, query = Sum(8), history([4, 8, 15, 16, 23])
    values = group_values(ItemRanks(model, query, 2, N_ITEMS), np.arange(5))
    found = explain(model, query, np.array([2]), n_items=N_ITEMS)
    np.testing.assert_allclose(values, found.values[:, 0], atol=1e-6)


def test_the_members_of_a_group_get_its_value():
    """Two groups: a group's value is the mean of what it adds first and what it adds last."""
    model, query = Sum(9), history([4, 8, 15])
    v = {kept: lifted(model, query, kept, 2) for kept in ((), (0, 2), (1,), (0, 1, 2))}
    first = (v[0, 2] - v[()] + v[0, 1, 2] - v[1,]) / 2
    second = (v[1,] - v[()] + v[0, 1, 2] - v[0, 2]) / 2
    values = group_values(ItemRanks(model, query, 2, N_ITEMS), np.array([0, 1, 0]))
    np.testing.assert_allclose(values, [first, second, first], rtol=1e-5)
