from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.split import KINDS, VALIDATE_ON, TimeCut, split_log
from core.errors import BadInput
from core.types import Holdout, Interactions, Split

N_USERS, N_ITEMS = 5, 6
GAP = 1  # between two events of a visit: times are drawn from 0 … 9

events = st.lists(
    st.tuples(
        st.integers(0, N_USERS - 1), st.integers(0, 9), st.integers(0, N_ITEMS - 1)
    ),  # user, time, item
    min_size=1,
    max_size=40,
)


def log(rows: list[tuple[int, int, int]], times: bool = True) -> Interactions:
    rows = sorted(rows, key=lambda row: row[:2])
    return Interactions(
        users=np.array([user for user, _, _ in rows], np.int64),
        items=np.array([item for _, _, item in rows], np.int64),
        weights=np.ones(len(rows), np.float32),
        n_users=N_USERS,
        n_items=N_ITEMS,
        times=np.array([time for _, time, _ in rows], np.int64) if times else None,
        values=np.arange(len(rows), dtype=np.float32),  # says which event it was
    )


def try_split(
    interactions: Interactions, kind: str, validation: bool, validate_on: str = ""
) -> Split | None:
    try:
        cut = TimeCut(0.3) if kind == "by-time" else None
        return split_log(
            interactions,
            kind,
            validation=validation,
            validate_on=validate_on,
            cut=cut,
            visit_gap=GAP,
        )
    except BadInput:
        return None


def held(holdout: Holdout | None) -> list[int]:
    """Which events are targets, told by their value."""
    return [] if holdout is None else [int(value) for value in holdout.values]


def target_places(holdout: Holdout) -> list[tuple[int, list[int], list[int]]]:
    """(user, values of the history, values of the targets) for each query."""
    queries = holdout.queries
    return [
        (
            int(user),
            queries.values[queries.offsets[b] : queries.offsets[b + 1]].astype(int).tolist(),
            holdout.values[holdout.offsets[b] : holdout.offsets[b + 1]].astype(int).tolist(),
        )
        for b, user in enumerate(queries.users)
    ]


@given(events, st.sampled_from(KINDS), st.booleans(), st.sampled_from(["", *VALIDATE_ON]))
def test_each_event_is_in_exactly_one_part(rows, kind, validation, validate_on):
    whole = log(rows)
    cut = try_split(whole, kind, validation, validate_on)
    if cut is None:
        return
    parts = [int(value) for value in cut.train.values] + held(cut.validation) + held(cut.test)
    assert sorted(parts) == list(range(len(whole)))


@given(events, st.booleans())
def test_the_target_is_the_last_event_and_the_history_is_the_rest(rows, validation):
    whole = log(rows)
    cut = try_split(whole, "leave-last-out", validation)
    if cut is None:
        return
    expected = [
        (user, own[:-1], own[-1:])
        for user in range(N_USERS)
        if len(own := np.flatnonzero(whole.users == user).tolist()) >= 2
    ]
    assert target_places(cut.test) == expected
    if validation:
        assert target_places(cut.validation) == [
            (user, history[:-1], history[-1:]) for user, history, _ in expected if len(history) >= 2
        ]


def last_visits(whole: Interactions, left: list[int], gap: int) -> list[int]:
    """The same, one person after another and backwards from the end."""
    targets = []
    for user in range(N_USERS):
        own = [place for place in left if whole.users[place] == user]
        visit = own[-1:]
        while (before := own[: len(own) - len(visit)]) and (
            whole.times[visit[0]] - whole.times[before[-1]] <= gap
        ):
            visit = [before[-1], *visit]
        if len(visit) < len(own):
            targets += visit
    return targets


@given(events, st.booleans(), st.integers(0, 4))
def test_a_last_visit_is_held_out_whole(rows, validation, gap):
    whole = log(rows)
    expected = last_visits(whole, [*range(len(whole))], gap)
    try:
        cut = split_log(whole, "last-visit", validation=validation, visit_gap=gap)
    except BadInput:
        if validation and expected:
            assert not last_visits(
                whole, [place for place in range(len(whole)) if place not in expected], gap
            )
        else:
            assert not expected
        return
    assert held(cut.test) == expected
    assert cut.tie_rate == 0
    for user, history, targets in target_places(cut.test):
        own = np.flatnonzero(whole.users == user).tolist()
        assert history + targets == own
        assert whole.times[targets[0]] - whole.times[history[-1]] > gap


@given(events, st.booleans())
def test_train_times_lie_before_the_cut_and_the_others_after(rows, validation):
    whole = log(rows)
    cut = try_split(whole, "by-time", validation)
    if cut is None:
        return
    test_start = whole.times[held(cut.test)].min()
    validation_start = test_start
    if validation:
        validation_start = whole.times[held(cut.validation)].min()
        assert whole.times[held(cut.validation)].max() < test_start
        for user, history, _ in target_places(cut.validation):
            assert history == [
                place
                for place in np.flatnonzero(whole.users == user)
                if whole.times[place] < validation_start
            ]
    assert cut.train.times.max() < validation_start
    for user, history, targets in target_places(cut.test):
        own = np.flatnonzero(whole.users == user)
        assert history == own[whole.times[own] < test_start].tolist()
        assert targets == own[whole.times[own] >= test_start].tolist()


@given(events, st.sampled_from(KINDS), st.sampled_from(VALIDATE_ON))
def test_what_validation_asks_does_not_hang_on_what_the_test_asks(rows, kind, validate_on):
    whole = log(rows)
    cut = try_split(whole, kind, True, validate_on)
    if cut is None:
        return
    tested = held(cut.test)
    left = [place for place in range(len(whole)) if place not in tested]
    asked = held(cut.validation)
    if validate_on == "next-visit":
        assert held(cut.validation) == last_visits(whole, left, GAP)
    elif validate_on == "next-event":
        own = [[place for place in left if whole.users[place] == user] for user in range(N_USERS)]
        assert asked == [places[-1] for places in own if len(places) >= 2]
    else:
        begin = whole.times[asked].min()
        assert sorted(asked) == [place for place in left if whole.times[place] >= begin]
        assert begin > whole.times[left].min()
    if cut.test is not None and (kind, validate_on) != (
        "by-time",
        "next-period",
    ):  # that makes room
        same = try_split(whole, kind, False)
        assert same is not None
        assert target_places(cut.test) == target_places(same.test)


def test_a_period_for_validation_is_a_tenth_where_the_test_is_none():
    whole = log([(n % 5, n, n % 6) for n in range(100)])
    cut = split_log(whole, "none", validation=True, validate_on="next-period")
    assert sorted(whole.times[held(cut.validation)]) == list(range(90, 100))


@given(events)
def test_three_different_times_are_enough_to_cut_twice(rows):
    whole = log(rows)
    possible = len(np.unique(whole.times)) >= 3
    assert (try_split(whole, "by-time", True) is not None) == possible


@given(events)
def test_none_keeps_everything(rows):
    whole = log(rows)
    cut = split_log(whole, "none", validation=False)
    assert cut.train.items.tolist() == whole.items.tolist()
    assert cut.test is None
    assert cut.validation is None


def test_none_with_validation_holds_out_each_last_event(small_world):
    cut = split_log(small_world, "none", validation=True)
    assert cut.test is None
    assert cut.validation.queries.users.tolist() == [0, 1, 2, 3, 4]
    assert cut.validation.targets.tolist() == [3, 4, 5, 2, 5]
    assert len(cut.train) == 15


def test_the_share_after_the_cut_is_the_one_asked_for():
    n = 1000
    rng = np.random.default_rng(0)
    whole = replace(
        log([(0, 0, 0)]),
        users=np.zeros(n, np.int64),
        items=np.zeros(n, np.int64),
        weights=np.ones(n, np.float32),
        times=np.sort(rng.permutation(n)),
        values=np.arange(n, dtype=np.float32),
    )
    cut = split_log(whole, "by-time", validation=True, cut=TimeCut(0.2))
    assert len(cut.test.targets) == 200
    assert len(cut.validation.targets) == 200
    assert len(cut.train) == 600


def test_ties_go_to_one_side_of_the_cut():
    cut = split_log(log([(u, 5, 0) for u in range(4)] + [(0, 1, 1)]), "by-time", validation=False)
    assert cut.train.times.tolist() == [1]
    assert len(cut.test.targets) == 4


def test_tie_rate_by_hand(small_world):
    # Last two events of users 0-4: 40 50, 25 60, 13 70, 45 80, 55 65: no tie.
    assert split_log(small_world, "leave-last-out", validation=False).tie_rate == 0
    tied = small_world.times.copy()
    tied[4] = 40  # user 0
    world = replace(small_world, times=tied)
    assert split_log(world, "leave-last-out", validation=True).tie_rate == pytest.approx(1 / 5)
    assert split_log(replace(world, times=None), "leave-last-out", validation=False).tie_rate == 1
    assert split_log(world, "by-time", validation=False).tie_rate == 0
    later = log([(0, 1, 0), (0, 9, 1), (0, 9, 2)])  # two targets tied with each other
    assert split_log(later, "by-time", validation=False, cut=TimeCut(0.5)).tie_rate == 0


def test_users_with_one_event_stay_in_train(small_world):
    cut = split_log(small_world, "leave-last-out", validation=True)
    assert 5 not in cut.test.queries.users
    assert cut.train.users.tolist().count(5) == 1
    assert cut.validation.queries.users.tolist() == [0, 1, 2, 3]  # user 4 has only two events
    assert cut.train.users.tolist().count(4) == 1


def test_a_newcomer_after_the_cut_has_an_empty_history(small_world):
    cut = split_log(small_world, "by-time", validation=False, cut=TimeCut(0.25))
    asked = dict(
        zip(cut.test.queries.users.tolist(), cut.test.queries.lengths.tolist(), strict=True)
    )
    assert asked[5] == 0
    assert asked[3] == 4


def test_the_fingerprint_tells_splits_apart_and_never_changes(small_world):
    other = replace(small_world, items=small_world.items[::-1].copy())
    fingerprints = {
        split_log(world, kind, validation=False, visit_gap=GAP).fingerprint
        for world in (small_world, other)
        for kind in KINDS
    }
    assert len(fingerprints) == 8
    again = split_log(small_world, "by-time", validation=True).fingerprint
    assert again.startswith("3c7a1ec20937c8b9")  # the same on every machine


@pytest.mark.parametrize("kind", ["leave-last-out", "none"])
def test_a_validation_part_does_not_change_what_is_asked(small_world, kind):
    without, with_it = (split_log(small_world, kind, validation=v) for v in (False, True))
    assert without.fingerprint == with_it.fingerprint
    np.testing.assert_array_equal(without.train.items, with_it.train_and_validation.items)
    assert len(with_it.train) + len(with_it.validation.targets) == len(with_it.train_and_validation)


@pytest.mark.parametrize(
    ("rows", "times", "kind", "validation", "share", "sentence"),
    [
        ([], True, "none", False, 0.1, "no events"),
        ([(0, 0, 0)], True, "by-name", False, 0.1, "leave-last-out, last-visit, by-time, none"),
        ([(0, 0, 0), (1, 1, 1)], True, "leave-last-out", False, 0.1, "2 events or more"),
        (
            [(0, 0, 0), (0, 1, 1)],
            True,
            "leave-last-out",
            True,
            0.1,
            "2 events or more besides those of the test",
        ),
        ([(0, 0, 0), (1, 1, 1)], True, "none", True, 0.1, "2 events or more"),
        ([(0, 0, 0), (0, 1, 1)], False, "by-time", False, 0.1, "has none"),
        ([(0, 0, 0), (0, 1, 1)], False, "last-visit", False, 0.1, "has none: use leave-last-out"),
        ([(0, 0, 0), (0, 1800, 1)], True, "last-visit", False, 0.1, "2 visits, events more than"),
        ([(0, 0, 0), (0, 1801, 1)], True, "last-visit", True, 0.1, "2 visits besides those of"),
        ([(0, 7, 0), (1, 7, 1)], True, "by-time", False, 0.1, "at least 2 different times"),
        ([(0, 7, 0), (1, 8, 1)], True, "by-time", True, 0.1, "at least 3 different times"),
        ([(0, 0, 0), (0, 1, 1)], True, "by-time", False, 0.0, "share of a cut"),
        ([(0, 0, 0), (0, 1, 1)], True, "by-time", False, 0.6, "share of a cut"),
    ],
)
def test_what_cannot_be_split_is_refused(rows, times, kind, validation, share, sentence):
    cut = TimeCut(share) if kind == "by-time" else None
    with pytest.raises(BadInput, match=sentence):
        split_log(log(rows, times), kind, validation=validation, cut=cut)


@given(events, st.integers(0, 9), st.booleans())
def test_a_cut_at_a_time_asks_for_all_from_then_on_and_nothing_else(rows, time, validation):
    whole = log(rows)
    try:
        cut = split_log(whole, "by-time", validation=validation, cut=TimeCut(time=time))
    except BadInput:
        before = {at for _, at, _ in rows if at < time}
        assert len(before) < 1 + validation or len(before) == len({at for _, at, _ in rows})
        return
    late = [int(value) for value in whole.values[whole.times >= time]]
    assert sorted(held(cut.test)) == late
    assert cut.train.times.max() < time
    if validation:
        early = set(range(len(whole))) - set(late)
        assert set(held(cut.validation)) < early


def test_a_cut_is_a_share_or_a_date_or_a_number():
    assert TimeCut.parse("") == TimeCut.parse(" 0.1 ") == TimeCut()
    assert TimeCut.parse("0.25") == TimeCut(share=0.25)
    noon = TimeCut.parse("2024-03-01T12:00+01:00")
    assert noon == TimeCut.parse("2024-03-01 11:00") == TimeCut(time=1709290800)
    assert TimeCut.parse(noon.written()) == noon
    assert TimeCut.parse("1500", "order") == TimeCut(time=1500)
    assert TimeCut(time=1500).written("order") == "1500"
    assert TimeCut().written() == ""


@pytest.mark.parametrize(
    ("text", "time_kind", "sentence"),
    [
        ("0.7", "clock", "at most at 0.5, not at 0.7"),
        ("-0.1", "clock", "at most at 0.5"),
        ("nan", "clock", "at most at 0.5"),
        ("inf", "clock", "at most at 0.5"),
        ("soon", "clock", "must be a date such as"),
        ("2024", "clock", "must be a date such as"),
        ("2024-03-01", "order", "order numbers"),
    ],
)
def test_a_cut_that_says_nothing_is_refused(text, time_kind, sentence):
    with pytest.raises(BadInput, match=sentence):
        TimeCut.parse(text, time_kind)


def test_a_cut_beyond_the_log_is_refused(small_world):
    for time in (-(10**30), 10**30):
        with pytest.raises(BadInput, match="outside of the log"):
            split_log(small_world, "by-time", validation=True, cut=TimeCut(time=time))


@pytest.mark.parametrize(
    ("rows", "times", "validate_on", "sentence"),
    [
        ([(0, 0, 0), (0, 1, 1)], True, "next-year", "next-event, next-visit, next-period"),
        ([(0, 0, 0), (0, 1, 1)], False, "next-period", "validate on next-event"),
        ([(0, 7, 0), (0, 7, 1)], True, "next-period", "two different times"),
    ],
)
def test_what_cannot_be_validated_on_is_refused(rows, times, validate_on, sentence):
    with pytest.raises(BadInput, match=sentence):
        split_log(log(rows, times), "none", validation=True, validate_on=validate_on)


def test_only_by_time_is_cut(small_world):
    with pytest.raises(BadInput, match="only by-time"):
        split_log(small_world, "none", validation=False, cut=TimeCut(share=0.2))
