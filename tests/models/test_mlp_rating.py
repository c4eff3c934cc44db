"""MLPRating against a second, dumber derivation: one pair at a time, loops, float64."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from core.errors import BadInput
from core.models.common.rating_baselines import RatingBaseline
from core.models.mlp_rating import MLPRating, MLPRatingConfig, person
from core.models.popularity import Popularity
from core.models.two_tower import Bags
from core.types import Interactions, Queries, TrainData

SMALL = {"dim": 8, "layers": 3, "max_len": 3, "epochs": 5, "batch": 4, "dropout": 0.0}

Weights = dict[str, np.ndarray]


def fitted(train: TrainData, **params: Any) -> MLPRating:
    model = MLPRating(MLPRatingConfig(**{**SMALL, **params}))
    return model.fit(train, rng=np.random.default_rng(0))


def z_by_hand(w: Weights, item: int, value: float) -> float:
    mean = w["rating_range"][0] if "rating_range" in w else np.nan
    return (
        float((value - mean - w["rating_item"][item]) / w["rating_spread"])
        if mean == mean
        else np.nan
    )


def person_by_hand(w: Weights, items: list[int], values: list[float], max_len: int = 3) -> float:
    z = [z_by_hand(w, i, v) for i, v in zip(items, values, strict=True)][-max_len:]
    known = [one for one in z if np.isfinite(one)]
    return sum(known) / (len(known) + 5)


def by_hand(
    state: Weights,
    items: list[int],
    counts: list[float],
    values: list[float],
    max_len: int = 3,
    decay: float = 0.8,
) -> np.ndarray:
    """Strength and rating of each item, (I, 2): the network sees history and item side by side."""
    w = {name: np.asarray(value, np.float64) for name, value in state.items()}
    table = w["items.weight"]
    seen, said, faded, plain = np.zeros(table.shape[1]), np.zeros(table.shape[1]), 0.0, 0.0
    events = list(zip(items, counts, values, strict=True))[-max_len:]
    for age, (item, count, value) in enumerate(events[::-1]):
        z = z_by_hand(w, item, value)
        seen += np.log2(1 + count) * decay**age * table[item]
        said += np.log2(1 + count) * (z if np.isfinite(z) else 0) * table[item]
        faded += np.log2(1 + count) * decay**age
        plain += np.log2(1 + count)
    first = np.hstack([w["user_layer.weight"], w["item_layer.weight"]])
    found = []
    for item in table:
        both = np.hstack([seen / faded, said / plain, item])
        x = np.maximum(first @ both + w["user_layer.bias"], 0)
        for layer in range(2):
            x = np.maximum(w[f"layers.{layer}.weight"] @ x + w[f"layers.{layer}.bias"], 0)
        found.append(w["out.weight"] @ x + w["out.bias"])
    return np.array(found)


def history(items: list[int], counts: list[float], values: list[float]) -> Queries:
    offsets = np.array([0, len(items)])
    return Queries(
        np.array([-1]),
        offsets,
        np.array(items),
        np.array(counts, np.float32),
        values=np.array(values, np.float32),
    )


EVENTS = ([3, 1, 5, 2, 2], [1.0, 1.0, 4.0, 2.0, 1.0], [5.0, 1.0, np.nan, 2.0, 4.5])


def test_scores_and_ratings_are_those_by_hand(world):
    model = fitted(world, epochs=30)
    state, query = model.state(), history(*EVENTS)
    found = by_hand(state, *EVENTS)
    assert np.ptp(found, axis=0).min() > 0.1
    np.testing.assert_allclose(model.score(query)[0], found[:, 0], rtol=1e-4, atol=1e-5)
    mean, low, high = state["rating_range"]
    person = person_by_hand(state, EVENTS[0], EVENTS[2])
    expected = mean + state["rating_item"] + state["rating_spread"] * (person + found[:, 1])
    assert ((low < expected) & (expected < high)).sum() > 2
    model = MLPRating(model.config).load(state)
    got = [model.predict(query, np.array([item]))[0] for item in range(8)]
    np.testing.assert_allclose(got, np.clip(expected, low, high), rtol=1e-4)


def test_without_times_all_of_a_history_counts_alike(log):
    model = fitted(TrainData(replace(log, times=None)))
    expected = by_hand(model.state(), *EVENTS, max_len=99, decay=1.0)
    scores = model.score(history(*EVENTS))[0].numpy()
    np.testing.assert_allclose(scores, expected[:, 0], rtol=1e-4, atol=1e-5)


ROWS = torch.tensor([1, 4, 6, 9])
DRAWN = torch.tensor([[7, 3, 0], [6, 7, 7], [2, 4, 4], [1, 7, 6]])


def loss_by_hand(state: Weights, log: Interactions) -> float:
    """Of ROWS, where DRAWN are the negatives; what the user took is none."""
    places = [e for e in range(len(log)) if e and log.users[e] == log.users[e - 1]]
    strength, ratings = 0.0, []
    mean, spread = state["rating_range"][0], float(state["rating_spread"])
    for row, negatives in zip(ROWS.tolist(), DRAWN.tolist(), strict=True):
        event = places[row]
        own = log.users == log.users[event]
        before = np.flatnonzero(own & (np.arange(len(log)) < event))
        parts = (log.items[before].tolist(), log.weights[before].tolist())
        found = by_hand(state, *parts, log.values[before].tolist())
        item = log.items[event]
        strength += (found[item, 0] - np.log2(1 + log.weights[event])) ** 2
        strength += sum(found[n, 0] ** 2 for n in negatives if n not in log.items[own])
        if np.isfinite(log.values[event]):
            rest = np.isfinite(log.values) & (log.items == item) & (np.arange(len(log)) != event)
            without = (log.values[rest] - mean).sum() / (rest.sum() + 5)
            person = person_by_hand(state, parts[0], log.values[before].tolist())
            aim = (log.values[event] - mean - without) / spread - person
            ratings.append((found[item, 1] - aim) ** 2)
    assert 0 < len(ratings) < len(ROWS)
    return float(strength / len(ROWS) + 0.3 * np.mean(ratings))


def test_the_loss_and_its_gradient_are_those_by_hand(world, monkeypatch):
    model = fitted(world, negatives=3, rating_weight=0.3)
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


def test_what_a_person_adds_leaves_out_events_that_must_not_count():
    bags = Bags(
        *(torch.tensor(part) for part in ([0, 1, 2, 3], [1.0, 0, 1, 2], [0] * 4, [3, 1], [0] * 4))
    )
    z = torch.tensor([1.0, 9.0, torch.nan, -3.0])
    torch.testing.assert_close(person(bags, z), torch.tensor([1 / 6, -3 / 6]))


def test_an_empty_history_gets_the_baseline(world, queries):
    model = fitted(world)
    got = model.predict(queries[2:3], np.array([4]))
    plain = Popularity().fit(world, rng=np.random.default_rng(0))
    np.testing.assert_allclose(got, plain.predict(queries[2:3], np.array([4])), rtol=1e-6)


def test_ratings_stay_within_the_range_seen(world, queries):
    model = fitted(world)
    with torch.no_grad():
        model._fitted().out.bias[1] = 1e4
    assert model.predict(queries[:2], np.array([0, 1])).tolist() == [5.0, 5.0]
    with torch.no_grad():
        model._fitted().out.bias[1] = -1e4
    assert model.predict(queries[:2], np.array([0, 1])).tolist() == [1.0, 1.0]


def test_a_log_without_values_is_ranked_but_not_rated(world, queries):
    silent = replace(world, interactions=replace(world.interactions, values=None))
    model = fitted(silent)
    assert torch.isfinite(model.score(queries)).all()
    with pytest.raises(BadInput, match="no values"):
        model.predict(queries, np.zeros(len(queries), np.int64))
    again = MLPRating(model.config).load(model.state())
    with pytest.raises(BadInput, match="no values"):
        again.predict(queries, np.zeros(len(queries), np.int64))
    mute = replace(queries, values=None)
    torch.testing.assert_close(model.score(mute), model.score(queries))
    unknown = np.full(len(world.interactions), np.nan, np.float32)
    fitted(replace(world, interactions=replace(world.interactions, values=unknown)))


def tastes(scale: float = 1.0, shift: float = 0.0) -> Interactions:
    """Even people give even items 5 and odd ones 1, odd people the other way round."""
    rng = np.random.default_rng(3)
    users = np.repeat(np.arange(60), 8)
    items = np.concatenate([rng.choice(20, 8, replace=False) for _ in range(60)])
    values = np.where((users + items) % 2 == 0, 5.0, 1.0) * scale + shift
    ones = np.ones(480, np.float32)
    return Interactions(users, items, ones, 60, 20, np.arange(480), values.astype(np.float32))


def test_learns_what_is_rated_high_in_the_units_of_the_log():
    for scale, shift in ((1.0, 0.0), (100.0, -300.0)):
        log = tastes(scale, shift)
        params = {"epochs": 60, "batch": 64, "learning_rate": 0.01, "rating_weight": 1.0}
        model = fitted(TrainData(log), max_len=8, **params)
        liked = history([0, 2, 3], [1, 1, 1], (np.array([5, 5, 1]) * scale + shift).tolist())
        high = [model.predict(liked, np.array([item]))[0] for item in range(4, 20, 2)]
        low = [model.predict(liked, np.array([item]))[0] for item in range(5, 20, 2)]
        assert min(high) > 4 * scale + shift
        assert max(low) < 2 * scale + shift
        baseline = RatingBaseline.fit(log)
        assert baseline is not None
        assert np.ptp(baseline.item) < 1 * scale  # which alone cannot know


@pytest.mark.parametrize(
    "switch", [{"dropout": 0.9}, {"history_decay": 0.0}, {"layers": 8, "dim": 4}, {"negatives": 50}]
)
def test_every_switch_trains(world, queries, switch):
    model = fitted(world, **switch)
    assert torch.isfinite(model.score(queries)).all()
    assert np.isfinite(model.predict(queries, np.arange(len(queries)))).all()
