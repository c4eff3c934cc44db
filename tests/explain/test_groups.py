"""Groups of events, and the events inside them, against all orders one by one."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from scipy import sparse

from core.errors import BadInput
from core.explain import explain
from core.explain.groups import OTHER, explain_groups, explain_members, group_labels, grouping_names
from core.types import Additive, Array, FeatureBlock, Features, Queries, Recommender
from tests.explain.test_attribution import fitted, lifts, timed

ITEMS = np.array([4, 7])
MODELS = ("ease", "transitions", "two_tower", "unified", "fusion")


def contiguous(labels: Array) -> list[tuple[int, ...]]:
    """All orders of the events in which each group's follow one another."""
    found = []
    for order in permutations(range(len(labels))):
        changes = np.count_nonzero(np.diff(labels[list(order)]))
        if changes == len(set(labels.tolist())) - 1:
            found.append(order)
    return found


def dumb(model: Recommender, query: Queries, labels: Array) -> tuple[Array, Array, Array]:
    """The mean of what each event adds over those orders, (n, T), then v of none and of all."""
    n = len(labels)
    worth: dict[frozenset[int], Array] = {}

    def v(there: frozenset[int]) -> Array:
        if there not in worth:
            keep = np.isin(np.arange(n), list(there))[None]
            worth[there] = lifts(model, model.score(query.subsets(keep)), query)[0, ITEMS]
        return worth[there]

    orders, total = contiguous(labels), np.zeros((n, len(ITEMS)))
    for order in orders:
        for place, event in enumerate(order):
            before = frozenset(order[:place])
            total[event] += v(before | {event}) - v(before)
    return total / len(orders), v(frozenset()), v(frozenset(range(n)))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("labels", [[0, 1, 0, 2, 1, 0], [2, 1, 0, 1, 1, 1], [0] * 6])
def test_members_are_the_mean_over_all_orders_that_keep_groups_together(name, labels, world):
    model, query, groups = fitted(name, world), timed(1, 3, 2, 0, 5, 3), np.array(labels)
    values, base, scores = dumb(model, query, groups)
    found = explain_members(model, query, ITEMS, groups, n_items=8)
    np.testing.assert_allclose(found.values, values, atol=1e-5)
    np.testing.assert_allclose(found.base, base, atol=1e-5)
    np.testing.assert_allclose(found.scores, scores, atol=1e-5)
    assert found.exact
    assert found.players.tolist() == list(range(6))
    grouped = explain_groups(model, query, ITEMS, groups, n_items=8)
    sums = np.stack([values[groups == group].sum(axis=0) for group in range(max(labels) + 1)])
    np.testing.assert_allclose(grouped.values, sums, atol=1e-5)
    assert grouped.method == "enumeration"
    assert grouped.players.tolist() == labels
    assert grouped.evaluations == 2 ** len(sums)


@pytest.mark.parametrize("name", MODELS)
def test_groups_of_one_are_events(name, world):
    model, query = fitted(name, world), timed(1, 3, 2, 0)
    flat = explain(model, query, ITEMS, n_items=8)
    for found in (
        explain_groups(model, query, ITEMS, np.arange(4), n_items=8),
        explain_members(model, query, ITEMS, np.arange(4), n_items=8),
        explain_members(model, query, ITEMS, np.zeros(4, int), n_items=8),
    ):
        np.testing.assert_allclose(found.values, flat.values, atol=1e-5)


def long(n: int = 33) -> tuple[Queries, Array]:
    """More events than can be enumerated, in three groups."""
    rng = np.random.default_rng(3)
    return timed(*rng.integers(0, 7, n)), np.sort(rng.permutation(np.arange(n) % 3))


@pytest.mark.parametrize("name", ["two_tower", "fusion"])
def test_sampled_members_add_up_to_their_exact_groups(name, world):
    model, (query, labels) = fitted(name, world), long()
    exact = explain_groups(model, query, ITEMS, labels, n_items=8)
    found = explain_members(model, query, ITEMS, labels, n_items=8, per_player=30)
    assert found.method == "permutations"
    for group in range(3):
        own = labels == group
        np.testing.assert_allclose(found.values[own].sum(axis=0), exact.values[group], rtol=1e-9)
        if isinstance(model, Additive):
            expected = exact.by_component[group]
            np.testing.assert_allclose(found.by_component[own].sum(axis=0), expected, rtol=1e-9)
    assert (found.se > 0).all()
    again = explain_members(model, query, ITEMS, labels, n_items=8, per_player=30)
    assert again.values.tolist() == found.values.tolist()
    other = explain_members(model, query, ITEMS, labels, n_items=8, per_player=30, seed=1)
    assert other.values.tolist() != found.values.tolist()


def test_sampled_members_are_not_biased(world):
    model, (query, labels) = fitted("two_tower", world), long()
    exact = explain_members(model, query, ITEMS, labels, n_items=8, per_player=2_000)
    assert exact.exact
    drawn = [
        explain_members(model, query, ITEMS, labels, n_items=8, per_player=20, seed=seed)
        for seed in range(25)
    ]
    gaps = np.stack([one.values - exact.values for one in drawn])
    se = np.stack([one.se for one in drawn])
    z = gaps.mean(axis=0) / (gaps.std(axis=0, ddof=1) / 5)
    assert np.abs(z).max() < 4.5  # the largest of 66 of t with 24 degrees of freedom
    assert np.square(z).mean() < 2
    ratio = np.sqrt(np.square(gaps).mean() / np.square(se).mean())
    assert 0.8 < ratio < 1.25  # standard errors say how large errors are


def test_a_group_of_one_is_known_exactly(world):
    model, (query, labels) = fitted("two_tower", world), long()
    labels = np.where(np.arange(33) == 32, 3, labels)
    found = explain_members(model, query, ITEMS, labels, n_items=8, per_player=20)
    exact = explain_groups(model, query, ITEMS, labels, n_items=8)
    np.testing.assert_allclose(found.values[32], exact.values[3])
    assert found.se[32].max() < 1e-12 < found.se[:32].min()


@pytest.mark.parametrize("name", ["unified", "fusion"])
def test_a_contrast_of_groups(name, world):
    model, query, groups = fitted(name, world), timed(1, 3, 2, 0), np.array([0, 1, 1, 0])
    for ask in (explain_groups, explain_members):
        both = ask(model, query, [4, 7], groups, n_items=8)
        found = ask(model, query, [4], groups, n_items=8, against=7)
        expected = both.values[:, :1] - both.values[:, 1:]
        np.testing.assert_allclose(found.values, expected, atol=1e-6)


def test_very_many_events_are_few_players_of_one_group_each(world):
    rng = np.random.default_rng(0)
    query = timed(*rng.integers(0, 7, 230))
    labels = np.arange(230) % 3
    found = explain_members(
        fitted("two_tower", world), query, ITEMS, labels, n_items=8, per_player=4
    )
    n = int(found.players.max()) + 1
    assert found.values.shape == (n, 2) == (199 + 3, 2)
    assert found.players[:5].tolist() == [0, 1, 2, 0, 1]
    assert found.players[-199:].tolist() == list(range(3, 202))
    for player in range(n):
        assert len(set(labels[found.players == player])) == 1


def test_no_events_are_no_groups(world):
    empty, none = timed(), np.zeros(0, np.int64)
    for ask in (explain_groups, explain_members):
        found = ask(fitted("unified", world), empty, ITEMS, none, n_items=8)
        assert found.values.shape == (0, 2)
        assert found.scores.tolist() == found.base.tolist()
    assert group_labels(empty, "visit")[0].shape == (0,)
    assert group_labels(empty, "item.kind", world.item_features)[1] == ()


@pytest.mark.parametrize(
    "wrong", [[0, 1], [0, 2, 2, 0], [0, 1, -1, 0], [[0, 1, 1, 0]], list(range(1, 5))]
)
def test_wrong_groups_are_refused(wrong, world):
    with pytest.raises(BadInput, match="groups must be a code for each of 4 events"):
        explain_groups(fitted("ease", world), timed(1, 3, 2, 0), ITEMS, wrong, n_items=8)


def test_too_many_groups_and_unknown_items_are_refused(world):
    query = timed(*[1] * 13)
    with pytest.raises(BadInput, match="0 … 11 or of fewer"):
        explain_groups(fitted("ease", world), query, ITEMS, np.arange(13), n_items=8)
    with pytest.raises(BadInput, match=r"codes in 0 … 7"):
        explain_members(fitted("ease", world), query, [8], np.zeros(13, int), n_items=8)


def at(*times: int) -> Queries:
    return replace(timed(*range(len(times))), times=np.array(times))


@pytest.mark.parametrize(
    ("times", "most", "names"),
    [
        ((0, 1, 2, 50, 51, 90, 91), 3, ("1–3", "4–5", "6–7")),
        ((0, 1, 2, 50, 51, 90, 91), 2, ("1–3", "4–7")),
        ((0, 9, 10, 19, 20), 2, ("1–3", "4–5")),  # of equal gaps the latest
        ((5, 5, 5, 9), 8, ("1–3", "4")),  # events at once are not parted
        ((5, 5, 5, 5), 2, ("1–2", "3–4")),
        ((1, 2, 3, 4, 5, 6), 3, ("1–2", "3–4", "5–6")),
        ((7,), 8, ("1",)),
    ],
)
def test_visits_are_cut_where_most_time_passed(times, most, names):
    codes, found = group_labels(at(*times), "visit", most=most)
    assert found == names
    assert (np.diff(codes) >= 0).all()
    for code, name in enumerate(names):
        first, last = (int(end) for end in (name.split("–") * 2)[:2])
        assert np.flatnonzero(codes == code).tolist() == list(range(first - 1, last))


def test_without_times_visits_are_equal_parts():
    query = replace(timed(*range(20)), times=None)
    codes, names = group_labels(query, "visit")
    assert len(names) == 8
    assert np.bincount(codes).tolist() == [2, 3, 2, 3, 2, 3, 2, 3]


def test_kinds_of_events_are_groups_the_commonest_first():
    query = replace(timed(*range(7)), events=np.array([2, 0, 2, -1, 0, 2, 1]))
    codes, names = group_labels(query, "event", event_names=("view", "cart", "buy"))
    assert names == ("buy", "view", "cart", OTHER)
    assert codes.tolist() == [0, 1, 0, 3, 1, 0, 2]
    assert group_labels(query, "event", most=4)[1] == ("2", "0", "1", OTHER)  # just enough
    assert group_labels(query, "event", most=3)[1] == ("2", "0", OTHER)
    plain = replace(query, events=np.array([2, 0, 2, 1, 0, 2, 1]))
    assert group_labels(plain, "event", most=3)[1] == ("2", "0", "1")
    codes, names = group_labels(query, "event", most=2)
    assert names == ("2", OTHER)
    assert codes.tolist() == [0, 1, 0, 1, 1, 0, 1]


def test_attributes_of_the_items_are_groups(features):
    query = timed(0, 2, 6, 3, 5, 1)  # kinds a b - b b a; tags xy yz - z xyz x
    assert grouping_names(query, features) == ("visit", "item.kind", "item.tag")
    codes, names = group_labels(query, "item.kind", features)
    assert names == ("b", "a", OTHER)
    assert codes.tolist() == [1, 0, 2, 0, 0, 1]
    codes, names = group_labels(query, "item.tag", features)
    assert names == ("x", "y", "z", OTHER)
    assert codes.tolist() == [0, 1, 3, 2, 0, 0]
    codes, names = group_labels(query, "item.tag", features, most=2)
    assert names == ("x", OTHER)
    assert codes.tolist() == [0, 1, 1, 1, 0, 0]


def test_unknown_ways_are_refused(features):
    query = timed(0, 2)
    for how in ("event", "kind", "item.price", "item."):
        with pytest.raises(BadInput, match=r"choose one of visit, item\.kind, item\.tag"):
            group_labels(query, how, features)
    with pytest.raises(BadInput, match="2 to 12 groups, not 13"):
        group_labels(query, "visit", most=13)
    with pytest.raises(BadInput, match="one history"):
        group_labels(replace(query, users=np.zeros(2, int), offsets=np.array([0, 1, 2])), "visit")


def test_attributes_in_words_come_before_codes():
    names = ("code=2053013555631882655", "code=7", "kind=appliances.kitchen", "kind=茶具", "sku=B7")
    of_items = np.array([[1, 0, 1, 0, 1], [0, 1, 0, 1, 0]])
    features = Features(categorical=FeatureBlock(names, sparse.csr_matrix(of_items)))
    assert grouping_names(timed(0, 1), features)[1:] == ("item.kind", "item.code", "item.sku")
