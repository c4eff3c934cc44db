"""Intervals and tests of significance against theory, SciPy and enumeration."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from core.evaluate.intervals import (
    RESAMPLES,
    bootstrap,
    holm,
    jackknife,
    resample_weights,
    sign_flip_p,
)
from core.evaluate.lists import coverage, gini


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("n", [1, 7, 5000])
def test_every_resample_draws_as_many_users_as_there_are(n):
    weights = np.concatenate(list(resample_weights(n, rng())))
    assert weights.shape == (RESAMPLES, n)
    assert (weights.sum(axis=1) == n).all()
    if n > 1:  # a draw is binomial(n, 1/n)
        assert weights.var() == pytest.approx(1 - 1 / n, rel=0.1)


def test_blocks_of_resamples_are_bounded():
    block = next(iter(resample_weights(300_000, rng())))
    assert block.nbytes <= 32 * 2**20


def test_bootstrap_is_the_normal_interval_where_there_are_many_users():
    values = rng(1).normal(3, 2, size=(4000, 1))
    low, high = bootstrap(values, rng())
    half = 1.96 * values.std() / np.sqrt(4000)
    assert low[0] == pytest.approx(values.mean() - half, abs=half / 8)
    assert high[0] == pytest.approx(values.mean() + half, abs=half / 8)


def test_bootstrap_agrees_with_scipy_on_few_skewed_values():
    values = rng(2).exponential(size=40)
    low, high = bootstrap(values[:, None], rng())
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=5000, method="percentile", rng=rng(3)
    ).confidence_interval
    assert [low[0], high[0]] == pytest.approx([theirs.low, theirs.high], abs=0.04)


def test_bootstrap_is_repeatable_and_columns_share_their_draws():
    values = rng(4).random((50, 1)) @ np.ones((1, 2))
    first, again = bootstrap(values, rng(5)), bootstrap(values, rng(5))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_allclose([first[0][0], first[1][0]], [first[0][1], first[1][1]])
    assert not np.array_equal(first, bootstrap(values, rng(6)))


def test_the_interval_holds_the_truth_as_often_as_it_says():
    draws = rng(7)
    inside = 0
    for _ in range(200):
        low, high = bootstrap(draws.exponential(size=(60, 1)), draws)
        inside += low[0] <= 1 <= high[0]
    assert 0.88 <= inside / 200 <= 0.99


def test_jackknife_of_a_mean_is_its_standard_error():
    values = rng(8).normal(size=(200, 1)) + 5
    low, high = jackknife(lambda total: float(total[0]) / 200, values)
    half = 1.96 * values.std(ddof=1) / np.sqrt(200)
    assert (high - low) / 2 == pytest.approx(half, rel=0.01)


def test_jackknife_of_coverage_and_gini_lies_around_them_and_is_about_as_wide_as_the_truth():
    """The truth: the spread over new sets of users."""
    appeal = rng(9).dirichlet(np.full(400, 0.3))
    worlds = [rng(seed).multinomial(50, appeal, size=20) for seed in range(10, 40)]
    for statistic in (coverage, gini):
        spread = np.std([statistic(world.sum(axis=0)) for world in worlds])
        halves = []
        for world in worlds:
            low, high = jackknife(statistic, world)
            assert low < statistic(world.sum(axis=0)) < high
            halves.append((high - low) / 2)
        assert 0.5 < np.mean(halves) / (1.96 * spread) < 2


def test_one_group_has_no_spread():
    assert jackknife(coverage, np.array([[1, 0]])) == (0.5, 0.5)


def test_sign_flips_equal_enumeration():
    differences = np.array([0.5, -0.25, 1.0, 0.75, -0.5, 0.0, 1.0, 0.25, 0.5])
    flips = np.array(list(product([1, -1], repeat=9))) @ differences
    exact = (np.abs(flips) >= abs(differences.sum()) - 1e-12).mean()
    assert sign_flip_p(differences[:, None], rng())[0] == pytest.approx(exact, abs=0.015)


def test_sign_flips_agree_with_scipy():
    differences = rng(11).normal(0.2, 1, size=80)
    theirs = scipy.stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=9999, rng=rng(12)
    ).pvalue
    assert sign_flip_p(differences[:, None], rng())[0] == pytest.approx(theirs, abs=0.015)


def test_equal_runs_differ_with_p_1_and_never_0():
    differences = np.column_stack([np.zeros(30), np.ones(30)])
    assert sign_flip_p(differences, rng()).tolist() == [1, 0.0001]


def test_false_alarms_are_as_rare_as_p_says():
    p = sign_flip_p(rng(13).normal(size=(40, 400)), rng())
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.03)


def test_holm_by_hand():
    # .001·4, .01·3, .02·2, .04·1; the third may not be below the second, nor the fourth
    assert holm(np.array([0.04, 0.001, 0.02, 0.01])) == pytest.approx([0.04, 0.004, 0.04, 0.03])
    assert holm(np.array([0.9, 0.8])).tolist() == [1, 1]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_lowers_a_p_nor_changes_their_order(p):
    p = np.array(p)
    corrected = holm(p)
    assert (corrected >= p).all()
    assert (corrected <= 1).all()
    assert (np.diff(corrected[np.argsort(p, kind="stable")]) >= 0).all()
    assert (corrected <= np.minimum(1, p * len(p)) + 1e-15).all()  # never above Bonferroni
