"""The smallest change of the past that takes an item out of a list: which events had to go."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from core.errors import BadInput
from core.explain.attribution import explain
from core.explain.explanation import Explanation
from core.explain.item_rank import ItemRank, ItemRanks
from core.types import Array, Ints, Queries, Recommender

SMALL = 5  # events
MOST_TRIED = 1_800  # sets of one size that are all tried: pairs of up to 60 events
LONG = 400  # events, above which not every single one and every beginning of the order is tried
GREEDY = 60_000  # events in all the histories that the greedy search asks for
WIDTH = 24  # events that one step of it looks at anew
LADDER = 8  # sizes that it tries besides, between the one it is at and the best so far


def removal_order(explanation: Explanation, column: int, *, entering: bool = False) -> Ints:
    """In which order events (E,) are tried when the item of this column of values is to leave.

    What speaks most for it comes first; if it is to enter, what speaks most against it. The events
    of a player, such as the oldest of many, share what it is worth.
    """
    sizes = np.bincount(explanation.players, minlength=len(explanation.values))
    shares = (explanation.values[:, column] / np.maximum(sizes, 1))[explanation.players]
    order: Ints = np.argsort(shares if entering else -shares, kind="stable")
    return order


@dataclass(frozen=True)
class Counterfactual:
    """Had these events not happened, the item would not be in the top k.

    Checked: the model was asked for the shortened history, alone, after the search.
    """

    k: int
    item: int
    removed: tuple[int, ...]  # positions of events, oldest first; () if nothing was found
    rank_before: int  # among the candidates: all items but those of the whole history
    rank_after: int  # without the removed events; without any at all if nothing was found
    replaced_by: int | None  # the best of the items that come into the top k; `below` if given
    small: bool  # at most 5 events
    exists: bool  # False: the item stays, even without any history
    evaluations: int  # histories that the model was asked for
    events: int  # in the whole history
    smallest: bool  # every smaller set was tried, and none is enough
    below: int | None = None  # what the item had to fall behind, instead of leaving the top k

    @property
    def share(self) -> float:
        """The part of the history that has to go, 0 … 1."""
        return len(self.removed) / max(1, self.events)

    def to_json(self) -> dict[str, Any]:
        """As exports have it; `found` says whether there is such a set."""
        return {"found" if name == "exists" else name: value for name, value in vars(self).items()}


def counterfactual(
    model: Recommender,
    query: Queries,
    item: int,
    *,
    n_items: int,
    k: int = 10,
    order: Array | None = None,
    below: int | None = None,
) -> Counterfactual:
    """The smallest set found of events without which the item is not in the top k.

    Events are dropped and the shortened history is asked again, as a stranger's; what is dropped
    does not come back as a candidate. Every single event is tried. The shortest beginning of
    `order` that is enough is an upper bound; below it a greedy search takes out what lowers the
    margin over the k-th other candidate most and looks again, in at most 60,000 / (32 · events)
    steps (and at least two), first one event at a time, then more. Every event that need not be
    gone is put back. Last, all sets of two, of three, … events are tried as long as there are at
    most 1,800 of a size and they could be smaller: all pairs of up to 60 events, all sets of 12.
    Of a history above 400 events single ones are tried from the front of `order` only, its
    beginnings at even distances, and putting back ends after 1,200 histories.

    Args:
        model: Fitted or loaded.
        query: One history.
        item: Its code. It may be in the history.
        n_items: Items in the catalogue.
        k: Length of the list; 1 asks what it takes to lose the first place.
        order: Positions of all events (n,), by falling Shapley value; found out if not given.
        below: An item code: what it takes until this one scores at least as high, whatever the top.

    Raises:
        BadInput: the item is not in the top k, or not above `below`, in the first place.
    """
    ranks = ItemRanks(model, query, item, n_items, k=k, below=below)
    before, listed = ranks.alone(np.ones(ranks.n, bool))
    _check(ranks, before)
    removal = smallest_removal(ranks, order)
    replaced_by = None
    if removal.removed:
        newcomers = (code for code in removal.top if code not in listed)
        replaced_by = next(newcomers) if below is None else below
    return Counterfactual(
        k=k,
        item=item,
        removed=removal.removed,
        rank_before=int(before.ranks[0]),
        rank_after=removal.rank_after,
        replaced_by=replaced_by,
        small=0 < len(removal.removed) <= SMALL,
        exists=bool(removal.removed),
        evaluations=removal.evaluations,
        events=ranks.n,
        smallest=removal.smallest,
        below=below,
    )


@dataclass(frozen=True)
class Removal:
    """The smallest set known of events without which the item is `gone`, asked again alone."""

    removed: tuple[int, ...]  # positions of events, oldest first; () if nothing was found
    rank_after: int  # without them; without any event at all if nothing was found
    top: tuple[int, ...]  # the first k then
    smallest: bool  # every smaller set was tried, and none is enough
    evaluations: int  # histories that the model was asked for


def smallest_removal(ranks: ItemRanks, order: Array | None = None) -> Removal:
    """Searches as `counterfactual` says; `order` holds the positions of all events (n,)."""
    search = _Search(ranks, order)
    while True:
        search.run()
        smallest = search.smallest()
        keep = np.zeros(ranks.n, bool) if smallest is None else smallest
        after, top = ranks.alone(keep)
        if after.gone[0] or smallest is None:  # else a batch had rounded it differently: search on
            break
    removed = tuple(np.flatnonzero(~keep).tolist()) if after.gone[0] else ()
    return Removal(
        removed=removed,
        rank_after=int(after.ranks[0]),
        top=tuple(top),
        smallest=0 < len(removed) <= search.tried + 1,
        evaluations=ranks.evaluations + search.explaining,
    )


def _check(ranks: ItemRanks, before: ItemRank) -> None:
    if not before.gone[0]:
        return
    if ranks.below is not None:
        raise BadInput(
            f"item {ranks.item} does not score above item {ranks.below} to begin with: "
            f"{before.scores[0]:.6g} is not more than {before.scores[0] - before.margins[0]:.6g}"
        )
    raise BadInput(
        f"item {ranks.item} is not in the top {ranks.k} to begin with: its rank is "
        f"{before.ranks[0]}"
    )


class _Search:
    """Asks for shortened histories until a small one without the item is known."""

    def __init__(self, ranks: ItemRanks, order: Array | None) -> None:
        self.ranks, self.n, self.order = ranks, ranks.n, None
        self.effects = np.full(self.n, np.inf)  # the margin without each event alone, if asked
        self.tried = 0  # all sets of up to so many events were tried
        self.explaining = 0  # histories that finding out the order took
        if order is not None:
            self.order = np.asarray(order, np.int64)
            if not np.array_equal(np.sort(self.order), np.arange(self.n)):
                raise BadInput(f"the order must hold each of 0 … {self.n - 1} once, not {order}")

    @property
    def best(self) -> int:
        """Size of the smallest set known to be enough; n + 1 if none is."""
        enough = self.ranks.coalitions[self.ranks.remembered.gone]
        sizes = self.n - enough.sum(axis=1)
        return int(sizes.min(initial=self.n + 1))

    def smallest(self) -> Array | None:
        """What the smallest set known to be enough leaves (n,), the surest of several; or None."""
        ranks, coalitions = self.ranks.remembered, self.ranks.coalitions
        order = np.lexsort((ranks.margins, -coalitions.sum(axis=1)))
        order = order[ranks.gone[order]]
        return coalitions[order[0]] if len(order) else None

    def run(self) -> None:
        if not self.n or np.isinf(self.without(np.zeros((1, 0), int)).margins[0]):
            return  # nothing to remove, or too few items to ever push it out
        self.singles()
        if self.best > 1 and self.order is not None:
            self.beginnings()
        self.greedy()
        self.prune()
        self.all_sets()
        if self.best > self.tried + 1 and self.order is None:
            self.explained()
            self.beginnings()
            self.prune()

    def without(self, removed: Array) -> ItemRank:
        """Score and rank without the events of each row of removed (M, m)."""
        keep = np.ones((len(removed), self.n), bool)
        keep[np.arange(len(removed))[:, None], removed] = False
        return self.ranks(keep)

    def explained(self) -> Ints:
        """The order; by the Shapley values of the item's score if it was not given."""
        if self.order is None:
            ranks = self.ranks
            why = explain(ranks.model, ranks.query, np.array([ranks.item]), n_items=ranks.n_items)
            self.order = removal_order(why, 0, entering=ranks.entering)
            self.explaining = why.evaluations
        return self.order

    def singles(self) -> None:
        """Without each event; of a long history without those at the front of the order."""
        events = np.arange(self.n)
        if self.n > LONG:
            events = self.explained()[: LONG**2 // self.n]
        self.effects[events] = self.without(events[:, None]).margins
        self.tried = int(len(events) == self.n)

    def all_sets(self) -> None:
        """Without each two, each three, …, while they are not too many and can be better."""
        size = self.tried + 1
        while size < min(self.best, self.n + 1) and comb(self.n, size) <= MOST_TRIED:
            self.without(np.array(list(combinations(range(self.n), size))))
            self.tried, size = size, size + 1

    def beginnings(self) -> None:
        """Without the first of the order, the first two, …; all of them if not too many."""
        sizes = np.arange(1, self.n + 1)
        if self.n > LONG:
            sizes = np.unique(np.linspace(1, self.n, 2 * LONG**2 // self.n).astype(int))
        gone = self._first(self.explained(), sizes).gone
        if self.n > LONG and gone.any():
            at = int(np.argmax(gone))
            between = np.arange(sizes[at - 1] + 1 if at else 1, sizes[at])
            self._first(self.explained(), between)

    def _first(self, order: Ints, sizes: Ints, gone: Array | None = None) -> ItemRank:
        """Without the first so many of the order, and without those gone (n,) anyway."""
        position = np.full(self.n, self.n)  # in the order; behind it where it is not there
        position[order] = np.arange(len(order))
        keep = position[None, :] >= sizes[:, None]
        return self.ranks(keep if gone is None else keep & ~gone)

    def greedy(self) -> None:
        """Takes out what lowers the margin most, looks again, …, until it can be no better."""
        gone, effects = np.zeros(self.n, bool), self.effects.copy()
        most = max(2, GREEDY // ((WIDTH + LADDER) * self.n))
        for step in range(most):
            size, best = int(gone.sum()), self.best
            if size + 1 >= best:
                return
            rest = np.flatnonzero(~gone)
            rest = rest[np.argsort(effects[rest], kind="stable")]
            if step:
                look = rest[:WIDTH]
                after = np.repeat(np.flatnonzero(gone)[None], len(look), axis=0)
                effects[look] = self.without(np.concatenate([after, look[:, None]], axis=1)).margins
                rest = rest[np.argsort(effects[rest], kind="stable")]
            ladder = np.geomspace(2, max(2, min(best - 1, self.n) - size), LADDER).astype(int)
            self._first(rest, np.unique(ladder), gone)
            even = -(-(self.best - size) // (most - step))
            gone[rest[: max(1, min(even, size // 2))]] = True  # of a small set each one matters

    def prune(self) -> None:
        """Puts back what need not be gone: from the smallest set, until none is left in it."""
        keep, start = self.smallest(), len(self.ranks.coalitions)
        while keep is not None:
            gone = np.flatnonzero(~keep)
            spent = len(self.ranks.coalitions) - start
            patient = self.n <= LONG or spent + len(gone) <= 3 * LONG
            if len(gone) <= self.tried + 1 or not patient:
                return
            back = np.repeat(keep[None], len(gone), axis=0)
            back[np.arange(len(gone)), gone] = True
            ranks = self.ranks(back)
            spare = np.flatnonzero(ranks.gone)
            if not len(spare):
                return
            keep = self._put_back(keep, gone[spare[np.argsort(ranks.margins[spare])]])

    def _put_back(self, keep: Array, spare: Ints) -> Array:
        """With as many of the first of these as it bears: coarsely, then between two sizes."""
        low, high = 1, len(spare)
        while True:
            sizes = np.unique(np.linspace(low, high, LADDER).astype(int))
            more = np.repeat(keep[None], len(sizes), axis=0)
            more[:, spare] |= np.arange(len(spare)) < sizes[:, None]
            last = int(np.flatnonzero(self.ranks(more).gone)[-1])
            if last + 1 == len(sizes) or sizes[last + 1] == sizes[last] + 1:
                best: Array = more[last]
                return best
            low, high = sizes[last], sizes[last + 1]
