"""What the heads tell of people whose tastes are known, and of whom they were not told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from core.errors import BadInput
from core.models.common.rating_baselines import Ratings
from core.models.popularity import Popularity
from core.models.sequence.heads import class_loss, label_codes, square_loss, worths
from core.models.unified import Unified, UnifiedConfig
from core.types import PAD, FeatureBlock, Features, Interactions, Queries, TrainData

SMALL = {"dim": 16, "heads": 2, "layers": 1, "max_len": 8, "batch": 32, "epochs": 80}
SMALL |= {"learning_rate": 0.005, "dropout": 0.1}
N_USERS, N_ITEMS, N_EACH = 80, 20, 8


def two_tastes(seed: int = 0) -> Interactions:
    """Even users rate even items 5 and odd ones 1, odd users the other way; all take at random."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(N_USERS), N_EACH)
    items = np.concatenate([rng.permutation(N_ITEMS)[:N_EACH] for _ in range(N_USERS)])
    values = np.where((users + items) % 2, 1.0, 5.0).astype(np.float32)
    ones = np.ones(len(users), np.float32)
    return Interactions(users, items, ones, N_USERS, N_ITEMS, np.arange(len(users)), values)


def fitted(train: TrainData, **params: Any) -> Unified:
    model = Unified(UnifiedConfig(**{**SMALL, **params}))
    return model.fit(train, rng=np.random.default_rng(0))


def test_ratings_of_strangers_are_told_from_their_own():
    train = TrainData(two_tastes())
    strangers = two_tastes(seed=1)
    ages = strangers.queries().ages
    asked = strangers.where(ages > 0).queries()
    items, truth = strangers.items[ages == 0], strangers.values[ages == 0]
    model = fitted(train, rating_weight=3.0)
    plain = Popularity().fit(train, rng=np.random.default_rng(0))
    error, plain_error = (
        float(np.sqrt(np.mean((one.predict(asked, items) - truth) ** 2))) for one in (model, plain)
    )
    assert 1.8 < plain_error < 2.2
    assert error < 0.5
    deaf = replace(asked, values=None)
    assert np.sqrt(np.mean((model.predict(deaf, items) - truth) ** 2)) > 1.5


def test_no_history_gets_the_baseline_and_no_ratings_a_sentence():
    train = TrainData(two_tastes())
    nobody = Queries(np.array([PAD]), np.zeros(2, np.int64), np.zeros(0, np.int64), np.ones(0))
    model, item = fitted(train, epochs=1), np.array([3])
    plain = Popularity().fit(train, rng=np.random.default_rng(0))
    np.testing.assert_allclose(model.predict(nobody, item), plain.predict(nobody, item), rtol=1e-6)
    deaf = fitted(replace(train, interactions=replace(train.interactions, values=None)), epochs=1)
    with pytest.raises(BadInput, match="ratings cannot be predicted"):
        deaf.predict(nobody, item)


def test_who_hears_no_ratings_predicts_the_baseline():
    train = TrainData(two_tastes())
    model, queries = fitted(train, epochs=2, rating_weight=0.0), train.interactions.queries()
    plain = Popularity().fit(train, rng=np.random.default_rng(0))
    items = np.arange(N_USERS) % N_ITEMS
    expected = plain.predict(queries, items)
    np.testing.assert_allclose(model.predict(queries, items), expected, rtol=1e-5)
    torch.testing.assert_close(
        model.score(queries), model.score(replace(queries, values=None)), rtol=0, atol=0
    )
    again = Unified(model.config).load(model.state())
    np.testing.assert_array_equal(again.predict(queries, items), model.predict(queries, items))


@pytest.mark.slow
def test_what_is_bought_comes_before_what_is_looked_at():
    log = two_tastes()
    bought = (log.values == 5).astype(np.int64)
    weights = np.where(bought, 4.0, 1.0).astype(np.float32)
    log = replace(log, values=None, events=bought, weights=weights)
    np.testing.assert_allclose(worths(log), np.log2([2, 5]), rtol=1e-6)
    model = fitted(TrainData(log), event_weight=2.0, epochs=160)
    queries = log.queries()
    every = np.tile(np.arange(N_ITEMS), (N_USERS, 1))
    gain = (model.rank(queries, every) - model.score(queries)).numpy()
    liked = (np.arange(N_USERS)[:, None] + np.arange(N_ITEMS)) % 2 == 0
    assert gain[liked].mean() > gain[~liked].mean() + 0.8 * np.log(np.log2(5))


def labelled(log: Interactions, unknown: int = 5) -> TrainData:
    """Even users are of one town, odd ones of another; some say nothing."""
    towns = np.eye(2)[np.arange(log.n_users) % 2]
    towns[:unknown] = 0
    names = ("age=x", "town=A", "town=B")
    table = np.hstack([np.zeros((log.n_users, 1)), towns])
    return TrainData(
        log, user_features=Features(categorical=FeatureBlock(names, sparse.csr_matrix(table)))
    )


def test_a_label_is_told_of_people_kept_apart():
    log = two_tastes()
    model = fitted(labelled(log.where(log.values == 5)), label="town", label_weight=1.0)
    told = model.findings().label
    assert told.kinds == ("A", "B")
    assert told.people == 7  # a tenth of 75
    assert told.right == 1.0
    assert 0.1 < told.commonest < 0.9
    queries = log.where(log.values == 5).queries()
    shares = model.labels(queries)
    right = shares.argmax(dim=1).numpy() == np.arange(N_USERS) % 2
    assert right.mean() > 0.9
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(N_USERS))
    again = Unified(model.config).load(model.state())
    torch.testing.assert_close(again.labels(queries), shares)
    nobody = Queries(np.array([PAD]), np.zeros(2, np.int64), np.zeros(0, np.int64), np.ones(0))
    known = model._labels[model._labels >= 0]
    np.testing.assert_allclose(model.labels(nobody)[0], np.bincount(known) / len(known), rtol=1e-6)


def test_a_label_must_be_there():
    log = two_tastes()
    for label, there in (("city", "age, town"), ("age", "age, town")):
        with pytest.raises(BadInput, match=f"not '{label}': there are {there}"):
            fitted(labelled(log), label=label)
    with pytest.raises(BadInput, match="there are none"):
        label_codes(None, "town", 3)
    with pytest.raises(BadInput, match="knows no label"):
        fitted(TrainData(log), epochs=1).labels(log.queries())


def test_a_loss_passes_over_what_is_not_known():
    logits = torch.tensor([[0.0, 0.0], [2.0, 0.0], [9.0, -9.0]])
    half = float(class_loss(logits, torch.tensor([1, PAD, 2])))
    assert half == pytest.approx(np.log(2))
    assert float(class_loss(logits, torch.full((3,), PAD))) == 0
    nan = float("nan")
    assert float(square_loss(torch.tensor([1.0, 2.0]), torch.tensor([nan, 4.0]))) == 4
    assert float(square_loss(torch.tensor([0.0]), torch.tensor([50.0]))) == 25  # FAR
    assert float(square_loss(torch.tensor([1.0]), torch.tensor([nan]))) == 0


def test_an_aim_leaves_its_own_rating_out(log):
    ratings, event = Ratings.of(log), 4  # user 1 rates item 1 with 3
    assert ratings is not None
    values = log.values.copy()
    values[event] = np.nan
    rest = np.where(log.items == 1, values - ratings.baseline.mean, np.nan)
    mean = np.nansum(rest) / (np.isfinite(rest).sum() + 5)
    aim = (log.values[event] - ratings.baseline.mean - mean) / ratings.spread
    assert ratings.aims(log)[event] == pytest.approx(aim, rel=1e-4)
    assert np.isnan(ratings.aims(log)[2])
    assert Ratings.of(replace(log, values=None)) is None
