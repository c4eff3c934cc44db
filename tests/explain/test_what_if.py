"""Histories changed by hand, event by event; and which items then move, by sorting."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadInput
from core.explain import Explanation, explain
from core.explain.common_cause import same_cause, strongest_events
from core.explain.what_if import Move, edit_history, rank_moves
from core.models import MODELS
from core.types import PAD, Interactions, Queries, TrainData

QUERY = Queries(
    users=np.array([4]),
    offsets=np.array([0, 4]),
    items=np.array([3, 1, 3, 2]),
    weights=np.float32([1, 2, 1, 3]),
    times=np.array([10, 20, 20, 50]),
    values=np.float32([5, np.nan, 3, 1]),
    events=np.array([0, 1, 1, 0]),
    platforms=np.array([2, 2, 0, 1]),
)
BARE = replace(QUERY, times=None, values=None, events=None, platforms=None)


def rows(query):
    """Each event as a tuple; NaN as None."""
    parts = (query.items, query.weights, query.times, query.values, query.events, query.platforms)
    columns = [[None] * len(query.items) if a is None else a.tolist() for a in parts]
    return [tuple(None if x != x else x for x in row) for row in zip(*columns, strict=True)]


def test_nothing_changed_is_the_same_history_of_a_stranger():
    same = edit_history(QUERY)
    assert rows(same) == rows(QUERY)
    assert (same.users.tolist(), same.offsets.tolist()) == ([PAD], [0, 4])
    assert rows(edit_history(BARE)) == rows(BARE)


def test_dropped_events_leave_the_others_as_they_were():
    assert rows(edit_history(QUERY, drop=[1, 3])) == [rows(QUERY)[0], rows(QUERY)[2]]
    nothing = edit_history(QUERY, drop=range(4))
    assert (rows(nothing), nothing.offsets.tolist()) == ([], [0, 0])


def test_added_events_come_last_one_after_the_other():
    more = edit_history(QUERY, drop=[3], add=[0, 5], event=1, value=4.5)
    assert rows(more)[:3] == rows(QUERY)[:3]
    assert rows(more)[3:] == [(0, 1, 51, 4.5, 1, PAD), (5, 1, 52, 4.5, 1, PAD)]
    assert rows(edit_history(QUERY, add=[7]))[4] == (7, 1, 51, None, PAD, PAD)
    assert rows(edit_history(BARE, add=[7]))[4] == (7, 1, None, None, None, None)
    assert [a.dtype for a in (more.items, more.weights, more.times, more.values)] == [
        a.dtype for a in (QUERY.items, QUERY.weights, QUERY.times, QUERY.values)
    ]


def test_the_first_event_of_an_empty_history_comes_after_now():
    nobody = edit_history(QUERY, drop=range(4))
    assert edit_history(nobody, add=[1]).times.tolist() == [1]
    assert edit_history(replace(nobody, now=np.array([70])), add=[1, 2]).times.tolist() == [71, 72]


def test_reordered_events_take_the_times_of_their_places():
    other = edit_history(QUERY, order=[3, 0, 2, 1])
    assert other.items.tolist() == [2, 3, 3, 1]
    assert other.weights.tolist() == [3, 1, 1, 2]
    assert other.times.tolist() == [10, 20, 20, 50]
    fewer = edit_history(QUERY, order=[3, 2, 0], drop=[1])
    assert (fewer.items.tolist(), fewer.times.tolist()) == ([2, 3, 3], [10, 20, 50])
    assert rows(edit_history(QUERY, order=[3, 1, 2, 0], drop=[1])) == rows(fewer)


@given(data=st.data())
def test_any_change_keeps_each_event_whole_and_times_sorted(data):
    order = data.draw(st.permutations(range(4)))
    drop = data.draw(st.sets(st.integers(0, 3)))
    add = data.draw(st.lists(st.integers(0, 9), max_size=3))
    found = edit_history(QUERY, drop=sorted(drop), add=add, order=order, n_items=10)
    assert found.items.tolist() == [QUERY.items[p] for p in order if p not in drop] + add
    assert (np.diff(found.times) >= 0).all()
    whole = [(*row[:2], *row[3:]) for row in rows(QUERY)]
    assert [(*row[:2], *row[3:]) for row in rows(found)][: 4 - len(drop)] == [
        whole[p] for p in order if p not in drop
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"drop": [4]}, "positions in 0 … 3, not 4"),
        ({"drop": [-1]}, "positions in 0 … 3, not -1"),
        ({"add": [-1]}, "codes in 0 …, not -1"),
        ({"add": [3, 9], "n_items": 9}, "codes in 0 … 8, not 9"),
        ({"order": [0, 1, 2]}, "each event that stays once, 4 in all"),
        ({"order": [0, 1, 2, 2]}, "each event that stays once"),
        ({"order": [0, 1, 2, 4]}, "each event that stays once"),
    ],
)
def test_bad_changes(change, message):
    with pytest.raises(BadInput, match=message):
        edit_history(QUERY, **change)
    with pytest.raises(BadInput, match="one history"):
        edit_history(replace(QUERY, users=np.array([0, 1]), offsets=np.array([0, 2, 4])))


class Sum:
    """A score is a sum of whole numbers over the history; remembers how often it was asked."""

    def __init__(self, seed, n_items):
        rng = np.random.default_rng(seed)
        self.base, self.rows = rng.integers(0, 3, n_items), rng.integers(-1, 3, (n_items, n_items))
        self.asked = []

    def score(self, queries):
        self.asked.append(queries.users.tolist())
        out = np.repeat(self.base[None], len(queries), axis=0)
        np.add.at(out, queries.rows, self.rows[queries.items])
        return torch.from_numpy(out.astype(np.float32))


@given(seed=st.integers(0, 10_000), k=st.integers(1, 12), data=st.data())
def test_moves_are_the_places_in_both_lists(seed, k, data):
    model = Sum(seed, 10)
    drop = data.draw(st.sets(st.integers(0, 3)))
    before, after = (
        QUERY,
        edit_history(QUERY, drop=drop, add=data.draw(st.lists(st.integers(0, 9)))),
    )
    found = rank_moves(model, before, after, n_items=10, k=k)
    assert model.asked == [[PAD, PAD]]
    lists = []
    for query in (before, after):
        scores = model.score(query)[0].tolist()
        unseen = [i for i in range(10) if i not in query.items]
        lists.append(sorted(unseen, key=lambda i: (-scores[i], i)))
    old, new = lists
    assert [move.item for move in found] == new[:k] + [i for i in old[:k] if i not in new[:k]]
    for move in found:
        for rank, where in ((move.before, old), (move.after, new)):
            assert rank == (where.index(move.item) + 1 if move.item in where else None)


def test_an_added_item_is_no_longer_recommended():
    model = Sum(3, 10)
    [first, *_] = rank_moves(model, QUERY, QUERY, n_items=10, k=1)
    found = rank_moves(model, QUERY, edit_history(QUERY, add=[first.item]), n_items=10, k=1)
    assert first == Move(first.item, 1, 1)
    assert Move(first.item, 1, None) in found


def test_moves_of_bad_input():
    with pytest.raises(BadInput, match="both histories must have times"):
        rank_moves(Sum(1, 10), QUERY, BARE, n_items=10, k=3)
    with pytest.raises(BadInput, match="k must be at least 1"):
        rank_moves(Sum(1, 10), QUERY, QUERY, n_items=10, k=0)
    two = replace(QUERY, users=np.array([0, 1]), offsets=np.array([0, 2, 4]))
    with pytest.raises(BadInput, match="one history is compared"):
        rank_moves(Sum(1, 10), QUERY, two, n_items=10, k=1)


def explanation(values, se=None):
    values = np.array(values, float)
    n, t = values.shape
    return Explanation(
        items=np.arange(t) * 10,
        players=np.arange(n),
        scores=values.sum(axis=0),
        base=np.zeros(t),
        raw_scores=values.sum(axis=0),
        raw_base=np.zeros(t),
        values=values,
        se=np.zeros((n, t)) if se is None else np.array(se, float),
        method="permutations",
        evaluations=1,
        seed=0,
        stability=np.ones(t),
    )


def test_items_share_a_cause_if_the_same_event_speaks_loudest():
    found = explanation(
        [[3, 1, -9, 0, 4, -1], [2, 2, 1, 0, 1, -2], [-5, 0, 0.5, 0, 3, -3]],
    )
    assert strongest_events(found).tolist() == [0, 1, 1, PAD, 0, PAD]
    assert same_cause(found, 0).tolist() == [40]
    assert same_cause(found, 4).tolist() == [0]
    assert same_cause(found, 1).tolist() == [20]
    assert same_cause(found, 3).tolist() == same_cause(found, 5).tolist() == []


def test_a_cause_must_be_sure_and_the_strongest_pull_comes_first():
    found = explanation(
        [[3, 5, 1, 8], [2, 1, 0.5, 2]],
        se=[[1, 1, 0.1, 5], [0.1, 0.1, 0.1, 0.1]],
    )
    assert strongest_events(found).tolist() == [0, 0, 0, 1]
    assert same_cause(found, 0).tolist() == [10, 20]
    assert same_cause(found, 3).tolist() == []
    assert strongest_events(explanation(np.zeros((0, 2)))).tolist() == [PAD, PAD]


def test_what_really_shares_a_cause(small_world: Interactions):
    model = MODELS["transitions"](MODELS["transitions"].Config())
    model.fit(TrainData(small_world), rng=np.random.default_rng(0))
    found = explain(model, small_world.queries(np.array([0])), np.arange(7), n_items=7)
    for place in range(7):
        values = found.values[:, place]
        if values.max() <= 1e-8:
            assert not len(same_cause(found, place))
            continue
        event = int(values.argmax())
        alike = [
            (-found.values[event, t], t)
            for t in range(7)
            if t != place and found.values[:, t].argmax() == event and found.values[:, t].max() > 0
        ]
        assert same_cause(found, place).tolist() == [t for _, t in sorted(alike)]
