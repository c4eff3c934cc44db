"""The front of two measures: what is said of a run follows from the figures and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.evaluate.pareto import BEHIND, FRONT, OPEN, Objective, clear_of, front, surely_higher

RUNS = ["a", "b", "c"]


def exact(*values: float) -> Objective:
    """Known to the last digit."""
    known = np.array(values)
    return Objective(known, known[:, None] > known)


def unsure(*values: float) -> Objective:
    """No difference is more than chance."""
    return Objective(np.array(values), np.zeros((len(values), len(values)), bool))


def places(first: Objective, second: Objective) -> list[str]:
    return [place.place for place in front(RUNS, first, second)]


def test_each_trade_off_is_on_the_front_and_the_worse_in_both_is_behind():
    assert places(exact(3, 2, 1), exact(1, 2, 3)) == [FRONT] * 3
    assert places(exact(3, 2, 1), exact(3, 2, 1)) == [FRONT, BEHIND, BEHIND]
    last = front(RUNS, exact(3, 2, 1), exact(3, 2, 1))[2]
    assert last.behind == ("a", "b")


def test_a_difference_within_the_interval_puts_nobody_behind():
    assert places(unsure(3, 2, 1), unsure(3, 2, 1)) == [FRONT, OPEN, OPEN]
    assert places(exact(3, 2, 1), unsure(3, 2, 1)) == [FRONT, OPEN, OPEN]
    assert places(exact(3, 2, 1), unsure(1, 1, 1)) == [FRONT, BEHIND, BEHIND], "equal is not worse"


def test_equal_runs_share_the_front():
    assert places(exact(2, 2, 1), exact(2, 2, 2)) == [FRONT, FRONT, BEHIND]


numbers = st.lists(st.integers(0, 4), min_size=2, max_size=6)


@given(st.data(), numbers)
def test_by_exact_figures_it_is_the_pareto_front(data, first):
    second = data.draw(st.lists(st.integers(0, 4), min_size=len(first), max_size=len(first)))
    names = [str(n) for n in range(len(first))]
    for place in front(names, exact(*first), exact(*second)):
        j = int(place.run)
        better = {
            str(i)
            for i in range(len(first))
            if first[i] >= first[j] and second[i] >= second[j]
            if (first[i], second[i]) != (first[j], second[j])
        }
        assert place.place == (BEHIND if better else FRONT)
        assert set(place.behind) == better


@given(st.data(), numbers)
def test_less_is_known_fewer_are_behind_and_the_front_stays(data, first):
    second = data.draw(st.lists(st.integers(0, 4), min_size=len(first), max_size=len(first)))
    names = [str(n) for n in range(len(first))]
    sure = front(names, exact(*first), exact(*second))
    vague = front(names, unsure(*first), unsure(*second))
    for known, blurred in zip(sure, vague, strict=True):
        assert (blurred.place == FRONT) == (known.place == FRONT)
        assert blurred.place != BEHIND


def test_surely_higher_is_by_paired_differences():
    rng = np.random.default_rng(5)
    person = rng.normal(0, 10, 400)  # people differ far more than runs do
    values = np.column_stack([person, person + 1 + rng.normal(0, 0.5, 400), person])
    higher = surely_higher(values)
    assert higher[1].tolist() == [True, False, True]
    assert not higher[0].any()
    assert not higher[2].any(), "equal to the first"
    assert surely_higher(values[:, :1]).shape == (1, 1)
    chance = np.column_stack([person, person + np.tile([5.0, -4.98], 200)])
    assert chance[:, 0].mean() < chance[:, 1].mean()
    assert not surely_higher(chance).any(), "a higher mean is not enough"


@pytest.mark.parametrize("scale", [1.0, -1.0])
def test_turned_round_the_matrix_turns(scale):
    rng = np.random.default_rng(6)
    values = rng.normal(size=(60, 4)) + np.arange(4)
    higher, turned = surely_higher(values), surely_higher(scale * values)
    assert (turned == (higher if scale > 0 else higher.T)).all()


def test_intervals_that_meet_tell_nobody_apart():
    low, high = np.array([1.0, 2.5, 3.1]), np.array([2.0, 3.0, 4.0])
    assert clear_of(low, high).tolist() == [
        [False, False, False],
        [True, False, False],
        [True, True, False],
    ]
