"""What is said of values against a number: no trend that noise, or who is who, gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from core.explain.survey.dependence import dependence, gaps, mean_over_people
from core.explain.survey.event_values import EventValues, Membership


def single(people, values, *, se=0.0, groups=None, **numbers) -> EventValues:
    """Values made up in a test."""
    n = len(values)
    return EventValues(
        people=np.asarray(people),
        taken=np.arange(n),
        items=np.zeros(n, int),
        values=np.asarray(values, float),
        se=np.broadcast_to(np.asarray(se, float), n),
        kinds=np.full(n, -1),
        numbers={name: np.asarray(own, float) for name, own in numbers.items()},
        groups=groups or {},
        total=n,
    )


def histories(rng, people=40, low=5, high=30):
    """Whose event each is, and its place from the end."""
    lengths = rng.integers(low, high, people)
    who = np.repeat(np.arange(people), lengths)
    return who, np.concatenate([np.arange(n, 0, -1) for n in lengths])


def test_a_planted_trend_is_told_and_which_way():
    rng = np.random.default_rng(0)
    who, age = histories(rng)
    values = 0.5**age + 0.02 * rng.normal(size=len(age))
    told = dependence(single(who, values, age=age), "age")
    assert (told.direction, told.people) == ("falls", 40)
    assert -1 <= told.low <= told.rho <= told.high < 0
    assert dependence(single(who, -values, age=age), "age").direction == "rises"


def test_rho_is_the_mean_over_people_of_scipys():
    rng = np.random.default_rng(1)
    who, age = histories(rng, people=12)
    values = rng.normal(size=len(age)).round(1)  # ties
    expected = [
        stats.spearmanr(age[who == person], values[who == person]).statistic for person in range(12)
    ]
    told = dependence(single(who, values, age=age), "age")
    assert told.rho == pytest.approx(np.mean(expected))
    half = 1.96 * np.std(expected) / 12**0.5  # what a bootstrap of a mean comes to
    assert (told.low, told.high) == pytest.approx((told.rho - half, told.rho + half), abs=0.05)


def test_noise_alone_is_seldom_called_a_trend():
    claims = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        who, age = histories(rng, people=25)
        spread = 1 + 5 / age  # late events are noisier, and people differ in scale
        values = spread * rng.exponential(2, 25)[who] * rng.standard_t(3, len(age))
        claims += dependence(single(who, values, age=age), "age").direction != "unsure"
    assert claims <= 9  # 5 % of 60 is 3; more than 9 by chance: one in a thousand


def test_that_people_differ_is_no_trend():
    """Long histories have older events and smaller values: over all dots ρ is far from 0."""
    rng = np.random.default_rng(2)
    lengths = np.repeat([6, 60], 20)
    who = np.repeat(np.arange(40), lengths)
    age = np.concatenate([np.arange(n, 0, -1) for n in lengths])
    values = rng.normal(1, 0.1, len(age)) / lengths[who]
    assert stats.spearmanr(age, values).statistic < -0.15
    assert dependence(single(who, values, age=age), "age").direction == "unsure"


def test_one_person_of_many_dots_decides_nothing():
    rng = np.random.default_rng(3)
    age = np.concatenate([np.arange(2_000, 0, -1), np.tile(np.arange(8, 0, -1), 30)])
    who = np.concatenate([np.zeros(2_000, int), np.repeat(np.arange(1, 31), 8)])
    values = np.where(who == 0, -age, rng.normal(size=len(age)))
    told = dependence(single(who, values, age=age), "age")
    others = who > 0
    without = dependence(single(who[others], values[others], age=age[others]), "age")
    assert told.rho == pytest.approx((without.rho * 30 - 1) / 31)
    assert stats.spearmanr(age, values).statistic < -0.9


def test_what_cannot_be_told():
    who, age = np.repeat(np.arange(9), 6), np.tile(np.arange(6), 9)
    told = dependence(single(who, -age, age=age), "age")
    assert (told.direction, told.people, told.rho) == ("few", 9, -1)
    assert np.isnan(told.low)
    nobody = dependence(single(who, np.ones(54), age=age), "age")
    assert (nobody.direction, nobody.people) == ("few", 0)
    price = np.where(np.arange(54) % 2, np.nan, age)  # three known each
    assert dependence(single(who, -age, price=price), "price").people == 0


def test_size_is_told_of_what_is_exact_only():
    """Of sampled values that are all 0 the size shrinks with age where the error does."""
    rng = np.random.default_rng(4)
    who, age = histories(rng)
    se = 1 / age
    noise = single(who, se * rng.normal(size=len(age)), se=se, age=age)
    assert dependence(noise, "age").direction == "unsure"
    assert dependence(noise, "age", size=True).direction == "few"
    assert dependence(replace(noise, se=np.zeros(len(age))), "age", size=True).direction == "falls"


def test_groups_that_lie_apart_are_told_and_those_that_do_not_are_not():
    rng = np.random.default_rng(5)
    who, _ = histories(rng, low=10)
    kind = rng.integers(0, 4, len(who))
    groups = Membership(("a", "b", "c", "d"), np.arange(len(who)), kind)
    values = rng.normal(size=len(who)) + np.array([0.8, -0.8, 0, 0])[kind]
    told = {gap.name: gap for gap in gaps(single(who, values), groups)}
    assert told["a"].low > 0
    assert told["b"].high < 0
    assert told["c"].low < 0 < told["c"].high
    person = [
        values[(who == p) & (kind == 0)].mean() - values[(who == p) & (kind != 0)].mean()
        for p in range(40)
        if (kind[who == p] == 0).sum() > 0
    ]
    assert told["a"].gap == pytest.approx(np.mean(person))
    low, high = stats.t.interval(1 - 0.05 / 4, len(person) - 1, np.mean(person), stats.sem(person))
    assert (told["a"].low, told["a"].high) == pytest.approx((low, high))
    few = single(who[who < 9], values[who < 9])
    assert gaps(few, Membership(("a",), np.flatnonzero(kind[who < 9] == 0), np.zeros(1, int))) == ()


def test_of_many_groups_by_chance_seldom_one_is_claimed():
    claims = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        who, _ = histories(rng, people=25)
        groups = Membership(tuple("abcdefgh"), np.arange(len(who)), rng.integers(0, 8, len(who)))
        told = gaps(single(who, rng.normal(size=len(who))), groups)
        claims += any(gap.low > 0 or gap.high < 0 for gap in told)
    assert claims <= 7  # 5 % of 40 is 2; more than 7 by chance: one in two thousand


@given(st.lists(st.floats(-1, 1), min_size=10, max_size=40))
def test_the_interval_of_a_mean_holds_it(figures):
    mean, low, high = mean_over_people(figures)
    assert min(figures) - 1e-9 <= low <= high <= max(figures) + 1e-9
    assert low - 1e-9 <= mean <= high + 1e-9
