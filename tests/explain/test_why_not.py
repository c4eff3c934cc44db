"""What would bring an item in: against all additions by hand, and asked again one by one."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from core.errors import BadInput
from core.explain.why_not import why_not
from core.types import PAD, Composed, Queries
from tests.explain.test_counterfactual import (
    N_ITEMS,
    Any_,
    Linear,
    Whole,
    history,
    listed,
    smallest,
    whole,
)
from tests.models.test_contract import every_model, fitted_once

__all__ = ["fitted_once"]


def list_with(model, query: Queries, added, item: int, n_items: int) -> list[int]:
    """All that may be listed, best first, when these events had followed."""
    n = len(added)
    times = query.times
    if times is not None:
        last = times[-1] if len(times) else 0
        times = np.concatenate([times, last + np.arange(1, n + 1)])
    values = query.values
    if values is not None:
        values = np.concatenate([values, np.full(n, np.nan, np.float32)])
    longer = Queries(
        np.array([PAD]),
        np.array([0, len(query.items) + n]),
        np.concatenate([query.items, np.array(added, np.int64)]),
        np.concatenate([query.weights, np.ones(n, np.float32)]),
        times,
        values,
    )
    scores = model.score(longer)[0].tolist()
    there = [i for i in range(n_items) if i == item or i not in longer.items]
    return sorted(there, key=lambda i: (-scores[i], i))


def fewest(model, query: Queries, item: int, n_items: int, k: int, most: int) -> set[tuple]:
    """All the shortest additions that are enough, by trying every one; none if none is."""
    others = [i for i in range(n_items) if i != item]
    for length in range(1, most + 1):
        enough = {
            added
            for added in product(others, repeat=length)
            if list_with(model, query, added, item, n_items).index(item) < k
        }
        if enough:
            return enough
    return set()


def check(found, model, query, item, n_items, k, most=2):
    """What is told is what the model says, and nothing shorter would do."""
    n = len(query.items)
    now = listed(model, query, range(n), item, n_items)
    scores = model.score(replace(query, users=np.array([PAD])))[0].tolist()
    assert (found.rank, found.last, found.events) == (now.index(item) + 1, now[k - 1], n)
    assert found.margin == pytest.approx(scores[item] - scores[now[k - 1]])
    assert found.margin <= 0
    for one in found.additions:
        after = list_with(model, query, one.added, item, n_items)
        assert one.rank_after == after.index(item) + 1 <= k
        assert len(one.added) == len(found.additions[0].added)
    enough = fewest(model, query, item, n_items, k, most)
    if enough:
        assert {one.added for one in found.additions} <= enough
        assert found.additions
        assert found.enough == len(enough)
        assert found.smallest
    else:
        assert all(len(one.added) > most for one in found.additions)

    def entered(order):
        return order.index(item) < k

    size = smallest(model, query, item, n_items, entered)
    assert (len(found.removal.removed) if found.removal else None) == size
    if found.removal:
        kept = set(range(n)) - set(found.removal.removed)
        after = listed(model, query, kept, item, n_items)
        assert found.removal.rank_after == after.index(item) + 1 <= k
        assert found.removal.smallest


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 3), data=st.data())
def test_of_a_small_catalogue_nothing_shorter_is_enough(seed, k, data):
    model = whole(seed)
    query = history(data.draw(st.lists(st.integers(0, N_ITEMS - 1), max_size=5)))
    best = listed(model, query, range(5), -1, N_ITEMS)
    assume(len(best) > k)
    item = data.draw(st.sampled_from(best[k:]))
    check(why_not(model, query, item, n_items=N_ITEMS, k=k), model, query, item, N_ITEMS, k)


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), data=st.data())
def test_three_events_are_tried_where_two_are_not_enough(seed, data):
    model = whole(seed, 6)
    model.base[5] -= 6
    query = history(data.draw(st.lists(st.integers(0, 3), max_size=2)))
    assume(listed(model, query, range(2), 5, 6).index(5) >= 1)
    found = why_not(model, query, 5, n_items=6, k=1)
    check(found, model, query, 5, 6, 1, most=3)
    if not found.additions:
        assert (found.enough, found.smallest) == (0, False)


@every_model
def test_of_every_model_it_is_the_least_and_holds_when_asked_alone(name, fitted_once, world):
    model, n_items = fitted_once(name, world), world.interactions.n_items
    for user, place in ((0, 2), (2, 3), (4, 5)):
        query = world.interactions.queries(np.array([user]))
        best = listed(model, query, range(len(query.items)), -1, n_items)
        item = best[min(place, len(best) - 1)]
        check(why_not(model, query, item, n_items=n_items, k=1), model, query, item, n_items, 1)


@every_model
def test_a_part_that_keeps_an_item_out_is_one_that_does(name, fitted_once, world):
    model, n_items = fitted_once(name, world), world.interactions.n_items
    query = world.interactions.queries(np.array([0]))
    for item in listed(model, query, range(len(query.items)), -1, n_items)[1:]:
        found = why_not(model, query, item, n_items=n_items, k=1, features=world.item_features)
        if not isinstance(model, Composed):
            assert found.parts == ()
            continue
        parts = model.parts(world.item_features)
        scores = model.score(replace(query, users=np.array([PAD])))[0].tolist()
        rivals = [scores[i] for i in range(n_items) if i not in query.items and i != item]
        told = {(part.kind, part.name) for part in found.parts}
        for at, part in enumerate(parts if len(parts) > 1 else ()):
            keep = np.arange(len(parts)) != at
            without = model.score_of_parts(query, item, world.item_features, keep[None])[0]
            if abs(without - max(rivals)) > 1e-6:
                assert ((part.kind, part.name) in told) == (without > max(rivals))


def series(alike: int = 6):
    """Items 0 … alike-1 are one series, then another item: each lifts the last above a rival."""
    n = alike + 3
    single = np.zeros((n, n))
    single[:alike, n - 1] = 5 - 0.1 * np.arange(alike)
    single[alike, n - 1] = 3
    base = np.zeros(n)
    base[n - 2] = 2
    vectors = np.zeros((n, 3))
    vectors[:alike, 0] = 1
    vectors[:alike, 1] = 0.1 * np.arange(alike)
    vectors[alike:, 2] = 1
    return Linear(base, single), vectors


def test_ten_of_a_series_are_told_once():
    model, vectors = series()
    found = why_not(model, history([7]), 8, n_items=9, k=1)
    assert [one.added for one in found.additions] == [(0,), (1,), (2,), (3,), (4,)]
    assert (found.diverse_by, found.enough) == (None, 7)
    found = why_not(model, history([]), 8, n_items=9, k=1, rows=vectors)
    assert [one.added for one in found.additions] == [(0,), (6,)]  # 7 makes room, and is like 6
    assert found.diverse_by == "people"


def test_what_only_makes_room_is_told_as_that():
    """Nothing lifts item 2; item 0, once it is taken, leaves the list to it."""
    model = Linear(np.array([2.0, 0.0, 1.0]), np.zeros((3, 3)))
    found = why_not(model, history([1]), 2, n_items=3, k=1)
    assert [(one.added, one.makes_room) for one in found.additions] == [((0,), True)]
    single = np.zeros((3, 3))
    single[0, 2] = 5
    found = why_not(Linear(model.base, single), history([1]), 2, n_items=3, k=1)
    assert [(one.added, one.makes_room) for one in found.additions] == [((0,), False)]


def test_nothing_so_small_is_enough():
    base = np.append(np.arange(20.0, 0, -1), 0)
    found = why_not(Linear(base, np.zeros((21, 21))), history([]), 20, n_items=21, k=10)
    assert (found.rank, found.margin, found.last) == (21, -11, 9)
    assert (found.additions, found.enough, found.smallest, found.removal) == ((), 0, False, None)


def test_in_a_large_catalogue_pairs_and_triples_are_searched_from_the_best():
    """Of 60 items two together are needed; one lifts a little alone, which leads to it."""
    n = 60
    for needed in (2, 3):
        single = np.zeros((n, n))
        single[[11, 23, 37], n - 1] = [2, 1.5, 1.2]
        base = np.zeros(n)
        base[:8] = 3 if needed == 2 else 4.5
        found = why_not(Linear(base, single), history([50]), n - 1, n_items=n, k=5)
        assert all(len(one.added) == needed for one in found.additions)
        assert found.additions
        assert found.smallest == (needed == 2)


def test_removing_works_the_other_way_round():
    """Either of two events keeps the item out: both have to go, and no order is given."""
    n = 30
    single = np.zeros((n + 3, n + 3))
    single[[4, 20], n + 1] = 5
    base = np.append(np.zeros(n), [1, 0, -50])
    found = why_not(Linear(base, single), history(np.arange(n)), n, n_items=n + 3, k=1)
    assert found.removal is not None
    assert found.removal.removed == (4, 20)
    assert (found.removal.rank_after, found.removal.smallest) == (1, True)


def test_of_many_events_those_are_found_that_keep_it_out():
    """Any of three of 70 events keeps item 1 behind item 0; what is gone in vain is put back."""
    items = np.arange(70) + 2
    found = why_not(Any_(72, items[[4, 30, 69]]), history(items), 1, n_items=72, k=1)
    assert found.removal is not None
    assert found.removal.removed == (4, 30, 69)


def test_progress_and_evaluations_are_those_of_the_catalogue():
    model, _ = series()
    said = []
    found = why_not(
        model, history([7]), 8, n_items=9, k=1, on_progress=lambda *words: said.append(words)
    )
    assert said[-1] == ("one more event", 1.0)
    assert found.evaluations >= 8 + len(found.additions)


def test_a_rounded_batch_is_not_told():
    """In a batch this model is a little off; alone it is not."""

    class Off(Linear):
        def score(self, queries):
            scores = super().score(queries)
            scores[:, 2] += 0.01 * (len(queries) > 1)
            return scores

    single = np.zeros((5, 5))
    single[3, 2], single[4, 2] = 1.995, 2.5
    model = Off(np.array([2, 0, 0, 0, 0.0]), single)
    found = why_not(model, history([1]), 2, n_items=5, k=1)
    assert [one.added for one in found.additions] == [(4,), (0,)]


@pytest.mark.parametrize(
    ("item", "k", "message"),
    [
        (8, 1, "item 8 is in the top 1 already: its rank is 1"),
        (0, 1, "item 0 is in the history"),
        (9, 1, r"codes in 0 … 8, not 9"),
        (5, 0, "k must be at least 1"),
    ],
)
def test_bad_input(item, k, message):
    model = Whole(np.arange(N_ITEMS), np.zeros((N_ITEMS,) * 2), np.zeros((N_ITEMS,) * 3))
    with pytest.raises(BadInput, match=message):
        why_not(model, history([0, 1, 2]), item, n_items=N_ITEMS, k=k)


def test_who_did_it_plays_no_part():
    class Known(Linear):
        def score(self, queries):
            scores = super().score(queries)
            scores[:, 1] += 9 * torch.from_numpy(queries.users >= 0)
            return scores

    model = Known(np.array([0, 0, 1.0]), np.zeros((3, 3)))
    assert why_not(model, history([0]), 1, n_items=3, k=1).rank == 2
