"""Steps of fixed shapes: what only fills them up changes nothing, and a graph repeats them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import nn

from core.models.neural.cuda_graph import CudaGraph
from core.models.neural.train_loop import TrainingSettings, train_loop
from core.models.neural.training_state import Batches
from core.models.unified import Unified, UnifiedConfig
from core.types import FeatureBlock, Features, TrainData

gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
STILL = {"dim": 8, "heads": 2, "max_len": 4, "dropout": 0.0, "id_dropout": 0.0, "loss": "full"}


@pytest.fixture
def told(world: TrainData) -> TrainData:
    """A world with kinds of events and of people too, so that every head learns."""
    log = world.interactions
    people = sparse.csr_matrix(np.eye(2, dtype=np.float32)[np.arange(log.n_users) % 2])
    return replace(
        world,
        interactions=replace(log, events=np.arange(len(log)) % 3),
        user_features=Features(categorical=FeatureBlock(("who=a", "who=b"), people)),
    )


def task(world: TrainData, device: str = "cpu", **params: Any) -> tuple[nn.Module, Batches, Any]:
    config = UnifiedConfig(**{**STILL, "batch": 4, "label": "who", **params})
    torch.manual_seed(0)
    model, log = Unified(config), world.interactions
    net = model._network(world, log).to(device)
    batches, loss = model._task(net, log, torch.Generator().manual_seed(0))
    return net, batches, loss


def with_gradients(net: nn.Module, value: torch.Tensor) -> list[torch.Tensor]:
    found = torch.autograd.grad(value, list(net.parameters()), allow_unused=True)
    return [value.detach(), *(torch.zeros(()) if g is None else g for g in found)]


def left(net: nn.Module, value: torch.Tensor) -> list[torch.Tensor]:
    grads = (p.grad for p in net.parameters())
    return [value.clone(), *(torch.zeros(()) if g is None else g.clone() for g in grads)]


@pytest.mark.parametrize("seen", ["competes", "left out"])
def test_what_fills_a_step_up_changes_neither_the_loss_nor_its_gradients(told, seen):
    net, batches, loss = task(told, seen=seen)
    fixed = CudaGraph(loss, net.parameters(), batches)
    for rows in [*batches, torch.tensor([0])]:
        wanted = with_gradients(net, loss(rows))
        torch.testing.assert_close(with_gradients(net, fixed(rows)), wanted)
    first = next(iter(batches))
    wanted = with_gradients(net, loss(first))
    torch.testing.assert_close(left(net, fixed.learn(first)), wanted)  # of a width: as it is


def test_short_memory_makes_a_step_of_fewer_rows():
    x, sizes = nn.Linear(1, 1), []

    def loss(rows: torch.Tensor, width: int) -> torch.Tensor:
        sizes.append((len(rows), width))
        if len(rows) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return x.weight.sum() ** 2

    batches = Batches(torch.tensor([5, 6]), 8, torch.Generator().manual_seed(0))
    fixed = CudaGraph(loss, x.parameters(), batches)
    train_loop(x, batches, fixed, config=TrainingSettings(), epochs=1)
    assert sizes == [(8, 6), (4, 6), (2, 6)]
    assert batches.size == 2
    assert x.bias.grad is None  # nothing hangs on it, and so nothing pulls at it


@pytest.mark.gpu
@gpu
@pytest.mark.parametrize("seen", ["competes", "left out"])
def test_a_graph_gives_what_the_step_gives(told, seen):
    net, batches, loss = task(told, "cuda", seen=seen)
    assert isinstance(loss, CudaGraph)
    for _ in range(4):  # as it is, recorded, replayed twice
        for rows in batches:
            wanted = with_gradients(net, loss(rows))
            found = left(net, loss.learn(rows))
            torch.testing.assert_close(found, wanted, atol=2e-2, rtol=2e-2)
    assert all(loss._graphs.values())


@pytest.mark.gpu
@gpu
def test_a_graph_draws_anew_each_time_and_from_the_seed(told):
    _, batches, loss = task(told, "cuda", dropout=0.5)
    rows = next(iter(batches))
    for _ in range(2):
        loss.learn(rows)
    runs = []
    for _ in range(2):
        torch.manual_seed(5)
        runs.append([float(loss.learn(rows)) for _ in range(4)])
    assert len(set(runs[0])) == 4
    assert runs[0] == pytest.approx(runs[1], rel=1e-3)


@pytest.mark.gpu
@gpu
def test_the_steps_of_graphs_lead_where_other_steps_lead(told):
    ends = []
    for graphs in (True, False):
        net, batches, loss = task(told, "cuda")
        step = loss if graphs else lambda rows, loss=loss: loss(rows)
        train_loop(net, batches, step, config=UnifiedConfig(**STILL, batch=4), epochs=10)
        ends.append([p.detach() for p in net.parameters()])
    torch.testing.assert_close(*ends, atol=2e-2, rtol=2e-2)
