"""A model against a holdout: every item ranked for every query, on the model's device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.errors import BadInput
from core.evaluate.metrics import UNREACHABLE, Places
from core.recommend.top_k import CANDIDATES, HIDDEN, Reorder, hide_seen_items, score_blocks, top_k
from core.types import PAD, Array, Holdout, Ints, Progress, Recommender

COUNTED = 64  # a query with more targets than this is sorted once instead of counted for each


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
    on_progress: Progress | None = None,
) -> Ranking:
    """Where each target stands among all items, and the first k items of each query.

    A target's place is 1 + the other items that score at least as high, so a tie counts against
    it; targets that tie with each other share the places at the bottom of their tie. With `reorder`
    the first k places are those it chooses, and all other items follow in the model's order.

    Raises:
        BadInput: no query has a target, or a target is not an item code.
    """
    owner, targets = _distinct_targets(holdout, n_items)
    with_target, position = np.unique(owner, return_inverse=True)
    queries = holdout.queries[with_target] if len(with_target) < len(holdout) else holdout.queries
    reach = np.full(len(targets), UNREACHABLE)
    items = np.full((len(with_target), k), PAD, np.int64)
    candidates = np.empty(len(with_target), np.int64)
    tied = np.empty(len(with_target), bool)
    for block, scores in score_blocks(model, queries, n_items):
        allowed = hide_seen_items(scores, queries[block]) if hide_seen else scores
        if reorder is not None:
            first, _ = top_k(allowed, max(k, CANDIDATES))
            first = first.gather(1, reorder(first, queries[block], k))
            allowed = _promoted(allowed, first)
        low, high = np.searchsorted(position, (block.start, block.stop))
        rows = torch.from_numpy(position[low:high] - block.start).to(allowed.device)
        wanted = torch.from_numpy(targets[low:high]).to(allowed.device)
        reach[low:high] = _at_least_as_high(allowed, rows, wanted).cpu().numpy()
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
    places = Places(_spread_ties(position[order], reach[order]), offsets, candidates)
    return Ranking(with_target, targets[order], places, items, tied)


def _distinct_targets(holdout: Holdout, n_items: int) -> tuple[Ints, Ints]:
    """The query and the item of each target, sorted by query; a repeat counts once."""
    targets = holdout.targets.astype(np.int64, copy=False)
    if not len(targets):
        raise BadInput("nothing to evaluate on: no query has a target; choose another split")
    if targets.min() < 0 or targets.max() >= n_items:
        raise BadInput(
            f"targets must be item codes in 0 … {n_items - 1}, "
            f"not {targets.min()} … {targets.max()}"
        )
    owner = np.repeat(np.arange(len(holdout)), np.diff(holdout.offsets))
    pairs = np.sort(owner * n_items + targets)
    pairs = pairs[np.r_[True, np.diff(pairs) > 0]]
    return pairs // n_items, pairs % n_items


def _promoted(scores: Tensor, items: Tensor) -> Tensor:
    """The scores (b, I) with these items (b, K) above all others, in this order; PAD is passed by.

    >>> _promoted(torch.tensor([[2.0, 1.0, 3.0]]), torch.tensor([[1, PAD]])).argsort().tolist()
    [[0, 2, 1]]
    """
    scores = scores.clone()
    above = scores.amax(dim=1).clamp(min=torch.finfo(scores.dtype).tiny)  # no denormal numbers
    for nth in reversed(range(items.shape[1])):
        above = above.nextafter(above.new_tensor(torch.inf))
        rows = (items[:, nth] != PAD).nonzero()[:, 0]
        scores[rows, items[rows, nth]] = above[rows]
    return scores


def _at_least_as_high(scores: Tensor, rows: Tensor, targets: Tensor) -> Tensor:
    """How many items score at least as high as each target, itself included, (t,).

    UNREACHABLE where the target is hidden. Rows ascend.
    """
    own = scores[rows, targets]
    reach = torch.full_like(rows, UNREACHABLE)
    per_row = torch.bincount(rows, minlength=len(scores))
    first = torch.cumsum(per_row, 0) - per_row
    few = per_row <= COUNTED
    for nth in range(int(per_row[few].max()) if few.any() else 0):
        who = ((per_row > nth) & few).nonzero()[:, 0]
        at = first[who] + nth
        of_who = scores if len(who) == len(scores) else scores[who]
        reach[at] = (of_who >= own[at, None]).sum(dim=1)
    for row in (~few).nonzero()[:, 0].tolist():
        mine = slice(int(first[row]), int(first[row] + per_row[row]))
        ascending = scores[row].sort().values
        reach[mine] = len(ascending) - torch.searchsorted(ascending, own[mine])
    return reach.masked_fill(own == HIDDEN, UNREACHABLE)


def _spread_ties(owner: Ints, reach: Ints) -> Ints:
    """Distinct places (T,): m targets of a query that tie get the last m places of their tie."""
    starts = np.flatnonzero(np.r_[True, (np.diff(owner) != 0) | (np.diff(reach) != 0)])
    sizes = np.diff(np.r_[starts, len(reach)])
    nth = np.arange(len(reach)) - np.repeat(starts, sizes)
    spread = reach - (np.repeat(sizes, sizes) - 1 - nth)
    return np.where(reach == UNREACHABLE, reach, spread)
