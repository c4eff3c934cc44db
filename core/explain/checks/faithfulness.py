"""Whether the events that an explanation names first are those that matter to the model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.errors import BadInput
from core.explain.item_rank import ItemRanks
from core.types import Array, Ints, Queries, Recommender

PLACES = (1, 5, 10)  # K of POS and NEG
PERCENT = np.arange(0, 101, 10)  # of the events, both ends included
FEW = 5  # events at most of the measures that end in Ke

# Whether more is better, of each measure.
MEASURES: dict[str, bool] = {
    **{f"POS@{k}": False for k in PLACES},
    **{f"NEG@{k}": True for k in PLACES},
    "DEL": False,
    "INS": True,
    **{f"POS@{k},Ke": False for k in PLACES},
    **{f"NEG@{k},Ke": True for k in PLACES},
    "DEL@Ke": False,
    "INS@Ke": True,
}


def faithfulness(
    model: Recommender, query: Queries, item: int, orders: Mapping[str, Array], *, n_items: int
) -> dict[str, dict[str, float]]:
    """How faithful each order of the events is to the model, by name and by MEASURES.

    Means over what is left when 0, 10, …, 100 % of the n events are removed (the nearest whole
    number of them, halves up), or, of the measures that end in Ke, exactly 1, 2, … 5 (or n):

    - POS@K: share in which the item is still among the first K, the most important events removed.
    - NEG@K: the same with the least important ones removed.
    - DEL: the item's share of the softmax of all scores, the most important removed, relative to
      that with the whole history.
    - INS: the same with only the most important kept.

    Scores themselves may be negative, so their ratio means nothing; what a history adds to them
    may be next to nothing, and dividing by it leaves the mean to a few people. Ranks are among the
    candidates of the whole history, its own items left out; events are dropped and the rest is
    asked as a stranger's history. All orders share what is asked. After "FidelityMetrics4XRec"
    (SIGIR 2025), which blanks events in place.

    Args:
        model: Fitted or loaded.
        query: One history of n ≥ 1 events.
        item: Its code.
        orders: Name → positions of all events (n,), the most important first.
        n_items: Items in the catalogue.

    Raises:
        BadInput: no such item, an empty history, or an order that is none.
    """
    item_ranks = ItemRanks(model, query, item, n_items)
    n = item_ranks.n
    if not n:
        raise BadInput("an empty history has no events to put in order")
    for name, order in orders.items():
        if not np.array_equal(np.sort(order), np.arange(n)):
            raise BadInput(f"order {name!r} must hold each of 0 … {n - 1} once, not {order}")
    sizes = np.concatenate([(n * PERCENT + 50) // 100, np.arange(1, min(FEW, n) + 1)])
    keep = np.array([_cut(order, sizes) for order in orders.values()], bool)
    ranked = item_ranks(keep.reshape(-1, n))
    shape = (len(orders), 3, len(sizes))  # by order, way of cutting and size
    rows = zip(orders, ranked.ranks.reshape(shape), ranked.shares.reshape(shape), strict=True)
    return {name: _measured(ranks, shares) for name, ranks, shares in rows}


def _cut(order: Array, sizes: Ints) -> Array:
    """Kept without the first so many, without the last so many, or of them alone, (3, S, n)."""
    position, size = np.argsort(order), sizes[:, None]
    return np.stack([position >= size, position < len(order) - size, position < size])


def _measured(ranks: Array, shares: Array) -> dict[str, float]:
    """By MEASURES, from ranks and shares (3, S) of what `_cut` keeps, the first of them all."""
    left = shares / shares[0, 0]
    measures = {}
    for points, end in ((slice(len(PERCENT)), ""), (slice(len(PERCENT), None), "Ke")):
        for kind, row in (("POS", 0), ("NEG", 1)):
            for k in PLACES:
                name = f"{kind}@{k},{end}" if end else f"{kind}@{k}"
                measures[name] = float((ranks[row, points] <= k).mean())
        for kind, row in (("DEL", 0), ("INS", 2)):
            measures[f"{kind}@{end}" if end else kind] = float(left[row, points].mean())
    return measures
