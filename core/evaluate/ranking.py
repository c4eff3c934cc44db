"""A model against a holdout: every item ranked for every query, on the model's device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from core.evaluate.metrics import Places
from core.models.common.places import (
    HIDDEN,
    UNREACHABLE,
    at_least_as_high,
    distinct_targets,
    hide_seen_items,
    spread_ties,
)
from core.recommend.top_k import Reorder, score_blocks, top_k
from core.recommend.top_k import candidates as candidates_of
from core.types import PAD, Array, Holdout, Ints, Progress, Recommender

if TYPE_CHECKING:
    from core.recommend.ruled_lists import CatalogueRules


@dataclass(frozen=True, eq=False)
class Ranking:
    """What a model ranked where, for the B queries that have a target."""

    queries: Ints  # (B,) their positions in the holdout
    targets: Ints  # (T,) item codes, a repeat within a query left out; in the order of `places`
    places: Places
    items: Ints  # (B, K) the lists, PAD where fewer items are left
    cut_tied: Array  # (B,) bool: the last item of the list ties in score with one left out


def rank(
    model: Recommender,
    holdout: Holdout,
    k: int,
    *,
    n_items: int,
    hide_seen: bool,
    reorder: Reorder | None = None,
    rules: CatalogueRules | None = None,
    on_progress: Progress | None = None,
) -> Ranking:
    """Where each target stands among all items, and the first k items of each query.

    A target's place is 1 + the other items that score at least as high, so a tie counts against
    it; targets that tie with each other share the places at the bottom of their tie. With `reorder`
    the first k places are those it chooses, and all other items follow in the model's order. What
    `rules` do not allow is nowhere, and nothing follows a list that they end before k.

    Raises:
        BadInput: no query has a target, or a target is not an item code.
    """
    owner, targets = distinct_targets(holdout, n_items)
    with_target, position = np.unique(owner, return_inverse=True)
    queries = holdout.queries[with_target] if len(with_target) < len(holdout) else holdout.queries
    if rules is not None and rules.reorders:
        reorder = rules
    reach = np.full(len(targets), UNREACHABLE)
    items = np.full((len(with_target), k), PAD, np.int64)
    candidates = np.empty(len(with_target), np.int64)
    tied = np.empty(len(with_target), bool)
    for block, scores in score_blocks(model, queries, n_items):
        allowed = hide_seen_items(scores, queries[block]) if hide_seen else scores
        if rules is not None:
            allowed = rules.hide(allowed)
        if reorder is not None:
            first, _ = candidates_of(allowed, k, rules)
            first = first.gather(1, reorder(first, queries[block], k))
            allowed = _promoted(allowed, first)
        low, high = np.searchsorted(position, (block.start, block.stop))
        rows = torch.from_numpy(position[low:high] - block.start).to(allowed.device)
        wanted = torch.from_numpy(targets[low:high]).to(allowed.device)
        reach[low:high] = at_least_as_high(allowed, rows, wanted).cpu().numpy()
        listed, best = top_k(allowed, k)
        items[block] = listed.cpu().numpy()
        candidates[block] = (allowed > HIDDEN).sum(dim=1).cpu().numpy()
        last = best[:, -1:]
        cut = ((allowed >= last).sum(dim=1) > k) & (last[:, 0] > HIDDEN)
        tied[block] = cut.cpu().numpy()
        if on_progress is not None:
            on_progress("evaluate", block.stop / len(with_target))
    order = np.lexsort((reach, position))
    offsets = np.searchsorted(position, np.arange(len(with_target) + 1))
    places = Places(spread_ties(position[order], reach[order]), offsets, candidates)
    return Ranking(with_target, targets[order], places, items, tied)


def _promoted(scores: Tensor, items: Tensor) -> Tensor:
    """The scores (b, I) with these items (b, K) above all others, in this order.

    Where they end with PAD nothing follows them.

    >>> _promoted(torch.tensor([[2.0, 1.0, 3.0]]), torch.tensor([[1, 0]])).argsort().tolist()
    [[2, 0, 1]]
    >>> (_promoted(torch.tensor([[2.0, 1.0, 3.0]]), torch.tensor([[1, PAD]])) > HIDDEN).tolist()
    [[False, True, False]]
    """
    scores = scores.clone()
    above = scores.amax(dim=1).clamp(min=torch.finfo(scores.dtype).tiny)  # no denormal numbers
    scores[(items == PAD).any(dim=1)] = HIDDEN
    for nth in reversed(range(items.shape[1])):
        above = above.nextafter(above.new_tensor(torch.inf))
        rows = (items[:, nth] != PAD).nonzero()[:, 0]
        scores[rows, items[rows, nth]] = above[rows]
    return scores
