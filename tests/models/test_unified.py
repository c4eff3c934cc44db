"""The transformer against a second, dumber derivation: one history, loops, float64."""

from __future__ import annotations

from dataclasses import replace
from math import erf
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from core.models import unified
from core.models.neural import losses
from core.models.neural.item_tower import ItemTower, content
from core.models.sequence.windows import Next, Windows
from core.models.unified import Unified, UnifiedConfig
from core.types import PAD, FeatureBlock, Features, Holdout, Interactions, Queries, TrainData

Weights = dict[str, np.ndarray]
SMALL = {"dim": 8, "heads": 2, "layers": 2, "max_len": 4, "epochs": 5, "patience": 2}


def fitted(train: TrainData, **params: Any) -> Unified:
    model = Unified(UnifiedConfig(**{**SMALL, **params}))
    return model.fit(train, rng=np.random.default_rng(0))


def norm(x: np.ndarray, w: Weights, name: str) -> np.ndarray:
    centred = x - x.mean()
    return centred / np.sqrt((centred**2).mean() + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def item_vectors(w: Weights) -> np.ndarray:
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


def linear(x: np.ndarray, w: Weights, name: str) -> np.ndarray:
    return w[f"{name}.weight"] @ x + w[f"{name}.bias"]


def z_by_hand(w: Weights, items: list[int], values: list[float]) -> np.ndarray:
    mean = w["rating_range"][0]
    return (np.array(values) - mean - w["rating_item"][items]) / w["rating_spread"]


def state_by_hand(w: Weights, items: list[int], times: list[int], values: list[float]) -> Any:
    """One history: every position on its own, every head, every pair of events."""
    table = item_vectors(w)
    items, times, values = items[-4:], times[-4:], values[-4:]
    z = np.clip(np.nan_to_num(z_by_hand(w, items, values)), -5, 5)
    states = [table[i] + z[place] * linear(table[i], w, "value") for place, i in enumerate(items)]
    for layer in ("blocks.0", "blocks.1"):
        made = [linear(norm(x, w, f"{layer}.norm_1"), w, f"{layer}.qkv") for x in states]
        parts = [np.split(one, 3) for one in made]
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
            seen = linear(np.concatenate(heads), w, f"{layer}.out")
            x = x + sigmoid(linear(x, w, f"{layer}.gate_1")) * seen
            gate, value = np.split(linear(norm(x, w, f"{layer}.norm_2"), w, f"{layer}.up"), 2)
            made = linear(gate * sigmoid(gate) * value, w, f"{layer}.down")
            after.append(x + sigmoid(linear(x, w, f"{layer}.gate_2")) * made)
        states = after
    return norm(states[-1], w, "norm")


def by_hand(w: Weights, items: list[int], times: list[int], values: list[float]) -> np.ndarray:
    """The scores of one history."""
    table, user = item_vectors(w), state_by_hand(w, items, times, values)
    cosines = table @ user / np.linalg.norm(table, axis=1) / np.linalg.norm(user)
    return cosines / np.clip(np.exp(w["log_temperature"]), 0.02, 0.2)


def history(items: list[int], times: list[int], values: list[float]) -> Queries:
    n = len(items)
    return Queries(
        np.array([PAD]),
        np.array([0, n]),
        np.array(items),
        np.ones(n, np.float32),
        times=np.array(times),
        values=np.array(values, np.float32),
    )


ITEMS, TIMES = [3, 1, 5, 2, 2, 0], [10, 20, 20, 500, 90_000, 100_000]
VALUES = [1.0, 2.0, 5.0, np.nan, 1.5, 4.0]


def weights_of(model: Unified) -> Weights:
    return {name: np.asarray(value, np.float64) for name, value in model.state().items()}


def test_scores_are_those_by_hand(world):
    model = fitted(world)
    np.testing.assert_allclose(
        model.score(history(ITEMS, TIMES, VALUES))[0].numpy(),
        by_hand(weights_of(model), ITEMS, TIMES, VALUES),
        rtol=1e-4,
        atol=1e-4,
    )


def gelu(x: np.ndarray) -> np.ndarray:
    return x * (1 + np.array([erf(one / 2**0.5) for one in x])) / 2


def joint(w: Weights, user: np.ndarray, item: int) -> np.ndarray:
    vector = item_vectors(w)[item]
    return gelu(linear(np.concatenate([user, vector, user * vector]), w, "heads.joint"))


def rating_by_hand(w: Weights, user: np.ndarray, item: int, values: list[float]) -> float:
    z = z_by_hand(w, ITEMS[-4:], values[-4:])
    person = np.nansum(z) / (np.isfinite(z).sum() + 5)
    mean, low, high = w["rating_range"]
    rating = person + linear(joint(w, user, item), w, "heads.rating")[0]
    return float(np.clip(mean + w["rating_item"][item] + w["rating_spread"] * rating, low, high))


def test_a_rating_is_that_by_hand(world):
    model = fitted(world, rating_weight=3.0)
    w, query = weights_of(model), history(ITEMS, TIMES, VALUES)
    user = state_by_hand(w, ITEMS, TIMES, VALUES)
    expected = [rating_by_hand(w, user, item, VALUES) for item in range(8)]
    assert np.ptp(expected) > 0.1
    for item in range(8):
        assert model.predict(query, np.array([item]))[0] == pytest.approx(expected[item], rel=1e-4)
    ranked = model.rank(query, np.arange(8)[None])[0].numpy()
    worth = (np.array(expected) - w["rating_range"][1]) / np.ptp(w["rating_range"][1:])
    scores = by_hand(w, ITEMS, TIMES, VALUES)
    np.testing.assert_allclose(ranked, scores + np.log(np.clip(worth, 1e-6, 1)), atol=2e-3)


def test_rank_expects_what_the_kind_of_event_is_worth(log, features):
    marked = replace(log, events=log.items % 3, values=None)
    model = fitted(TrainData(marked, features), event_weight=3.0)
    w, query = weights_of(model), replace(history(ITEMS, TIMES, VALUES), values=None)
    counts = np.log2(1 + log.weights)
    worth = [counts[log.items % 3 == kind].mean() for kind in range(3)]
    np.testing.assert_allclose(w["heads.worth"], worth, rtol=1e-6)
    user = model._states(query)[0].numpy().astype(np.float64)
    scores = model.score(query)[0].numpy()
    for item in (0, 4, 7):
        logits = linear(joint(w, user, item), w, "heads.event")
        share = np.exp(logits) / np.exp(logits).sum()
        expected = scores[item] + np.log(share @ np.array(worth))
        found = model.rank(query, np.array([[5, item]]))[0, 1]
        assert float(found) == pytest.approx(expected, abs=1e-4)


def test_rank_is_the_score_without_heads_and_without_a_history(log):
    model = fitted(TrainData(replace(log, values=None)))
    queries = log.queries(np.array([0, 7, 3]))
    items = np.array([[4, 1, 0], [2, 7, 5], [6, 6, 1]])
    expected = model.score(queries).gather(1, torch.from_numpy(items))
    torch.testing.assert_close(model.rank(queries, items), expected)


def test_a_window_is_cut_from_the_end_and_every_event_is_predicted_once():
    n = np.array([1, 3, 9])
    users = np.repeat(np.arange(3), n)
    log = Interactions(users, np.arange(13), np.ones(13, np.float32), 3, 13)
    windows = Windows(log, 3, torch.device("cpu"))
    assert windows.lengths.tolist() == [3, 4, 4, 3]
    before, then = windows.batch(torch.arange(4))
    assert before["items"].tolist() == [[1, 2, 3], [9, 10, 11], [6, 7, 8], [4, 5, 6]]
    assert then.items.tolist() == [[2, 3, PAD], [10, 11, 12], [7, 8, 9], [5, 6, PAD]]


def batch_of(train: TrainData, model: Unified) -> tuple[dict[str, torch.Tensor], Next]:
    windows = Windows(train.interactions, 4, torch.device("cpu"), model._heard(), model._labels)
    return windows.batch(torch.arange(5))


@pytest.mark.parametrize("once", [False, True])
def test_all_items_as_negatives_are_the_full_softmax(world, once):
    model = fitted(world)
    net, batch = model._fitted().eval(), batch_of(world, model)
    full = net.loss(*batch, None, model.config, once=once)
    sampled = net.loss(*batch, (torch.arange(8), torch.ones(8)), model.config, once=once)
    torch.testing.assert_close(full, sampled)
    twice = (torch.arange(8).repeat(2), torch.full((16,), 2.0))
    torch.testing.assert_close(full, net.loss(*batch, twice, model.config, once=once))


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("drawn", [None, (torch.arange(8), torch.ones(8))])
def test_logits_made_in_parts_give_the_same_loss_and_gradients(world, monkeypatch, once, drawn):
    model = fitted(world)
    net, batch = model._fitted().eval(), batch_of(world, model)
    found = []
    for most in (2**28, 24):  # all at once, or three positions of eight items
        monkeypatch.setattr(losses, "LOGITS", most)
        net.zero_grad()
        loss = net.loss(*batch, drawn, model.config, once=once)
        loss.backward()
        found.append((loss.detach(), net.tower.id.weight.grad.clone()))
    torch.testing.assert_close(found[0], found[1])


@pytest.mark.parametrize("once", [False, True])
def test_the_loss_is_that_by_hand(world, once):
    """Position by position: the next item among all, or those not had, and how it is rated."""
    model = fitted(world, rating_weight=0.7)
    log, w = world.interactions, weights_of(model)
    loss = model._fitted().eval().loss(*batch_of(world, model), None, model.config, once=once)
    windows = Windows(log, 4, torch.device("cpu"))
    total, weights, errors = 0.0, 0.0, []
    for start, length in zip(windows._starts.tolist(), windows.lengths.tolist(), strict=True):
        if start == windows._starts[5]:
            break
        for event in range(start + 1, start + length):
            before = slice(start, event)
            items, values = log.items[before].tolist(), log.values[before].tolist()
            user = state_by_hand(w, items, log.times[before].tolist(), values)
            scores = by_hand(w, items, log.times[before].tolist(), values)
            wanted, weight = log.items[event], np.log2(1 + log.weights[event])
            out = set(items) - {int(wanted)} if once else set()
            among = [i for i in range(len(scores)) if i not in out]
            total -= weight * (scores[wanted] - np.log(np.exp(scores[among]).sum()))
            weights += weight
            z = z_by_hand(w, items, values)
            person = np.nansum(z) / (np.isfinite(z).sum() + 5)
            others = [e for e in range(len(log)) if log.items[e] == wanted and e != event]
            rest = (log.values[others] - w["rating_range"][0]).astype(np.float64)
            mean = np.nansum(rest) / (np.isfinite(rest).sum() + 5)
            aim = (log.values[event] - w["rating_range"][0] - mean) / w["rating_spread"]
            said = person + linear(joint(w, user, wanted), w, "heads.rating")[0]
            errors.append((said - np.clip(aim, -5, 5)) ** 2)
    expected = total / weights + 0.7 * np.nanmean(errors)
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-4)


def test_candidates_are_expected_as_often_as_they_come(log):
    windows = Windows(log, 4, torch.device("cpu"))
    _, then = windows.batch(torch.arange(3))
    torch.manual_seed(0)
    items, often = windows.candidates(then, 16, False)
    assert items.shape == often.shape == (16,)
    assert often.unique().tolist() == [2]
    items, often = windows.candidates(then, 16, True)
    own = then.items[then.items != PAD]
    assert torch.equal(items[: len(own)], own)
    targets = [e for e in range(1, len(log)) if log.users[e] == log.users[e - 1]]
    shares = np.bincount(log.items[targets], minlength=8) / len(targets)
    np.testing.assert_allclose(often, 2 + (len(own) - 1) * shares[items], rtol=1e-6)
    items, often = windows.candidates(then, 4, True)
    assert len(items) == 8
    assert set(items[:4].tolist()) <= set(own.tolist())
    np.testing.assert_allclose(often, 0.5 + 3 * shares[items], rtol=1e-6)


def test_the_future_does_not_leak_into_the_past(world):
    model = fitted(world)
    net, (before, _) = model._fitted().eval(), batch_of(world, model)
    changed = {name: values.clone() for name, values in before.items()}
    changed["items"][:, 2:] = 7
    changed["values"][:, 2:] = 2.0
    table = net.tower()
    there, here = net(table, before), net(table, changed)
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
    features = Features(categorical=FeatureBlock(("a", "b"), sparse.csr_matrix(np.eye(2)[taste])))
    scores = fitted(TrainData(log, item_features=features), epochs=40).score(log.queries())
    cold = scores[:, 16:].numpy()
    for user in range(60):
        assert cold[user, user % 2 :: 2].min() > cold[user, 1 - user % 2 :: 2].max()


def test_content_is_scaled_and_tells_what_is_missing():
    numbers = np.array([[1.0], [3.0], [np.nan]], np.float32)
    kinds = sparse.csr_matrix(np.array([[1, 1], [0, 1], [0, 0]]))
    features = Features(
        multi_hot=FeatureBlock(("x", "y"), kinds), numeric=FeatureBlock(("n",), numbers)
    )
    tags, scaled, _ = content(features, 3)
    half = 0.5**0.5
    np.testing.assert_allclose(tags.toarray(), [[half, half], [0, 1], [0, 0]], rtol=1e-6)
    np.testing.assert_allclose(scaled, [[-1, 0], [1, 0], [0, 1]])
    empty, none, embeddings = content(None, 3)
    assert (empty.shape, none.shape, embeddings) == ((3, 0), (3, 0), {})
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


@pytest.mark.parametrize("loss", ["full", "sampled"])
def test_what_was_had_competes_unless_histories_are_long_and_hardly_repeat(monkeypatch, loss):
    told: set[bool] = set()

    def spy(self: Any, *args: Any, once: bool, **rest: Any) -> torch.Tensor:
        told.add(once)
        return real(self, *args, once=once, **rest)

    real = unified.Network.loss
    monkeypatch.setattr(unified.Network, "loss", spy)
    for items, left_out in ((range(50), True), (range(49), False), ([*range(49), 7], False)):
        told.clear()
        n = len(items)
        users, ones, codes = np.zeros(n, int), np.ones(n, np.float32), np.array(items)
        log = Interactions(users, codes, ones, 1, 50, np.arange(n))
        fitted(TrainData(log), loss=loss, epochs=1)
        assert told == {left_out}


def test_the_refit_knows_the_validation_events(log):
    data = held_out(log)
    told: list[Any] = []
    model = Unified(UnifiedConfig(**SMALL))
    model.fit(data, rng=np.random.default_rng(0), on_epoch=told.append)
    first = [report for report in told if report.validation is not None]
    again = [report for report in told if report.validation is None]
    assert len(again) == first[-1].best_epoch
    np.testing.assert_array_equal(
        model.state()["tower.known"], np.bincount(log.items, minlength=8) > 0
    )
    alone = fitted(data, refit=False)
    assert not np.array_equal(alone.state()["start.vector"], model.state()["start.vector"])
    assert np.array_equal(
        alone.state()["tower.id.weight"],
        fitted(replace(data, train_and_validation=None)).state()["tower.id.weight"],
    )


@pytest.mark.parametrize(
    "switch",
    [
        {"loss": "sampled", "negatives": 4},
        {"loss": "sampled", "negatives": 4, "mixed": False},
        {"rating_weight": 0.0},
        {"content": False},
        {"time_bias": False},
        {"id_dropout": 0.0},
        {"seen": "left out"},
        {"seen": "left out", "loss": "sampled", "negatives": 4},
    ],
)
def test_every_switch_trains(world, queries, switch):
    scores = fitted(world, **switch).score(queries)
    assert torch.isfinite(scores).all()


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_parts_of_a_history_are_looked_up_or_asked(world, queries, layers, monkeypatch):
    """Also parts longer than the network hears, and those of which each two are not looked up."""
    model = fitted(world, layers=layers, max_len=3, epochs=1)
    longest = int(queries.lengths.argmax())
    query, items = queries[longest : longest + 1], np.array([4, 1])
    n = len(query.items)
    assert n > 3
    keep = (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(bool)
    expected = model.score(query.subsets(keep))[:, items]
    torch.testing.assert_close(model.score_subsets(query, keep, items), expected)
    monkeypatch.setattr(unified, "MOST_PAIRED", 0)
    torch.testing.assert_close(model.score_subsets(query, keep, items), expected)


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


def test_an_event_of_no_kind_says_nothing_of_it(log):
    """As where the column has gaps."""
    kinds = np.where(log.items == 2, PAD, log.items % 3)
    model = fitted(TrainData(replace(log, events=kinds, platforms=kinds)))
    query = replace(log, events=None, platforms=None).queries(np.array([3]))
    silent = replace(query, events=np.full(4, PAD), platforms=np.full(4, PAD))
    torch.testing.assert_close(model.score(silent), model.score(query))


def test_progress_goes_on_through_the_refit(world):
    log = world.interactions
    last = np.append(np.diff(log.users) > 0, True)
    train = log.where(~last)
    asked = Holdout(train.queries(np.unique(log.users)), log.items[last], np.arange(last.sum() + 1))
    told: list[Any] = []
    config = UnifiedConfig(**SMALL)
    data = replace(world, interactions=train, validation=asked, train_and_validation=log)
    Unified(config).fit(data, rng=np.random.default_rng(0), on_epoch=told.append)
    done = [report.done for report in told]
    assert done == sorted(done)
    assert done[-1] == 1
    assert [report.refit for report in told] == sorted(report.refit for report in told)
    assert told[-1].refit
