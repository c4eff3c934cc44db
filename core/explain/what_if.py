"""A history changed by hand, and what that moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.errors import BadInput
from core.explain.history import one_history
from core.models.common.places import HIDDEN, hide_seen_items
from core.recommend.top_k import score_blocks, top_k
from core.types import PAD, Ints, Queries, Recommender

EVENT_FIELDS = ("items", "weights", "times", "values", "events", "platforms", "now")


@dataclass(frozen=True)
class Move:
    """An item's ranks, from 1; None where it is in the history and therefore not recommended."""

    item: int
    before: int | None
    after: int | None


def edit_history(
    query: Queries,
    *,
    drop: Sequence[int] = (),
    add: Sequence[int] = (),
    order: Sequence[int] | None = None,
    event: int = PAD,
    value: float = np.nan,
    n_items: int | None = None,
) -> Queries:
    """The history without some events, in another order, with others after it; a stranger's.

    Re-ordered events take the times of their new places, so that times stay sorted. An added event
    counts as one of weight 1, a unit of time after the one before it; the first a unit after the
    last there was, dropped or not (after `now` or 0 if there was none).

    Args:
        query: One history.
        drop: Positions of events in it to leave out.
        add: Codes of items to append, in this order.
        order: Positions of the events that stay, each once, in their new order; those dropped may
            be among them.
        event: Code of the kind of the added events, where the history has kinds; PAD for none.
        value: Their rating or quantity, where it has those.
        n_items: Items in the catalogue, to check `add` against.

    Raises:
        BadInput: a position or an item that does not exist, or an order that is none.
    """
    query = one_history(query)
    kept = _kept(len(query.items), drop, order)
    added = np.asarray(list(add), np.int64)
    for code in added:
        if code < 0 or (n_items is not None and code >= n_items):
            most = "…" if n_items is None else f"… {n_items - 1}"
            raise BadInput(f"items to add must be codes in 0 {most}, not {code}")

    def with_more(events: Any, fill: float) -> Any:
        if events is None:
            return None
        return np.concatenate([events[kept], np.full(len(added), fill, events.dtype)])

    return replace(
        query,
        offsets=np.array([0, len(kept) + len(added)]),
        items=np.concatenate([query.items[kept], added]),
        weights=with_more(query.weights, 1),
        times=_times(query, kept, len(added)),
        values=with_more(query.values, value),
        events=with_more(query.events, event),
        platforms=with_more(query.platforms, PAD),
    )


def _kept(n: int, drop: Sequence[int], order: Sequence[int] | None) -> Ints:
    """Positions of the n events that stay, in their new order."""
    for position in drop:
        if not 0 <= position < n:
            raise BadInput(f"events to drop must be positions in 0 … {n - 1}, not {position}")
    gone = set(drop)
    stay = [position for position in range(n) if position not in gone]
    if order is None:
        return np.array(stay, np.int64)
    kept = [int(position) for position in order if position not in gone]
    if sorted(kept) != stay:
        raise BadInput(
            f"the order must hold each event that stays once, {len(stay)} in all, not {kept}"
        )
    return np.array(kept, np.int64)


def _times(query: Queries, kept: Ints, more: int) -> Ints | None:
    if query.times is None:
        return None
    start = 0 if query.now is None else int(query.now[0])
    last = int(query.times[-1]) if len(query.times) else start
    return np.concatenate([np.sort(query.times[kept]), last + np.arange(1, more + 1)])


def rank_moves(
    model: Recommender, before: Queries, after: Queries, *, n_items: int, k: int
) -> tuple[Move, ...]:
    """Where each item of either top k stood and stands, the new list first, then what left it.

    Both are asked as a stranger's history, at once; each hides the items that are in it.

    Raises:
        BadInput: not one history before and one after, alike in what is known of events, or k is
            below 1.
    """
    if len(before) != 1 or len(after) != 1:
        raise BadInput(f"one history is compared with one, not {len(before)} with {len(after)}")
    if k < 1:
        raise BadInput(f"k must be at least 1, not {k}")
    both = _joined(before, after)
    scores = torch.cat([scores for _, scores in score_blocks(model, both, n_items)])
    allowed = hide_seen_items(scores, both)
    old, new = ([code for code in row if code != PAD] for row in top_k(allowed, k)[0].tolist())
    return tuple(
        Move(item, _rank(allowed[0], item), _rank(allowed[1], item))
        for item in dict.fromkeys(new + old)
    )


def _joined(first: Queries, second: Queries) -> Queries:
    """Two histories of strangers as two queries."""

    def both(name: str) -> Any:
        a, b = getattr(first, name), getattr(second, name)
        if (a is None) != (b is None):
            raise BadInput(f"both histories must have {name}, or none of them")
        return None if a is None else np.concatenate([a, b])

    return Queries(
        users=np.full(2, PAD),
        offsets=np.array([0, len(first.items), len(first.items) + len(second.items)]),
        **{name: both(name) for name in EVENT_FIELDS},
    )


def _rank(allowed: Tensor, item: int) -> int | None:
    """From 1 among the scores (n_items,), the lower code first of equals; None if hidden."""
    own = allowed[item]
    if own == HIDDEN:
        return None
    return 1 + int((allowed > own).sum()) + int((allowed[:item] == own).sum())
