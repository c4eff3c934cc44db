"""Softmax losses of what comes next, over all items or over some, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

LOGITS = 2**28  # rows × items held at once; beyond, they are made again on the way back
HAD = 200  # latest items of a history, at most, that do not count
NEVER = -1e9  # the logit of an item that must not count; finite, so that none left is no NaN
AGAIN: Any = {"use_reentrant": False, "preserve_rng_state": False}  # nothing in it is drawn
FULL_SOFTMAX_ITEMS = 30_000  # above, "auto" samples


def is_sampled(loss: str, n_items: int) -> bool:
    """Whether a loss of this name, "auto", "full" or "sampled", compares with some items only."""
    return loss == "sampled" or (loss == "auto" and n_items > FULL_SOFTMAX_ITEMS)


def full_softmax(
    states: Tensor, items: Tensor, targets: Tensor, had: Tensor | None = None
) -> Tensor:
    """Cross-entropy (B,) of the targets (B,) among all items (I, D), for states (B, D).

    Items in `had` (B, K) do not count, unless one is the target.
    """
    size = max(1, LOGITS // len(items))
    if len(states) > size:
        parts = zip(*(_split(x, size, len(states)) for x in (states, targets, had)), strict=True)
        return torch.cat([checkpoint(full_softmax, s, items, *p, **AGAIN) for s, *p in parts])
    logits = (states @ items.T).float()
    if had is not None:
        positive = (states * items.index_select(0, targets)).sum(dim=1, keepdim=True)
        logits = logits.scatter_(1, had, NEVER).scatter_(1, targets[:, None], positive.float())
    return functional.cross_entropy(logits, targets, reduction="none")


def sampled_softmax(
    states: Tensor,
    items: Tensor,
    targets: Tensor,
    candidates: Tensor,
    expected: Tensor,
    had: Tensor | None = None,
) -> Tensor:
    """Cross-entropy (B,) of the targets (B,), estimated from the candidates (C,), all of (I, D).

    `expected` (C,) is how often each is expected among them, `had` (B, C) which do not count; see
    `others`.
    """
    positive = (states * items.index_select(0, targets)).sum(dim=1)
    rest = others(states, targets, items.index_select(0, candidates), candidates, expected, had)
    return functional.softplus(rest - positive)


def had_so_far(items: Tensor) -> Tensor:
    """Of histories (B, L) the latest of the items up to each place, (B, L, K).

    >>> had_so_far(torch.tensor([[7, 5, 6]])).tolist()
    [[[7, 7, 7], [5, 7, 7], [6, 5, 7]]]
    """
    places = torch.arange(items.shape[1], device=items.device)
    return items[:, (places[:, None] - places[:HAD]).clamp(min=0)]


def had_from(items: Tensor, candidates: Tensor) -> Tensor:
    """The first place of each candidate (C,) in histories (B, L), (B, C); L where it is not.

    >>> had_from(torch.tensor([[7, 5, 7]]), torch.tensor([5, 6, 7])).tolist()
    [[1, 3, 0]]
    """
    n, width = items.shape
    rising, places = items.sort(dim=1, stable=True)  # of equal ones the earliest comes first
    wanted = candidates.expand(n, -1).contiguous()
    at = torch.searchsorted(rising, wanted).clamp_(max=width - 1)
    return torch.where(rising.gather(1, at) == wanted, places.gather(1, at), width)


def _split(x: Tensor | None, size: int, n: int) -> Iterable[Tensor | None]:
    return [None] * -(-n // size) if x is None else torch.split(x, size)


def candidates(shares: Tensor, drawn: int, own: Tensor) -> tuple[Tensor, Tensor]:
    """Items (C,) to compare with: first a step's own (O,), then so many drawn from all alike.

    And how often each is expected there (C,), for a target of the step: the O - 1 others come as
    often as their `shares` (I,) of all targets say.
    """
    items = torch.cat([own, torch.randint(len(shares), (drawn,), device=shares.device)])
    return items, drawn / len(shares) + max(0, len(own) - 1) * shares[items]


def others(
    states: Tensor,
    targets: Tensor,
    items: Tensor,
    candidates: Tensor,
    expected: Tensor,
    had: Tensor | None = None,
) -> Tensor:
    """Over candidates c (C,) that are neither the target nor had (B, C): log Σ exp(s_c - log n_c).

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
        parts = zip(*(_split(x, size, len(states)) for x in (states, targets, had)), strict=True)
        same = (items, candidates, expected)
        return torch.cat([checkpoint(others, s, t, *same, h, **AGAIN) for s, t, h in parts])
    logits = torch.addmm(-expected.log(), states, items.T).float()
    out = candidates == targets[:, None]
    out = out if had is None else out.logical_or_(had)
    return logits.masked_fill(out, NEVER).logsumexp(dim=1)
