"""A history without events: the likeliest start state, and every network's answer from it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import spearmanr

from core.models import MODELS
from core.models.neural import start_state
from core.models.neural.gradient_model import GradientModel
from core.models.neural.start_state import share_loss, solved, start_shares
from core.types import Interactions, Queries, TrainData

NETWORKS = sorted(name for name, kind in MODELS.items() if issubclass(kind, GradientModel))
YEAR = 365 * 86_400
QUICK = {"epochs": 40, "batch": 64}
every_network = pytest.mark.parametrize("name", NETWORKS)


def history(*items: int) -> Queries:
    n = len(items)
    ones = np.ones(n, np.float32)
    return Queries(np.array([-1]), np.array([0, n]), np.array(items, np.int64), ones)


def fitted(name: str, log: Interactions, **params: Any) -> Any:
    model = MODELS[name](MODELS[name].Config(**{**QUICK, **params}))
    return model.fit(TrainData(log), rng=np.random.default_rng(0))


def test_shares_are_those_by_hand():
    log = Interactions(
        np.array([0, 0, 1]),
        np.array([2, 0, 2]),
        np.array([1, 3, 1], np.float32),
        *(2, 4),
        times=1_600_000_000 + np.array([0, YEAR, YEAR]),
    )
    # log2(1 + weight): 1, 2, 1; the first one is a year older than the latest
    shares = start_shares(log, "cpu")
    np.testing.assert_allclose(shares, np.array([2, 0, 1.5, 0]) / 3.5)
    ordered = Interactions(log.users, log.items, log.weights, 2, 4, times=np.array([1, 2, 9]))
    np.testing.assert_allclose(start_shares(ordered, "cpu"), np.array([2, 0, 2, 0]) / 4)


def test_the_start_state_is_the_likeliest_by_another_solver():
    rng = np.random.default_rng(2)
    items, shares = rng.normal(size=(9, 3)), rng.dirichlet(np.ones(9))
    shares[4], events = 0, 60
    shares /= shares.sum()

    def penalised(x: np.ndarray) -> float:
        scores = items @ x[:3] + x[3:]
        loss = np.log(np.exp(scores).sum()) - shares @ scores
        prior = start_state.PRIOR / 2 / events * (x[3:] ** 2).sum()
        return float(loss + prior + start_state.RIDGE / 2 * (x[:3] ** 2).sum())

    expected = minimize(penalised, np.zeros(12), method="BFGS", options={"gtol": 1e-8})
    vectors = torch.from_numpy(items)
    found = solved(
        lambda vector: vectors @ vector,
        share_loss,
        torch.from_numpy(shares),
        size=3,
        events=events,
    )
    np.testing.assert_allclose(np.r_[found.vector, found.offsets], expected.x, atol=2e-3)
    assert penalised(np.r_[found.vector, found.offsets]) <= expected.fun + 1e-6


def test_the_more_events_the_nearer_to_their_shares():
    items, shares = torch.ones(6, 1).double(), torch.tensor([32, 16, 8, 4, 2, 1.0]).double() / 63
    gaps = []
    for events in (10, 1_000, 100_000):
        found = solved(lambda v: items @ v, share_loss, shares, size=1, events=events)
        told = torch.softmax(found.scores(lambda v: items @ v).double(), dim=0)
        gaps.append(float((told - shares).abs().max()))
    assert gaps[0] > 5 * gaps[1] > 25 * gaps[2]
    assert gaps[2] < 1e-4


def clear_log(timed: bool = True) -> Interactions:
    """120 people of some of 30 items, item i about as often as 0.85 ** i says."""
    rng = np.random.default_rng(3)
    chance = 0.85 ** np.arange(30)
    lengths = rng.integers(1, 16, 120)
    items = np.concatenate([rng.choice(30, n, p=chance / chance.sum()) for n in lengths])
    users = np.repeat(np.arange(120), lengths)
    times = np.arange(len(users)) if timed else None
    return Interactions(users, items, np.ones(len(users), np.float32), 120, 30, times)


@every_network
def test_a_clear_order_of_popularity_is_that_of_no_history(name):
    log = clear_log()
    scores = fitted(name, log).score(history())[0].numpy()
    assert np.isfinite(scores).all()
    assert spearmanr(scores, np.bincount(log.items, minlength=30)).statistic > 0.9


@every_network
def test_no_history_is_one_answer_however_it_is_asked_for(name):
    model = fitted(name, clear_log(), epochs=3)
    scores, known = model.score(history())[0], history(3, 1)
    both = Queries(np.full(2, -1), np.array([0, 0, 2]), known.items, known.weights)
    assert torch.equal(model.score(both)[0], scores)
    torch.testing.assert_close(model.score(both)[1], model.score(known)[0])
    items = np.array([4, 0, 29])
    if hasattr(model, "score_subsets"):
        none = np.zeros((1, 2), bool)
        torch.testing.assert_close(model.score_subsets(known, none, items)[0], scores[items])
    if hasattr(model, "rank"):
        torch.testing.assert_close(model.rank(history(), items[None])[0], scores[items])
    if hasattr(model, "score_of_parts"):
        whole = np.ones((1, len(model.parts(None))), bool)
        for item in items:
            found = model.score_of_parts(history(), int(item), None, whole)
            assert found[0] == pytest.approx(float(scores[item]), abs=1e-4)
    if hasattr(model, "encode"):
        assert torch.isfinite(model.encode(history())).all()
        assert bool(model.encode(history()).any())
    assert "popularity" not in model.state()


def planted_log() -> Interactions:
    """After A = 0 comes B = 1; all else is noise of items 2 … 19."""
    rng = np.random.default_rng(5)
    rows = []
    for user in range(400):
        noise = rng.integers(2, 20, 4).tolist()
        place = int(rng.integers(0, 4))
        rows += [(user, i) for i in (noise[:place] + [0, 1] * (user % 2) + noise[place:])]
    users, items = np.array(rows).T
    ones = np.ones(len(rows), np.float32)
    return Interactions(users, items, ones, 400, 20, np.arange(len(rows)))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["two_tower", "unified", "neumf"])  # they learn what comes after
def test_an_event_that_says_nothing_moves_little_from_no_history(name):
    """The start is on the network's scale: noise moves items little, A moves B much."""
    model = fitted(name, planted_log(), epochs=100 if name == "neumf" else 30)

    def centred(*items: int) -> np.ndarray:
        scores = model.score(history(*items))[0].numpy().astype(np.float64)
        return scores - scores.mean()

    start = centred()
    effect = centred(0)[1] - start[1]
    moved = np.mean([np.abs(centred(item) - start).mean() for item in range(2, 20)])
    assert effect > 0
    assert moved < 0.25 * effect


@every_network
def test_solving_for_the_start_changes_nothing_else(name, monkeypatch):
    log = clear_log()
    model = fitted(name, log, epochs=2)
    monkeypatch.setattr(GradientModel, "_solve_start", lambda *_: None)
    without = fitted(name, log, epochs=2)
    state = model.state()
    assert state.keys() - without.state().keys() == {"start.vector", "start.offsets"}
    for key, array in without.state().items():
        if key != "popularity":
            np.testing.assert_array_equal(array, state[key])
    assert torch.equal(without.score(log.queries()), model.score(log.queries()))


@every_network
def test_nothing_to_learn_leaves_popularity(name):
    """Nobody did two things."""
    items = np.array([2, 2, 0])
    log = Interactions(np.arange(3), items, np.ones(3, np.float32), 3, 4, np.arange(3))
    model = fitted(name, log, epochs=2)
    np.testing.assert_allclose(model.score(history())[0], np.log1p([1, 0, 2, 0]), rtol=1e-6)
    again = MODELS[name](model.config).load(model.state())
    assert torch.equal(again.score(history()), model.score(history()))


@every_network
def test_a_state_of_before_there_was_a_start_is_read(name):
    """It has log-popularity for whoever did nothing."""
    model, known = fitted(name, clear_log(), epochs=3), history(3, 1)
    state = {key: v for key, v in model.state().items() if not key.startswith("start.")}
    state["popularity"] = np.linspace(0, 1, 30, dtype=np.float32)
    old = MODELS[name](model.config).load(state)
    np.testing.assert_array_equal(old.score(history())[0], state["popularity"])
    assert torch.equal(old.score(known), model.score(known))
    assert old.state().keys() == state.keys()
    if hasattr(old, "score_of_parts"):
        keep = np.ones((2, len(old.parts(None))), bool)
        found = old.score_of_parts(history(), 7, None, keep)
        np.testing.assert_allclose(found, [state["popularity"][7]] * 2)


@pytest.mark.parametrize("name", ["lightgcn", "simgcl"])
def test_items_that_nobody_took_say_nothing(name):
    log = clear_log()
    wider = Interactions(log.users, log.items, log.weights, 120, 32, log.times)
    model = fitted(name, wider, epochs=3)
    assert torch.equal(model.score(history(31, 30)), model.score(history()))
    assert torch.equal(model.encode(history(31)), model.encode(history()))
