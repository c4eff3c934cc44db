"""GF-CF against dense matrices and a full SVD."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import sparse

from core.errors import TooLarge
from core.models import gfcf
from core.models.common.strengths import strengths
from core.models.gfcf import GFCF, GFCFConfig
from core.types import Interactions, Queries, TrainData


def filters(log, config):
    """The neighbours (I, I) and the low-pass (I, I), entry by entry."""
    r = np.zeros((log.n_users, log.n_items))
    for user, item, weight in zip(log.users, log.items, log.weights, strict=True):
        r[user, item] += weight
    r = np.log2(1 + r)
    people, items = r.sum(axis=1), r.sum(axis=0)
    for user, item in zip(*np.nonzero(r), strict=True):
        r[user, item] /= people[user] ** config.user_exponent * items[item] ** config.item_exponent
    _, sigma, vt = np.linalg.svd(r)
    near = r.T @ r / sigma[0] ** 2
    for row in near:
        row[np.argsort(-row, kind="stable")[config.k :]] = 0
    kept = vt[: config.rank][sigma[: config.rank] > 1e-6]
    broad = kept.T @ kept
    for i, j in np.ndindex(broad.shape):
        broad[i, j] *= (items[j] / items[i]) ** config.item_exponent if items[i] else 0
    return near, broad


PAPERS = {"user_exponent": 0.5, "item_exponent": 0.5}


@pytest.mark.parametrize(
    "params",
    [
        {"rank": 2, "low_pass": 0.3, "k": 8, **PAPERS},
        {"rank": 4, "low_pass": 2.0, "k": 3, "user_exponent": 0.2, "item_exponent": 0.7},
        {"rank": 256, "low_pass": 0.0, "k": 1, "user_exponent": 1.0, "item_exponent": 0.0},
    ],
)
def test_scores_equal_the_two_dense_filters(world, queries, params):
    config = GFCFConfig(history_decay=0.7, **params)
    model = GFCF(config).fit(world, rng=np.random.default_rng(0))
    near, broad = filters(world.interactions, config)
    base = model.state()["base"].astype(float)
    for b, got in enumerate(model.score(queries).numpy()):
        one = queries[b : b + 1]
        history = np.zeros(8)
        for age, event in enumerate(reversed(range(len(one.items)))):
            history[one.items[event]] += one.weights[event] * 0.7**age
        expected = base + history @ near + config.low_pass * (history @ broad)
        np.testing.assert_allclose(got, expected, atol=1e-5)


def test_the_papers_exponents_need_no_scale(log):
    x = strengths(log)
    people, items = (np.sqrt(np.asarray(x.sum(axis=a)).ravel().clip(1e-9)) for a in (1, 0))
    normalised = sparse.csr_matrix(sparse.diags(1 / people) @ x @ sparse.diags(1 / items))
    sigma = gfcf._right_singular(normalised, 2, np.random.default_rng(0), "cpu")[1]
    assert sigma == pytest.approx(1)


def test_the_codes_multiply_to_the_low_pass(world, queries):
    config = GFCFConfig(rank=3, low_pass=0.6)
    model = GFCF(config).fit(world, rng=np.random.default_rng(0))
    near = GFCF(replace(config, low_pass=0.0)).load(model.state())
    codes, items = model.encode(queries), model.encode_items()
    assert codes.shape == (len(queries), 3)
    assert items.shape == (8, 3)
    together = near.score(queries) + 0.6 * codes @ items.T
    torch.testing.assert_close(model.score(queries), together)
    assert not codes[2].any(), "an empty history has no taste"
    assert not codes[4].any(), "nor has one of an item that nobody took"
    assert model.encode(queries[:0]).shape == (0, 3)


def test_with_all_directions_the_low_pass_returns_a_known_history(world):
    config = GFCFConfig(user_exponent=0.3, item_exponent=0.6, history_decay=1)
    model = GFCF(config).fit(world, rng=np.random.default_rng(0))
    log = world.interactions
    everyone = log.queries()
    once = replace(everyone, weights=np.log2(1 + everyone.weights))  # but user 0 took item 1 twice
    passed = model.encode(once[1:]) @ model.encode_items().T
    np.testing.assert_allclose(passed, once.matrix(log.n_items)[1:].toarray(), atol=1e-5)


def test_twins_share_what_the_low_pass_lets_through(log):
    """Items 1 and 8 were taken by the same people: what tells them apart is rounding alone."""
    twice = np.repeat(np.arange(len(log.items)), 1 + (log.items == 1))
    items = log.items[twice]
    items[1:][twice[1:] == twice[:-1]] = 8
    twins = Interactions(log.users[twice], items, log.weights[twice], log.n_users, 9)
    model = GFCF(GFCFConfig(low_pass=1.0)).fit(TrainData(twins), rng=np.random.default_rng(0))
    offers = model.encode_items()
    assert offers[1].norm() > 0.1
    torch.testing.assert_close(offers[1], offers[8], atol=1e-4, rtol=0)
    took_one = Queries(np.array([-1]), np.array([0, 1]), np.array([1]), np.ones(1, np.float32))
    one, other = model.score(took_one)[0, [1, 8]].tolist()
    assert one == pytest.approx(other, abs=1e-4)
    assert one > 0.1


@pytest.mark.parametrize("shape", [(300, 60), (60, 300)])
def test_finds_the_leading_singular_vectors_of_a_larger_matrix(shape):
    rng = np.random.default_rng(3)
    u, v = (np.linalg.qr(rng.normal(size=(n, 60)))[0] for n in shape)
    sigma = 0.9 ** np.arange(60)
    x = sparse.csr_matrix(u * sigma @ v.T, dtype=np.float32)
    found = gfcf._right_singular(x, 5, rng, "cpu")[0].numpy().astype(float)
    np.testing.assert_allclose(abs(found.T @ v[:, :5]), np.eye(5), atol=1e-3)


def test_rows_are_made_in_blocks(world, monkeypatch):
    whole = GFCF(GFCFConfig(k=3)).fit(world, rng=np.random.default_rng(0)).state()
    monkeypatch.setattr(gfcf, "PRODUCTS", 7)
    assert len(list(gfcf._neighbours(sparse.eye(20, dtype=np.float32, format="csr"), 3))) > 1
    blocks = GFCF(GFCFConfig(k=3)).fit(world, rng=np.random.default_rng(0)).state()
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(whole[name], blocks[name])


def test_says_what_does_not_fit(world, monkeypatch):
    monkeypatch.setattr(gfcf, "free_memory", lambda device: 100)
    with pytest.raises(TooLarge, match=r"k = 50 and .* rank = 7 with 8 items.*lower them"):
        GFCF(GFCFConfig(rank=7, k=50)).fit(world, rng=np.random.default_rng(0))


NEED = {  # of ten items, each taken by someone else, with rank 4: ten neighbours, ten columns
    "cpu": {"cpu": 16 * 10 + 4 * 10 * (10 + 4 * 10)},
    "cuda:0": {"cpu": 48 * 10, "cuda:0": 20 * 10 + 4 * 10 * (10 + 4 * 10)},
}


@pytest.mark.parametrize("device", NEED)
def test_each_memory_is_asked_for_what_will_lie_there(device, monkeypatch):
    x = sparse.eye(10, dtype=np.float32, format="csr")
    config = GFCFConfig(rank=4)
    free = dict(NEED[device])
    monkeypatch.setattr(gfcf, "free_memory", lambda place: free[place])
    gfcf._check_size(x, config, device)
    for place in free:
        free[place] -= 1
        with pytest.raises(TooLarge, match=f"of the {place[:3]}.*'s memory"):
            gfcf._check_size(x, config, device)
        free[place] += 1
