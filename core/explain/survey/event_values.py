"""Single values: what each event of many histories is worth to each item explained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.explain.groups import ITEM
from core.explain.survey.explained import Explained
from core.explain.survey.groupings import Grouping
from core.models.common.attributes import attributes
from core.types import PAD, Array, Features, Ints

MOST_ROWS = 20_000  # that are kept: some 2 MB; of more as many are drawn, each alike
DAY = 86_400  # seconds
AGE, DAYS, OWN_VALUE = "age", "days", "value"  # numbers of events themselves


@dataclass(frozen=True, eq=False)
class Membership:
    """Which rows are of which group; a row may be of several."""

    names: tuple[str, ...]  # (G,) as in the table of the same way
    rows: Ints  # (M,)
    groups: Ints  # (M,)


@dataclass(frozen=True, eq=False)
class EventValues:
    """A row for each event and item explained: R of them, at most MOST_ROWS.

    Of very many events the oldest are one player; they have no value of their own, and no row.
    """

    people: Ints  # (R,) positions in the overview's rows
    taken: Ints  # (R,) item of the event
    items: Ints  # (R,) item that was recommended
    values: Array  # (R,)
    se: Array  # (R,) 0 where exact
    kinds: Ints  # (R,) code of the kind of event; PAD where there is none
    numbers: Mapping[str, Array]  # (R,) each, NaN where missing: see `event_values`
    groups: Mapping[str, Membership]  # by way: recency, event, item.NAME
    total: int  # rows that there were before some were drawn

    def __len__(self) -> int:
        return len(self.values)


def event_values(
    explained: Sequence[Explained],
    groupings: Sequence[Grouping],
    features: Features | None,
    *,
    clock: bool = False,
    rng: np.random.Generator,
    most: int = MOST_ROWS,
) -> EventValues:
    """The single values of these users, with what there is to hold them against.

    Numbers: age (place from the end of the history, 1 is the latest event), days (before the last
    event, where times are of a clock), value (the event's own: a rating, a quantity), item.NAME
    (of the item taken). Such as nobody has two different ones of are left out.

    Args:
        explained: Of U users.
        groupings: Of their events.
        features: Of the items.
        clock: Whether times are seconds.
        rng: Draws the rows that are kept where there are more than `most`.
        most: Rows that are kept.
    """
    sizes = [len(_single(user)) * len(user.items) for user in explained]
    ends = np.cumsum(sizes)
    total = int(ends[-1])
    kept = np.arange(total)
    if total > most:
        kept = np.sort(rng.choice(total, most, replace=False))
    people = np.searchsorted(ends, kept, side="right")
    events: list[Ints] = []  # of each user, of the rows that are kept
    columns: list[Ints] = []
    for person, user in enumerate(explained):
        own = kept[people == person] - (ends[person] - sizes[person])
        events.append(_single(user)[own // len(user.items)])
        columns.append(own % len(user.items))
    picked = list(zip(explained, events, columns, strict=True))
    taken = np.concatenate([user.query.items[event] for user, event, _ in picked])
    numbers = {name: np.concatenate(own) for name, own in _of_events(picked, clock)}
    numbers |= {name: own[taken] for name, own in _of_items(features)}
    return EventValues(
        people=people,
        taken=taken,
        items=np.concatenate([user.items[column] for user, _, column in picked]),
        values=np.concatenate([user.values[event, column] for user, event, column in picked]),
        se=np.concatenate([user.se[event, column] for user, event, column in picked]),
        kinds=np.concatenate(
            [
                np.full(len(event), PAD) if user.query.events is None else user.query.events[event]
                for user, event, _ in picked
            ]
        ),
        numbers={name: own for name, own in numbers.items() if _varies(own)},
        groups={way.by: _membership(way, events) for way in groupings},
        total=total,
    )


def _single(user: Explained) -> Ints:
    """The events that are players of their own."""
    alone: Ints = np.flatnonzero(np.bincount(user.players)[user.players] == 1)
    return alone


def _of_events(
    picked: Sequence[tuple[Explained, Ints, Ints]], clock: bool
) -> Iterator[tuple[str, list[Array]]]:
    yield AGE, [user.query.ages[event] + 1.0 for user, event, _ in picked]
    queries = [user.query for user, _, _ in picked]
    if clock and queries[0].times is not None:
        times = [np.asarray(query.times, float) for query in queries]
        yield (
            DAYS,
            [
                (own.max() - own[event]) / DAY
                for own, (_, event, _) in zip(times, picked, strict=True)
            ],
        )
    if queries[0].values is not None:
        yield OWN_VALUE, [np.asarray(user.query.values, float)[event] for user, event, _ in picked]


def _of_items(features: Features | None) -> Iterator[tuple[str, Array]]:
    """Numeric attributes of all items, (I,) each."""
    if features is None or features.numeric is None:
        return
    block = features.numeric
    for name, columns in attributes(block.names, "numeric").items():
        yield f"{ITEM}{name}", np.asarray(block.matrix, float)[:, columns[0]]


def _varies(numbers: Array) -> bool:
    there = numbers[np.isfinite(numbers)]
    return len(there) > 0 and bool(there.min() < there.max())


def _membership(way: Grouping, events: Sequence[Ints]) -> Membership:
    belongs = [own[event] for own, event in zip(way.belongs, events, strict=True)]
    rows, groups = np.nonzero(np.concatenate(belongs))
    return Membership(way.names, rows, groups)
