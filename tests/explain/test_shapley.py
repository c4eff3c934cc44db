"""Shapley values against the definition, and against shap."""

from __future__ import annotations

from itertools import combinations, pairwise, permutations
from math import factorial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.explain import shapley
from core.types import Array


def by_definition(v, n: int) -> Array:
    """The mean marginal over all n! orders, by loops."""
    total = np.zeros(n)
    for order in permutations(range(n)):
        there: set[int] = set()
        for player in order:
            total[player] += v(there | {player}) - v(there)
            there.add(player)
    return total / factorial(n)


def table(n: int, outputs: int = 2) -> Array:
    return np.random.default_rng(n).normal(size=(2**n, outputs))


def game_of(values: Array):
    n = len(values).bit_length() - 1
    powers = 1 << np.arange(n)
    return lambda keep: values[np.asarray(keep, bool) @ powers]


@pytest.mark.parametrize("n", range(1, 6))
def test_all_coalitions_give_what_the_definition_says(n):
    values = table(n)
    found = shapley.from_coalitions(values)
    for output in range(2):
        expected = by_definition(lambda s, o=output: values[sum(1 << p for p in s), o], n)
        np.testing.assert_allclose(found[:, output], expected, atol=1e-12)


def test_no_player_has_no_value():
    assert shapley.from_coalitions(np.ones((1, 3))).shape == (0, 3)
    assert shapley.from_fading_shares(np.zeros((0, 3)), np.ones(1)).shape == (0, 3)


@given(
    st.integers(1, 6),
    st.lists(st.floats(-2, 2), min_size=6, max_size=6),
    st.lists(st.floats(-5, 5), min_size=6, max_size=6),
)
def test_a_fading_sum_has_the_values_of_the_definition(n, fading, shares):
    g, a = np.array(fading[:n]), np.array(shares[:n])

    def v(there):
        return sum(a[i] * g[sum(j > i for j in there)] for i in there)

    found = shapley.from_fading_shares(a[:, None], g)[:, 0]
    np.testing.assert_allclose(found, by_definition(v, n), atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 8])
def test_shap_says_the_same(n):
    shap = pytest.importorskip("shap")
    values = table(n, 3)

    class Players:
        immutable_outputs, default_batch_size, shape = True, 4096, (1, n)

        def __call__(self, mask, x):
            return (np.asarray(mask, float)[None, :],)

    asked = game_of(values)
    theirs = shap.ExactExplainer(lambda rows: asked(rows > 0.5), Players())(
        np.ones((1, n)), silent=True
    )
    np.testing.assert_allclose(shapley.from_coalitions(values), theirs.values[0], atol=1e-12)


def test_shap_agrees_on_a_sum_that_does_not_fade():
    shap = pytest.importorskip("shap")
    a = np.random.default_rng(0).normal(size=7)
    theirs = shap.LinearExplainer((a, 0.5), shap.maskers.Independent(np.zeros((1, 7))))
    found = shapley.from_fading_shares(a[:, None], np.ones(7))[:, 0]
    np.testing.assert_allclose(found, theirs(np.ones((1, 7))).values[0], atol=1e-12)


def attention(n: int, seed: int = 0):
    """A game that is far from a sum: weighted means of the players, and who came last."""
    rng = np.random.default_rng(seed)
    weights, tastes = np.exp(rng.normal(size=n)), rng.normal(size=(n, 3))

    def v(keep):
        keep = np.asarray(keep, float)
        mean = (keep * weights) @ tastes / np.maximum(keep @ weights, 1e-9)[:, None]
        last = np.where(keep.any(axis=1), n - 1 - keep[:, ::-1].argmax(axis=1), 0)
        return np.tanh(mean) + 0.3 * tastes[last] * keep.any(axis=1)[:, None]

    return v


def test_orders_come_near_the_exact_values_and_know_how_near():
    n, v = 10, attention(10)
    exact = shapley.from_coalitions(v(shapley.coalitions(n)))
    far, off = [], []
    for seed in range(20):
        orders = shapley.random_orders(n, 30, np.random.default_rng(seed))
        found = shapley.from_orders(v, orders)
        far.append(np.linalg.norm(found.values - exact) / np.linalg.norm(exact))
        off.append(((found.values - exact) / found.se) ** 2)
        np.testing.assert_allclose(
            found.values.sum(axis=0), (v(np.ones((1, n))) - v(np.zeros((1, n))))[0], atol=1e-9
        )
    assert np.mean(far) < 0.08
    assert 0.2 < np.median(off) < 0.7  # squared standard errors; the median of chi² is 0.45


def test_the_control_variate_helps():
    n, v = 30, attention(30)
    reference = shapley.from_orders(
        v, shapley.random_orders(n, 3000, np.random.default_rng(9))
    ).values
    errors = {
        control: np.mean(
            [
                np.linalg.norm(
                    shapley.from_orders(
                        v,
                        shapley.random_orders(n, 30, np.random.default_rng(seed)),
                        control=control,
                    ).values
                    - reference
                )
                for seed in range(5)
            ]
        )
        for control in (True, False)
    }
    assert errors[True] < 0.6 * errors[False]


@pytest.mark.parametrize("portions", [(2, 3, 20, 30), (7, 8, 30)])
def test_orders_may_be_added_in_portions(portions):
    n, v = 12, attention(12)
    orders = shapley.random_orders(n, 30, np.random.default_rng(0))
    at_once, sums = shapley.from_orders(v, orders), shapley.OrderSums(n)
    for first, last in pairwise((0, *portions)):
        some = orders[2 * first : 2 * last]
        sums.add(some, v(shapley.prefixes(some).reshape(-1, n)))
    later = sums.sampled()
    np.testing.assert_allclose(later.values, at_once.values, atol=1e-11)
    np.testing.assert_allclose(later.se, at_once.se, atol=1e-11)
    np.testing.assert_allclose(later.halves, at_once.halves, atol=1e-11)


def test_each_order_is_followed_by_its_reverse_and_all_are_orders():
    orders = shapley.random_orders(7, 40, np.random.default_rng(0))
    assert orders.shape == (80, 7)
    assert (np.sort(orders, axis=1) == np.arange(7)).all()
    assert (orders[0::2] == orders[1::2, ::-1]).all()
    places = np.argsort(orders, axis=1).mean(axis=0)
    np.testing.assert_allclose(places, 3, atol=1e-9)


def test_orders_keep_groups_together():
    groups = np.array([0, 1, 0, 2, 1, 1])
    for order in shapley.random_orders(6, 20, np.random.default_rng(0), groups):
        changes = np.count_nonzero(np.diff(groups[order]))
        assert changes == 2


def test_prefixes_by_hand():
    keep = shapley.prefixes(np.array([[1, 0, 2]]))[0]
    assert keep.tolist() == [
        [False, False, False],
        [False, True, False],
        [True, True, False],
        [True, True, True],
    ]


@pytest.mark.parametrize("n", [4, 5])
def test_the_features_of_the_control_variate_have_the_values_it_says(n):
    features = shapley._features(shapley.coalitions(n))
    exact = shapley._exact_features(n)
    np.testing.assert_allclose(shapley.from_coalitions(features), exact, atol=1e-12)
    assert len(list(combinations(range(n), 2))) < features.shape[1]
