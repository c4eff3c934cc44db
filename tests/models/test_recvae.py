"""RecVAE against a second, dumber derivation: one history, one number at a time, float64."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from core.models import recvae
from core.models.common.vectors import unit_rows
from core.models.recvae import Bag, Network, Passes, RecVAE, RecVAEConfig, cut, strength
from core.types import PAD, Interactions, Queries, TrainData

SMALL = {"dim": 3, "hidden": 5, "epochs": 5, "batch": 4}
CPU = torch.device("cpu")


def fitted(train: TrainData, **params: Any) -> RecVAE:
    return RecVAE(RecVAEConfig(**{**SMALL, **params})).fit(train, rng=np.random.default_rng(0))


def history(items: list[int], weights: list[float]) -> Queries:
    return Queries(
        np.array([PAD]), np.array([0, len(items)]), np.array(items), np.array(weights, np.float32)
    )


def held(items: list[int], weights: list[float], ages: list[int], decay: float) -> np.ndarray:
    """How strongly a history holds each of eight items."""
    total = np.zeros(8)
    for item, weight, age in zip(items, weights, ages, strict=True):
        total[item] += weight * decay**age
    return np.log2(1 + total)


def posterior(w: dict[str, np.ndarray], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log variance of one history (8,)."""
    x = x / np.sqrt((x**2).sum())
    linear = lambda v, name: w[f"{name}.weight"] @ v + w[f"{name}.bias"]  # noqa: E731
    states: list[np.ndarray] = []
    for n in range(5):
        if n:
            a = linear(states[-1], f"encoder.layers.{n - 1}") + sum(states)
        else:
            a = sum(x[i] * w["encoder.first.weight"][i] for i in range(8)) + w["encoder.bias"]
        a = a / (1 + np.exp(-a))
        a = (a - a.mean()) / np.sqrt(((a - a.mean()) ** 2).mean() + 0.1)
        states.append(a * w[f"encoder.norms.{n}.weight"] + w[f"encoder.norms.{n}.bias"])
    return linear(states[-1], "encoder.mean"), linear(states[-1], "encoder.log_variance")


def doubles(state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: np.asarray(value, np.float64) for name, value in state.items()}


def softmax(w: dict[str, np.ndarray], z: np.ndarray) -> np.ndarray:
    e = np.exp(w["decoder.weight"] @ z + w["decoder.bias"])
    return e / e.sum()


@pytest.mark.parametrize("timed", [True, False])
def test_scores_are_those_by_hand(world, timed):
    log = world.interactions if timed else replace(world.interactions, times=None)
    model = fitted(TrainData(log), history_decay=0.7)
    w = doubles(model.state())
    items, weights = [2, 0, 2, 5], [1.0, 3.0, 2.0, 1.0]
    mean, _ = posterior(w, held(items, weights, [3, 2, 1, 0], 0.7 if timed else 1.0))
    query = history(items, weights)
    np.testing.assert_allclose(model.encode(query)[0].numpy(), mean, rtol=1e-4, atol=1e-5)
    expected = w["decoder.weight"] @ mean + w["decoder.bias"]
    np.testing.assert_allclose(model.score(query)[0].numpy(), expected, rtol=1e-4, atol=1e-5)


def density(z: float, mean: float, deviation: float) -> float:
    return np.exp(-0.5 * ((z - mean) / deviation) ** 2) / deviation / np.sqrt(2 * np.pi)


def test_the_loss_is_that_by_hand(world, monkeypatch):
    """Both draws are known here: mean plus deviation, and mean minus half a deviation."""
    model = fitted(world, dropout=0.0, gamma=0.3)
    net, w = model._fitted(), doubles(model.state())
    monkeypatch.setattr(Normal, "rsample", lambda self: self.mean + self.stddev)
    monkeypatch.setattr(Normal, "sample", lambda self: self.mean - self.stddev / 2)
    given = strength(history([0, 5, 0], [1, 2, 2]), 8, np.ones(3))
    wanted = strength(history([3, 1], [1, 7]), 8, np.array([1, 0.5]))
    old = Normal(torch.tensor([[0.1, -0.2, 0.3]]), torch.tensor([[0.5, 1.0, 2.0]]))
    loss = net.losses(Bag.of(unit_rows(given), CPU), Bag.of(wanted, CPU), old)

    mean, log_variance = posterior(w, held([0, 5, 0], [1, 2, 2], [0, 0, 0], 1.0))
    deviation = np.exp(log_variance / 2)
    apart = 0.0
    for j, z in enumerate(mean + deviation):
        prior = 0.15 * density(z, 0, 1) + 0.1 * density(z, 0, np.exp(5))
        prior += 0.75 * density(z, old.mean[0, j].item(), old.stddev[0, j].item())
        apart += np.log(density(z, mean[j], deviation[j])) - np.log(prior)
    told = {3: 1.0, 1: np.log2(4.5)}
    expected = 0.3 * sum(told.values()) * apart
    for z in (mean + deviation, mean - deviation / 2):
        p = softmax(w, z)
        expected -= sum(value * np.log(p[item]) for item, value in told.items())
    np.testing.assert_allclose(loss.item(), expected, rtol=1e-4)


def task(log: Interactions, **params: Any) -> tuple[Network, Passes, Any]:
    """A network, its rows and its loss, with the draws of a fixed seed."""
    model = RecVAE(RecVAEConfig(**{**SMALL, **params}))
    torch.manual_seed(3)
    net = model._network(TrainData(log), log)
    found = model._task(net, log, torch.Generator().manual_seed(1))
    assert found is not None
    return net, *found


def test_each_half_moves_only_its_own_part(log):
    """Gaps and pull reach the encoder alone, the draw from whole histories the decoder alone."""
    bag = Bag.of(strength(log.queries(np.arange(6)), 8, np.ones(16)), CPU)
    gradients = []
    for gamma, dropout, far in ((0.1, 0.5, 1.0), (5.0, 0.8, 1.0), (0.1, 0.5, 2.0)):
        net, _, _ = task(log, gamma=gamma, dropout=dropout)
        with torch.no_grad():
            old = net.encoder(bag)
        torch.manual_seed(8)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Normal, "sample", lambda self, far=far: self.mean + far * self.stddev)
            net.losses(bag, bag, old).mean().backward()
        gradients.append((net.encoder.first.weight.grad, net.decoder.weight.grad))
    (encoder, decoder), (pulled, same), (still, further) = gradients
    torch.testing.assert_close(decoder, same)
    torch.testing.assert_close(encoder, still)
    assert not torch.allclose(encoder, pulled)
    assert not torch.allclose(decoder, further)


def test_parts_give_the_same_loss_and_gradients(log, monkeypatch):
    monkeypatch.setattr(Normal, "rsample", lambda self: self.mean + self.stddev)
    monkeypatch.setattr(Normal, "sample", lambda self: self.mean - self.stddev)
    found = []
    for most in (2**27, 16):  # all at once, or two histories of eight items
        monkeypatch.setattr(recvae, "LOGITS", most)
        net, _, loss = task(replace(log, times=None), dropout=0.0)
        value = loss(torch.arange(5))
        value.backward()
        found.append([value.detach(), *(p.grad for p in net.parameters())])
    torch.testing.assert_close(*found)


def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What goes into the loss from now on: what is given, what is to be told, the old posterior."""
    calls: list[Any] = []
    real = Network.losses
    monkeypatch.setattr(
        Network, "losses", lambda self, *args: calls.append(args) or real(self, *args)
    )
    return calls


def test_a_log_without_times_tells_what_it_is_given(log, monkeypatch):
    _, batches, loss = task(replace(log, times=None))
    assert len(batches) == 7  # all who did anything
    calls = asked(monkeypatch)
    loss(torch.tensor([0]))
    [(given, wanted, _)] = calls
    strong = np.log2([2, 3, 4])  # 1 was taken twice, 2 with a weight of 3
    for bag, expected in ((wanted, strong), (given, strong / np.linalg.norm(strong))):
        values = dict(zip(bag.items.tolist(), bag.values.tolist(), strict=True))
        assert values == pytest.approx(dict(enumerate(expected)))


def test_a_log_with_times_tells_what_came_after(log, monkeypatch):
    _, batches, loss = task(log, history_decay=0.5)
    assert len(batches) == 6  # all who did two things
    calls = asked(monkeypatch)
    for _ in range(60):
        loss(torch.tensor([3]))  # who took 4, 2, 0, 5 with weights 1, 1, 1, 5
    seen = {tuple(tuple(sorted(bag.items.tolist())) for bag in call[:2]) for call in calls}
    assert seen == {((4,), (0, 2, 5)), ((2, 4), (0, 5)), ((0, 2, 4), (5,))}
    given, told, _ = next(call for call in calls if len(call[0].items) == 2)
    values = dict(zip(told.items.tolist(), told.values.tolist(), strict=True))
    assert values == pytest.approx({0: 1.0, 5: np.log2(1 + 5 / 2)})
    values = dict(zip(given.items.tolist(), given.values.tolist(), strict=True))
    length = np.hypot(1.0, np.log2(1.5))
    assert values == pytest.approx({2: 1 / length, 4: np.log2(1.5) / length})


def test_the_prior_remembers_the_encoder_as_it_was_before_the_pass(log, monkeypatch):
    net, batches, loss = task(replace(log, times=None))
    calls = asked(monkeypatch)
    for _ in range(2):
        for rows in batches:
            loss(rows[:1])
            with torch.no_grad():
                net.encoder.mean.bias += 1
    assert len(calls) == 4
    for (given, _, old), moved in zip(calls, (2, 2, 4, 4), strict=True):
        with torch.no_grad():
            now = net.encoder(given).mean
        torch.testing.assert_close(now - old.mean, torch.full((1, 3), 4.0 - moved + 2))


@pytest.mark.parametrize("decay", [0.0, 0.6, 1.0])
def test_a_cut_leaves_both_sides_something(decay):
    lengths = np.array([2, 3, 9, 400])
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    queries = Queries(np.zeros(4, np.int64), offsets, np.arange(414), np.ones(414, np.float32))
    torch.manual_seed(0)
    for _ in range(20):
        before, after = cut(queries, decay)
        for low, high in pairwise(offsets):
            n = int((before[low:high] == 1).nonzero()[0][-1]) + 1
            assert 1 <= n < high - low
            np.testing.assert_allclose(before[low : low + n], decay ** np.arange(n)[::-1])
            np.testing.assert_allclose(after[low + n : high], decay ** np.arange(high - low - n))
            assert not before[low + n : high].any()
            assert not after[low : low + n].any()


def test_it_learns_the_direction_of_a_circle():
    """Everyone goes three steps on, from anywhere: what comes next is not what came before."""
    starts = np.arange(96) % 8
    items = ((starts[:, None] + np.arange(3)) % 8).ravel()
    users, times = np.repeat(np.arange(96), 3), np.arange(288)
    log = Interactions(users, items, np.ones(288, np.float32), 96, 8, times)
    model = fitted(TrainData(log), dim=16, hidden=32, epochs=40, batch=16, history_decay=0.5)
    everyone = Queries(np.full(8, PAD), np.arange(9), np.arange(8), np.ones(8, np.float32))
    scores = model.score(everyone).numpy()
    assert (
        scores[np.arange(8), np.arange(1, 9) % 8] > scores[np.arange(8), np.arange(-1, 7)]
    ).all()


def test_without_memory_only_the_last_event_counts(world):
    model = fitted(world, history_decay=0.0)
    long, short = model.score(history([1, 4, 2], [1, 1, 3])), model.score(history([2], [3]))
    torch.testing.assert_close(long, short)
