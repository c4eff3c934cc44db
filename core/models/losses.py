"""Softmax losses of what comes next, over all items or over some, in bounded memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

LOGITS = 2**28  # rows × items held at once; beyond, they are made again on the way back
NEVER = -1e9  # the logit of an item that must not count; finite, so that none left is no NaN
AGAIN: Any = {"use_reentrant": False, "preserve_rng_state": False}  # nothing in it is drawn
FULL_SOFTMAX_ITEMS = 30_000  # above, "auto" samples


def is_sampled(loss: str, n_items: int) -> bool:
    """Whether a loss of this name, "auto", "full" or "sampled", compares with some items only."""
    return loss == "sampled" or (loss == "auto" and n_items > FULL_SOFTMAX_ITEMS)


def full_softmax(states: Tensor, items: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy (B,) of the targets (B,) among all items (I, D), for states (B, D)."""
    size = max(1, LOGITS // len(items))
    if len(states) > size:
        pairs = zip(torch.split(states, size), torch.split(targets, size), strict=True)
        return torch.cat([checkpoint(full_softmax, s, items, t, **AGAIN) for s, t in pairs])
    return functional.cross_entropy((states @ items.T).float(), targets, reduction="none")


def sampled_softmax(
    states: Tensor, items: Tensor, targets: Tensor, candidates: Tensor, expected: Tensor
) -> Tensor:
    """Cross-entropy (B,) of the targets (B,), estimated from the candidates (C,), all of (I, D).

    `expected` (C,) is how often each is expected among them; see `others`.
    """
    positive = (states * items.index_select(0, targets)).sum(dim=1)
    rest = others(states, targets, items.index_select(0, candidates), candidates, expected)
    return functional.softplus(rest - positive)


def candidates(shares: Tensor, drawn: int, own: Tensor) -> tuple[Tensor, Tensor]:
    """Items (C,) to compare with: first a step's own (O,), then so many drawn from all alike.

    And how often each is expected there (C,), for a target of the step: the O - 1 others come as
    often as their `shares` (I,) of all targets say.
    """
    items = torch.cat([own, torch.randint(len(shares), (drawn,), device=shares.device)])
    return items, drawn / len(shares) + max(0, len(own) - 1) * shares[items]


def others(
    states: Tensor, targets: Tensor, items: Tensor, candidates: Tensor, expected: Tensor
) -> Tensor:
    """Over the candidates c (C,) that are not the target: log Σ exp(s_c - log n_c), (B,).

    s = states (B, D) · items (C, D). n_c = (number drawn) · Q(c) is how often c is expected there,
    (C,), so the sum estimates that of e^s over all other items, and is it where each comes once and
    n = 1. softplus(others - s⁺) is then cross-entropy, with gradient (1 - P) (∇ others - ∇ s⁺), P
    the target's probability: the loss of Khrylchenko et al., "Correcting the LogQ Correction",
    RecSys 2025, arXiv:2507.09331, who write 1 - P as a weight without a gradient. The target, there
    for certain, is not corrected. Differs: they draw only what is not the target, from
    Q / (1 - Q(target)); same expectation.
    """
    size = max(1, LOGITS // len(items))
    if len(states) > size:
        pairs = zip(torch.split(states, size), torch.split(targets, size), strict=True)
        same = (items, candidates, expected)
        return torch.cat([checkpoint(others, *p, *same, **AGAIN) for p in pairs])
    logits = torch.addmm(-expected.log(), states, items.T).float()
    return logits.masked_fill(candidates == targets[:, None], NEVER).logsumexp(dim=1)
