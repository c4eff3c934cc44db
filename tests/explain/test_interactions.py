"""Interactions of events, against the definition and games whose interactions are known."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np
import pytest
import torch

from core.explain import explain
from core.explain.interactions import interactions
from tests.explain.test_attribution import fitted, lifts, subsets, timed

ITEM = 4


def by_definition(model, query, item: int) -> dict[tuple[int, int], float]:
    n, v = len(query.items), {}
    for subset in subsets(n):
        keep = np.isin(np.arange(n), subset)[None]
        v[frozenset(subset)] = lifts(None, model.score(query.subsets(keep)), query)[0, item]
    found = {}
    for pair in combinations(range(n), 2):
        total, (i, j) = 0.0, pair
        for subset in map(frozenset, subsets(n)):
            if not subset & set(pair):
                s = len(subset)
                weight = factorial(s) * factorial(n - s - 2) / factorial(n - 1)
                total += weight * (
                    v[subset | {i, j}] - v[subset | {i}] - v[subset | {j}] + v[subset]
                )
        found[pair] = total
    return found


@pytest.mark.parametrize("name", ["als", "unified", "two_tower", "recvae", "fusion"])
def test_few_events_are_exact(name, world):
    model, query = fitted(name, world), timed(1, 3, 2, 0, 5)
    explanation = explain(model, query, [ITEM, 7], n_items=8)
    found = interactions(model, query, explanation, 0, n_items=8)
    expected = by_definition(model, query, ITEM)
    assert len(found) == 10
    for pair in found:
        assert pair.value == pytest.approx(expected[pair.first, pair.second], abs=2e-5)
        assert pair.se == 0
    sizes = [abs(pair.value) for pair in found]
    assert sizes == sorted(sizes, reverse=True)


class Together:
    """Item 2 is lifted by 5 where items 0 and 1 both are, by 1 for 3, and by 2 for 4 or 5."""

    config = None

    def score(self, queries):
        scores = torch.zeros(len(queries), 40)
        for row in range(len(queries)):
            there = set(queries[[row]].items.tolist())
            scores[row, 2] = 5.0 * ({0, 1} <= there) + (3 in there) + 2.0 * bool({4, 5} & there)
        return scores


@pytest.mark.parametrize("more", [(), tuple(range(10, 25))])
def test_what_matters_only_together_and_what_overlaps(more):
    query = timed(3, 0, 4, 1, 5, *more)
    explanation = explain(Together(), query, [2], n_items=40)
    found = interactions(Together(), query, explanation, 0, n_items=40)
    claimed = {(pair.first, pair.second): pair for pair in found if pair.claimed}
    assert set(claimed) == {(1, 3), (2, 4)}
    assert claimed[1, 3].together
    assert not claimed[2, 4].together
    assert (found[0].first, found[0].second) == (1, 3)
    share = 1 - 1 / (40 - len(query.items))  # of the mean that the item itself lifts
    assert claimed[1, 3].value == pytest.approx(5 * share, abs=1e-6 + 3 * claimed[1, 3].se)


@pytest.mark.parametrize("name", ["ease", "transitions", "item_knn"])
def test_what_is_added_up_does_not_interact(name, world):
    query = timed(1, 3, 2, 0)
    explanation = explain(fitted(name, world), query, [ITEM], n_items=8)
    assert interactions(fitted(name, world), query, explanation, 0, n_items=8) == ()


def test_one_event_has_no_partner(world):
    query = timed(1)
    explanation = explain(fitted("als", world), query, [ITEM], n_items=8)
    assert interactions(fitted("als", world), query, explanation, 0, n_items=8) == ()
