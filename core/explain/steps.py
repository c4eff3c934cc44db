"""How many histories each step of an explanation asks for: known before any is asked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from core.explain import shapley
from core.explain.attribution import pair_budgets, player_of_events
from core.explain.coalitions import CoalitionMemo
from core.types import Array, LinearInHistory, Recommender


def evaluations_by_step(
    model: Recommender, events: int, *, seed: int, per_player: int
) -> Iterator[int]:
    """The `evaluations` of each step that `refine` yields, if none of them is good enough.

    Args:
        model: It tells only whether a closed form is used; it is asked for nothing.
        events: In the history.
        seed: Of the random orders.
        per_player: As `refine` is given it.
    """
    if isinstance(model, LinearInHistory):
        yield min(2, 1 + events)
        return
    n = int(player_of_events(events).max(initial=-1)) + 1
    if n <= shapley.MOST_ENUMERATED:
        yield 2**n
        return
    rng, memo, drawn = np.random.default_rng(seed), CoalitionMemo(n, ()), 0
    for pairs in pair_budgets(n, per_player):
        orders = shapley.random_orders(n, pairs - drawn, rng)
        memo.of(shapley.prefixes(orders).reshape(-1, n), _nothing)
        drawn = pairs
        yield len(memo)


def _nothing(keep: Array) -> Array:
    return np.zeros(len(keep))
