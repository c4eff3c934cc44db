"""A log → what a model may see and what it is asked about."""

from __future__ import annotations

import hashlib

import numpy as np

from core.errors import BadInput
from core.types import Array, Holdout, Interactions, Split

KINDS = ("leave-last-out", "by-time", "none")

_TRAIN, _VALIDATION, _TEST = np.uint8(0), np.uint8(1), np.uint8(2)


def split_log(
    interactions: Interactions, kind: str, *, validation: bool, test_share: float = 0.1
) -> Split:
    """The log cut in three; each event goes to exactly one part.

    - `leave-last-out`: each user's last event is the test target; with `validation` the event
      before it is the validation target (of users with three events or more, so that no history
      is empty). Users with a single event stay in train.
    - `by-time`: one cut for everybody, so that train times < cutoff ≤ test times. A person who
      comes only after the cut is asked about with an empty history. With `validation` a second
      cut before the first sets as many events apart again.
    - `none`: all is train; with `validation` the last event of each user with two or more is held
      out of train, and still belongs to the history when recommending.

    A query's history is everything of that user's before its targets, validation events included.
    Ties are broken as the log is sorted: user, time, row of the source. A target may repeat an
    item of the history or another target: people do.

    Args:
        interactions: The whole log.
        kind: One of KINDS.
        validation: Whether the model needs targets to know when to stop.
        test_share: Share of the events after the cut, in (0, 0.5]; read only by `by-time`.

    Raises:
        BadInput: an unknown kind or share, or a log that cannot be cut that way.
    """
    if kind not in KINDS:
        raise BadInput(f"there is no split {kind!r}: choose one of {', '.join(KINDS)}")
    if not len(interactions):
        raise BadInput("the log has no events that count, so there is nothing to split")
    if kind == "by-time":
        part = _parts_by_time(interactions, validation, test_share)
    else:
        part = _parts_by_place(interactions, kind, validation)
    test = None if kind == "none" else _holdout(interactions, part < _TEST, part == _TEST)
    return Split(
        kind=kind,
        train=interactions.where(part == _TRAIN),
        validation=(
            _holdout(interactions, part == _TRAIN, part == _VALIDATION) if validation else None
        ),
        train_and_validation=interactions.where(part < _TEST),
        test=test,
        tie_rate=_tie_rate(interactions, part) if test else 0.0,
        fingerprint=_fingerprint(interactions, kind, part),
    )


def _parts_by_place(interactions: Interactions, kind: str, validation: bool) -> Array:
    """The part of each event (E,), by its place from the end of its user's history."""
    held = [_TEST] if kind == "leave-last-out" else []
    held += [_VALIDATION] if validation else []
    ends, lengths = interactions.offsets[1:], np.diff(interactions.offsets)
    part = np.full(len(interactions), _TRAIN)
    for place, name in enumerate(held, start=1):
        part[ends[lengths > place] - place] = name
        if not (lengths > place).any():
            raise BadInput(
                f"no user has {place + 1} events or more (the most is {lengths.max()}), so none "
                f"can be held out: a log with longer histories is needed, or a split without test "
                "and validation"
            )
    return part


def _parts_by_time(interactions: Interactions, validation: bool, test_share: float) -> Array:
    """The part of each event (E,), by the clock."""
    times = interactions.times
    if times is None:
        raise BadInput("by-time needs times, and this log has none: use leave-last-out")
    if not 0 < test_share <= 0.5:
        raise BadInput(f"test_share must lie above 0 and at most at 0.5, not at {test_share:g}")
    ordered = np.sort(times)
    distinct = 1 + np.count_nonzero(np.diff(ordered))
    if distinct < 2 + validation:
        raise BadInput(
            f"by-time needs at least {2 + validation} different times, and this log has "
            f"{distinct}: use leave-last-out"
        )
    cutoff = _cut(ordered, test_share)
    part = np.where(times < cutoff, _TRAIN, _TEST)
    if validation:
        if cutoff == _after(ordered, ordered[0]):  # leave room for a second cut below
            cutoff = _after(ordered, cutoff)
            part = np.where(times < cutoff, _TRAIN, _TEST)
        before = ordered[: np.searchsorted(ordered, cutoff)]
        second = _cut(before, min(0.5, test_share * len(ordered) / len(before)))
        part[(times >= second) & (times < cutoff)] = _VALIDATION
    return part


def _cut(ordered: Array, share: float) -> np.int64:
    """The time from which about this share of the sorted times lies; never the first of them."""
    cut: np.int64 = ordered[min(int(len(ordered) * (1 - share)), len(ordered) - 1)]
    return cut if cut > ordered[0] else _after(ordered, cut)


def _after(ordered: Array, time: np.int64) -> np.int64:
    """The next later time; the caller knows that there is one."""
    later: np.int64 = ordered[np.searchsorted(ordered, time, side="right")]
    return later


def _holdout(interactions: Interactions, history: Array, held: Array) -> Holdout:
    """The users who have a target among these events, asked with these histories."""
    counts = np.bincount(interactions.users[held], minlength=interactions.n_users)
    asked = np.flatnonzero(counts)
    some = None if len(asked) == interactions.n_users else asked  # spares a copy
    return Holdout(
        queries=interactions.where(history).queries(some),
        targets=interactions.items[held],
        offsets=np.concatenate([[0], np.cumsum(counts[asked])]),
        values=None if interactions.values is None else interactions.values[held],
    )


def _tie_rate(interactions: Interactions, part: Array) -> float:
    """Share of test queries whose first target has the time of the event before it.

    Without times every target is tied: only the order of the file sets it apart.
    """
    if interactions.times is None:
        return 1.0
    users, times = interactions.users, interactions.times
    place = np.flatnonzero(part == _TEST)  # a user's targets are the last of the user's events
    place = place[np.diff(users[place], prepend=-1) > 0]  # the first target of each
    tied = (users[place - 1] == users[place]) & (times[place - 1] == times[place])
    return float((tied & (place > 0)).mean())


def _fingerprint(interactions: Interactions, kind: str, part: Array) -> str:
    """Runs with equal fingerprints are asked the same, also if one holds validation events out."""
    digest = hashlib.sha256(kind.encode())
    for array in (interactions.users, interactions.items, interactions.times, part == _TEST):
        if array is not None:
            little_endian = array.dtype.newbyteorder("<")
            digest.update(np.ascontiguousarray(array, little_endian).data)
    return digest.hexdigest()
