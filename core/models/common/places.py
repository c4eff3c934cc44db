"""Where held-out items stand among all items: the same for evaluation and for validation."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from core.errors import BadInput
from core.types import Holdout, Ints, Queries

COUNTED = 64  # a query with more targets than this is sorted once instead of counted for each
UNREACHABLE = int(np.iinfo(np.int64).max)  # the place of a target that no list can contain
HIDDEN = -torch.inf  # the score of an item that a list leaves out


def hide_seen_items(scores: Tensor, queries: Queries) -> Tensor:
    """A copy of the scores (B, n_items) with -inf for the items in each query's own history.

    >>> q = Queries(np.array([0]), np.array([0, 2]), np.array([1, 1]), np.ones(2, np.float32))
    >>> hide_seen_items(torch.tensor([[3.0, 2.0, 1.0]]), q).tolist()
    [[3.0, -inf, 1.0]]
    """
    rows = torch.from_numpy(queries.rows).to(scores.device)
    items = torch.from_numpy(queries.items.astype(np.int64, copy=False)).to(scores.device)
    return scores.index_put((rows, items), scores.new_tensor(HIDDEN))


def distinct_targets(holdout: Holdout, n_items: int) -> tuple[Ints, Ints]:
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


def reachable(holdout: Holdout) -> tuple[Holdout, Ints]:
    """The targets that a list without seen items can hold, each once; queries without any left out.

    Beside them how many distinct targets each of these queries has, seen ones too.

    >>> history = Queries(np.array([0]), np.array([0, 1]), np.array([7]), np.ones(1, np.float32))
    >>> left, totals = reachable(Holdout(history, np.array([5, 7, 5]), np.array([0, 3])))
    >>> left.targets.tolist(), totals.tolist()
    ([5], [2])
    """
    queries = holdout.queries
    n_items = 1 + int(max(holdout.targets.max(initial=0), queries.items.max(initial=0)))
    owner, targets = distinct_targets(holdout, n_items)
    unseen = ~np.isin(owner * n_items + targets, queries.rows * n_items + queries.items)
    asked, counts = np.unique(owner[unseen], return_counts=True)
    left = Holdout(queries[asked], targets[unseen], np.concatenate([[0], np.cumsum(counts)]))
    return left, np.bincount(owner)[asked]


def at_least_as_high(scores: Tensor, rows: Tensor, targets: Tensor) -> Tensor:
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


def spread_ties(owner: Ints, reach: Ints) -> Ints:
    """Distinct places (T,): m targets of a query that tie get the last m places of their tie."""
    starts = np.flatnonzero(np.r_[True, (np.diff(owner) != 0) | (np.diff(reach) != 0)])
    sizes = np.diff(np.r_[starts, len(reach)])
    nth = np.arange(len(reach)) - np.repeat(starts, sizes)
    spread = reach - (np.repeat(sizes, sizes) - 1 - nth)
    return np.where(reach == UNREACHABLE, reach, spread)
