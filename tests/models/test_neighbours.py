"""Item-kNN and user-kNN against plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from core.models.common import similarity
from core.models.neighbours import ItemKNN, ItemKNNConfig, UserKNN, UserKNNConfig

SIMILARITIES = similarity.SIMILARITIES


def strengths(log):
    x = np.zeros((log.n_users, log.n_items))
    for user, item, weight in zip(log.users, log.items, log.weights, strict=True):
        x[user, item] += weight
    return np.log2(1 + x)


def weighted(things, kind, like):
    """`things` (n, T), reweighted as those of `like` (N, T) are."""
    out = np.zeros_like(things)
    mean_sum = like.sum() / len(like)
    for a, row in enumerate(things):
        for t, x in enumerate(row):
            if x:
                idf = max(0, math.log(len(like) / (1 + (like[:, t] > 0).sum())))
                length = 1.2 * (0.25 + 0.75 * row.sum() / mean_sum)
                out[a, t] = {
                    "cosine": x,
                    "tfidf": math.sqrt(x) * idf,
                    "bm25": 2.2 * x / (length + x) * idf,
                }[kind]
    return out


def shrunk_cosine(a, b, shrink):
    dot = float(a @ b)
    return dot / (np.linalg.norm(a) * np.linalg.norm(b) + shrink) if dot else 0.0


def k_largest(row, k):
    """The row with all but its k largest entries 0; of equals the first stay."""
    keep = sorted(range(len(row)), key=lambda j: (-np.float32(row[j]), j))[:k]
    return np.array([row[j] if j in keep else 0.0 for j in range(len(row))])


def item_rows(log, config):
    items = strengths(log).T
    y = weighted(items, config.similarity, items)
    rows = np.zeros((log.n_items, log.n_items))
    for a in range(log.n_items):
        for b in range(log.n_items):
            if a != b:
                rows[a, b] = shrunk_cosine(y[a], y[b], config.shrink)
        rows[a] = k_largest(rows[a], config.k)
    return rows


@pytest.mark.parametrize("dense_items", [0, 100])
@pytest.mark.parametrize("kind", SIMILARITIES)
@pytest.mark.parametrize(("k", "shrink"), [(2, 0.0), (100, 3.0)])
def test_item_knn_equals_loops_over_pairs(
    world, queries, kind, k, shrink, dense_items, monkeypatch
):
    monkeypatch.setattr(similarity, "DENSE_ITEMS", dense_items)
    monkeypatch.setattr(similarity, "PRODUCTS", 10)  # several blocks
    config = ItemKNNConfig(similarity=kind, k=k, shrink=shrink, history_decay=0.5)
    model = ItemKNN(config).fit(world, rng=np.random.default_rng(0))
    rows = item_rows(world.interactions, config)
    base = model.state()["base"]
    for b, got in enumerate(model.score(queries).numpy()):
        one = queries[b : b + 1]
        expected = base.astype(float)
        for age, event in enumerate(reversed(range(len(one.items)))):
            expected += one.weights[event] * 0.5**age * rows[one.items[event]]
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_item_knn_prefers_any_neighbour_to_the_most_popular(world):
    model = ItemKNN(ItemKNNConfig()).fit(world, rng=np.random.default_rng(0))
    rows = item_rows(world.interactions, ItemKNNConfig())
    base = model.state()["base"]
    assert rows[rows > 0].min() > base.max() > 0


def user_similarities(log, config, query, known):
    x = strengths(log)
    y = weighted(x, config.similarity, x)
    row = np.zeros((1, log.n_items))
    for age, event in enumerate(reversed(range(len(query.items)))):
        row[0, query.items[event]] += query.weights[event] * config.history_decay**age
    own = weighted(np.log2(1 + row), config.similarity, x)[0]
    near = [shrunk_cosine(own, other, config.shrink) for other in y]
    if known >= 0:
        near[known] = 0.0
    return k_largest(np.array(near), config.k)


@pytest.mark.parametrize("kind", SIMILARITIES)
@pytest.mark.parametrize(("k", "shrink", "decay"), [(2, 0.0, 1.0), (100, 3.0, 0.8)])
def test_user_knn_equals_loops_over_people(world, queries, kind, k, shrink, decay):
    config = UserKNNConfig(similarity=kind, k=k, shrink=shrink, history_decay=decay)
    model = UserKNN(config).fit(world, rng=np.random.default_rng(0))
    x = strengths(world.interactions)
    base = model.state()["base"]
    for b, got in enumerate(model.score(queries).numpy()):
        near = user_similarities(
            world.interactions, config, queries[b : b + 1], int(queries.users[b])
        )
        expected = base.astype(float)
        for person in range(len(x)):
            expected += near[person] * x[person]
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def baseline(log):
    """mean, item offsets and a function: one query → person offset."""
    ratings = [(i, r) for i, r in zip(log.items, log.values, strict=True) if r == r]
    mean = sum(r for _, r in ratings) / len(ratings)
    item = np.zeros(log.n_items)
    for i in range(log.n_items):
        own = [r - mean for j, r in ratings if i == j]
        item[i] = sum(own) / (len(own) + 5)

    def person(items, values):
        own = [r - mean - item[i] for i, r in zip(items, values, strict=True) if r == r]
        return sum(own) / (len(own) + 5)

    return mean, item, person


def test_item_knn_predicts_by_hand(world, queries):
    config = ItemKNNConfig(k=3, shrink=1.0)
    model = ItemKNN(config).fit(world, rng=np.random.default_rng(0))
    rows = item_rows(world.interactions, config)
    mean, item, person = baseline(world.interactions)
    for target in range(8):
        got = model.predict(queries, np.full(len(queries), target))
        for b in range(len(queries)):
            one = queries[b : b + 1]
            who = mean + person(one.items, one.values)
            total = weight = 0.0
            for i, r in zip(one.items, one.values, strict=True):
                if r == r:
                    total += rows[i, target] * (r - who - item[i])
                    weight += rows[i, target]
            expected = who + item[target] + (total / weight if weight else 0)
            assert got[b] == pytest.approx(np.clip(expected, 1, 5), abs=1e-5)


def test_user_knn_predicts_by_hand(world, queries):
    config = UserKNNConfig(k=3, shrink=1.0)
    log = world.interactions
    model = UserKNN(config).fit(world, rng=np.random.default_rng(0))
    mean, item, person = baseline(log)
    for target in range(8):
        got = model.predict(queries, np.full(len(queries), target))
        for b in range(len(queries)):
            one = queries[b : b + 1]
            near = user_similarities(log, config, one, int(one.users[0]))
            total = weight = 0.0
            for v in range(log.n_users):
                mine = log.users == v
                rated = mine & (log.items == target) & ~np.isnan(log.values)
                if rated.any():
                    theirs = mean + person(log.items[mine], log.values[mine]) + item[target]
                    total += near[v] * (log.values[rated].mean() - theirs)
                    weight += near[v]
            expected = mean + person(one.items, one.values) + item[target]
            expected += total / weight if weight else 0
            assert got[b] == pytest.approx(np.clip(expected, 1, 5), abs=1e-5)


@given(
    rows=st.lists(
        st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0, 3.0]), min_size=7, max_size=7),
        min_size=1,
        max_size=5,
    ),
    k=st.integers(1, 9),
)
def test_largest_keeps_the_first_of_equals(rows, k):
    dense = np.array(rows, np.float32)
    expected = np.array([k_largest(row, k) for row in dense])
    got = similarity.largest(sparse.csr_matrix(dense), k)
    np.testing.assert_array_equal(got.toarray(), expected)
    assert np.diff(got.indptr).max() <= k
    again = similarity.largest_of_dense(torch.from_numpy(dense), k)
    np.testing.assert_array_equal(again.toarray(), expected)
