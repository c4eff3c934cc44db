"""Items that a model did not learn from: by their attributes what an item without its id gets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from core.errors import BadInput
from core.models import MODELS
from core.types import Extensible, FeatureBlock, Features, Queries, Recommender, TrainData

SMALL = {"dim": 8, "epochs": 3, "batch": 4}
SETTINGS: dict[str, dict[str, Any]] = {
    "content": {"number_weight": 0.7},
    "two_tower": SMALL,
    "unified": SMALL,
}
N = 8  # items of the world; nobody took item 7


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """On a busy machine, threads of so small a network do little but wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(params=SETTINGS)
def model(request: pytest.FixtureRequest, world: TrainData) -> Recommender:
    return fitted(request.param, world)


def fitted(name: str, train: TrainData) -> Recommender:
    model = MODELS[name](MODELS[name].Config(**SETTINGS[name]))
    return model.fit(train, rng=np.random.default_rng(0))


def with_copies(features: Features, rows: list[int]) -> Features:
    """The same, and behind them these rows once more."""
    every = [*range(N), *rows]
    blocks = {
        kind: FeatureBlock(block.names, block.matrix[every]) for kind, block in features.blocks()
    }
    return replace(features, **blocks)


def scores(model: Recommender, queries: Queries) -> np.ndarray:
    return model.score(queries).double().cpu().numpy()


def test_a_copy_gets_what_its_original_gets_of_attributes_alone(model, world, features):
    items, queries = list(range(N)), world.interactions.queries(np.array([0, 3, 6]))
    more = model.with_items(with_copies(features, items))
    taken = scores(
        model,
        Queries(np.array([-1]), np.array([0, 0]), np.zeros(0, np.int64), np.zeros(0, np.float32)),
    )
    for row in range(len(queries)):
        one = queries[np.array([row])]
        for item in items:
            keep = np.array([[part.kind != "id" for part in model.parts(features)]])
            [expected] = model.score_of_parts(one, item, features, keep)
            if type(model).__name__ == "Content":  # of one that nobody took nothing breaks ties
                expected -= taken[0, item]
            assert scores(more, one)[0, N + item] == pytest.approx(expected, abs=1e-5)


def test_a_copy_of_an_item_that_nobody_took_is_that_item(model, world, features):
    more = model.with_items(with_copies(features, [7, 7]))
    found = scores(more, world.interactions.queries(np.array([0, 3, 6])))
    assert found.shape == (3, N + 2)
    np.testing.assert_allclose(found[:, N:], found[:, [7, 7]], atol=1e-6)


def test_the_others_get_what_they_got(model, world, features):
    """Not to the last bit: a product of larger matrices adds up in another order."""
    queries = world.interactions.queries()  # user 7's history is empty
    before, vectors = scores(model, queries), dict(model.state())
    more = model.with_items(with_copies(features, [2, 6, 7]))
    np.testing.assert_allclose(scores(more, queries)[:, :N], before, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(scores(model, queries), before)  # nothing of its own is touched
    for name, array in model.state().items():
        np.testing.assert_array_equal(array, vectors[name])


def test_one_after_the_other_is_as_all_at_once(model, world, features):
    price = np.array([[1e6, 3]], np.float32)  # the second would be told by other means
    numbers = np.concatenate([features.numeric.matrix, price, price / 2])
    more = replace(
        with_copies(features, [2, 5]), numeric=FeatureBlock(features.numeric.names, numbers)
    )
    first = replace(
        with_copies(features, [2]), numeric=FeatureBlock(features.numeric.names, numbers[:-1])
    )
    queries = world.interactions.queries()
    stepwise = model.with_items(first).with_items(more, learnt=N)
    np.testing.assert_array_equal(
        scores(stepwise, queries), scores(model.with_items(more), queries)
    )


@given(st.lists(st.integers(0, N - 1), min_size=1, max_size=5), st.data())
def test_how_many_come_at_once_and_in_which_order_is_all_the_same(rows, data):
    world, model = WORLD[0], WORLD[1]
    order = data.draw(st.permutations(range(len(rows))))
    queries = world.interactions.queries(np.array([0, 3]))
    once = scores(model.with_items(with_copies(world.item_features, rows)), queries)[:, N:]
    other = model.with_items(with_copies(world.item_features, [rows[at] for at in order]))
    np.testing.assert_allclose(scores(other, queries)[:, N:], once[:, order], atol=1e-6)


WORLD: list[Any] = []


@pytest.fixture(autouse=True)
def shared_world(world: TrainData) -> None:
    """For hypothesis, which takes no fixture of a test: the world, and a model of it."""
    if not WORLD:
        WORLD.extend([world, fitted("two_tower", world)])


@pytest.mark.parametrize("name", ["two_tower", "unified"])
def test_to_nobody_known_a_new_item_has_no_offset(name, world, features):
    """Item 7 has one, a little below 0, since it was there to be taken and was not."""
    model = fitted(name, world)
    offset = float(model.state()["start.offsets"][7])
    [found] = scores(
        model.with_items(with_copies(features, [7])), world.interactions.queries(np.array([7]))
    )
    assert offset < 0
    assert found[N] == pytest.approx(found[7] - offset, abs=1e-6)


def test_a_new_item_may_be_in_a_history(model, world, features):
    more = model.with_items(with_copies(features, [7]))
    base = world.interactions.queries(np.array([3]))
    old, new = (replace(base, items=np.append(base.items[:-1], item)) for item in (7, N))
    np.testing.assert_allclose(scores(more, new), scores(more, old), atol=1e-6)


@pytest.mark.parametrize("name", SETTINGS)
def test_of_embeddings_a_new_item_has_none(name, world, features):
    made = np.random.default_rng(5).normal(size=(N, 3)).astype(np.float32)
    made[7] = np.nan  # nobody took it, and it has no picture: as a new item
    pictures = FeatureBlock(("x", "y", "z"), made)
    train = replace(world, item_features=replace(features, image_embedding=pictures))
    model = fitted(name, train)
    for given_features in (features, train.item_features):  # with or without those of the others
        found = scores(
            model.with_items(with_copies(given_features, [7])),
            world.interactions.queries(np.arange(7)),
        )
        np.testing.assert_allclose(found[:, N], found[:, 7], atol=1e-6)


def test_other_features_than_those_learnt_from_are_refused(model, features):
    fewer = replace(
        features, categorical=FeatureBlock(("kind=a",), sparse.csr_matrix(np.ones((N + 1, 1))))
    )
    with pytest.raises(BadInput, match="give it those it was trained with"):
        model.with_items(fewer)


def test_what_knows_only_who_took_an_item_takes_in_none():
    extensible = {name for name, kind in MODELS.items() if issubclass(kind, Extensible)}
    assert extensible == set(SETTINGS)


@pytest.mark.parametrize("name", SETTINGS)
def test_like_an_item_with_its_own_attributes_is_that_item(name, world, features):
    made = np.random.default_rng(5).normal(size=(N, 5)).astype(np.float32)
    made[[2, 7], :3] = np.nan
    blocks = {
        "text_embedding": FeatureBlock(("x", "y", "z"), made[:, :3]),
        "image_embedding": FeatureBlock(("u", "v"), made[::-1, 3:].copy()),
    }
    model = fitted(name, replace(world, item_features=replace(features, **blocks)))
    every = np.arange(N)
    found = scores(
        model.with_items(with_copies(features, every.tolist()), like=every),
        world.interactions.queries(),
    )
    np.testing.assert_allclose(found[:, N:], found[:, :N], rtol=1e-6, atol=1e-6)


def other_kind(features: Features, item: int) -> Features:
    """Behind the others the item once more, a or b exchanged, and without its first tag."""
    more = with_copies(features, [item])
    kinds, tags = (block.matrix.tolil() for block in (more.categorical, more.multi_hot))
    kinds[N] = kinds[N].toarray()[:, ::-1]
    tags[N, tags[N].toarray()[0].argmax()] = 0
    return replace(
        more,
        categorical=FeatureBlock(more.categorical.names, kinds.tocsr()),
        multi_hot=FeatureBlock(more.multi_hot.names, tags.tocsr()),
    )


@pytest.mark.parametrize("name", ["two_tower", "unified"])
@pytest.mark.parametrize("item", [0, 3, 5])
def test_with_another_value_a_network_scores_the_sum_of_its_terms(name, item, world, features):
    """By hand: the tags of the row are those of its two kinds and of its words, of unit length."""
    model, more = fitted(name, world), other_kind(features, item)
    state = model.state()
    row = np.concatenate(
        [
            m / max(np.linalg.norm(m), 1e-9)
            for m in (
                b.matrix[[N]].toarray()[0] for _, b in more.blocks() if sparse.issparse(b.matrix)
            )
        ]
    )
    total = state["tower.id.weight"][item] + row @ state["tower.tag.weight"]
    weight, bias = state["tower.number.weight"], state["tower.number.bias"]
    total = total + weight @ state["tower.numbers"][item] + bias
    with torch.no_grad():
        net = model._fitted()
        vector = net.items(net.tower.norm(torch.from_numpy(total[None].astype(np.float32))))
        queries = world.interactions.queries(np.array([0, 3, 6]))
        expected = model._match(net, model.encode(queries), vector)[:, 0]
    found = scores(model.with_items(more, like=np.array([item])), queries)[:, N]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("item", [0, 3, 5])
def test_with_another_value_content_scores_the_mean_of_cosines(item, world, features):
    model, more = fitted("content", world), other_kind(features, item)

    def parts(row: int) -> np.ndarray:
        rarity = [np.log1p(N / (b.matrix[:N].toarray() > 0).sum(axis=0)) for b in more_blocks[:2]]
        vectors = [
            b.matrix[[row]].toarray()[0] * r for b, r in zip(more_blocks, rarity, strict=False)
        ]
        vectors.append(more.text.matrix[[row]].toarray()[0])
        bands = []
        for column in more.numeric.matrix.T.astype(float):
            known = column[:N][np.isfinite(column[:N])]
            edges = np.quantile(known, np.arange(1, 10) / 10)
            bands.append(np.eye(10)[(edges <= column[row]).sum()] * np.isfinite(column[row]))
        vectors.append(np.concatenate(bands))
        weights = [1, 1, 1, 0.7]
        unit = [
            w**0.5 * v / max(np.linalg.norm(v), 1e-9) for w, v in zip(weights, vectors, strict=True)
        ]
        whole = np.concatenate(unit)
        return whole / np.linalg.norm(whole) if whole.any() else whole

    more_blocks = (more.categorical, more.multi_hot)
    query = world.interactions.queries(np.array([3]))
    alike = sum(
        w * 0.8**age * parts(own) @ parts(N)
        for own, w, age in zip(query.items, query.weights, query.ages, strict=True)
    )
    found = scores(model.with_items(more, like=np.array([item])), query)[0, N]
    assert found == pytest.approx(model.state()["base"][item] + alike, abs=1e-5)
