"""What simple rules reach on the questions that a run is asked: is there more to it than these?

A model that learns is worth its cost only beside what needs none: a graph of what follows what,
what was popular lately, and what a person had before. That such rules often reach what networks
reach: Ferrari Dacrema, Cremonesi and Jannach, "Are we really making much progress?", RecSys 2019;
Ji et al., "A re-visit of the popularity baseline", SIGIR 2020 (the last period instead of all).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from core.evaluate.metrics import Places
from core.evaluate.ranking import rank
from core.models.common.strengths import popularity, tie_breaker
from core.models.popularity import Popularity, clock_times
from core.models.transitions import Transitions
from core.types import Array, Holdout, Interactions, Ints, Progress, Queries, TrainData, silent

TRANSITIONS, LAST_PERIOD, REPEATS = "transitions", "last_period", "repeats"
NAMES = (TRANSITIONS, LAST_PERIOD, REPEATS)
PERIOD = 0.1  # of the log's time span, or of its events
MOST_PEOPLE = 5_000  # asked of a larger holdout: enough for a standard error below .005
SEED = 0  # who is drawn: the same for every run of a split


class _Scores(Protocol):
    def score(self, queries: Queries) -> Any: ...


@dataclass(frozen=True, eq=False)
class Period:
    """The events that say what was popular lately."""

    events: Array  # (E,) bool
    kind: str  # clock: the last of the time span; order: the last events; all: without times
    first: int | None  # the times of its first and last event; None without times
    last: int | None


@dataclass(frozen=True, eq=False)
class Reached:
    """Where one rule ranks the targets of these queries, in the order of the queries."""

    queries: Ints  # (B,) their positions in the holdout
    targets: Ints  # (T,) in the order of `places`
    places: Places


def last_period(log: Interactions) -> Period:
    """The last tenth: of the time span by the clock, of the events by order numbers, else all.

    The log must end before what is asked: what it holds is all that is looked at.
    """
    times = log.times
    if times is None or not len(times):
        return Period(np.ones(len(log), bool), "all", None, None)
    if clock_times(log) is not None:
        kind, start = "clock", times.max() - PERIOD * (int(times.max()) - int(times.min()))
    else:
        kind, start = "order", np.sort(times)[int(len(times) * (1 - PERIOD))]
    events = times >= start
    return Period(events, kind, int(times[events].min()), int(times.max()))


def drawn(holdout: Holdout) -> Ints:
    """Which queries with a target the rules are asked, rising: all, or so many by SEED."""
    rows = np.flatnonzero(np.diff(holdout.offsets))
    if len(rows) <= MOST_PEOPLE:
        return rows
    return np.sort(np.random.default_rng(SEED).choice(rows, MOST_PEOPLE, replace=False))


def reached_by_shortcuts(
    log: Interactions, holdout: Holdout, *, hide_seen: bool, on_progress: Progress | None = None
) -> dict[str, Reached]:
    """What each rule that applies ranks where, by its name in NAMES.

    `transitions` is the model of that name with its defaults. `last_period` scores an item by the
    weights of its events in last_period(log), equal ones by those of all time. `repeats` lists a
    person's own items, the most frequent first, among equals the latest, and nothing else; where
    seen items are hidden it has nothing to list and is left out.

    Args:
        log: What the run learnt from; nothing else is looked at.
        holdout: What the run was asked.
        hide_seen: As the run was asked.
        on_progress: Told "shortcuts" and the share done, 0 … 1.
    """
    rows = drawn(holdout)
    asked = holdout[rows]
    rules = _rules(log, hide_seen)
    say = on_progress or silent
    reached = {}
    for nth, (name, rule) in enumerate(rules.items()):

        def show(_: str, share: float | None = None, nth: int = nth) -> None:
            say("shortcuts", (nth + (share or 0.0)) / len(rules))

        show("")
        ranking = rank(rule, asked, 1, n_items=log.n_items, hide_seen=hide_seen, on_progress=show)
        reached[name] = Reached(rows[ranking.queries], ranking.targets, ranking.places)
    return reached


def _rules(log: Interactions, hide_seen: bool) -> Mapping[str, Any]:
    in_order = replace(log, times=np.arange(len(log))) if log.times is None else log
    graph = Transitions().fit(TrainData(in_order), rng=np.random.default_rng(SEED))
    recent = popularity(log.where(last_period(log).events)) + tie_breaker(log, 1.0)
    state = {"base": recent, "decay": np.ones(1)}
    rules = {TRANSITIONS: graph, LAST_PERIOD: Popularity().load(state)}
    return rules if hide_seen else {**rules, REPEATS: Repeats(log.n_items)}


class Repeats:
    """Lists a person's own items, the most frequent first, among equals the latest."""

    def __init__(self, n_items: int) -> None:
        self._n_items = n_items

    def score(self, queries: Queries) -> Tensor:
        """How many of a person's items come after this one, and 1; 0 for all others; (B, I)."""
        scores = np.zeros((len(queries), self._n_items), np.float32)
        place = np.arange(len(queries.items))
        pairs, first, count = np.unique(
            (queries.rows * self._n_items + queries.items)[::-1],
            return_index=True,
            return_counts=True,
        )
        latest = place[::-1][first]
        rows, items = pairs // self._n_items, pairs % self._n_items
        order = np.lexsort((latest, count, rows))
        rows, items = rows[order], items[order]
        scores[rows, items] = 1 + np.arange(len(rows)) - np.searchsorted(rows, rows)
        return torch.from_numpy(scores)
