"""What may be said of an explanation in words, and no more than the model bears out.

A sentence says that an item is there because of something only if it stands lower without that: the
model is asked once more. Which way the history moved it is told as the model has it: an item that
the history pushed down is on the list in spite of it, one that it does not move is there without.
Causes of which one does what all of them do are told as twins: the model is asked without each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from core.explain.explanation import SURE, Explanation
from core.explain.item_rank import ItemRank, ItemRanks
from core.explain.shapley import coalitions
from core.types import PAD, Array, Ints, Queries, Recommender

MOST = 3  # causes in a sentence
ROUNDING = 1e-6  # of max(1, |score|): what may move by itself
NOTABLE = 0.1  # of the strongest cause: what is weaker than that goes without saying


@dataclass(frozen=True)
class Cause:
    """An item of the history with all its events, or the oldest events together."""

    item: int  # code; PAD for the oldest events together
    events: int  # how many it stands for
    value: float
    sure: bool  # further from 0 than two standard errors of its events together


class Verdict(StrEnum):
    """What the history has to do with where the item stands."""

    EMPTY = "empty"  # there is no history
    UNMOVED = "unmoved"  # no event moves it
    IN_SPITE = "in_spite"  # the history as a whole pushed it down
    BECAUSE = "because"  # it stands lower without the causes named, which the model was asked
    SPEAKS = "speaks"  # these speak for it, but it would stand no lower without them
    NOTHING = "nothing"  # nothing stands out


class Standing(StrEnum):
    """Where the item is."""

    LISTED = "listed"  # among the first k
    UNLISTED = "unlisted"
    IN_HISTORY = "known"  # not recommended again


@dataclass(frozen=True)
class Reasons:
    """Why an item stands where it does, as far as it can be said.

    Ranks are among the candidates: all items but those of the history, and this one.
    """

    item: int
    standing: Standing
    verdict: Verdict
    k: int
    rank: int  # with the whole history
    rank_without_history: int
    rank_without_causes: int | None  # without all events of `speaking`; None where there are none
    speaking: tuple[Cause, ...]  # for it, the strongest first, at most three
    twins: tuple[Cause, ...]  # of `speaking`, two or three of which one does what all do; or none
    against: Cause | None  # the strongest of those that speak against it
    share: float  # of all that speaks for it, what `speaking` does; 0 … 1
    impersonal: bool  # nothing anyone does moves this item: the model does not look at it

    @property
    def clauses(self) -> tuple[str, ...]:
        """Names of the sentences that say it, in their order (core.pipeline.explanations)."""
        main = f"{self.standing}.{self.verdict}"
        if self.verdict is Verdict.UNMOVED and self.impersonal:
            main = f"{self.standing}.impersonal"
        if (
            self.verdict is Verdict.IN_SPITE
            and self.standing is not Standing.IN_HISTORY
            and self.rank_without_history > self.rank
        ):
            main += ".higher"  # its score fell, those of items that were before it fell more
        speaks = self.verdict not in (Verdict.EMPTY, Verdict.UNMOVED)
        clauses = [main]
        if self.twins and self.verdict in (Verdict.BECAUSE, Verdict.SPEAKS):
            clauses.append("twins" if len(self.twins) == 2 else "twins.three")
        if self.against is not None and speaks:
            clauses.append("against")
        listed_anyway = self.standing is Standing.LISTED and self.rank_without_history <= self.k
        if listed_anyway and self.verdict in (Verdict.BECAUSE, Verdict.SPEAKS, Verdict.NOTHING):
            clauses.append("listed_anyway")
        return tuple(clauses)


def reasons_of(
    model: Recommender,
    query: Queries,
    explanation: Explanation,
    column: int,
    *,
    n_items: int,
    k: int = 10,
    impersonal: bool = False,
) -> Reasons:
    """What may be said of the item in this column of the explanation's values.

    The model is asked at once for at most nine histories: none, and the whole without any of the
    causes named (at most three), alone or together.

    Args:
        model: That was explained.
        query: The history that was explained.
        explanation: Of the item itself, not against another.
        column: Of the item.
        n_items: Items in the catalogue.
        k: Length of the list.
        impersonal: Whether the model looks at no history at all.
    """
    item = int(explanation.items[column])
    every = causes(query.items, explanation, column)
    speaking, against, share = notable(every)
    gone = coalitions(len(speaking)) @ _events_of(speaking, query, explanation)
    nothing = np.zeros((1, len(query.items)), bool)
    asked = ItemRanks(model, query, item, n_items, k=k)(np.concatenate([~gone, nothing]))
    rank, rank_without_causes, rank_without_history = asked.ranks[[0, -2, -1]].tolist()
    floor = 1e-9 * max(1.0, abs(float(explanation.scores[column])))
    moved = float(explanation.scores[column] - explanation.base[column])
    if not len(query.items):
        verdict = Verdict.EMPTY
    elif all(abs(cause.value) <= floor for cause in every):
        verdict = Verdict.UNMOVED
    elif moved < -ROUNDING * max(1.0, abs(float(explanation.scores[column]))):
        verdict = Verdict.IN_SPITE
    elif not speaking:
        verdict = Verdict.NOTHING
    else:
        verdict = Verdict.BECAUSE if rank_without_causes > rank else Verdict.SPEAKS
    standing = Standing.LISTED if rank <= k else Standing.UNLISTED
    return Reasons(
        item=item,
        standing=Standing.IN_HISTORY if item in query.items else standing,
        verdict=verdict,
        k=k,
        rank=rank,
        rank_without_history=rank_without_history,
        rank_without_causes=rank_without_causes if speaking else None,
        speaking=speaking,
        twins=_twins(speaking, asked),
        against=against,
        share=share,
        impersonal=impersonal,
    )


@dataclass(frozen=True)
class Contrast:
    """What puts one item before another."""

    item: int  # the one that is before
    other: int
    difference: float  # of their scores, 0 or more
    speaking: tuple[Cause, ...]  # for the item, against the other
    against: Cause | None
    share: float  # of all that speaks for the item, what `speaking` does
    known: tuple[int, ...]  # which of the two are in the history, so that no list has them
    clauses: tuple[str, ...]  # names of the sentences that say it


def contrast_of(history: Ints, explanation: Explanation, column: int) -> Contrast:
    """Of an explanation against another item, whichever of the two is before.

    Args:
        history: Items of the history that was explained.
        explanation: Against another item.
        column: Of the item in it.
    """
    item, other = int(explanation.items[column]), int(explanation.against or 0)
    difference, every = float(explanation.scores[column]), causes(history, explanation, column)
    if difference < 0:  # the other one is before it, and what is against is for
        item, other, difference = other, item, -difference
        every = [replace(cause, value=-cause.value) for cause in every]
    speaking, against, share = notable(every)
    main = "speaks" if speaking else "nothing" if any(cause.value for cause in every) else "unmoved"
    moved = sum(cause.value for cause in every)
    if moved < -ROUNDING * max(1.0, difference):
        main = "in_spite"
    clauses = [f"contrast.{main if every else 'empty'}", *(["against"] if against else [])]
    known = tuple(each for each in (item, other) if each in history)
    if known:
        clauses.append("contrast.known" if len(known) == 1 else "contrast.known.both")
    return Contrast(item, other, difference, speaking, against, share, known, tuple(clauses))


def notable(every: Sequence[Cause]) -> tuple[tuple[Cause, ...], Cause | None, float]:
    """Of causes, the strongest first, those worth a word: for it, against it, and their share.

    Only such as stand out from their errors, and from the strongest. The share is that of those
    named in all that speaks for it.
    """
    sure = [cause for cause in every if cause.sure]
    least = NOTABLE * max((abs(cause.value) for cause in sure), default=0.0)
    speaking = tuple(c for c in sure if c.value > 0 and c.value >= least)[:MOST]
    against = next((c for c in sure if c.value < 0 and -c.value >= least), None)
    total = sum(cause.value for cause in every if cause.value > 0)
    return speaking, against, sum(cause.value for cause in speaking) / total if total else 0.0


def causes(history: Ints, explanation: Explanation, column: int) -> list[Cause]:
    """What the history consists of, by item and not by name, the strongest first."""
    floor = 1e-9 * max(1.0, abs(float(explanation.scores[column])))
    of_player = _item_of_player(history, explanation)
    sizes = np.bincount(explanation.players, minlength=len(explanation.values))
    items, group = np.unique(of_player, return_inverse=True)
    events = np.bincount(group, sizes, len(items)).astype(int)
    values = np.bincount(group, explanation.values[:, column], len(items))
    errors = np.bincount(group, explanation.se[:, column], len(items))
    sure = np.abs(values) > np.maximum(SURE * errors, floor)
    rows = zip(items.tolist(), events.tolist(), values.tolist(), sure.tolist(), strict=True)
    return sorted((Cause(*row) for row in rows), key=lambda cause: -abs(cause.value))


def _item_of_player(history: Ints, explanation: Explanation) -> Ints:
    """The item of each player's event, (n,); PAD where a player is several events."""
    sizes = np.bincount(explanation.players, minlength=len(explanation.values))
    items = np.full(len(explanation.values), PAD)
    items[explanation.players] = history
    items[sizes > 1] = PAD
    return items


def _events_of(named: Sequence[Cause], query: Queries, explanation: Explanation) -> Array:
    """The events of each of the causes named, (C, n) bool."""
    items = _item_of_player(query.items, explanation)[explanation.players]
    chosen: Array = np.array([cause.item for cause in named])[:, None] == items
    return chosen


def _twins(named: Sequence[Cause], without: ItemRank) -> tuple[Cause, ...]:
    """Those of the causes named of which one does, nearly, what all do; empty where none are.

    Without all of them the item loses what stands out, while without any fewer of them it loses
    next to nothing of that, and no place. Of several such sets it is the one that matters most.

    Args:
        named: C causes.
        without: The item without the causes of each of `coalitions(C)`, in its first 2^C rows.
    """
    lost = (without.lifts[0] - without.lifts)[: 2 ** len(named)]
    lower = without.ranks > without.ranks[0]
    least = ROUNDING * max(1.0, abs(float(without.lifts[0])))
    least = max(least, NOTABLE * max((abs(cause.value) for cause in named), default=0.0))

    def interchangeable(group: int) -> bool:
        """Whether the causes of this coalition (a bit for each) are."""
        fewer = [part for part in range(1, group) if part & group == part]
        small = all(abs(lost[part]) <= NOTABLE * lost[group] for part in fewer)
        return len(fewer) > 0 and lost[group] > least and small and not lower[fewer].any()

    group = max(filter(interchangeable, range(len(lost))), key=lost.__getitem__, default=0)
    return tuple(cause for bit, cause in enumerate(named) if group >> bit & 1)
