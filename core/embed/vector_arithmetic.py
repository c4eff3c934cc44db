"""Like these, less those: a direction made of items' vectors, and the items that lie that way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from core.embed.index import Index
from core.embed.neighbours import Exact, unit64
from core.errors import BadInput
from core.types import Array, Ints

WEIGHT = 0.5  # of what is wanted less, beside what is wanted
NOTHING = 1e-6  # length of a direction, of unit vectors, below which float32 has none


@dataclass(frozen=True, eq=False)
class CombinedNeighbours:
    """The K items nearest to a direction, the nearest first, and why they are."""

    items: Ints  # (K,)
    cosines: Array  # (K,) float64, -1 … 1, with the direction
    parts: Array  # (K, M) float64, what each of the M named items adds to it: Σ = cosine


def combined_neighbours(
    search: Exact | Index,
    like: Sequence[int],
    less: Sequence[int] = (),
    *,
    k: int = 10,
    weight: float = WEIGHT,
    called: Callable[[int], object] = int,
) -> CombinedNeighbours:
    """The k items nearest to d = mean of û over `like` - weight · mean of û over `less`.

    û is an item's unit vector. What is named is no answer. Since cos(x, d) = x̂ · d / |d| is a sum
    over the named items i, each has its exact part of it: c_i (x̂ · û_i) / |d|, with c_i = 1 / P of
    the P liked and -weight / N of the N others. Rocchio, "Relevance feedback in information
    retrieval", in The SMART Retrieval System, 1971, with β = 1, γ = weight, no query of its own,
    and unit vectors. One item alone has its neighbours for answers.

    Args:
        search: What finds neighbours among all items.
        like: Codes, each of which counts once; `parts` has them first, in this order.
        less: The same of what is wanted less.
        k: How many; fewer come where there are no more.
        weight: 0 or more; at 0 `less` only takes itself away.
        called: What an item is called where something is wrong with it.

    Raises:
        BadInput: nothing is liked, an item is on both sides or its vector is 0, the two sides
            cancel each other, or the weight is no number from 0.
    """
    like, less = list(dict.fromkeys(like)), list(dict.fromkeys(less))
    codes = np.array([*like, *less], np.int64)
    own = unit64(search.vectors[codes])  # (M, D)
    _check(like, less, weight, own, called)
    signed = np.append(
        np.full(len(like), 1 / len(like)), np.full(len(less), -weight / max(1, len(less)))
    )
    direction = signed @ own
    length = float(np.linalg.norm(direction))
    if length < NOTHING:
        raise BadInput(
            "what is wanted and what is wanted less point the same way and cancel each other: "
            "name other items, or give what is wanted less a smaller weight"
        )
    near = search.nearest(direction[None], k + len(codes))
    there = (near.items[0] >= 0) & ~np.isin(near.items[0], codes)
    items = near.items[0][there][:k]
    parts = unit64(search.vectors[items]) @ own.T * signed / length
    return CombinedNeighbours(items, near.cosines[0][there][:k], parts)


def _check(
    like: list[int], less: list[int], weight: float, own: Array, called: Callable[[int], object]
) -> None:
    if not like:
        raise BadInput("nothing is wanted: name one item or more that the answers should be like")
    if both := [item for item in like if item in less]:
        raise BadInput(
            f"item {called(both[0])} is wanted and wanted less at once: leave it out on one side"
        )
    if not 0 <= weight < float("inf"):
        raise BadInput(f"the weight of what is wanted less is a number from 0, not {weight}")
    for item, vector in zip([*like, *less], own, strict=True):
        if not vector.any():
            raise BadInput(
                f"nobody took item {called(item)} where the model learnt: its vector is 0 and "
                "points nowhere, so leave it out"
            )
