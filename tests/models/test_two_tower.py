"""The two towers against a second, dumber derivation: one history, loops, float64."""

from __future__ import annotations

from dataclasses import replace
from math import erf
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from core.models.neural import losses
from core.models.two_tower import Bags, Pairs, TwoTower, TwoTowerConfig
from core.types import FeatureBlock, Features, Interactions, Queries, TrainData

SMALL = {"dim": 8, "max_len": 3, "epochs": 5, "batch": 4, "dropout": 0.0, "id_dropout": 0.0}
CPU = torch.device("cpu")

Weights = dict[str, np.ndarray]


def fitted(train: TrainData, **params: Any) -> TwoTower:
    model = TwoTower(TwoTowerConfig(**{**SMALL, **params}))
    return model.fit(train, rng=np.random.default_rng(0))


def layers(x: np.ndarray, w: Weights, name: str) -> np.ndarray:
    hidden = w[f"{name}.0.weight"] @ x + w[f"{name}.0.bias"]
    hidden = np.array([h * (1 + erf(h / 2**0.5)) / 2 for h in hidden])
    return w[f"{name}.3.weight"] @ hidden + w[f"{name}.3.bias"]


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x**2).sum())


def item_rows(w: Weights) -> np.ndarray:
    """Item by item, tag by tag."""
    rows = []
    for i, known in enumerate(w["tower.known"]):
        x = w["tower.id.weight"][i] * known
        for place in range(int(w["tower.starts"][i]), int(w["tower.starts"][i + 1])):
            tag = int(w["tower.places"][place])
            x = x + w["tower.values"][place] * w["tower.tag.weight"][tag]
        x = x + w["tower.number.weight"] @ w["tower.numbers"][i] + w["tower.number.bias"]
        x = (x - x.mean()) / np.sqrt(x.var() + 1e-5)
        rows.append(x * w["tower.norm.weight"] + w["tower.norm.bias"])
    return np.array(rows)


def by_hand(
    state: Weights, items: list[int], counts: list[float], max_len: int = 3, decay: float = 0.8
) -> np.ndarray:
    """The scores of one history: every event on its own, every item on its own."""
    w = {name: np.asarray(value, np.float64) for name, value in state.items()}
    table = item_rows(w)
    mean, total = np.zeros(table.shape[1]), 0.0
    for age, (item, count) in enumerate(zip(items[::-1], counts[::-1], strict=True)):
        if age < max_len:
            mean += np.log2(1 + count) * decay**age * table[item]
            total += np.log2(1 + count) * decay**age
    mean /= total
    user = unit(mean + layers(mean, w, "user_layers"))
    share = np.exp(w["relevance"]) / np.exp(w["relevance"]).sum()
    scores = []
    for row in table:
        item = unit(row + layers(row, w, "item_layers"))
        scores.append(sum(8 * s * x * y for s, x, y in zip(share, user, item, strict=True)))
    return np.array(scores) / np.clip(np.exp(w["log_temperature"]), 0.02, 0.2)


def history(items: list[int], counts: list[float]) -> Queries:
    offsets = np.array([0, len(items)])
    return Queries(np.array([-1]), offsets, np.array(items), np.array(counts, np.float32))


def test_scores_are_those_by_hand_and_a_product_of_two_encodings(world):
    model = fitted(world, epochs=30)
    items, counts = [3, 1, 5, 2, 2], [1, 1, 4, 2, 1]
    query = history(items, counts)
    scores = model.score(query)
    expected = by_hand(model.state(), items, counts)
    assert np.ptp(expected) > 1
    np.testing.assert_allclose(scores[0].numpy(), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(model.encode(query) @ model.encode_items().T, scores)
    np.testing.assert_allclose(model.encode_items().norm(dim=1).numpy(), 1, rtol=1e-5)


def test_without_times_all_of_a_history_counts_alike(log, features):
    model = fitted(TrainData(replace(log, times=None), features))
    items, counts = [3, 1, 5, 2, 2], [1, 1, 4, 2, 1]
    expected = by_hand(model.state(), items, counts, max_len=99, decay=1.0)
    np.testing.assert_allclose(
        model.score(history(items, counts))[0].numpy(), expected, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("loss", ["full", "sampled"])
def test_the_loss_is_that_by_hand(world, monkeypatch, loss):
    model = fitted(world, loss=loss, negatives=3)
    net, log = model._fitted(), world.interactions
    drawn = torch.tensor([2, 7, 2])
    monkeypatch.setattr(torch, "randint", lambda *_, **__: drawn)
    task = model._task(net, log, torch.Generator())
    assert task is not None
    rows = torch.tensor([1, 5, 6, 9])
    places = [e for e in range(len(log)) if e and log.users[e] == log.users[e - 1]]
    events = [places[row] for row in rows]
    shares = np.bincount(log.items[places], minlength=8) / len(places)
    if loss == "full":
        candidates, expected = list(range(8)), np.ones(8)
    else:
        candidates = [*log.items[events].tolist(), 2, 7, 2]
        expected = 3 * shares + 3 / 8
    total, weights = 0.0, 0.0
    for event in events:
        before = [e for e in range(event) if log.users[e] == log.users[event]]
        counts = log.weights[before].tolist()
        s = by_hand(model.state(), log.items[before].tolist(), counts)
        wanted = log.items[event]
        rest = sum(np.exp(s[c]) / expected[c] for c in candidates if c != wanted)
        weight = np.log2(1 + log.weights[event])
        total += weight * -np.log(np.exp(s[wanted]) / (np.exp(s[wanted]) + rest))
        weights += weight
    np.testing.assert_allclose(task[1](rows).detach(), total / weights, rtol=1e-4)


def test_an_event_is_foretold_from_the_latest_before_it():
    log = Interactions(
        np.array([0, 1, 1, 1, 1, 1, 2, 2]),
        np.array([4, 0, 1, 0, 2, 3, 5, 6]),
        np.array([1, 1, 3, 1, 1, 7, 1, 1], np.float32),
        *(3, 7),
        times=np.arange(8),
    )
    pairs = Pairs(log, 2, CPU)
    assert len(pairs) == 5
    bags, targets, weights = pairs.batch(torch.tensor([3, 0, 4]))
    assert targets.tolist() == [3, 1, 6]
    assert weights.tolist() == [3, 2, 1]
    assert bags.lengths.tolist() == [2, 1, 1]
    assert bags.items.tolist() == [0, 2, 0, 5]
    assert bags.ages.tolist() == [1, 0, 0, 0]
    assert bags.places.tolist() == [3, 4, 1, 6]
    np.testing.assert_allclose(pairs.shares, np.array([1, 1, 1, 1, 0, 0, 1]) / 5)


def test_without_times_an_event_is_foretold_from_the_other_items_of_its_user():
    items = np.array([4, 0, 1, 0, 2])
    log = Interactions(np.array([0, 1, 1, 1, 1]), items, np.ones(5, np.float32), 2, 5)
    bags, targets, _ = Pairs(log, 9, CPU).batch(torch.arange(4))
    assert targets.tolist() == [0, 1, 0, 2]
    assert bags.items.view(4, 4).tolist() == [[0, 1, 0, 2]] * 4
    others_only = [[0, 1, 0, 1], [1, 0, 1, 1], [0, 1, 0, 1], [1, 1, 1, 0]]
    assert bags.weights.view(4, 4).tolist() == others_only
    assert not bags.ages.any()
    few = Pairs(log, 3, CPU)
    assert len(few) == 4
    drawn, _, _ = few.batch(torch.zeros(500, dtype=torch.long))
    assert drawn.lengths.unique().tolist() == [3]
    assert set(drawn.places.tolist()) == {1, 2, 3, 4}
    alone = replace(log, items=np.array([4, 0, 0, 0, 0]))
    empty, _, _ = Pairs(alone, 9, CPU).batch(torch.arange(1))
    assert empty.mean(torch.ones(5, 2), 1.0).tolist() == [[0, 0]]


def test_a_mean_weighs_and_fades(queries):
    table = torch.eye(8)
    found = Bags.of(queries, CPU).mean(table, 0.5)
    older = np.log2(3) / 2
    expected = np.array([1, 0, older, 0, 0, 0, 0, 0]) / (1 + older)
    np.testing.assert_allclose(found[1], expected, rtol=1e-6)
    signed = Bags.of(queries, CPU).mean(table, 0.5, torch.arange(11.0) - 6)
    expected[0], expected[2] = 0, -older / (1 + older)
    np.testing.assert_allclose(signed[1], expected, rtol=1e-6)
    assert found[2].tolist() == [0] * 8
    np.testing.assert_allclose(found.sum(dim=1), [1, 1, 0, 1, 1], rtol=1e-6)


def test_new_items_like_the_liked_come_before_new_items_unlike_them():
    """Two tastes, ten items each; the last two of each were never taken."""
    rng = np.random.default_rng(1)
    taste = np.arange(20) % 2
    users = np.repeat(np.arange(60), 6)
    items = np.concatenate(
        [rng.choice(np.arange(u % 2, 16, 2), 6, replace=False) for u in range(60)]
    )
    log = Interactions(users, items, np.ones(360, np.float32), 60, 20, np.arange(360))
    features = Features(categorical=FeatureBlock(("a", "b"), sparse.csr_matrix(np.eye(2)[taste])))
    model = fitted(TrainData(log, features), epochs=20, batch=32, id_dropout=0.3)
    cold = model.score(log.queries())[:, 16:].numpy()
    for user in range(60):
        assert cold[user, user % 2 :: 2].min() > cold[user, 1 - user % 2 :: 2].max()


@pytest.mark.parametrize(
    "switch",
    [
        {"loss": "sampled", "negatives": 1, "batch": 1},
        {"content": False},
        {"history_decay": 0.0},
        {"dropout": 0.9, "id_dropout": 0.9},
    ],
)
def test_every_switch_trains(world, queries, switch):
    assert torch.isfinite(fitted(world, **switch).score(queries)).all()


def test_auto_samples_only_where_there_are_many_items(world, monkeypatch):
    def same(**params: Any) -> np.ndarray:
        return fitted(world, negatives=2, **params).state()["relevance"]

    np.testing.assert_array_equal(same(loss="auto"), same(loss="full"))
    monkeypatch.setattr(losses, "FULL_SOFTMAX_ITEMS", 7)
    np.testing.assert_array_equal(same(loss="auto"), same(loss="sampled"))
    assert not np.array_equal(same(loss="full"), same(loss="sampled"))
