"""LightGCN and SimGCL against dense matrices in float64, entry by entry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from core.models.common.strengths import strengths
from core.models.lightgcn import (
    LightGCN,
    LightGCNConfig,
    Network,
    SimGCL,
    SimGCLConfig,
    info_nce,
    perturbed,
)
from core.types import Interactions, Queries, TrainData

SMALL = {"dim": 4, "max_len": 3, "epochs": 4, "batch": 4, "layers": 2, "temperature": 0.2}


def smoothed(log: Interactions, first: np.ndarray, layers: int) -> tuple[np.ndarray, np.ndarray]:
    """V and d^-½: users' and items' vectors in turn, edge by edge."""
    r = np.zeros((log.n_users, log.n_items))
    for user, item, weight in zip(log.users, log.items, log.weights, strict=True):
        r[user, item] += weight
    r = np.log2(1 + r)
    people, items = r.sum(axis=1), r.sum(axis=0)
    edges = [
        (u, i, r[u, i] / (people[u] * items[i]) ** 0.5) for u, i in zip(*np.nonzero(r), strict=True)
    ]
    x, total = first.astype(float), first.astype(float)
    for _ in range(layers):
        users, back = np.zeros((log.n_users, x.shape[1])), np.zeros_like(x)
        for u, i, share in edges:
            users[u] += share * x[i]
        for u, i, share in edges:
            back[i] += share * users[u]
        x, total = back, total + back
    return total / (layers + 1), np.array([s**-0.5 if s else 0.0 for s in items])


def test_the_vectors_and_their_gradient_are_those_edge_by_edge(log):
    net = Network(LightGCNConfig(**SMALL), log.n_items, strengths(log))
    first = net.table.weight.detach().numpy()
    expected, scale = smoothed(log, first, 2)
    np.testing.assert_allclose(net().detach(), expected, atol=1e-6)
    np.testing.assert_allclose(net.scale, scale, rtol=1e-6)
    towards = np.random.default_rng(5).normal(size=first.shape)
    (net() * torch.from_numpy(towards)).sum().backward()
    for place in np.ndindex(first.shape):  # linear: the difference is the derivative
        moved = first.astype(float)
        moved[place] += 1
        slope = ((smoothed(log, moved, 2)[0] - expected) * towards).sum()
        assert float(net.table.weight.grad[place]) == pytest.approx(slope, abs=1e-5)


@pytest.mark.parametrize("ordered", [True, False])
def test_scores_are_those_by_hand_and_a_product_of_two_encodings(world, log, ordered):
    if not ordered:
        world = TrainData(Interactions(log.users, log.items, log.weights, 8, 8))
    model = LightGCN(LightGCNConfig(**SMALL)).fit(world, rng=np.random.default_rng(0))
    items, counts = [3, 1, 5, 2, 2], [1.0, 1.0, 4.0, 2.0, 1.0]
    offsets = np.array([0, 5])
    query = Queries(np.array([-1]), offsets, np.array(items), np.array(counts, np.float32))
    v = model.state()["table.weight"].astype(float)
    scale = smoothed(log, v, 0)[1]
    x = np.zeros(4)
    for age, (item, count) in enumerate(zip(items[::-1], counts[::-1], strict=True)):
        if age < 3 or not ordered:
            x += np.log2(1 + count) * (0.8**age if ordered else 1) * scale[item] * v[item]
    expected = [x @ row / np.linalg.norm(x) / np.linalg.norm(row) / 0.2 for row in v]
    scores = model.score(query)
    np.testing.assert_allclose(scores[0], expected, atol=1e-4)
    torch.testing.assert_close(model.encode(query) @ model.encode_items().T, scores)


@pytest.mark.parametrize("contrast", [0.0, 0.7])
def test_the_loss_is_that_by_hand(world, log, contrast):
    """Event by event, from those before it; without noise both views are the same."""
    given = {**SMALL, "weight_decay": 0.3}
    model = (
        SimGCL(SimGCLConfig(**given, contrast=contrast, noise=0.0))
        if contrast
        else LightGCN(LightGCNConfig(**given))
    )
    net = model._network(world, log)
    task = model._task(net, log, torch.Generator())
    assert task is not None
    first = net.table.weight.detach().numpy().astype(float)
    v, scale = smoothed(log, first, 2)
    unit = v / np.linalg.norm(v, axis=1, keepdims=True)
    events = [e for e in range(1, len(log)) if log.users[e] == log.users[e - 1]][2:6]
    total, weights, length, users = 0.0, 0.0, 0.0, []
    for event in events:
        before = [e for e in range(event) if log.users[e] == log.users[event]][-3:]
        x = np.zeros(4)
        for age, e in enumerate(before[::-1]):
            weight = np.log2(1 + log.weights[e]) * 0.8**age
            x += weight * scale[log.items[e]] * v[log.items[e]]
        users.append(x / np.linalg.norm(x))
        logits, wanted = unit @ users[-1] / 0.2, log.items[event]
        weight = np.log2(1 + log.weights[event])
        total -= weight * (logits[wanted] - np.log(np.exp(logits).sum()))
        weights += weight
        length += (first[wanted] ** 2).sum() / len(events)
    expected = total / weights + 0.3 * length
    if contrast:
        for rows, codes in (
            (users, log.users[events]),
            (unit[log.items[events]], log.items[events]),
        ):
            pairs = (torch.from_numpy(np.array(rows)),) * 2
            expected += contrast * float(info_nce(*pairs, torch.from_numpy(codes), 0.2))
    found = task[1](torch.arange(2, 6))
    assert float(found.detach()) == pytest.approx(expected, rel=1e-4)


def test_noise_moves_a_vector_by_its_share_and_no_sign_changes():
    x = torch.from_numpy(np.random.default_rng(7).normal(size=(5, 4)))
    moved = perturbed(x, 0.3) - x
    torch.testing.assert_close(moved.norm(dim=1), 0.3 * x.norm(dim=1))
    assert bool((moved * x >= 0).all())
    assert perturbed(x, 0.0) is x


def test_telling_apart_is_that_by_hand():
    rng = np.random.default_rng(6)
    one, other, codes = rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), [2, 7, 2, 1]
    total = 0.0
    for a in range(4):
        told: list[Any] = []
        for b in range(4):
            if a == b or codes[a] != codes[b]:
                cosine = one[a] @ other[b] / np.linalg.norm(one[a]) / np.linalg.norm(other[b])
                told.append((a == b, np.exp(cosine / 0.2)))
        total -= np.log(sum(e for same, e in told if same) / sum(e for _, e in told))
    tensors = (torch.from_numpy(x) for x in (one, other))
    assert float(info_nce(*tensors, torch.tensor(codes), 0.2)) == pytest.approx(total / 4)
