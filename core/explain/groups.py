"""The events of a history in a few groups: the groups exactly, then the members of each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import comb

import numpy as np

from core.errors import BadInput
from core.explain import shapley
from core.explain.attribution import (
    MOST_PLAYERS,
    PER_PLAYER,
    flat,
    good_enough,
    pair_budgets,
    top_agreement,
)
from core.explain.explanation import Explanation
from core.explain.game import Game
from core.explain.history import one_history
from core.models.common.attributes import attributes, categories
from core.types import Array, Features, Ints, Queries, Recommender

VISIT, EVENT, ITEM = "visit", "event", "item."  # item.genres: by the attribute genres
OTHER = "other"  # the group of all that is in no other
MOST_GROUPS = shapley.MOST_ENUMERATED
GROUPS = 8  # if one does not say how many at most


def grouping_names(query: Queries, features: Features | None = None) -> tuple[str, ...]:
    """How the events of this history can be grouped, as in visit, event, item.genres.

    Attributes whose values here are words come before those of codes, which tell nobody anything.
    """
    kinds = (EVENT,) if query.events is not None else ()
    block = categories(features)
    if block is None:
        return (VISIT, *kinds)
    had = np.unique(block.matrix.tocsr()[query.items].indices)
    values = {
        name: [block.names[column].partition("=")[2] for column in np.intersect1d(columns, had)]
        for name, columns in attributes(block.names).items()
    }
    in_words = sorted(values, key=lambda name: _are_words(values[name]), reverse=True)
    return (VISIT, *kinds, *(f"{ITEM}{name}" for name in in_words))


def _are_words(values: Sequence[str]) -> bool:
    """Whether most of them have more letters than digits.

    >>> _are_words(["appliances.kitchen", "茶具", "B7"]), _are_words(["2053013555631882655"])
    (True, False)
    """
    words = [sum(map(str.isalpha, value)) > sum(map(str.isdigit, value)) for value in values]
    return 2 * sum(words) > len(words)


def group_labels(
    query: Queries,
    how: str,
    features: Features | None = None,
    *,
    most: int = GROUPS,
    event_names: Sequence[str] = (),
) -> tuple[Ints, tuple[str, ...]]:
    """The group of each event (n,) in 0 … G - 1, G ≤ most, and the groups' names.

    By visit: cut where most time passed between two events; without times, or where they pass
    evenly, into equal parts; oldest first, called by the places of their events, from 1, "3–7".
    By event: the kind. By an attribute of the item: its value, of several its first. Of more
    kinds or values than fit the most frequent have groups, by falling size; the rest, and events
    without any, are "other", which comes last.

    Args:
        query: One history.
        how: One of `grouping_names`.
        features: Of the items.
        most: Groups at most, 2 … 12.
        event_names: Of the kinds of events; their codes where it is silent.

    Raises:
        BadInput: not one history, no such grouping, or too many groups.
    """
    query = one_history(query)
    if not 2 <= most <= MOST_GROUPS:
        raise BadInput(f"there may be 2 to {MOST_GROUPS} groups, not {most}")
    if how == VISIT:
        return _visits(query, most)
    if how == EVENT and query.events is not None:
        kinds = {code: str(code) for code in np.unique(query.events).tolist() if code >= 0}
        kinds |= {code: name for code, name in enumerate(event_names) if code in kinds}
        return _frequent(query.events, kinds, most)
    block, name = categories(features), how.removeprefix(ITEM)
    columns = attributes(block.names).get(name) if block else None
    if block is None or columns is None or not how.startswith(ITEM):
        names = ", ".join(grouping_names(query, features))
        raise BadInput(f"events cannot be grouped by {how!r} here: choose one of {names}")
    own = block.matrix.tocsr()[query.items][:, columns]
    valued = np.diff(own.indptr) > 0  # (n,)
    first = np.full(len(query.items), -1)
    if valued.any():
        first[valued] = np.minimum.reduceat(own.indices, own.indptr[:-1][valued])
    values = {c: block.names[column].partition("=")[2] for c, column in enumerate(columns)}
    return _frequent(first, values, most)


def _visits(query: Queries, most: int) -> tuple[Ints, tuple[str, ...]]:
    """Runs of events between which most time passed, or equal parts."""
    n = len(query.items)
    gaps = np.zeros(max(0, n - 1)) if query.times is None else np.diff(query.times)
    if len(np.unique(gaps)) > 1:
        order = np.argsort(-gaps[::-1], kind="stable")[: most - 1]  # of equal ones the latest
        cuts = np.sort(n - 1 - order[gaps[::-1][order] > 0])
    else:
        cuts = np.unique(np.linspace(0, n, min(most, max(1, n)) + 1).astype(int)[1:-1])
    codes = np.searchsorted(cuts, np.arange(n), side="right").astype(np.int64)
    ends = [0, *cuts.tolist(), n] if n else []
    runs = (f"{low + 1}–{high}" if high > low + 1 else f"{high}" for low, high in pairwise(ends))
    return codes, tuple(runs)


def _frequent(codes: Array, names: dict[int, str], most: int) -> tuple[Ints, tuple[str, ...]]:
    """Groups by code; those that are too many, and those without a name, are the last one."""
    distinct, counts = np.unique(codes, return_counts=True)
    named = np.array([code in names for code in distinct.tolist()], bool)
    order = np.argsort(-counts[named], kind="stable")
    kept = distinct[named][order]
    if len(distinct) > most:
        kept = kept[: most - 1]
    group_of = {code: group for group, code in enumerate(kept.tolist())}
    groups = np.array([group_of.get(code, len(kept)) for code in codes.tolist()], np.int64)
    last = (OTHER,) if (groups == len(kept)).any() else ()
    return groups, (*(names[code] for code in kept.tolist()), *last)


def explain_groups(
    model: Recommender,
    query: Queries,
    items: Array,
    groups: Array,
    *,
    n_items: int,
    against: int | None = None,
    seed: int = 0,
) -> Explanation:
    """Why the model scores these items as it does, the groups of events being the players.

    Exact, by all coalitions of at most 12 groups: of a group all events are there, or none.
    `groups` are codes 0 … G - 1 of the events (n,), each of which occurs; for the rest see explain.

    Raises:
        BadInput: no such item, not one history, or other codes than these.
        CoreError: the values do not add up.
    """
    return _Grouped(model, query, items, groups, n_items, against, seed).groups()


def explain_members(
    model: Recommender,
    query: Queries,
    items: Array,
    groups: Array,
    *,
    n_items: int,
    against: int | None = None,
    seed: int = 0,
    per_player: int = PER_PLAYER,
) -> Explanation:
    """The same for the events inside the groups: Owen values, which add up to their group's.

    They are the mean over all orders in which the events of a group come one after another. By
    all coalitions where these are few enough; else over pairs of random orders. There the values
    of a group are shifted, all alike, so that they add up to the group's own, which is known
    exactly. The shift is 0 on average, so that nothing is biased: a control variate, the group's
    sum in each order, of weight one over the group's size. Standard errors are of what is shifted.

    Flat Shapley values (explain) summed by group are other numbers: there other groups' events
    come in between.

    Raises:
        BadInput: no such item, not one history, or other codes than these.
        CoreError: the values do not add up.
    """
    return _Grouped(model, query, items, groups, n_items, against, seed).members(per_player)


class _Grouped:
    """The game of one history with its groups."""

    def __init__(
        self,
        model: Recommender,
        query: Queries,
        items: Array,
        groups: Array,
        n_items: int,
        against: int | None,
        seed: int,
    ) -> None:
        labels = np.asarray(groups, np.int64)
        self.g = int(labels.max(initial=-1)) + 1
        every = np.array_equal(np.unique(labels), np.arange(self.g))
        if labels.shape != query.items.shape or not every or self.g > MOST_GROUPS:
            raise BadInput(
                f"groups must be a code for each of {len(query.items)} events, every one of 0 … "
                f"{MOST_GROUPS - 1} or of fewer, not {labels.size} codes of {np.unique(labels)}"
            )
        self.whole, self.seed = labels, seed
        players = _few_players(labels)
        self.labels = labels[np.unique(players, return_index=True)[1]]  # of the players, (n,)
        self.game = Game(model, query, items, n_items, players, against=against)

    def groups(self) -> Explanation:
        return self.game.explanation(
            self._exact(), method="enumeration", seed=self.seed, players=self.whole
        )

    def _exact(self) -> Array:
        """The groups' Shapley values, (G, T, C)."""
        values = self.game(shapley.coalitions(self.g)[:, self.labels])
        return shapley.from_coalitions(flat(values)).reshape(self.g, *values.shape[1:])

    def members(self, per_player: int) -> Explanation:
        n, sizes = self.game.n, np.bincount(self.labels, minlength=self.g)
        if not n:
            return self.groups()
        cost = int((2.0 ** (sizes + self.g - 1)).sum())
        if cost <= max(2**shapley.MOST_ENUMERATED, n * per_player):
            return self.game.explanation(self._owen(), method="enumeration", seed=self.seed)
        exact, rng = self._exact(), np.random.default_rng(self.seed)
        drawn = np.zeros((0, n, *exact.shape[1:]))  # by pair of orders
        for pairs in pair_budgets(n, per_player):
            orders = shapley.random_orders(n, pairs - len(drawn), rng, self.labels)
            drawn = np.concatenate([drawn, self._shifted(orders, exact, sizes)])
            explanation = self._sampled(drawn)
            if good_enough(explanation):
                break
        return explanation

    def _owen(self) -> Array:
        """All players' Owen values, (n, T, C).

        Of a group's m members that of the game v(S) = the mean, over all sets of other groups that
        may have come before, of v(those and S).
        """
        owen = np.zeros((self.game.n, *self.game(np.zeros((1, self.game.n)))[0].shape))
        before = shapley.coalitions(self.g - 1)
        weights = np.array([1 / (self.g * comb(self.g - 1, k)) for k in before.sum(axis=1)])
        for group in range(self.g):
            own = np.flatnonzero(self.labels == group)
            inside = shapley.coalitions(len(own))
            others = np.insert(before, group, False, axis=1)[:, self.labels]
            keep = np.repeat(others, len(inside), axis=0)
            keep[:, own] = np.tile(inside, (len(before), 1))
            values = flat(self.game(keep))  # (before · inside, T · C)
            values = values.reshape(len(before), len(inside), -1)  # (before, inside, T · C)
            mean = np.einsum("b,bso->so", weights, values)
            owen[own] = shapley.from_coalitions(mean).reshape(len(own), *owen.shape[1:])
        return owen

    def _shifted(self, orders: Ints, exact: Array, sizes: Array) -> Array:
        """What players add by pair of orders, groups' sums put right, (pairs, n, T, C)."""
        n = self.game.n
        values = self.game(shapley.prefixes(orders).reshape(-1, n))  # (orders · (n + 1), T, C)
        added = shapley.marginals(flat(values), orders)
        added = added.reshape(-1, n, *exact.shape[1:])  # (pairs, n, T, C)
        for group in range(self.g):
            own = self.labels == group
            gap = exact[group] - added[:, own].sum(axis=1)
            added[:, own] += gap[:, None] / sizes[group]
        return added

    def _sampled(self, drawn: Array) -> Explanation:
        """The mean over pairs of orders, its standard errors, and how far two halves agree."""
        totals = drawn.sum(axis=3)
        se = totals.std(axis=0, ddof=1) / np.sqrt(len(drawn))
        stability = top_agreement(totals[0::2].mean(axis=0), totals[1::2].mean(axis=0))
        return self.game.explanation(
            drawn.mean(axis=0), method="permutations", seed=self.seed, se=se, stability=stability
        )


def _few_players(labels: Ints) -> Ints:
    """The player that each event is, (n,): of very many the oldest of each group are one."""
    n = len(labels)
    old = np.arange(n) <= n - MOST_PLAYERS if n > MOST_PLAYERS else np.zeros(n, bool)
    own = np.where(old, labels, np.arange(n) + n)
    _, first, inverse = np.unique(own, return_index=True, return_inverse=True)
    players: Ints = np.argsort(np.argsort(first))[inverse]  # in the order in which they come
    return players
