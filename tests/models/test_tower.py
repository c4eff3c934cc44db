"""Embeddings of texts and images in the models that read them, against plain loops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from core.models import MODELS
from core.models.common import vectors as row_vectors
from core.models.common.vectors import whitened
from core.models.neural.item_tower import ItemTower
from core.types import FeatureBlock, Features, Interactions, Recommender, TrainData

NAMES = ("x", "y", "z")
SMALL = {"dim": 8, "epochs": 3, "batch": 4}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """On a busy machine, threads of so small a network do little but wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def vectors() -> np.ndarray:
    """Embeddings (8, 3) of the world's items; items 2 and 6 have none."""
    made = np.random.default_rng(5).normal(2, 3, (8, 3)).astype(np.float32)
    made[[2, 6]] = np.nan
    return made


@pytest.fixture
def embedded(world: TrainData, vectors: np.ndarray) -> TrainData:
    """The world with texts and images of its items."""
    images = FeatureBlock(NAMES[:2], vectors[::-1, :2].copy())
    texts = FeatureBlock(NAMES, vectors)
    features = replace(world.item_features, text_embedding=texts, image_embedding=images)
    return replace(world, item_features=features)


def fitted(name: str, train: TrainData, **params: Any) -> Recommender:
    model = MODELS[name](MODELS[name].Config(**params))
    return model.fit(train, rng=np.random.default_rng(0))


def test_whitening_leaves_directions_that_say_nothing_of_each_other():
    rng = np.random.default_rng(4)
    made = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 5)) * 7 + 100  # 3 directions of 5
    made = made.astype(np.float32)
    made[[2, 6]] = np.nan
    white = whitened(made)
    assert white.shape == (60, 3)
    assert np.flatnonzero(np.isnan(white).any(axis=1)).tolist() == [2, 6]
    known = np.delete(white, [2, 6], axis=0)
    np.testing.assert_allclose(known.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(known.T @ known / 58, np.eye(3), atol=1e-3)
    raw = np.delete(made, [2, 6], axis=0).astype(float)
    inverse = np.linalg.pinv(np.cov(raw.T, bias=True), rcond=1e-6)
    gap = raw[7] - raw[30]  # distances are Mahalanobis'
    assert np.square(known[7] - known[30]).sum() == pytest.approx(gap @ inverse @ gap, rel=1e-3)


def test_only_the_strongest_directions_are_kept(monkeypatch):
    monkeypatch.setattr(row_vectors, "DIRECTIONS", 1)
    made = np.zeros((8, 2), np.float32)
    made[:4, 0], made[::2, 1] = 1, 9  # the second varies more
    np.testing.assert_allclose(np.abs(whitened(made)), 1, rtol=1e-5)
    assert len(np.unique(np.sign(whitened(made)[::2]))) == 1
    assert whitened(np.full((4, 2), 3, np.float32)).shape == (4, 0)
    assert whitened(np.full((4, 2), np.nan, np.float32)).shape == (4, 0)


def test_a_tower_adds_gated_projections_and_a_learnt_vector_for_what_is_missing(vectors):
    torch.manual_seed(3)
    tags, numbers = sparse.csr_matrix((8, 0), dtype=np.float32), np.zeros((8, 0), np.float32)
    tower = ItemTower(4, tags, numbers, {"text_embedding": vectors}).eval()
    part = tower.embedded["text_embedding"]
    with torch.no_grad():
        part.gate.fill_(-1.5)
    weight, bias = part.project.weight.detach().numpy(), part.project.bias.detach().numpy()
    for item, found in enumerate(tower().detach().numpy()):
        own = part.missing.detach().numpy() if item in (2, 6) else weight @ vectors[item] + bias
        total = tower.id.weight[item].detach().numpy() + own / (1 + np.exp(1.5))
        total = (total - total.mean()) / np.sqrt(total.var() + 1e-5)
        np.testing.assert_allclose(found, total, atol=1e-5)


@pytest.mark.parametrize("name", ["unified", "two_tower"])
def test_gates_and_what_stands_for_the_missing_are_learnt(name, embedded):
    state = fitted(name, embedded, **SMALL).state()
    start = fitted(name, embedded, **SMALL | {"learning_rate": 1e-6}).state()
    for part in ("text_embedding", "image_embedding"):
        for learnt in ("gate", "missing", "project.weight"):
            key = f"tower.embedded.{part}.{learnt}"
            assert np.abs(state[key] - start[key]).max() > 1e-4, key


@pytest.mark.parametrize(
    ("name", "params"), [("unified", SMALL), ("two_tower", SMALL), ("content", {})]
)
def test_a_model_with_embeddings_survives_the_round_trip(name, params, embedded, queries):
    model = fitted(name, embedded, **params)
    state = model.state()
    again = MODELS[name](model.config).load(state)
    assert torch.equal(again.score(queries), model.score(queries))
    assert again.state().keys() == state.keys()
    for key, array in again.state().items():
        np.testing.assert_array_equal(array, state[key])
    plain = replace(embedded.item_features, text_embedding=None, image_embedding=None)
    without = fitted(name, replace(embedded, item_features=plain), **params)
    assert not torch.allclose(without.score(queries), model.score(queries))


@pytest.mark.parametrize("part", ["text_embedding", "image_embedding"])
@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("unified", {"dim": 16, "epochs": 15}),
        ("two_tower", {"dim": 16, "epochs": 6, "batch": 32, "id_dropout": 0.3}),
        ("content", {}),
    ],
)
def test_new_items_are_told_apart_by_their_embedding_alone(name, params, part):
    """Two tastes, twenty items each; the last two of each were never taken."""
    rng = np.random.default_rng(1)
    taste = np.arange(40) % 2
    users = np.repeat(np.arange(60), 6)
    items = np.concatenate(
        [rng.choice(np.arange(u % 2, 36, 2), 6, replace=False) for u in range(60)]
    )
    log = Interactions(users, items, np.ones(360, np.float32), 60, 40, np.arange(360))
    vectors = rng.normal(size=(40, 3)) + 9 * np.outer(taste, [1, -1, 0])
    features = Features(**{part: FeatureBlock(NAMES, vectors.astype(np.float32))})
    scores = fitted(name, TrainData(log, item_features=features), **params).score(log.queries())
    even, odd = (scores[:, 36:][:, taste[36:] == side].mean(dim=1) for side in (0, 1))
    right = torch.where(torch.arange(60) % 2 == 0, even > odd, odd > even)
    assert right.float().mean() > 0.95


def test_some_items_have_the_vectors_and_gradients_that_they_have_among_all(embedded):
    tower = fitted("unified", embedded, **SMALL)._fitted().eval().tower
    some, weights = torch.tensor([6, 0, 2, 5]), torch.randn(4, 8)
    found = []
    for vectors in (tower(), tower(items=some)):
        tower.zero_grad()
        rows = vectors if len(vectors) == 4 else vectors[some]
        (rows * weights).sum().backward()
        found.append([rows.detach(), *(p.grad.clone() for p in tower.parameters())])
    torch.testing.assert_close(found[0], found[1])
    assert len(found[0]) > 8
