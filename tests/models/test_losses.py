"""Sampled sums against all items; parts against the whole."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from core.models.neural import losses
from core.models.neural.losses import full_softmax, is_sampled, others, sampled_softmax


def test_auto_samples_above_so_many_items():
    assert [is_sampled(loss, 30_001) for loss in ("auto", "full", "sampled")] == [True, False, True]
    assert [is_sampled(loss, 30_000) for loss in ("auto", "full", "sampled")] == [
        False,
        False,
        True,
    ]


def test_all_items_as_negatives_give_the_gradient_of_the_full_cross_entropy():
    """Also for the paper's form: its weight 1 - P, without a gradient, times log-odds."""
    rng = torch.Generator().manual_seed(1)
    users, items = torch.randn(5, 4, generator=rng), torch.randn(9, 4, generator=rng)
    targets, every = torch.tensor([0, 3, 3, 8, 1]), torch.arange(9)

    def gradients(loss: Any) -> tuple[torch.Tensor, ...]:
        u, v = users.clone().requires_grad_(), items.clone().requires_grad_()
        found: tuple[torch.Tensor, ...] = torch.autograd.grad(loss(u, v).sum(), (u, v))
        return found

    def full(u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.cross_entropy(u @ v.T, targets, reduction="none")

    def ours(u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return sampled_softmax(u, v, targets, every, torch.ones(9))

    def twice(u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return sampled_softmax(u, v, targets, every.repeat(2), torch.full((18,), 2.0))

    def paper(u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        doubt = 1 - (-full(u, v)).exp().detach()
        return doubt * (others(u, targets, v, every, torch.ones(9)) - (u * v[targets]).sum(dim=1))

    torch.testing.assert_close(full_softmax(users, items, targets), full(users, items))
    torch.testing.assert_close(ours(users, items), full(users, items))
    for loss in (ours, twice, paper):
        torch.testing.assert_close(gradients(loss), gradients(full))


def test_the_sampled_sum_is_right_on_average():
    """Batches drawn by popularity, negatives uniformly: Σ e^s over all but the target."""
    rng = torch.Generator().manual_seed(2)
    users, items = torch.randn(1, 4, generator=rng), torch.randn(6, 4, generator=rng)
    shares = torch.tensor([0.4, 0.3, 0.15, 0.1, 0.05, 0.0])
    target, found = torch.tensor([1]), []
    for _ in range(4000):
        batch = torch.multinomial(shares, 7, replacement=True, generator=rng)
        drawn = torch.randint(6, (5,), generator=rng)
        candidates = torch.cat([target, batch, drawn])
        expected = 7 * shares + 5 / 6
        found.append(others(users, target, items[candidates], candidates, expected[candidates]))
    logits = (users @ items.T)[0].double()
    exact = float(logits.exp().sum() - logits[1].exp())
    mean = float(torch.cat(found).double().exp().mean())
    assert mean == pytest.approx(exact, rel=0.03)


def test_sums_made_in_parts_are_the_same_with_their_gradients(monkeypatch):
    rng = torch.Generator().manual_seed(3)
    users, items = torch.randn(5, 4, generator=rng), torch.randn(9, 4, generator=rng)
    args = (torch.tensor([0, 3, 3, 8, 1]), items, torch.arange(9), torch.rand(9, generator=rng) + 1)
    found = []
    for most in (2**27, 18):  # all at once, or two of nine
        monkeypatch.setattr(losses, "LOGITS", most)
        leaf = users.clone().requires_grad_()
        sums = others(leaf, *args)
        sums.square().sum().backward()
        found.append((sums.detach(), leaf.grad))
    torch.testing.assert_close(found[0], found[1])
