"""NeuMF against a second, dumber derivation: one pair at a time, loops, float64."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from core.models import neumf
from core.models.neumf import NeuMF, NeuMFConfig
from core.types import Interactions, Queries, TrainData

SMALL = {"dim": 8, "layers": 3, "max_len": 3, "epochs": 5, "batch": 4, "dropout": 0.0}

Weights = dict[str, np.ndarray]


def fitted(train: TrainData, **params: Any) -> NeuMF:
    model = NeuMF(NeuMFConfig(**{**SMALL, **params}))
    return model.fit(train, rng=np.random.default_rng(0))


def by_hand(
    state: Weights, items: list[int], counts: list[float], max_len: int = 3, decay: float = 0.8
) -> np.ndarray:
    """The logits of one history, by the paper: the layers see p' and q' side by side."""
    w = {name: np.asarray(value, np.float64) for name, value in state.items()}
    table = w["items.weight"]
    dim = table.shape[1] // 2
    mean, total = np.zeros(2 * dim), 0.0
    for age, (item, count) in enumerate(zip(items[::-1], counts[::-1], strict=True)):
        if age < max_len:
            mean += np.log2(1 + count) * decay**age * table[item]
            total += np.log2(1 + count) * decay**age
    mean /= total
    first = np.hstack([w["user_layer.weight"], w["item_layer.weight"]])
    logits = []
    for item in table:
        x = np.maximum(first @ np.hstack([mean[dim:], item[dim:]]) + w["user_layer.bias"], 0)
        for layer in range(sum(name.endswith("weight") and "layers" in name for name in w)):
            x = np.maximum(w[f"layers.{layer}.weight"] @ x + w[f"layers.{layer}.bias"], 0)
        both = np.hstack([mean[:dim] * item[:dim], x])
        logits.append(float(w["out.weight"][0] @ both + w["out.bias"][0]))
    return np.array(logits)


def history(items: list[int], counts: list[float]) -> Queries:
    offsets = np.array([0, len(items)])
    return Queries(np.array([-1]), offsets, np.array(items), np.array(counts, np.float32))


@pytest.mark.parametrize("layers", [1, 3, 6])
def test_scores_are_those_by_hand(world, layers):
    model = fitted(world, layers=layers, epochs=30)
    items, counts = [3, 1, 5, 2, 2], [1, 1, 4, 2, 1]
    expected = by_hand(model.state(), items, counts)
    assert np.ptp(expected) > 0.1
    scores = model.score(history(items, counts))[0].numpy()
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)


def test_without_times_all_of_a_history_counts_alike(log):
    model = fitted(TrainData(replace(log, times=None)))
    items, counts = [3, 1, 5, 2, 2], [1, 1, 4, 2, 1]
    expected = by_hand(model.state(), items, counts, max_len=99, decay=1.0)
    scores = model.score(history(items, counts))[0].numpy()
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)


ROWS = torch.tensor([1, 4, 6, 9])
DRAWN = torch.tensor([[7, 3, 0], [6, 7, 7], [2, 4, 4], [1, 7, 6]])


def loss_by_hand(state: Weights, log: Interactions) -> float:
    """Of ROWS, where DRAWN are the negatives; what the user took is none."""
    places = [e for e in range(len(log)) if e and log.users[e] == log.users[e - 1]]
    total, weights, refused = 0.0, 0.0, 0
    for row, negatives in zip(ROWS.tolist(), DRAWN.tolist(), strict=True):
        event = places[row]
        own = log.users == log.users[event]
        before = np.flatnonzero(own & (np.arange(len(log)) < event))
        s = by_hand(state, log.items[before].tolist(), log.weights[before].tolist())
        chance = 1 / (1 + np.exp(-s))
        weight = np.log2(1 + log.weights[event])
        weights += weight
        total -= weight * np.log(chance[log.items[event]])
        for item in negatives:
            if item in log.items[own]:
                refused += 1
            else:
                total -= weight * np.log(1 - chance[item])
    assert refused
    return float(total / weights)


def test_the_loss_and_its_gradient_are_those_by_hand(world, monkeypatch):
    model = fitted(world)
    monkeypatch.setattr(torch, "randint", lambda *_, **__: DRAWN)
    net = model._fitted()
    task = model._task(net, world.interactions, torch.Generator())
    assert task is not None
    loss = task[1](ROWS)
    state = {name: value.astype(np.float64) for name, value in model.state().items()}
    expected = loss_by_hand(state, world.interactions)
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)
    net.zero_grad()  # of the last step of fit
    loss.backward()
    for name in ("items.weight", "user_layer.weight", "layers.0.weight", "out.weight"):
        gradient = net.get_parameter(name).grad.numpy()
        place = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        found = []
        for step in (1e-6, -2e-6):
            state[name][place] += step
            found.append(loss_by_hand(state, world.interactions))
        state[name][place] += 1e-6
        assert gradient[place] == pytest.approx((found[0] - found[1]) / 2e-6, rel=1e-3)


def test_blocks_of_items_give_the_same_scores(world, queries, monkeypatch):
    model = fitted(world)
    whole = model.score(queries)
    monkeypatch.setattr(neumf, "HELD", 3 * 8 * len(queries))  # three items at a time, of eight
    torch.testing.assert_close(model.score(queries), whole)


def test_a_cold_visitor_is_led_to_what_goes_with_the_history():
    """Two tastes; everyone took six of ten items of one."""
    rng = np.random.default_rng(1)
    users = np.repeat(np.arange(60), 6)
    items = np.concatenate(
        [rng.choice(np.arange(u % 2, 20, 2), 6, replace=False) for u in range(60)]
    )
    log = Interactions(users, items, np.ones(360, np.float32), 60, 20, np.arange(360))
    model = fitted(TrainData(log), epochs=20, batch=32, learning_rate=5e-3)
    for taste in (0, 1):
        scores = model.score(history([taste, taste + 2, taste + 4], [1, 1, 1]))[0].numpy()
        assert scores[taste::2].min() > scores[1 - taste :: 2].max()


@pytest.mark.parametrize(
    "switch", [{"dropout": 0.9}, {"history_decay": 0.0}, {"layers": 8, "dim": 4}, {"negatives": 50}]
)
def test_every_switch_trains(world, queries, switch):
    assert torch.isfinite(fitted(world, **switch).score(queries)).all()
