"""What a trained network scores from when a history has no event: the likeliest start state.

A history of length 0 encodes to a vector like any other's, here one that is solved for: the vector
whose scores foretell best, by the network's own kind of loss, what anyone took. Few numbers cannot
foretell every item, so each item has an offset beside, drawn to 0 as by a normal prior: where
hardly anybody took an item, the network's own score is left. So base and scores are of one scale.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from core.models.common.tensors import tensor
from core.models.popularity import clock_times
from core.types import Interactions

HALF_LIFE_S = 365 * 86_400  # an event this much older than the latest counts half
PRIOR = 4.0  # of an offset: 1 / variance, so that it is half a logit or so
RIDGE = 1e-4  # keeps the vector finite where any length would do
STEPS = 200

Scores = Callable[[Tensor], Tensor]  # of all items (I,) from a start vector (D,)


class StartState(NamedTuple):
    """What stands for a history without events."""

    vector: Tensor  # (D,) in place of what a history encodes to
    offsets: Tensor  # (I,) what an item is scored above that

    def scores(self, of: Scores) -> Tensor:
        """What a history without events gives all items, (I,) float32."""
        with torch.no_grad():
            return (of(self.vector.double()) + self.offsets).float()


def start_shares(log: Interactions, device: str | torch.device) -> Tensor:
    """What a start state is to foretell: each item's share of all events, (I,) float64, sum 1.

    An event counts log2(1 + weight), and fades by the year where the log has clock times. It may be
    anybody's first or last.

    Args:
        log: One event at least.
        device: Where they shall lie.
    """
    weights = np.log2(1 + log.weights.astype(np.float64))
    if (times := clock_times(log)) is not None:
        weights *= 0.5 ** ((times.max() - times) / HALF_LIFE_S)
    shares = np.bincount(log.items, weights, minlength=log.n_items)
    return tensor(shares / shares.sum(), device)


def share_loss(scores: Tensor, shares: Tensor) -> Tensor:
    """Cross-entropy of the shares (I,) against softmax of the scores (I,)."""
    return scores.logsumexp(dim=0) - (scores * shares).sum()


def solved(
    scores: Scores,
    loss: Callable[[Tensor, Tensor], Tensor],
    shares: Tensor,
    *,
    size: int,
    events: int,
) -> StartState:
    """The start state of lowest loss + ridge / 2 · |vector|² + prior / (2 · events) · |offsets|².

    By L-BFGS in float64, from 0. For a network linear in what a history encodes to this is convex.

    Args:
        scores: Of all items from a vector (size,) float64, with gradients.
        loss: Mean loss of one event, from scores (I,) and the shares.
        shares: What is to be foretold, (I,) float64.
        size: Numbers of the vector.
        events: How many events the shares are of: the more, the less the prior says.
    """
    sharp = ((events * shares + PRIOR) / events).sqrt()  # how curved the loss is in each offset
    x = torch.zeros(size + len(shares), dtype=torch.float64, device=shares.device)
    x.requires_grad_()

    def state() -> StartState:
        return StartState(x[:size] * size**0.5, x[size:] / sharp)

    def closure() -> float:
        vector, offsets = state()
        total = loss(scores(vector) + offsets, shares) + RIDGE / 2 * vector.square().sum()
        total = total + PRIOR / 2 / events * offsets.square().sum()
        (x.grad,) = torch.autograd.grad(total, x)  # and none of the network's
        return float(total.detach())

    optimiser = torch.optim.LBFGS(
        [x], max_iter=STEPS, line_search_fn="strong_wolfe", tolerance_grad=1e-6
    )
    with torch.enable_grad():
        optimiser.step(closure)  # type: ignore[no-untyped-call]
    vector, offsets = state()
    return StartState(vector.detach().float(), offsets.detach().float())
