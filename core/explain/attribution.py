"""A model, a history, items → their Explanation, by what suits the model and the history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from core.errors import BadInput
from core.explain import shapley
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
) -> Explanation:
    """Why the model scores these items as it does for this history, to full precision.

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

    Raises:
        BadInput: no such item, or not one history.
        CoreError: the values do not add up.
    """
    *_, last = refine(
        model, query, items, n_items=n_items, against=against, seed=seed, per_player=per_player
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
) -> Iterator[Explanation]:
    """The same (see explain), first roughly, then better and better; the last is `explain`'s."""
    items, asked = asked_for(query, items, against, n_items)
    query = anonymous(query)
    linear = isinstance(model, LinearInHistory)
    game = Game(model, query, asked, n_items, None if linear else latest_apart(len(query.items)))
    n, parts = game.n, max(1, len(game.components))
    both = game(np.stack([np.zeros(n, bool), np.ones(n, bool)]))
    shown = _Shown(game, items, against, both, seed)
    if isinstance(model, LinearInHistory):
        values = shapley.of_fading(model.shares(query, asked), model.fading(max(n, 1)))
        yield shown.exactly("closed form", values[:, :, None])
    elif n <= shapley.MOST_ENUMERATED:
        values = shapley.of_all(flat(game(shapley.coalitions(n))))
        yield shown.exactly("enumeration", values.reshape(n, len(asked), parts))
    else:
        rng, orders = np.random.default_rng(seed), np.zeros((0, n), np.int64)
        for pairs in budgets(n, per_player):
            new = shapley.orders(n, pairs - len(orders) // 2, rng)
            orders = np.concatenate([orders, new])
            found = shown.sampled(orders)
            yield found
            if good_enough(found):
                return


def asked_for(query: Queries, items: Array, against: int | None, n_items: int) -> tuple[Ints, Ints]:
    """The items (T,), and those that the model is asked for: the same, and `against` last.

    Raises:
        BadInput: no such item, or not one history.
    """
    items = np.atleast_1d(np.asarray(items, np.int64))
    asked = items if against is None else np.append(items, against)
    if len(query) != 1:
        raise BadInput(f"one history is explained at a time, not {len(query)}")
    if not len(items) or asked.min() < 0 or asked.max() >= n_items:
        raise BadInput(f"items must be one or more codes in 0 … {n_items - 1}, not {asked}")
    return items, asked


def anonymous(query: Queries) -> Queries:
    """The history as a stranger's: who did it plays no part in what is explained."""
    return replace(query, users=np.full(len(query), -1))


def latest_apart(n: int) -> Ints:
    """The player that each of n events is, (n,): the latest 199 for themselves, the rest as one."""
    return np.maximum(np.arange(n) - max(0, n - MOST_PLAYERS), 0)


def flat(values: Array) -> Array:
    """(M, T, C) → (M, T · C)."""
    return values.reshape(len(values), -1)


def budgets(n: int, per_player: int) -> list[int]:
    """Pairs of orders after each step: two, then three times as many each time."""
    most = max(FIRST_PAIRS, per_player * n // (2 * max(1, n - 1)))
    steps = [FIRST_PAIRS, *(FIRST_PAIRS * 3**i for i in range(1, 20))]
    return [*(step for step in steps if step < most), most]


def good_enough(found: Explanation) -> bool:
    """Whether the values of every item are known to 5 %."""
    return bool((found.error <= ENOUGH).all())


class _Shown:
    """What a game says, as Explanations."""

    def __init__(
        self, game: Game, items: Ints, against: int | None, both: Array, seed: int
    ) -> None:
        self.game, self.items, self.against, self.seed = game, items, against, seed
        self.base, self.scores = self._contrast(both)

    def _contrast(self, values: Array) -> Array:
        """Less those of `against`, which come last, (…, T, C)."""
        if self.against is None:
            return values
        return values[..., :-1, :] - values[..., -1:, :]

    def exactly(self, method: str, values: Array) -> Explanation:
        return self._of(method, self._contrast(values), None, np.ones(len(self.items)))

    def sampled(self, orders: Ints) -> Explanation:
        t, n = len(self.items), self.game.n

        def v(keep: Array) -> Array:
            """Each item's total, then, where there are components, its parts."""
            parts = self._contrast(self.game(keep))
            total = parts.sum(axis=2)
            return np.concatenate([total, flat(parts)], axis=1) if self.game.components else total

        found = shapley.of_orders(v, orders)
        parts = found.values[:, t:] if self.game.components else found.values
        halves = (half[:, :t] for half in found.halves)
        return self._of(
            "permutations",
            parts.reshape(n, t, max(1, len(self.game.components))),
            found.se[:, :t],
            agreement(*halves),
        )

    def _of(self, method: str, values: Array, se: Array | None, stability: Array) -> Explanation:
        game = self.game
        return Explanation(
            items=self.items,
            players=game.groups,
            scores=self.scores.sum(axis=1),
            base=self.base.sum(axis=1),
            values=values.sum(axis=2),
            se=np.zeros(values.shape[:2]) if se is None else se,
            method=method,
            evaluations=game.evaluations,
            seed=self.seed,
            stability=stability,
            against=self.against,
            components=game.components,
            by_component=values if game.components else np.zeros((0, 0, 0)),
            base_by_component=self.base if game.components else np.zeros((0, 0)),
        )


def agreement(a: Array, b: Array) -> Array:
    """Share of the first five players (by size) that both have, per item."""
    top = min(TOP, len(a))
    first = [np.argsort(-np.abs(x), axis=0, kind="stable")[:top] for x in (a, b)]
    shared = [np.intersect1d(*both) for both in zip(*(f.T for f in first), strict=True)]
    return np.array([len(some) / top for some in shared])
