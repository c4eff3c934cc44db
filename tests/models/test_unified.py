"""The transformer against a second, dumber derivation: one history, loops, float64."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from core.models import unified
from core.models.tower import ItemTower, content
from core.models.unified import Unified, UnifiedConfig, Windows
from core.types import PAD, Block, Features, Holdout, Interactions, Queries, TrainData

SMALL = {"dim": 8, "heads": 2, "layers": 2, "max_len": 4, "epochs": 5, "patience": 2}


def fitted(train: TrainData, **params: Any) -> Unified:
    model = Unified(UnifiedConfig(**{**SMALL, **params}))
    return model.fit(train, rng=np.random.default_rng(0))


def norm(x: np.ndarray, w: dict[str, np.ndarray], name: str) -> np.ndarray:
    centred = x - x.mean()
    return centred / np.sqrt((centred**2).mean() + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def item_vectors(w: dict[str, np.ndarray]) -> np.ndarray:
    """Item by item, tag by tag."""
    rows = []
    for i, known in enumerate(w["tower.known"]):
        vector = w["tower.id.weight"][i] * known
        for place in range(int(w["tower.starts"][i]), int(w["tower.starts"][i + 1])):
            tag = int(w["tower.places"][place])
            vector = vector + w["tower.values"][place] * w["tower.tag.weight"][tag]
        vector = vector + w["tower.number.weight"] @ w["tower.numbers"][i] + w["tower.number.bias"]
        rows.append(norm(vector, w, "tower.norm"))
    return np.array(rows)


def by_hand(state: dict[str, np.ndarray], items: list[int], times: list[int]) -> np.ndarray:
    """The scores of one history: every position on its own, every head, every pair of events."""
    w = {name: np.asarray(value, np.float64) for name, value in state.items()}
    table = item_vectors(w)
    items, times = items[-4:], times[-4:]
    states = [table[i] for i in items]
    linear = lambda x, name: w[f"{name}.weight"] @ x + w[f"{name}.bias"]  # noqa: E731
    for layer in ("blocks.0", "blocks.1"):
        parts = [np.split(linear(norm(x, w, f"{layer}.norm_1"), f"{layer}.qkv"), 3) for x in states]
        after = []
        for t, x in enumerate(states):
            heads = []
            for h in range(2):
                part = slice(4 * h, 4 * h + 4)
                logits = []
                for s in range(t + 1):
                    bucket = min(63, int(2 * np.log2(1 + times[t] - times[s])))
                    bias = w["position_bias"][h, t - s] + w["time_bias"][h, bucket]
                    logits.append(parts[t][0][part] @ parts[s][1][part] / 2 + bias)
                share = np.exp(logits) / np.exp(logits).sum()
                heads.append(sum(share[s] * parts[s][2][part] for s in range(t + 1)))
            seen = linear(np.concatenate(heads), f"{layer}.out")
            x = x + sigmoid(linear(x, f"{layer}.gate_1")) * seen
            gate, value = np.split(linear(norm(x, w, f"{layer}.norm_2"), f"{layer}.up"), 2)
            made = linear(gate * sigmoid(gate) * value, f"{layer}.down")
            after.append(x + sigmoid(linear(x, f"{layer}.gate_2")) * made)
        states = after
    user = norm(states[-1], w, "norm")
    cosines = table @ user / np.linalg.norm(table, axis=1) / np.linalg.norm(user)
    return cosines / np.clip(np.exp(w["log_temperature"]), 0.02, 0.2)


def test_scores_are_those_by_hand(world):
    model = fitted(world)
    items, times = [3, 1, 5, 2, 2, 0], [10, 20, 20, 500, 90_000, 100_000]
    query = Queries(
        np.array([PAD]),
        np.array([0, 6]),
        np.array(items),
        np.ones(6, np.float32),
        times=np.array(times),
    )
    np.testing.assert_allclose(
        model.score(query)[0].numpy(), by_hand(model.state(), items, times), rtol=1e-4, atol=1e-4
    )


def test_a_window_is_cut_from_the_end_and_every_event_is_predicted_once():
    n = np.array([1, 3, 9])
    users = np.repeat(np.arange(3), n)
    log = Interactions(users, np.arange(13), np.ones(13, np.float32), 3, 13)
    windows = Windows(log, 3, torch.device("cpu"))
    assert windows.lengths.tolist() == [3, 4, 4, 3]
    history, targets, _ = windows.batch(torch.arange(4))
    assert history["items"].tolist() == [[1, 2, 3], [9, 10, 11], [6, 7, 8], [4, 5, 6]]
    assert targets.tolist() == [[2, 3, PAD], [10, 11, 12], [7, 8, 9], [5, 6, PAD]]


def test_all_items_as_negatives_are_the_full_softmax(world):
    net = fitted(world)._fitted().eval()
    history, targets, weights = Windows(world.interactions, 4, torch.device("cpu")).batch(
        torch.arange(5)
    )
    full = net.loss(history, targets, weights, None, 0.0)
    sampled = net.loss(history, targets, weights, torch.arange(8), 0.0)
    torch.testing.assert_close(full, sampled)
    repeated = net.loss(history, targets, weights, torch.arange(8).repeat(2), 0.0)
    assert repeated > full


def test_logits_made_in_parts_give_the_same_loss_and_gradients(world, monkeypatch):
    net = fitted(world)._fitted().eval()
    batch = Windows(world.interactions, 4, torch.device("cpu")).batch(torch.arange(5))
    found = []
    for most in (2**28, 24):  # all at once, or three positions of eight items
        monkeypatch.setattr(unified, "LOGITS", most)
        net.zero_grad()
        loss = net.loss(*batch, None, 0.0)
        loss.backward()
        found.append((loss.detach(), net.tower.id.weight.grad.clone()))
    torch.testing.assert_close(found[0], found[1])


def test_the_future_does_not_leak_into_the_past(world):
    net = fitted(world)._fitted().eval()
    history, _, _ = Windows(world.interactions, 4, torch.device("cpu")).batch(torch.arange(5))
    changed = {name: values.clone() for name, values in history.items()}
    changed["items"][:, 2:] = 7
    table = net.tower()
    there, here = net(table, history), net(table, changed)
    torch.testing.assert_close(there[:, :2], here[:, :2])
    assert not torch.allclose(there[:, 2], here[:, 2])


def test_an_item_never_seen_is_scored_by_its_content(world):
    model = fitted(world, epochs=30)
    net = model._fitted()
    with torch.no_grad():
        net.tower.id.weight[7] += 100.0  # nobody took item 7: its id must not speak
    before = model.encode_items()[7].clone()
    model._refresh(model._fitted())
    assert torch.equal(model.encode_items()[7], before)


def test_new_items_like_the_liked_come_before_new_items_unlike_them():
    """Two tastes, ten items each; the last two of each were never taken."""
    rng = np.random.default_rng(1)
    taste = np.arange(20) % 2
    users = np.repeat(np.arange(60), 6)
    items = np.concatenate(
        [rng.choice(np.arange(u % 2, 16, 2), 6, replace=False) for u in range(60)]
    )
    log = Interactions(users, items, np.ones(360, np.float32), 60, 20)
    features = Features(categorical=Block(("a", "b"), sparse.csr_matrix(np.eye(2)[taste])))
    scores = fitted(TrainData(log, item_features=features), epochs=40).score(log.queries())
    cold = scores[:, 16:].numpy()
    for user in range(60):
        assert cold[user, user % 2 :: 2].min() > cold[user, 1 - user % 2 :: 2].max()


def test_content_is_scaled_and_tells_what_is_missing():
    numbers = np.array([[1.0], [3.0], [np.nan]], np.float32)
    kinds = sparse.csr_matrix(np.array([[1, 1], [0, 1], [0, 0]]))
    features = Features(multi_hot=Block(("x", "y"), kinds), numeric=Block(("n",), numbers))
    tags, scaled = content(features, 3)
    half = 0.5**0.5
    np.testing.assert_allclose(tags.toarray(), [[half, half], [0, 1], [0, 0]], rtol=1e-6)
    np.testing.assert_allclose(scaled, [[-1, 0], [1, 0], [0, 1]])
    empty, none = content(None, 3)
    assert (empty.shape, none.shape) == ((3, 0), (3, 0))
    assert ItemTower(4, empty, none)().shape == (3, 4)


def held_out(log: Interactions) -> TrainData:
    ages = log.queries().ages
    lengths = np.diff(log.offsets)[log.users]
    train, held = log.where((ages > 0) | (lengths < 2)), (ages == 0) & (lengths >= 2)
    owners = np.searchsorted(np.flatnonzero(np.diff(log.offsets) >= 2), log.users[held])
    asked = train.queries(log.users[held])
    assert owners.tolist() == list(range(len(owners)))
    return TrainData(
        train, None, None, Holdout(asked, log.items[held], np.arange(len(asked) + 1)), log
    )


def test_the_refit_knows_the_validation_events(log):
    data = held_out(log)
    told: list[Any] = []
    model = Unified(UnifiedConfig(**SMALL))
    model.fit(data, rng=np.random.default_rng(0), on_epoch=told.append)
    first = [f for f in told if f["validation"] is not None]
    again = [f for f in told if f["validation"] is None]
    assert len(again) == first[-1]["best_epoch"]
    np.testing.assert_allclose(
        model.state()["popularity"], np.log1p(np.bincount(log.items, log.weights, minlength=8))
    )
    alone = fitted(data, refit=False)
    assert not np.array_equal(alone.state()["popularity"], model.state()["popularity"])
    assert np.array_equal(
        alone.state()["tower.id.weight"],
        fitted(replace(data, known=None)).state()["tower.id.weight"],
    )


@pytest.mark.parametrize(
    "switch",
    [
        {"loss": "sampled", "negatives": 4},
        {"content": False},
        {"time_bias": False},
        {"id_dropout": 0.0},
    ],
)
def test_every_switch_trains(world, queries, switch):
    scores = fitted(world, **switch).score(queries)
    assert torch.isfinite(scores).all()


def test_events_and_platforms_are_heard(log):
    marked = replace(log, events=log.items % 3, platforms=log.items % 2)
    model = fitted(TrainData(marked))
    query = marked.queries(np.array([3]))
    other = replace(query, events=(query.events + 1) % 3)
    elsewhere = replace(query, platforms=1 - query.platforms)
    assert not torch.allclose(model.score(query), model.score(other))
    assert not torch.allclose(model.score(query), model.score(elsewhere))
    strange = replace(query, events=query.events + 50)  # kinds that training did not have
    torch.testing.assert_close(model.score(strange), model.score(replace(query, events=None)))
    assert torch.isfinite(fitted(TrainData(log)).score(query)).all()


def test_progress_goes_on_through_the_refit(world):
    log = world.interactions
    last = np.append(np.diff(log.users) > 0, True)
    train = log.where(~last)
    asked = Holdout(train.queries(np.unique(log.users)), log.items[last], np.arange(last.sum() + 1))
    told: list[Any] = []
    config = UnifiedConfig(**SMALL)
    data = replace(world, interactions=train, validation=asked, known=log)
    Unified(config).fit(data, rng=np.random.default_rng(0), on_epoch=told.append)
    done = [one["done"] for one in told]
    assert done == sorted(done)
    assert done[-1] == 1
    assert [one["refit"] for one in told] == sorted(one["refit"] for one in told)
    assert told[-1]["refit"]
