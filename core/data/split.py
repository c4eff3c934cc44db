"""A log → what a model may see and what it is asked about."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from core.errors import BadInput
from core.types import Array, Holdout, Interactions, Split

KINDS = ("leave-last-out", "last-visit", "by-time", "none")
VALIDATE_ON = ("next-event", "next-visit", "next-period")
# what asks of validation as this split asks of the test; of the others an event of each person
_AS_THE_TEST = {"last-visit": "next-visit", "by-time": "next-period"}
# Seconds without an event of a person after which the next one begins another visit: what web
# analytics has used since Catledge & Pitkow 1995. A basket has one time, so it is never parted.
VISIT_GAP = 1800

_TRAIN, _VALIDATION, _TEST = np.uint8(0), np.uint8(1), np.uint8(2)


@dataclass(frozen=True)
class TimeCut:
    """Where `by-time` cuts: before the last share of the events, or at a time."""

    share: float = 0.1  # of the events after the cut, in (0, 0.5]
    time: int | None = None  # the first that is asked about: Unix seconds, or an order number

    @classmethod
    def parse(cls, text: str, time_kind: str = "clock") -> TimeCut:
        """A share ("0.2"), a date or time as ISO 8601 writes it (UTC without a zone), or a number.

        Args:
            text: As a person writes it; "" for the usual share.
            time_kind: "clock", or "order" for a log whose times are plain numbers.

        Raises:
            BadInput: it is none of these, or not what this log's times are.

        >>> TimeCut.parse("0.2"), TimeCut.parse("2024-03-01").time
        (TimeCut(share=0.2, time=None), 1709251200)
        """
        text = text.strip()
        if not text:
            return cls()
        number = _number(text)
        if number is not None and not number.is_integer():
            if not 0 < number <= 0.5:
                raise BadInput(f"cut as a share must lie above 0 and at most at 0.5, not at {text}")
            return cls(share=number)
        if time_kind == "order":
            if number is None:
                raise BadInput(
                    f"cut is {text!r}, but this log's times are order numbers: give one of them, "
                    "or a share such as 0.2"
                )
            return cls(time=int(number))
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            moment = None
        if moment is None or (number is not None and len(text) < 8):
            raise BadInput(
                f"cut is {text!r}; it must be a date such as 2024-03-01, a time such as "
                "2024-03-01T12:00, or a share of the events such as 0.2"
            )
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return cls(time=math.ceil(moment.timestamp()))

    def written(self, time_kind: str = "clock") -> str:
        """The same cut in one form, as a run's config keeps it; "" for the usual share."""
        if self.time is None:
            return "" if self == TimeCut() else f"{self.share:g}"
        if time_kind == "order":
            return str(self.time)
        return datetime.fromtimestamp(self.time, UTC).isoformat()


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def visit_gap_of(time_kind: str) -> int:
    """The visit_gap of a log whose times are a "clock" or but an "order"."""
    return VISIT_GAP if time_kind == "clock" else 0


def usual_validation(kind: str) -> str:
    """Which of VALIDATE_ON it is where nobody chose: what the split asks of the test, too."""
    return _AS_THE_TEST.get(kind, "next-event")


def split_log(
    interactions: Interactions,
    kind: str,
    *,
    validation: bool,
    validate_on: str = "",
    cut: TimeCut | None = None,
    visit_gap: int = VISIT_GAP,
) -> Split:
    """The log cut in three; each event goes to exactly one part.

    The test:

    - `leave-last-out`: each user's last event is the target. Users with a single event stay in
      train.
    - `last-visit`: each user's last visit is the target, all its events. A visit ends where more
      than visit_gap passes until the next event. Users with a single visit stay in train.
    - `by-time`: one cut for everybody, so that train times < cutoff ≤ test times. A person who
      comes only after the cut is asked about with an empty history.
    - `none`: there is none.

    With `validation`, of what is left:

    - `next-event`: the last event of each user with two or more, so that no history is empty.
    - `next-visit`: the last visit of each user with two or more.
    - `next-period`: one cut for everybody; who comes only after it is asked with an empty history.
      It sets as many events apart as are in a test by time, else a tenth.

    Validation events still belong to the history when recommending. A query's history is everything
    of that user's before its targets, validation events included. Ties are broken as the log is
    sorted: user, time, row of the source. A target may repeat an item of the history or another
    target: people do.

    Args:
        interactions: The whole log.
        kind: One of KINDS.
        validation: Whether the model needs targets to know when to stop.
        validate_on: One of VALIDATE_ON; "" is as the test asks, without one next-event.
        cut: Where `by-time` cuts; a tenth of the events are after it if not given.
        visit_gap: Longest time between two events of one visit, in the unit of the log's times;
            0 where they only say an order, so that a visit is what has one time.

    Raises:
        BadInput: an unknown kind, or a log that cannot be cut that way.
    """
    if kind not in KINDS:
        raise BadInput(f"there is no split {kind!r}: choose one of {', '.join(KINDS)}")
    if not len(interactions):
        raise BadInput("the log has no events that count, so there is nothing to split")
    if kind != "by-time" and cut not in (None, TimeCut()):
        raise BadInput(f"only by-time is cut at a time or share, not {kind}: leave the cut out")
    validate_on = validate_on or usual_validation(kind)
    if validate_on not in VALIDATE_ON:
        raise BadInput(
            f"there is no validation on {validate_on!r}: choose one of {', '.join(VALIDATE_ON)}"
        )
    part, share = np.full(len(interactions), _TRAIN), TimeCut().share
    by_period = validation and validate_on == "next-period"
    if kind == "by-time":
        share = _hold_period(interactions, part, cut or TimeCut(), room=by_period)
    elif kind == "last-visit":
        _hold_visit(interactions, part, _TEST, visit_gap)
    elif kind == "leave-last-out":
        _hold_last(interactions, part, _TEST)
    if by_period:
        _hold_period_before(interactions, part, share)
    elif validation and validate_on == "next-visit":
        _hold_visit(interactions, part, _VALIDATION, visit_gap)
    elif validation:
        _hold_last(interactions, part, _VALIDATION)
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


def _hold_last(interactions: Interactions, part: Array, name: np.uint8) -> None:
    """Gives each user's last event of train to that part, where another is left."""
    left = np.flatnonzero(part == _TRAIN)
    users = interactions.users[left]
    last = np.diff(users, append=-1) != 0
    another = np.diff(users, prepend=-1) == 0  # of the same user, before it
    if not (last & another).any():
        most = int(np.bincount(users, minlength=1).max())
        beside = " besides those of the test" if len(left) < len(part) else ""
        raise BadInput(
            f"no user has 2 events or more{beside} (the most is {most}), so none can be held "
            "out: a log with longer histories is needed, or a split without test and validation"
        )
    part[left[last & another]] = name


def _hold_visit(interactions: Interactions, part: Array, name: np.uint8, gap: int) -> None:
    """Gives each user's last visit of train to that part, where another is left."""
    if interactions.times is None:
        raise BadInput("a last visit needs times, and this log has none: use leave-last-out")
    left = np.flatnonzero(part == _TRAIN)
    users, times = interactions.users[left], interactions.times[left]
    another_user = np.diff(users, prepend=-1) != 0
    begins = another_user | (np.diff(times, prepend=times[:1]) > gap)
    visits = np.cumsum(begins)
    of_user = np.cumsum(another_user) - 1
    first = visits[another_user][of_user]
    last = visits[np.diff(users, append=-1) != 0][of_user]
    held = (visits == last) & (first < last)
    if not held.any():
        beside = " besides those of the test" if len(left) < len(part) else ""
        apart = f"more than {gap:,} seconds apart" if gap else "at different times"
        raise BadInput(
            f"no user has 2 visits{beside}, events {apart}, so none can be held out: use "
            "leave-last-out, validated on next-event"
        )
    part[left[held]] = name


def _hold_period(interactions: Interactions, part: Array, cut: TimeCut, *, room: bool) -> float:
    """Gives what comes from the cut on to the test; where a period is wanted before it, with room.

    Returns:
        The share of what is left that a period before it has, so that it is as long; at most half.
    """
    times = interactions.times
    if times is None:
        raise BadInput("by-time needs times, and this log has none: use leave-last-out")
    if not 0 < cut.share <= 0.5:
        raise BadInput(
            f"the share of a cut must lie above 0 and at most at 0.5, not at {cut.share:g}"
        )
    ordered = np.sort(times)
    distinct = 1 + np.count_nonzero(np.diff(ordered))
    if distinct < 2 + room:
        raise BadInput(
            f"by-time needs at least {2 + room} different times, and this log has "
            f"{distinct}: use leave-last-out"
        )
    if cut.time is not None:
        cutoff = _checked_time(ordered, cut.time, room)
    else:
        cutoff = _cut(ordered, cut.share)
        if room and cutoff == _after(ordered, ordered[0]):  # room for a second cut below
            cutoff = _after(ordered, cutoff)
    part[times >= cutoff] = _TEST
    before = int(np.searchsorted(ordered, cutoff))
    after = len(ordered) * cut.share if cut.time is None else len(ordered) - before
    return min(0.5, after / before)


def _hold_period_before(interactions: Interactions, part: Array, share: float) -> None:
    """Gives the last share of what is left in train to validation, by one cut for everybody."""
    if interactions.times is None:
        raise BadInput(
            "validation on next-period needs times, and this log has none: validate on next-event"
        )
    left = part == _TRAIN
    times = np.sort(interactions.times[left])
    if times[0] == times[-1]:
        raise BadInput(
            "validation on next-period needs two different times besides the test's, and there is "
            "one: validate on next-event"
        )
    part[left & (interactions.times >= _cut(times, share))] = _VALIDATION


def _checked_time(ordered: Array, time: int, validation: bool) -> np.int64:
    """This time, if enough different ones lie before it and some from it on."""
    before = ordered[: np.searchsorted(ordered, time)]
    enough = len(before) and (before[0] < before[-1] or not validation)
    if not enough or len(before) == len(ordered):
        raise BadInput(
            f"the cut lies outside of the log: {len(before):,} of its {len(ordered):,} events are "
            f"before it, and {'two different times' if validation else 'one'} must be before it "
            "and one event after it"
        )
    return np.int64(time)


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
