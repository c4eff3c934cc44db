"""What is remembered of coalitions, against a table of them all; and that one history is meant."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput
from core.explain import explain
from core.explain.coalitions import CoalitionMemo
from core.explain.counterfactual import counterfactual
from core.explain.groups import VISIT, group_labels
from core.explain.parts import explain_parts
from core.explain.what_if import edit_history
from core.models import MODELS
from core.types import Interactions, TrainData


@given(seed=st.integers(0, 10_000), n=st.integers(0, 11))
def test_each_coalition_is_computed_once(seed, n):
    rng, computed = np.random.default_rng(seed), []
    table = rng.normal(size=(2**n, 2))

    def compute(keep):
        rows = keep @ (1 << np.arange(n))
        computed.extend(rows.tolist())
        return table[rows]

    memo = CoalitionMemo(n, (2,))
    for _ in range(3):
        keep = rng.random((7, n)) < 0.5
        np.testing.assert_array_equal(memo.of(keep, compute), table[keep @ (1 << np.arange(n))])
    assert len(computed) == len(set(computed)) == len(memo)
    np.testing.assert_array_equal(memo.values, table[memo.coalitions @ (1 << np.arange(n))])


def test_what_is_remembered_can_be_replaced():
    memo = CoalitionMemo(3, (1,))
    keep = np.array([[True, False, True], [False, False, True]])
    memo.of(keep, lambda new: new.sum(axis=1, keepdims=True))
    memo.replace(keep[0], np.array([7.0]))
    memo.replace(~keep[0], np.array([9.0]))  # was never computed
    assert memo.of(keep, lambda new: pytest.fail("computed again")).tolist() == [[7.0], [1.0]]
    assert len(memo) == 2


def test_one_history_is_explained_at_a_time(small_world: Interactions):
    ease = MODELS["ease"]
    model = ease(ease.Config()).fit(TrainData(small_world), rng=np.random.default_rng(0))
    two, n_items = small_world.queries(np.array([0, 1])), small_world.n_items
    for ask in (
        lambda: explain(model, two, np.array([1]), n_items=n_items),
        lambda: explain_parts(model, two, 1, None, n_items=n_items),
        lambda: counterfactual(model, two, 1, n_items=n_items),
        lambda: group_labels(two, VISIT),
        lambda: edit_history(two, drop=[0]),
    ):
        with pytest.raises(BadInput, match="one history is explained at a time, not 2"):
            ask()
