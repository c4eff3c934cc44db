"""A model, a history, items → their Explanation, by what suits the model and the history."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from core.explain import shapley
from core.explain.contrast import Contrast
from core.explain.explanation import TOP, Explanation
from core.explain.game import Game
from core.types import Array, Ints, LinearInHistory, Queries, Recommender

MOST_PLAYERS = 200  # events, of which the oldest are one player together if there are more
PER_PLAYER = 100  # histories asked for, per event, at most
ENOUGH = 0.05  # standard error of all values together, relative to their length, that ends it
FIRST_PAIRS = 2  # of orders, after which there is something to see


def explain(
    model: Recommender,
    query: Queries,
    items: Array,
    *,
    n_items: int,
    against: int | None = None,
    seed: int = 0,
    per_player: int = PER_PLAYER,
    contrast: Contrast | None = None,
) -> Explanation:
    """Why the model lifts these items above others for this history, to full precision.

    What is explained is how far the score lies above those of all items that may be recommended
    (Contrast).
    In closed form where the score is linear in the history; by all coalitions of at most 12
    events; else by random orders with a control variate, until the values are known to 5 % or 100
    histories per event were asked for. Of more than 200 events the oldest are then one player.
    `seed` alone decides what is drawn.

    Args:
        model: Fitted or loaded.
        query: One history. Of whom it is plays no part.
        items: Codes (T,) of the items to explain; they share all that the model is asked.
        n_items: Items in the catalogue.
        against: Explain score - score of this item, for each of the items, instead.
        seed: Of the random orders.
        per_player: Histories asked for per event, at most, where orders are drawn.
        contrast: What the score is held against, if not what suits the model.

    Raises:
        BadInput: no such item, or not one history.
        CoreError: the values do not add up.
    """
    *_, last = refine(
        model,
        query,
        items,
        n_items=n_items,
        against=against,
        seed=seed,
        per_player=per_player,
        contrast=contrast,
    )
    return last


def refine(
    model: Recommender,
    query: Queries,
    items: Array,
    *,
    n_items: int,
    against: int | None = None,
    seed: int = 0,
    per_player: int = PER_PLAYER,
    until: int = 0,
    contrast: Contrast | None = None,
) -> Iterator[Explanation]:
    """The same (see explain), first roughly, then better and better; the last is `explain`'s.

    With `until` it is never good enough before so many histories were asked for.
    """
    linear = isinstance(model, LinearInHistory)
    groups = None if linear else player_of_events(len(query.items))
    game = Game(model, query, items, n_items, groups, against=against, contrast=contrast)
    n = game.n
    empty_and_whole = np.stack([np.zeros(n, bool), np.ones(n, bool)])
    ends = game(empty_and_whole)  # (2, T, C)
    if isinstance(model, LinearInHistory):
        values = shapley.from_fading_shares(game.shares(model), model.fading(max(n, 1)))
        yield game.explanation(values[:, :, None], method="closed form", seed=seed)
    elif n <= shapley.MOST_ENUMERATED:
        values = shapley.from_coalitions(flat(game(shapley.coalitions(n))))
        values = values.reshape(n, *ends.shape[1:])  # (n, T, C)
        yield game.explanation(values, method="enumeration", seed=seed)
    else:
        rng, sums = np.random.default_rng(seed), shapley.OrderSums(n)
        for pairs in pair_budgets(n, per_player):
            orders = shapley.random_orders(n, pairs - sums.pairs, rng)
            sums.add(orders, _values(game, shapley.prefixes(orders).reshape(-1, n)))
            explanation = _sampled(game, sums.sampled(), seed)
            yield explanation
            if explanation.evaluations >= until and good_enough(explanation):
                return


def player_of_events(n: int) -> Ints:
    """The player that each of n events is, (n,): the latest 199 for themselves, the rest as one."""
    return np.maximum(np.arange(n) - max(0, n - MOST_PLAYERS), 0)


def flat(values: Array) -> Array:
    """(M, T, C) → (M, T · C)."""
    return values.reshape(len(values), -1)


def pair_budgets(n: int, per_player: int) -> list[int]:
    """Pairs of orders after each step: two, then three times as many each time."""
    most = max(FIRST_PAIRS, per_player * n // (2 * max(1, n - 1)))
    steps = [FIRST_PAIRS, *(FIRST_PAIRS * 3**i for i in range(1, 20))]
    return [*(step for step in steps if step < most), most]


def good_enough(explanation: Explanation) -> bool:
    """Whether the values of every item are known to 5 %."""
    return bool((explanation.error <= ENOUGH).all())


def _values(game: Game, keep: Array) -> Array:
    """Each item's v, then, where there are components, its parts, (M, T [+ T · C])."""
    values = game(keep)
    total = values.sum(axis=2)
    return np.concatenate([total, flat(values)], axis=1) if game.components else total


def _sampled(game: Game, sampled: shapley.Sampled, seed: int) -> Explanation:
    """Of what orders say of the game's `_values`."""
    t, c = len(game.items), max(1, len(game.components))
    values = sampled.values[:, t:] if game.components else sampled.values
    return game.explanation(
        values.reshape(game.n, t, c),
        method="permutations",
        seed=seed,
        se=sampled.se[:, :t],
        stability=top_agreement(*(half[:, :t] for half in sampled.halves)),
    )


def top_agreement(a: Array, b: Array) -> Array:
    """Share of the first five players (by size) that both have, per item."""
    top = min(TOP, len(a))
    first = [np.argsort(-np.abs(x), axis=0, kind="stable")[:top] for x in (a, b)]
    pairs = zip(*(leading.T for leading in first), strict=True)
    return np.array([len(np.intersect1d(*pair)) / top for pair in pairs])
