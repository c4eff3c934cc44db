"""EASE against one ridge regression per item."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from core.errors import BadInput, TooLarge
from core.models import ease
from core.models.common import gram, memory
from core.models.ease import EASE, EASEConfig


def strengths(log):
    """X (U, I), one event at a time."""
    x = np.zeros((log.n_users, log.n_items))
    for user, item, weight in zip(log.users, log.items, log.weights, strict=True):
        x[user, item] += weight
    return np.log2(1 + x)


def ridges(x, l2, dropout):
    """Column j: the weights with which the other items best foretell item j."""
    n = x.shape[1]
    penalty = l2 + dropout / (1 - dropout) * (x**2).sum(axis=0)
    weights = np.zeros((n, n))
    for j in range(n):
        others = np.delete(np.arange(n), j)
        a = x[:, others]
        weights[others, j] = np.linalg.solve(a.T @ a + np.diag(penalty[others]), a.T @ x[:, j])
    return weights


@pytest.mark.parametrize(("l2", "dropout"), [(5, 0.0), (0.3, 0.0), (2, 0.4)])
def test_weights_equal_one_ridge_regression_per_item(world, queries, l2, dropout):
    config = EASEConfig(l2=l2, dropout=dropout, history_decay=0.7)
    model = EASE(config).fit(world, rng=np.random.default_rng(0))
    expected = ridges(strengths(world.interactions), l2, dropout)
    state = model.state()
    np.testing.assert_allclose(state["weights"], expected, atol=2e-5)
    for b, got in enumerate(model.score(queries).numpy()):
        one = queries[b : b + 1]
        score = state["base"].astype(float)
        for age, event in enumerate(reversed(range(len(one.items)))):
            score += one.weights[event] * 0.7**age * expected[one.items[event]]
        np.testing.assert_allclose(got, score, atol=5e-5)


@pytest.mark.parametrize("speed", [1e-9, 3e3, 1e30])  # all sparse, some items dense, all dense
def test_gram_matrix_is_exact_whichever_way(monkeypatch, speed):
    monkeypatch.setattr(gram, "DENSE_SPEED", speed)
    monkeypatch.setattr(gram, "SPARSE_SPEED", 1e3)
    monkeypatch.setattr(gram, "CORNER", 15)
    monkeypatch.setattr(gram, "chunks", small_chunks)
    x = sparse.random(30, 17, 0.3, format="csr", rng=np.random.default_rng(1), dtype=np.float32)
    x.data = np.ceil(x.data * 4)
    popular, rare = gram._divided(x)
    assert sorted([*popular, *rare]) == list(range(17))
    assert len(popular) == {1e-9: 0, 1e30: 17}.get(speed, len(popular))
    assert (0 < len(popular) < 17) == (speed == 3e3)
    assert (
        not len(popular)
        or not len(rare)
        or (gram.products(x)[popular].min() >= gram.products(x)[rare].max())
    )
    np.testing.assert_array_equal(gram.gram(x, "cpu").numpy(), x.toarray().T @ x.toarray())


def small_chunks(rows, columns, mib=16):
    return [slice(start, min(start + 4, rows)) for start in range(0, rows, 4)]


def test_inverts_in_place_and_refuses_what_cannot_be_inverted():
    root = np.random.default_rng(2).normal(size=(9, 9)).astype(np.float32)
    matrix = torch.from_numpy(root @ root.T + np.eye(9, dtype=np.float32))
    expected = np.linalg.inv(matrix.numpy().astype(np.float64))
    inverse = ease._inverse(matrix)
    np.testing.assert_allclose(inverse.numpy(), expected, atol=1e-4)
    assert inverse.data_ptr() == matrix.data_ptr(), "a copy would double the memory"
    with pytest.raises(BadInput, match="raise l2"):
        ease._inverse(torch.tensor([[1.0, 2.0], [2.0, 1.0]]))


def test_says_what_does_not_fit(world, monkeypatch):
    monkeypatch.setattr(ease, "free_memory", lambda device: 100)
    with pytest.raises(TooLarge, match=r"8 items.*enough for 4 items.*item_knn"):
        EASE(EASEConfig()).fit(world, rng=np.random.default_rng(0))


def test_free_memory_is_that_of_this_machine():
    assert 2**20 < memory.free_memory("cpu") < 2**50
