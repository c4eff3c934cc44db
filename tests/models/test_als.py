"""ALS against dense normal equations, solved one person and one item at a time."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from core.errors import TooLarge
from core.models import als
from core.models.als import ALS, ALSConfig
from core.types import Interactions, Queries, TrainData

CONFIG = ALSConfig(
    dim=5, sweeps=4, unobserved=0.2, l2=0.05, l2_exponent=0.6, history_decay=0.5
)  # nothing at its default


def fitted(train, config=CONFIG, seed=0, on_epoch=None):
    return ALS(config).fit(train, rng=np.random.default_rng(seed), on_epoch=on_epoch)


def strengths(log):
    """W (U, I), one event at a time."""
    w = np.zeros((log.n_users, log.n_items))
    for user, item, weight in zip(log.users, log.items, log.weights, strict=True):
        w[user, item] += weight
    return np.log2(1 + w)


def pull(w, config):
    """λ (N,) of the rows of these weights (N, M)."""
    return config.l2 * (w.sum(axis=1) + config.unobserved * w.shape[1]) ** config.l2_exponent


def loss(w, p, q, config):
    """The sum that is minimised, pair by pair."""
    total = (pull(w, config) * (p**2).sum(1)).sum() + (pull(w.T, config) * (q**2).sum(1)).sum()
    for u in range(len(p)):
        for i in range(len(q)):
            product = p[u] @ q[i]
            total += w[u, i] * (product - 1) ** 2 + config.unobserved * product**2
    return total


def solve(w, y, config):
    """The best x (N, D) for the weights (N, M) and vectors (M, D), row by row."""
    x = np.zeros((len(w), y.shape[1]))
    for n, weights in enumerate(w):
        a = pull(w, config)[n] * np.eye(y.shape[1])
        for weight, vector in zip(weights, y, strict=True):
            a += (weight + config.unobserved) * np.outer(vector, vector)
        x[n] = np.linalg.solve(a, weights @ y)
    return x


def test_solves_each_half_sweep_exactly_if_given_the_steps(world, monkeypatch):
    """With as many steps as dimensions, the losses are those of exact alternating solutions."""
    monkeypatch.setattr(als, "STEPS", 12)
    reports = []
    model = fitted(world, on_epoch=reports.append)
    w = strengths(world.interactions)
    seed = int(np.random.default_rng(0).integers(2**63))
    start = torch.randn(8, CONFIG.dim, generator=torch.Generator().manual_seed(seed))
    q = start.double().numpy() * als.START / CONFIG.dim**0.5
    q[7] = 0  # nobody took it
    for epoch in range(CONFIG.sweeps):
        p = solve(w, q, CONFIG)
        q = solve(w.T, p, CONFIG)
        assert reports[epoch].epoch == epoch + 1
        assert reports[epoch].epochs == CONFIG.sweeps
        assert reports[epoch].loss == pytest.approx(loss(w, p, q, CONFIG), rel=2e-6)
    items = model.encode_items().numpy().astype(float)
    np.testing.assert_allclose(items @ items.T, q @ q.T, atol=1e-4)


def test_folds_in_with_the_exact_solution_of_the_history(world, queries):
    model = fitted(world)
    state = model.state()
    q = state["items"].astype(float)
    w = np.zeros((len(queries), 8))
    for b in range(len(queries)):
        one = queries[b : b + 1]
        for age, event in enumerate(reversed(range(len(one.items)))):
            w[b, one.items[event]] += one.weights[event] * 0.5**age
    expected = solve(np.log2(1 + w), q, CONFIG)
    np.testing.assert_allclose(model.encode(queries).numpy(), expected, atol=1e-5)
    np.testing.assert_allclose(
        model.score(queries).numpy(), expected @ q.T + state["base"], atol=1e-5
    )


def test_the_loss_never_rises_and_ends_where_both_sides_are_solved(world):
    reports = []
    config = replace(CONFIG, sweeps=400, history_decay=1.0)
    model = fitted(world, config, on_epoch=reports.append)
    losses = [report.loss for report in reports]
    assert all(after <= before + 1e-5 for before, after in pairwise(losses))
    w = strengths(world.interactions)
    q = model.encode_items().numpy().astype(float)
    p = model.encode(world.interactions.queries()).numpy().astype(float)
    np.testing.assert_allclose(solve(w.T, p, config), q, atol=1e-3)
    assert losses[-1] == pytest.approx(loss(w, p, q, config), rel=1e-5)


def test_vectors_lie_in_their_principal_axes(world):
    state = fitted(world).state()
    w, q = strengths(world.interactions), state["items"]
    moments = q.T @ ((CONFIG.unobserved + w.sum(axis=0) / 8)[:, None] * q)
    assert np.abs(moments - np.diag(np.diag(moments))).max() < 1e-5 * moments.max()
    np.testing.assert_allclose(state["gram"], CONFIG.unobserved * q.T @ q, atol=1e-5)


def test_another_seed_finds_other_vectors_but_the_caller_s_rng_alone_decides(world):
    torch.manual_seed(1)
    one = fitted(world).state()["items"]
    torch.manual_seed(2)
    np.testing.assert_array_equal(one, fitted(world).state()["items"])
    assert np.abs(one - fitted(world, seed=1).state()["items"]).max() > 1e-3


def test_an_item_that_nobody_took_gets_no_vector(world):
    model = fitted(world)
    assert (model.encode_items()[7] == 0).all()
    alone = Queries(np.array([-1]), np.array([0, 1]), np.array([7]), np.ones(1, np.float32))
    assert (model.encode(alone) == 0).all(), "and says nothing of the rest"
    assert torch.equal(model.score(alone), model.score(alone.latest(0)))


def test_tells_two_tastes_apart():
    """Half the people take the first items, half the last; each left out another item."""
    taken = np.kron(np.eye(2), np.ones((12, 6)))
    taken[np.arange(24), np.arange(24) % 6 + 6 * (np.arange(24) // 12)] = 0
    users, items = np.nonzero(taken)
    log = Interactions(users, items, np.ones(len(users), np.float32), 24, 12)
    scores = fitted(TrainData(log), ALSConfig(dim=2)).score(log.queries()).numpy()
    scores[users, items] = -np.inf
    assert (scores.argmax(axis=1) // 6 == np.arange(24) // 12).all()


@pytest.mark.parametrize("name", [f.name for f in fields(ALSConfig)])
@pytest.mark.parametrize("limit", ["min", "max"])
def test_every_setting_may_go_to_its_limit(world, queries, name, limit):
    metadata = next(f.metadata for f in fields(ALSConfig) if f.name == name)
    config = ALSConfig(**({"dim": 16, "sweeps": 3} | {name: metadata[limit]}))
    assert torch.isfinite(fitted(world, config).score(queries)).all()


def test_says_what_does_not_fit(world, monkeypatch):
    monkeypatch.setattr(als, "free_memory", lambda device: 72 * 20 + 4 * 8 * 16 * 4 - 1)
    with pytest.raises(TooLarge, match=r"16 people and items with dim = 5.*to 3 at most"):
        fitted(world)
