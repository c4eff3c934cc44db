"""Single values and cases of many people, against explanations asked one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from core.explain import explain
from core.explain.reasons import reasons_of
from core.explain.survey.dependence import dependence
from core.explain.survey.event_values import MOST_ROWS, event_values
from core.explain.survey.explained import explain_user, histories_per_player
from core.explain.survey.groupings import groupings
from core.explain.survey.overview import overview
from core.recommend.top_k import recommend
from core.types import FeatureBlock, Features
from tests.explain.test_attribution import fitted
from tests.explain.test_overview import N, did, linear

PRICE = np.array([[1.0], [5], [np.nan], [2], [8], [3], [4], [6]], np.float32)
TAGS = sparse.csr_matrix([[1, 0], [1, 1], [0, 1], [0, 0], [1, 0], [0, 1], [0, 0], [1, 1]])
FEATURES = Features(
    numeric=FeatureBlock(("price",), PRICE), multi_hot=FeatureBlock(("tag=x", "tag=y"), TAGS)
)


@pytest.mark.parametrize("name", ["ease", "transitions"])
def test_each_row_is_an_event_and_an_item_asked_alone(name, world, queries):
    model, queries = fitted(name, world), replace(queries, times=7_000 * np.arange(11) ** 2)
    found = overview(model, queries, n_items=N, k=2, features=FEATURES, clock=True)
    single = found.values
    expected = []
    for person, row in enumerate(found.rows.tolist()):
        one = replace(queries[row : row + 1], users=np.array([-1]))
        top = recommend(model, one, 2, n_items=N).items[0]
        told = explain(model, one, top, n_items=N)
        n = len(one.items)
        for event, taken in enumerate(one.items.tolist()):
            for column, item in enumerate(top.tolist()):
                own = (person, taken, item, n - event, told.values[event, column])
                days = (one.times[-1] - one.times[event]) / 86_400
                expected.append((*own, told.se[event, column], days, PRICE[taken, 0]))
    rows = (single.people, single.taken, single.items, single.numbers["age"], single.values)
    rows += (single.se, single.numbers["days"], single.numbers["item.price"])
    np.testing.assert_allclose(np.column_stack(rows), np.array(expected), rtol=1e-6, atol=1e-6)
    assert single.total == len(single) == len(expected)
    tags = single.groups["item.tag"]
    assert tags.names == ("x", "y", "other")
    pairs = {(row, tags.names[group]) for row, group in zip(tags.rows, tags.groups, strict=True)}
    for row, taken in enumerate(single.taken.tolist()):
        own = {name for name, has in zip("xy", TAGS[taken].toarray()[0], strict=True) if has}
        assert {name for at, name in pairs if at == row} == (own or {"other"})


def test_numbers_that_nobody_differs_in_and_times_without_a_clock_are_left_out(world, queries):
    model = fitted("ease", world)
    same = Features(numeric=FeatureBlock(("price",), np.ones((N, 1), np.float32)))
    found = overview(model, queries, n_items=N, k=1, features=same)
    assert "age" in found.values.numbers
    assert not {"days", "item.price"} & found.values.numbers.keys()


def test_of_too_many_rows_some_are_drawn_each_alike():
    rng = np.random.default_rng(4)
    histories = [tuple(rng.integers(0, 12, n)) for n in rng.integers(3, 40, 60)]
    model = linear(rng.normal(size=(20, 20)))
    asked = did(*histories)
    top = np.array([15, 16])
    people = [
        explain_user(model, replace(asked[i : i + 1], users=np.array([-1])), top, None, 20, 0)
        for i in range(len(histories))
    ]
    ways = list(groupings(people, None, ()))
    every = event_values(people, ways, None, rng=np.random.default_rng(0))
    assert len(every) == every.total == 2 * sum(map(len, histories)) < MOST_ROWS
    rows = {}
    for values, age, item, person in zip(
        every.values, every.numbers["age"], every.items, every.people, strict=True
    ):
        rows[person, age, item] = values
    some = event_values(people, ways, None, rng=np.random.default_rng(0), most=500)
    assert (len(some), some.total) == (500, every.total)
    drawn = list(zip(some.people, some.numbers["age"], some.items, strict=True))
    assert len(set(drawn)) == 500
    assert [rows[key] for key in drawn] == some.values.tolist()
    share = np.bincount(some.people, minlength=60) / np.bincount(every.people, minlength=60)
    assert np.corrcoef(share, np.bincount(every.people))[0, 1] < 0.4  # no person is preferred
    again = event_values(people, ways, None, rng=np.random.default_rng(0), most=500)
    assert again.values.tolist() == some.values.tolist()


def test_the_oldest_events_together_have_no_row():
    own = explain_user(linear(np.ones((9, 9))), did((1, 2, 3, 4, 5)), np.array([7]), None, 9, 0)
    lumped = replace(own, players=np.array([0, 0, 0, 1, 2]))
    ways = list(groupings([lumped, own], None, ()))
    single = event_values([lumped, own], ways, None, rng=np.random.default_rng(0))
    assert single.people.tolist() == [0, 0, 1, 1, 1, 1, 1]
    assert single.numbers["age"].tolist() == [2, 1, 5, 4, 3, 2, 1]
    assert single.taken.tolist() == [4, 5, 1, 2, 3, 4, 5]
    recency = single.groups["recency"]
    assert [recency.names[group] for group in recency.groups][:2] == ["2", "1"]


@pytest.mark.parametrize("name", ["ease", "transitions", "popularity"])
def test_a_case_says_what_reasons_say(name, world, queries):
    model = fitted(name, world)
    found = overview(model, queries, n_items=N, k=2)
    assert [case.person for case in found.cases] == [0, 0, 1, 1, 2, 2, 3, 3]
    for case in found.cases:
        row = int(found.rows[case.person])
        one = replace(queries[row : row + 1], users=np.array([-1]))
        told = explain(
            model,
            one,
            recommend(model, one, 2, n_items=N).items[0],
            n_items=N,
            per_player=histories_per_player(len(one.items)),
        )
        column = told.items.tolist().index(case.item)
        reasons = reasons_of(model, one, told, column, n_items=N)
        assert (case.verdict, case.rank) == (reasons.verdict, reasons.rank)
        assert case.rank == column + 1
        assert case.rank_without_causes == reasons.rank_without_causes
        assert case.events == len(one.items)
        assert case.confidence == told.confidence[column].level
        assert (case.strongest is None) == (not reasons.speaking)
        if case.strongest is not None:
            worth = np.bincount(one.items, told.values[told.players, column], N)
            assert case.strongest.item == worth.argmax()
            assert case.share == pytest.approx(worth.max() / worth[worth > 0].sum())


def test_values_that_age_drives_are_told_and_those_that_it_does_not_are_not():
    """From scores to the sentence: who takes items in the order of their weights has a trend."""
    rng = np.random.default_rng(3)
    weights = np.zeros((40, 40))
    weights[:30, 30:] = rng.uniform(1, 2, 30)[:, None] + 0.01 * rng.random((30, 10))
    rising = np.argsort(weights[:30, 30])
    orders = [rng.permutation(30)[: rng.integers(8, 16)] for _ in range(60)]
    by_chance = did(*(tuple(own) for own in orders))
    even = overview(linear(weights), by_chance, n_items=40, k=2)
    assert dependence(even.values, "age").direction == "unsure"
    in_order = did(*(tuple(rising[np.sort(own)]) for own in orders))
    planted = overview(linear(weights), in_order, n_items=40, k=2)
    told = dependence(planted.values, "age")
    assert (told.direction, told.people) == ("falls", 50)
    assert told.rho < -0.95
