"""A selection of items beside all others: how often, and by how many people, they were taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.types import Array, Interactions


@dataclass(frozen=True)
class SelectionNumbers:
    """What the events of a set of items are; of no items 0 and NaN."""

    items: int  # that were taken
    events: int
    users: int  # who took one or more
    median_events: float  # of an item that was taken
    mean_value: float  # NaN where no value is known


def held_against_rest(
    log: Interactions, chosen: Array
) -> tuple[SelectionNumbers, SelectionNumbers]:
    """The items marked in chosen (I,), and the rest; counted in O(events)."""
    counts = np.bincount(log.items, minlength=log.n_items)
    own = chosen[log.items]  # (E,)
    upto = np.concatenate([[0], np.cumsum(own)])[log.offsets]  # events of the chosen, by user
    taken = np.diff(upto)
    mine, others = counts[chosen], counts[~chosen]
    return (
        _numbers(mine, int((taken > 0).sum()), _mean(log, own)),
        _numbers(others, int((np.diff(log.offsets) > taken).sum()), _mean(log, ~own)),
    )


def _numbers(counts: Array, users: int, value: float) -> SelectionNumbers:
    taken = counts[counts > 0]
    median = float(np.median(taken)) if len(taken) else np.nan
    return SelectionNumbers(len(taken), int(taken.sum()), users, median, value)


def _mean(log: Interactions, events: Array) -> float:
    if log.values is None:
        return np.nan
    values = log.values[events & np.isfinite(log.values)]
    return float(values.mean(dtype=np.float64)) if len(values) else np.nan
