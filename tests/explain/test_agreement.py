"""Whether two runs have the same reasons: planted likes and unlikes, and noise that is neither."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from core.errors import BadInput
from core.explain import explain
from core.explain.explanation import Explanation
from core.explain.survey import agreement as agreements
from core.explain.survey.agreement import agreement
from core.recommend.top_k import recommend
from tests.explain.test_overview import did, linear


def planted(rng, n=30):
    """Histories of the first twenty items; a model whose weights decide."""
    histories = [tuple(rng.permutation(20)[: rng.integers(6, 12)]) for _ in range(n)]
    return did(*histories), rng.normal(size=(25, 25))


def test_rho_and_the_strongest_causes_are_those_of_two_explanations():
    rng = np.random.default_rng(0)
    queries, weights = planted(rng)
    one, two = linear(weights), linear(weights + rng.normal(size=(25, 25)))
    rows = np.arange(0, 30, 2)
    found = agreement(one, two, queries, rows, n_items=25, k=2)
    assert len(found.cases) == 30
    assert found.people == 15
    for case in found.cases:
        query = replace(queries[case.row : case.row + 1], users=np.array([-1]))
        items = recommend(one, query, 2, n_items=25).items[0]
        assert items[case.rank - 1] == case.item
        values = [
            explain(model, query, np.array([case.item]), n_items=25).values[:, 0]
            for model in (one, two)
        ]
        assert case.rho == pytest.approx(stats.spearmanr(*values).statistic)
        assert (case.se, case.ceiling) == (0, pytest.approx(1))
        tops = [query.items[np.argsort(-own)[:3]] for own in values]
        assert (case.strongest, case.other_strongest) == (tops[0][0], tops[1][0])
        positive = [
            set(query.items[own > 0]) & set(top) for own, top in zip(values, tops, strict=True)
        ]
        shared = len(positive[0] & positive[1]) / max(map(len, positive))
        assert case.shared == pytest.approx(shared)
        ranking = recommend(two, query, 25, n_items=25).items[0].tolist()
        assert ranking[case.other_rank - 1] == case.item
    rhos = [np.mean([c.rho for c in found.cases if c.row == row]) for row in rows]
    assert found.rho == pytest.approx(np.mean(rhos))
    assert found.low < found.rho < found.high
    assert [case.rho for case in found.cases] == sorted(case.rho for case in found.cases)
    assert found.verdict == "differ"


def test_the_same_reasons_on_another_scale_do_not_differ_and_opposite_ones_do():
    rng = np.random.default_rng(1)
    queries, weights = planted(rng)
    rows = np.arange(30)
    same = agreement(linear(weights), linear(7 * weights), queries, rows, n_items=25)
    assert (same.rho, same.shared, same.verdict) == (pytest.approx(1), 1, "unsure")
    assert not any(case.differs for case in same.cases)
    turned = agreement(linear(weights), linear(-weights), queries, rows, n_items=25)
    assert (turned.rho, turned.verdict) == (pytest.approx(-1), "differ")
    assert all(case.differs for case in turned.cases)
    assert turned.shared == 0


def test_errors_of_the_values_are_no_difference():
    """Two estimates of the same values seldom have the same order; the ceiling knows."""
    rng = np.random.default_rng(2)
    claims = 0
    rhos, ceilings = [], []
    query = did(tuple(range(12)))
    for seed in range(200):
        true = rng.normal(size=12)
        both = [estimate(true + 0.3 * rng.normal(size=12), 0.3) for _ in range(2)]
        case = agreements._compare(query, both, 0, seed, 1, 1, 0)
        rhos.append(case.rho)
        ceilings.append(case.ceiling)
        claims += case.differs
    assert np.mean(rhos) < 0.95
    assert np.mean(ceilings) == pytest.approx(np.mean(rhos), abs=0.05)
    assert claims <= 16  # of 200


def estimate(values, se) -> Explanation:
    n = len(values)
    return Explanation(
        items=np.array([20]),
        players=np.arange(n),
        scores=np.array([values.sum()]),
        base=np.zeros(1),
        raw_scores=np.array([values.sum()]),
        raw_base=np.zeros(1),
        values=values[:, None],
        se=np.full((n, 1), se),
        method="permutations",
        evaluations=1,
        seed=0,
        stability=np.ones(1),
    )


def test_what_has_no_order_is_left_out():
    rng = np.random.default_rng(3)
    queries, weights = planted(rng, 4)
    still = agreement(linear(weights), linear(np.ones((25, 25))), queries, np.arange(4), n_items=25)
    assert (still.people, still.left_out, still.cases) == (0, 4, ())
    assert still.verdict == "few"
    short = did((1, 2, 3), (1, 2, 3, 4, 5))
    found = agreement(linear(weights), linear(weights), short, np.arange(2), n_items=25)
    assert (found.people, found.left_out, found.verdict) == (1, 1, "few")
    with pytest.raises(BadInput, match="not 0, 2"):
        agreement(linear(weights), linear(weights), short, np.arange(2), n_items=25, k=0)
