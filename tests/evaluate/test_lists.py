"""Metrics of the lists and of the catalogue: against plain loops, and their bounds."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from core.evaluate import METRICS
from core.evaluate.lists import (
    Lists,
    calibration,
    coverage,
    diversity,
    gini,
    novelty,
    popularity_bias,
)
from core.evaluate.registry import OfCatalogue, OfLists, metrics_of
from core.models.common.attributes import taste, traits
from core.types import PAD, FeatureBlock, Features, Interactions

N_ITEMS, N_VALUES = 8, 4


@st.composite
def worlds(draw):
    """Lists of up to five items, a training log and multi-valued attributes, some items without."""
    b = draw(st.integers(1, 4))
    items = np.full((b, 5), PAD)
    for row in items:
        chosen = draw(st.permutations(range(N_ITEMS)))[: draw(st.integers(0, 5))]
        row[: len(chosen)] = chosen
    cells = draw(st.lists(st.booleans(), min_size=N_ITEMS * 4, max_size=N_ITEMS * 4))
    has = np.array(cells).reshape(N_ITEMS, N_VALUES)
    events = draw(
        st.lists(st.tuples(st.integers(0, b - 1), st.integers(0, N_ITEMS - 1)), min_size=1)
    )
    users, consumed = np.array(sorted(events)).T
    train = Interactions(users, consumed, np.ones(len(users), np.float32), b, N_ITEMS)
    block = FeatureBlock(tuple(f"genre={g}" for g in range(N_VALUES)), sparse.csr_matrix(has * 1.0))
    return Lists.of(items, train.queries(), train, Features(multi_hot=block)), train, has


def listed(lists, b, k):
    return [item for item in lists.items[b, :k] if item != PAD]


@given(worlds(), st.integers(1, 5))
def test_novelty_is_the_mean_surprise(world, k):
    lists, train, _ = world
    pairs = set(zip(train.users.tolist(), train.items.tolist(), strict=True))
    n_users = len({user for user, _ in pairs})
    for b, got in enumerate(novelty(lists, k)):
        bits = [
            -np.log2(max(1, sum(i == item for _, i in pairs)) / n_users)
            for item in listed(lists, b, k)
        ]
        assert got == pytest.approx(np.mean(bits) if bits else 0)


@given(worlds(), st.integers(1, 5))
def test_diversity_is_the_mean_over_pairs(world, k):
    lists, _, has = world
    for b, got in enumerate(diversity(lists, k)):
        described = [has[item] * 1.0 for item in listed(lists, b, k) if has[item].any()]
        distances = [1 - x @ y / np.sqrt((x @ x) * (y @ y)) for x, y in combinations(described, 2)]
        assert got == pytest.approx(np.mean(distances) if distances else 0, abs=1e-9)


@given(worlds(), st.integers(1, 5))
def test_popularity_bias_is_a_ratio_of_means(world, k):
    lists, train, _ = world
    histories = [set(train.items[train.users == u].tolist()) for u in range(train.n_users)]
    popularity = [sum(i in h for h in histories) for i in range(N_ITEMS)]
    own = np.mean([np.mean([popularity[i] for i in h]) for h in histories if h])
    for b, got in enumerate(popularity_bias(lists, k)):
        shown = [popularity[item] for item in listed(lists, b, k)]
        assert got == pytest.approx(np.mean(shown) / own if shown else 0)


@given(worlds(), st.integers(1, 5))
def test_calibration_is_the_divergence(world, k):
    lists, train, has = world
    found = calibration(lists, k)
    if not has[train.items].any():
        return
    for b, got in enumerate(found):
        p, q = np.zeros(N_VALUES), np.zeros(N_VALUES)
        for item in set(train.items[train.users == b].tolist()):
            p += has[item] / max(1, has[item].sum())
        for item in listed(lists, b, k):
            q += has[item] / max(1, has[item].sum())
        p, q = p / max(p.sum(), 1e-300), q / max(q.sum(), 1e-300)
        mixed = 0.99 * q + 0.01 * p
        expected = sum(a * np.log(a / m) for a, m in zip(p, mixed, strict=True) if a)
        assert got == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("novelty", np.log2(4)),
        ("diversity", 1),
        ("popularity_bias", np.inf),
        ("calibration", np.log(100)),
    ],
)
@given(worlds(), st.integers(1, 5))
def test_bounds(name, most, world, k):
    values = METRICS[name].measure(world[0], k)
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert (values <= most + 1e-9).all()


@pytest.mark.parametrize("name", metrics_of(OfLists))
@given(worlds(), st.integers(1, 5), st.randoms(use_true_random=False))
def test_other_names_for_the_items_change_nothing(name, world, k, random):
    lists, train, has = world
    new = np.array(random.sample(range(N_ITEMS), N_ITEMS))  # old code → new code
    features = Features(
        multi_hot=FeatureBlock(
            tuple(f"genre={g}" for g in range(N_VALUES)),
            sparse.csr_matrix(has[np.argsort(new)] * 1.0),
        )
    )
    renamed = Interactions(train.users, new[train.items], train.weights, train.n_users, N_ITEMS)
    items = np.where(lists.items == PAD, PAD, new[lists.items])
    again = Lists.of(items, renamed.queries(), renamed, features)
    measure = METRICS[name].measure
    np.testing.assert_allclose(measure(again, k), measure(lists, k), atol=1e-12)


@pytest.mark.parametrize("name", metrics_of(OfCatalogue))
@given(st.lists(st.integers(0, 9), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_catalogue_bounds_and_names(name, counts, random):
    measure = METRICS[name].measure
    value = measure(np.array(counts))
    assert 0 <= value <= 1
    assert measure(np.array(random.sample(counts, len(counts)))) == pytest.approx(value)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20).filter(any))
def test_gini_is_half_the_relative_mean_difference(counts):
    c = np.array(counts)
    difference = np.abs(c[:, None] - c[None, :]).mean() / (2 * c.mean())
    assert gini(c) == pytest.approx(difference)


def test_extremes():
    assert gini(np.array([2, 2, 2])) == 0
    assert gini(np.array([0, 0, 0, 9])) == pytest.approx(3 / 4)
    assert gini(np.zeros(3, int)) == 0
    assert coverage(np.array([1, 0, 0, 7])) == 0.5


def test_exposure_counts_lists_and_leaves_padding_out():
    lists = Lists(np.array([[0, 2], [2, PAD]]), np.ones(3, int), n_users=1)
    assert lists.exposure(2).tolist() == [1, 0, 2]
    assert lists.exposure(1).tolist() == [1, 0, 1]
    assert lists.exposure(2, slice(1, 2)).tolist() == [0, 0, 1]


def test_without_attributes_or_histories_there_is_no_figure():
    lists = Lists(np.array([[0]]), np.array([1]), n_users=1)
    of_lists = metrics_of(OfLists)
    assert [name for name, metric in of_lists.items() if metric.measure(lists, 1) is None] == [
        "diversity",
        "popularity_bias",
        "calibration",
    ]


def test_text_stands_in_where_no_item_has_a_category():
    text = FeatureBlock(("title=a", "title=b"), sparse.csr_matrix([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(traits(Features(text=text)).toarray(), [[0.6, 0.8], [0, 0]])
    assert traits(Features()) is None


def test_taste_is_the_attribute_that_most_events_have():
    matrix = sparse.csr_matrix([[1.0, 0, 1, 1, 1], [0, 1, 0, 1, 1], [0, 0, 1, 0, 1]])
    block = FeatureBlock(("brand=a", "brand=b", "genre=x", "genre=y", "all=z"), matrix)
    assert taste(block, np.array([0, 1, 2])).name == "genre"  # all has one value only
    assert taste(block, np.array([0, 1])).name == "brand"  # as much as genre: the first name
    assert taste(block, np.array([2])).shares.toarray().tolist() == [[0.5, 0.5], [0, 1], [1, 0]]
