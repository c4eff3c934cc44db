"""Every accuracy metric: its bounds, its direction, its value in a list written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.evaluate.metrics import Places, auc
from core.evaluate.registry import METRICS, OfRanking, OfTopK, metrics_of
from core.models.common.places import UNREACHABLE

N_ITEMS = 30
ACCURACY = [*metrics_of(OfTopK), *metrics_of(OfRanking)]
# Places 2 and 5, and a target that cannot be reached, among 10 candidates; k = 5.
BY_HAND = {
    "precision": 2 / 5,
    "recall": 2 / 3,
    "hit_rate": 1,
    "f1": 2 * (2 / 5) * (2 / 3) / (2 / 5 + 2 / 3),
    "map": (1 / 2 + 2 / 5) / 3,
    "mrr": 1 / 2,
    "ndcg": (1 / np.log2(3) + 1 / np.log2(6)) / (1 + 1 / np.log2(3) + 1 / np.log2(4)),
    "auc": (7 / 8 + 5 / 8 + 0) / 3,  # 8 others: 1 above the first, 3 above the second
}


def values(name, places, k):
    metric = METRICS[name]
    return metric.measure(places) if isinstance(metric, OfRanking) else metric.measure(places, k)


@st.composite
def queries(draw, reachable=0):
    """Places of one query's targets, ascending; at least `reachable` of them can be reached."""
    places = draw(st.sets(st.integers(1, N_ITEMS), min_size=reachable, max_size=12))
    hidden = draw(st.integers(0 if places else 1, 2))
    return sorted(places) + [UNREACHABLE] * hidden


@pytest.mark.parametrize("name", BY_HAND)
def test_by_hand(name):
    places = Places.of([[2, 5, UNREACHABLE]], candidates=[10])
    assert values(name, places, 5)[0] == pytest.approx(BY_HAND[name])


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_worked_by_hand(name):
    """In its docstring, whose examples are run."""
    assert ">>> " in METRICS[name].measure.__doc__


@pytest.mark.parametrize("name", ACCURACY)
@given(st.lists(queries(), min_size=1, max_size=4), st.integers(1, 40))
def test_lies_between_0_and_1(name, places, k):
    got = values(name, Places.of(places, [N_ITEMS] * len(places)), k)
    assert got.shape == (len(places),)
    assert np.isfinite(got).all()
    assert (got >= 0).all()
    assert (got <= 1 + 1e-12).all()


@pytest.mark.parametrize("name", ACCURACY)
@given(queries(reachable=1), st.integers(1, 40), st.data())
def test_never_falls_when_a_hit_moves_up(name, places, k, data):
    free = sorted(set(range(1, N_ITEMS + 1)) - set(places))
    moved = data.draw(st.sampled_from([p for p in places if p != UNREACHABLE]))
    better = [p for p in free if p < moved]
    if not better:
        return
    up = list(places)
    up[up.index(moved)] = data.draw(st.sampled_from(better))
    before = values(name, Places.of([places], [N_ITEMS]), k)
    after = values(name, Places.of([sorted(up)], [N_ITEMS]), k)
    assert after[0] >= before[0] - 1e-12


@pytest.mark.parametrize("name", ACCURACY)
@given(st.lists(queries(), min_size=2, max_size=4), st.integers(1, 40))
def test_a_query_is_worth_the_same_alone(name, places, k):
    together = values(name, Places.of(places, [N_ITEMS] * len(places)), k)
    alone = [values(name, Places.of([p], [N_ITEMS]), k)[0] for p in places]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


@pytest.mark.parametrize("name", ACCURACY)
@given(st.sets(st.integers(1, N_ITEMS), min_size=1, max_size=8), st.integers(1, 8))
def test_a_perfect_list_is_worth_most(name, places, k):
    """1, but for precision, recall, F1 and MAP, which divide by k or by all targets."""
    n = len(places)
    got = values(name, Places.of([list(range(1, n + 1))], [N_ITEMS]), k)[0]
    assert got >= values(name, Places.of([sorted(places)], [N_ITEMS]), k)[0] - 1e-12
    hits = min(n, k)
    best = {"precision": hits / k, "recall": hits / n, "f1": 2 * hits / (n + k), "map": hits / n}
    best |= dict.fromkeys(("hit_rate", "mrr", "ndcg", "auc"), 1)
    assert got == pytest.approx(best.get(name, got))


@pytest.mark.parametrize("name", ACCURACY)
def test_targets_that_cannot_be_reached_are_misses(name):
    places = Places.of([[UNREACHABLE, UNREACHABLE]], candidates=[0])
    assert values(name, places, 10_000)[0] == 0


def test_auc_where_every_candidate_is_a_target():
    assert auc(Places.of([[1, 2], [1, UNREACHABLE]], [2, 1])).tolist() == [1, 0.5]
