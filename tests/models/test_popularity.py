"""Popularity, counted one event at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.errors import BadInput
from core.models.popularity import (
    Popularity,
    PopularityConfig,
    RatingBaseline,
    RecentPopularity,
    RecentPopularityConfig,
)

DAY = 86_400


def scores(model, world, queries):
    return model.fit(world, rng=np.random.default_rng(0)).score(queries).numpy()


def test_popularity_is_the_sum_of_weights(world, queries):
    expected = np.zeros(8)
    for item, weight in zip(world.interactions.items, world.interactions.weights, strict=True):
        expected[item] += weight
    for row in scores(Popularity(PopularityConfig()), world, queries):
        np.testing.assert_array_equal(row, expected)


@pytest.mark.parametrize(("window", "half_life"), [(7, 0), (8, 0), (0, 0), (0, 3), (10, 2.5)])
def test_recent_popularity_counts_back_from_the_last_event(world, queries, window, half_life):
    log = world.interactions
    expected = np.zeros(8)
    last = max(log.times)
    for item, weight, time in zip(log.items, log.weights, log.times, strict=True):
        days = (last - time) / DAY
        if window == 0 or days <= window:
            expected[item] += weight * (0.5 ** (days / half_life) if half_life else 1)
    config = RecentPopularityConfig(window_days=window, half_life_days=half_life)
    asked_later = replace(queries, now=np.full(len(queries), last + 100 * DAY))
    for query in (queries, asked_later):
        got = scores(RecentPopularity(config), world, query)[0]
        np.testing.assert_allclose(got, expected, atol=1.1e-4)  # the tie-breaker's 1e-4


def test_recent_popularity_ranks_the_rest_by_all_time(world, queries):
    got = scores(RecentPopularity(RecentPopularityConfig(window_days=1)), world, queries)[0]
    # The last day has items 3, 0 and 2; of the others all time gives 5: 7, 1: 4, 4: 2, 6: 1, 7: 0.
    assert np.argsort(-got, kind="stable").tolist()[3:] == [5, 1, 4, 6, 7]


@pytest.mark.parametrize("times", [None, np.arange(21)])
def test_recent_popularity_says_that_there_are_no_clock_times(world, queries, times, caplog):
    timeless = replace(world, interactions=replace(world.interactions, times=times))
    got = scores(RecentPopularity(RecentPopularityConfig(window_days=1)), timeless, queries)
    np.testing.assert_array_equal(got, scores(Popularity(PopularityConfig()), timeless, queries))
    assert "no clock times" in caplog.text


def test_baseline_ratings_by_hand(world, queries):
    """Mean + person + item, each a sum of what is left over 5 more than its count."""
    log = world.interactions
    ratings = [
        (u, i, r) for u, i, r in zip(log.users, log.items, log.values, strict=True) if r == r
    ]
    mean = sum(r for _, _, r in ratings) / len(ratings)
    item = np.zeros(8)
    for i in range(8):
        own = [r - mean for _, j, r in ratings if i == j]
        item[i] = sum(own) / (len(own) + 5)
    model = Popularity(PopularityConfig()).fit(world, rng=np.random.default_rng(0))
    items = np.array([0, 3, 7, 5, 2])
    got = model.predict(queries, items)
    for b, target in enumerate(items):
        one = queries[b : b + 1]
        own = [r - mean - item[i] for i, r in zip(one.items, one.values, strict=True) if r == r]
        expected = mean + sum(own) / (len(own) + 5) + item[target]
        assert got[b] == pytest.approx(np.clip(expected, 1, 5), abs=1e-5)
    assert got.dtype == np.float32
    silent = replace(queries, values=None)
    np.testing.assert_allclose(model.predict(silent, items), mean + item[items], atol=1e-5)


def test_predictions_stay_on_the_scale():
    baseline = RatingBaseline(mean=3.0, item=np.array([2.5, -2.5], np.float32), low=1.0, high=5.0)
    assert baseline.predict(np.zeros(2), np.array([0, 1])).tolist() == [5.0, 1.0]


def test_no_ratings_no_prediction(world, queries):
    for values in (None, np.full(21, np.nan, np.float32)):
        unrated = replace(world, interactions=replace(world.interactions, values=values))
        model = Popularity(PopularityConfig()).fit(unrated, rng=np.random.default_rng(0))
        with pytest.raises(BadInput, match="no values"):
            model.predict(queries, np.zeros(len(queries), np.int64))
