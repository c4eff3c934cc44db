"""Vectors of every kind of model, against its own scores and a plain SVD."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse

from core.embed import components, item_vectors, user_vectors
from core.embed.neighbours import nearest
from core.errors import BadInput
from core.models import MODELS
from core.types import Interactions, TrainData
from tests.explain.test_attribution import fitted

SPACES = {
    "ease": ("rows",),
    "item_knn": ("rows",),
    "transitions": ("rows",),
    "content": ("rows",),
    "gfcf": ("rows", "vectors"),
    "als": ("vectors",),
    "recvae": ("vectors",),
    "lightgcn": ("vectors",),
    "unified": ("fused", "id", "content"),
    "two_tower": ("fused", "id", "content"),
    "popularity": (),
    "recent_popularity": (),
    "user_knn": (),
    "neumf": (),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_each_model_has_the_spaces_that_it_has(name, world):
    assert components(fitted(name, world)) == SPACES[name]


def test_no_model_is_forgotten():
    assert set(MODELS) - set(SPACES) == {"simgcl", "mlp_rating", "fusion", "auto"}


@pytest.mark.parametrize("name", ["als", "unified", "two_tower"])
def test_products_of_vectors_order_items_as_the_model_does(name, world, queries):
    model = fitted(name, world)
    items, users = item_vectors(model), user_vectors(model, queries)
    scores = model.score(queries).numpy()
    for row in np.flatnonzero(queries.lengths):
        own = np.argsort(-(items.values @ users.values[row]), kind="stable")
        assert np.allclose(np.diff(scores[row][own]).clip(min=0), 0, atol=1e-3)
    assert items.kept == 1


@pytest.mark.parametrize("name", ["ease", "item_knn", "transitions"])
def test_products_of_rows_are_those_of_the_weights(name, world):
    model = fitted(name, world)
    state = model.state()
    if "weights" in state:
        weights = state["weights"]
    else:
        parts = (state["data"], state["indices"], state["indptr"])
        weights = sparse.csr_matrix(parts, shape=(8, 8)).toarray()
    if name != "transitions":  # which knows what an item says for itself
        assert not weights.diagonal().any()
        weights = weights + np.diag(weights.max(axis=1))
    found = item_vectors(model, rank=8)
    np.testing.assert_allclose(found.values @ found.values.T, weights @ weights.T, atol=1e-5)
    assert found.kept == pytest.approx(1)
    cut = item_vectors(model, rank=3)
    s = np.linalg.svd(weights, compute_uv=False)
    assert cut.kept == pytest.approx((s[:3] ** 2).sum() / (s**2).sum(), rel=1e-3)
    np.testing.assert_allclose(np.linalg.norm(cut.values, axis=0), s[:3], rtol=1e-3)


@pytest.mark.parametrize("name", ["item_knn", "ease", "gfcf"])
def test_an_item_and_its_twin_are_each_others_nearest(name):
    """Nine in ten of those who take item 10 take item 60 too, and nobody else does."""
    rng = np.random.default_rng(0)
    popularity = np.arange(1, 61) ** -0.6
    baskets = [rng.choice(60, 8, False, popularity / popularity.sum()).tolist() for _ in range(500)]
    baskets = [[*b, 60] if 10 in b and rng.random() < 0.9 else b for b in baskets]
    users = np.repeat(np.arange(500), [len(basket) for basket in baskets])
    log = Interactions(users, np.concatenate(baskets), np.ones(len(users), "f4"), 500, 61)
    vectors = item_vectors(MODELS[name]().fit(TrainData(log), rng=rng)).values
    assert nearest(vectors, vectors[[10, 60]], 1, np.array([10, 60])).items.tolist() == [[60], [10]]


def test_content_rows_have_the_attributes_cosines(world):
    model = fitted("content", world)
    whole = model._vectors.toarray()
    found = item_vectors(model, rank=50).values
    np.testing.assert_allclose(found @ found.T, whole @ whole.T, atol=1e-5)


def test_a_person_of_a_linear_model_is_the_faded_sum_of_their_items(world, queries):
    model = fitted("item_knn", world)
    items, users = item_vectors(model, rank=8).values, user_vectors(model, queries, rank=8).values
    own = queries[0:1]
    decay = model.fading(len(own.items))[own.ages]
    by_hand = sum(w * f * items[i] for w, f, i in zip(own.weights, decay, own.items, strict=True))
    np.testing.assert_allclose(users[0], by_hand, rtol=1e-5)
    assert not users[2].any()  # nothing in that history


def test_the_terms_of_a_tower_add_up_to_what_it_normalises(world):
    model = fitted("unified", world)
    tower = model._net.tower
    whole = sum(item_vectors(model, name).values for name in ("id", "content"))
    with torch.no_grad():
        vectors = torch.nn.functional.normalize(tower.norm(torch.from_numpy(whole)), dim=1)
    np.testing.assert_allclose(vectors, item_vectors(model, "fused").values, atol=1e-6)
    assert not item_vectors(model, "id").values[7].any()  # nobody took it: it has no id of its own
    assert item_vectors(model, "content").values[7].any()


def test_equal_seeds_give_equal_vectors_and_signs_are_settled(world):
    model = fitted("ease", world)
    first, second, other = (item_vectors(model, seed=seed).values for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, other, atol=1e-5)


def test_a_fusion_has_the_spaces_of_its_components(world, queries):
    model = fitted("fusion", world)
    names = components(model)
    parts = model.components
    heads = list(dict.fromkeys(name.partition(":")[0] for name in names))
    assert set(heads) == {name for name, part in parts.items() if components(part)}
    weights = {found.name: sum(found.weights) for found in model.findings().components}
    assert weights[heads[0]] == max(weights[name] for name in heads)
    for name in names:
        head, _, space = name.partition(":")
        alone = item_vectors(parts[head], space)
        found = item_vectors(model, name)
        np.testing.assert_array_equal(found.values, alone.values)
        assert found.component == name
    assert len(user_vectors(model, queries)) == len(queries)


def test_what_is_not_there_is_said_in_a_sentence(world, queries):
    with pytest.raises(BadInput, match="Popularity holds no vectors of items: choose"):
        item_vectors(fitted("popularity", world))
    model = fitted("unified", world)
    with pytest.raises(BadInput, match="no component 'x': it has fused, id, content"):
        item_vectors(model, "x")
    with pytest.raises(BadInput, match="id is a part of items"):
        user_vectors(model, queries, "id")
