"""Values of an item's parts, against models in which the item has lost them, and sums by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from core.errors import BadInput, CoreError
from core.explain.explanation import GAP
from core.explain.parts import REST, explain_parts, readable_parts
from core.models import MODELS
from core.types import (
    Array,
    Composed,
    FeatureBlock,
    Features,
    Interactions,
    ItemPart,
    Queries,
    Recommender,
    TrainData,
)

N = 8  # items; 6 and 7 nobody took, nothing else is known of 6
ITEM, COLD, UNKNOWN = 4, 7, 6
SMALL = {"dim": 6, "epochs": 4, "batch": 4}
COMPOSED = {"unified": SMALL, "two_tower": SMALL, "content": {"number_weight": 0.7}}
TOWERS = ("unified", "two_tower")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """On a busy machine, threads of so small a network do little but wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def features() -> Features:
    """All kinds of attributes, two of some, with names as they come from a table."""
    rng = np.random.default_rng(2)
    tags = (rng.random((N, 5)) < 0.6).astype(float)
    words = rng.random((N, 5)) * (rng.random((N, 5)) < 0.7)
    numbers, texts, images = rng.random((N, 2)), rng.normal(size=(N, 3)), rng.normal(size=(N, 2))
    numbers[3, 1] = np.nan
    for block in (tags, words):
        block[UNKNOWN] = 0
    for block in (numbers, texts, images):
        block[UNKNOWN] = np.nan
    kinds = np.eye(2)[[0, 1, 1, 0, 1, 0, 0, 1]] * (np.arange(N) != UNKNOWN)[:, None]
    term = ("title: a", "title: b", "the: plot: a", "title: c", "the: plot: b")
    return Features(
        categorical=FeatureBlock(("kind=a", "kind=b"), sparse.csr_matrix(kinds)),
        multi_hot=FeatureBlock(
            ("tag=x", "for=x", "tag=y", "for=y=z", "tag=z"), sparse.csr_matrix(tags)
        ),
        numeric=FeatureBlock(("price", "size"), numbers.astype(np.float32)),
        text=FeatureBlock(term, sparse.csr_matrix(words)),
        text_embedding=FeatureBlock(("0", "1", "2"), texts.astype(np.float32)),
        image_embedding=FeatureBlock(("0", "1"), images.astype(np.float32)),
    )


PARTS = [
    *(("categorical", "kind"), ("multi_hot", "tag"), ("multi_hot", "for")),
    *(("numeric", "price"), ("numeric", "size"), ("text", "title"), ("text", "the: plot")),
    *(("text_embedding", ""), ("image_embedding", "")),
]


@pytest.fixture(scope="module")
def log() -> Interactions:
    """Forty people, six items."""
    rng = np.random.default_rng(3)
    users, items = np.repeat(np.arange(40), 4), rng.integers(6, size=160)
    weights = rng.integers(1, 4, 160).astype(np.float32)
    return Interactions(users, items, weights, 40, N, times=np.arange(160) * 1000)


@pytest.fixture(scope="module")
def models(features: Features, log: Interactions) -> dict[str, Recommender]:
    """One of each kind, and two fusions."""
    train = TrainData(log, item_features=features)
    names = COMPOSED | {"ease": {}, "transitions": {}}
    found = {name: fitted(name, train, **params) for name, params in names.items()}
    parts = {name: found[name] for name in ("content", "ease", "two_tower")}
    for method, scale in (("scores", "history"), ("scores", "frozen"), ("ranks", "history")):
        config = {"method": method, "scale": scale}
        together = replace(train, components=parts)
        found[f"{method} {scale}"] = fitted("fusion", together, **config)
    two = {name: found[name] for name in ("ease", "transitions")}
    found["wholes"] = fitted("fusion", replace(train, components=two))
    two = {name: found[name] for name in ("ease", "unified")}
    found["stages"] = fitted("fusion", replace(train, components=two), method="stages")
    return found


def fitted(name: str, train: TrainData, **params: Any) -> Recommender:
    model = MODELS[name](MODELS[name].Config(**params))
    return model.fit(train, rng=np.random.default_rng(0))


@pytest.fixture
def query() -> Queries:
    """What somebody did, with a repeat and weights; neither ITEM nor COLD."""
    items = np.array([2, 0, 5, 2])
    weights = np.array([1, 3, 1, 2], np.float32)
    return Queries(np.array([1]), np.array([0, 4]), items, weights, times=np.arange(4) * 5000)


def everything(p: int) -> Array:
    """All coalitions of p parts, (2^p, p), in no order that the program uses."""
    return np.array([[int(bit) for bit in f"{s:0{p}b}"] for s in range(2**p)], bool)


def bereft(model: Recommender, item: int, keep: Array, features: Features) -> float:
    """What remains in the state of an item that has lost what is not kept, all else as it was."""
    state = {name: value.copy() for name, value in model.state().items()}
    kept = {part for part, there in zip(PARTS, keep[1:], strict=True) if there}
    if not keep[0]:
        state["tower.id.weight"][item] = 0
    names = [("categorical", name.split("=")[0]) for name in features.categorical.names]
    names += [("multi_hot", name.split("=")[0]) for name in features.multi_hot.names]
    names += [("text", name[:-3]) for name in features.text.names]
    for at in range(state["tower.starts"][item], state["tower.starts"][item + 1]):
        state["tower.values"][at] *= names[state["tower.places"][at]] in kept
    for f, name in enumerate(features.numeric.names):
        if ("numeric", name) not in kept:
            state["tower.numbers"][item, [f, 2 + f]] = 0
    for kind in ("text_embedding", "image_embedding"):
        if (kind, "") not in kept:  # the vector that stands for none is made 0: others have one
            state[f"tower.embedded.{kind}.there"][item] = False
            state[f"tower.embedded.{kind}.missing"][:] = 0
    return MODELS[KINDS[type(model)]](model.config).load(state)


KINDS = {kind: name for name, kind in MODELS.items()}


@pytest.mark.parametrize("name", TOWERS)
def test_a_tower_scores_an_item_that_has_lost_parts(name, models, features, query):
    model = models[name]
    assert readable_parts(model, features) == (
        ItemPart("id", ""),
        *(ItemPart(*part) for part in PARTS),
    )
    keep = everything(10)[::7]
    found = model.score_of_parts(query, ITEM, features, keep)
    dumb = [bereft(model, ITEM, row, features).score(query)[0, ITEM].item() for row in keep]
    assert np.ptp(dumb) > 0.1
    np.testing.assert_allclose(found, dumb, atol=2e-5)


@pytest.mark.parametrize("name", TOWERS)
def test_values_are_the_mean_over_all_orders(name, features, query):
    few = replace(features, multi_hot=None, text=None, numeric=None, image_embedding=None)
    log = Interactions(*np.array([[0, 0, 1, 1], [0, 1, 2, 3]]), np.ones(4, np.float32), 2, N)
    model = fitted(name, TrainData(log, item_features=few), **SMALL)
    found = explain_parts(model, query, 3, few, n_items=N)
    assert [part.kind for part in found.parts] == ["id", "categorical", "text_embedding"]
    worth: dict[tuple[int, ...], float] = {}
    said = model.score_of_parts(query, 3, few, everything(3))
    for keep, value in zip(everything(3), said, strict=True):
        worth[tuple(np.flatnonzero(keep))] = value
    mean = np.zeros(3)
    for order in permutations(range(3)):
        for place, part in enumerate(order):
            before = worth[tuple(sorted(order[:place]))]
            mean[part] += (worth[tuple(sorted(order[: place + 1]))] - before) / 6
    assert np.abs(mean).min() > 1e-3
    np.testing.assert_allclose(found.values, mean, atol=1e-5)
    assert found.base == pytest.approx(worth[()], abs=1e-5)


ALL = [*COMPOSED, "scores history", "scores frozen", "ranks history"]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("item", [0, ITEM, UNKNOWN, COLD])
def test_all_parts_give_the_score_and_values_add_up(name, item, models, features, query):
    model = models[name]
    many = Queries(
        users=np.array([1, -1, 3]),
        offsets=np.array([0, 4, 4, 5]),
        items=np.append(query.items, 3),
        weights=np.append(query.weights, np.float32(1)),
        times=np.append(query.times, 7),
    )
    for row, score in enumerate(model.score(many)[:, item].tolist()):
        one = many[[row]]
        assert isinstance(model, Composed)
        keep = np.ones((2, len(model.parts(features))), bool)
        assert model.score_of_parts(one, item, features, keep) == pytest.approx(score, abs=1e-5)
        found = explain_parts(model, one, item, features, n_items=N)
        assert found.score == pytest.approx(score, abs=1e-5)
        assert found.gap <= GAP * max(1, abs(score))


@pytest.mark.parametrize("name", TOWERS)
def test_an_id_that_was_never_seen_says_nothing(name, models, features, query):
    known, cold = (explain_parts(models[name], query, i, features, n_items=N) for i in (ITEM, COLD))
    assert cold.parts[0] == known.parts[0] == ItemPart("id", "")
    for without_id in everything(10)[:512:37]:  # alone, the same to the last bit
        with_id = without_id | (np.arange(10) == 0)
        alone = [
            models[name].score_of_parts(query, COLD, features, keep[None])[0]
            for keep in (without_id, with_id)
        ]
        assert alone[0] == alone[1]
    # Of 1,024 rows at once a matrix product rounds a row by where it stands and by how many threads
    # there are: what is left is noise of float32, here a few eps of the score.
    noise = 4 * np.finfo(np.float32).eps * max(1, abs(cold.score))
    assert abs(cold.values[0]) < noise < 1e-3 < abs(known.values[0])
    assert np.count_nonzero(np.abs(cold.values) > 1e-3) > 5


@pytest.mark.parametrize("name", TOWERS)
def test_an_empty_history_hears_parts_from_the_start_state_alone(name, models, features, query):
    empty, model = query.subsets(np.zeros((1, 4), bool)), models[name]
    found = explain_parts(model, empty, ITEM, features, n_items=N)
    assert found.score == pytest.approx(model.score(empty)[0, ITEM].item(), abs=1e-5)
    assert found.base + found.values.sum() == pytest.approx(found.score, abs=1e-4)
    assert np.abs(found.values).max() > 1e-3
    state = {key: v for key, v in model.state().items() if not key.startswith("start.")}
    old = type(model)(model.config).load(state | {"popularity": np.ones(N, np.float32)})
    found = explain_parts(old, empty, ITEM, features, n_items=N)
    assert found.values.tolist() == [0] * 10
    assert found.base == found.score == 1


def test_of_content_each_part_is_worth_what_it_shares_with_the_history(models, features, query):
    model = models["content"]
    found = explain_parts(model, query, ITEM, features, n_items=N)
    assert [(part.kind, part.name) for part in found.parts] == PARTS
    rare = features.multi_hot.matrix.toarray() > 0
    rare = rare * np.log(1 + N / rare.sum(axis=0))
    n_blocks = np.full(N, 5.7)  # weights of the blocks in which an item has anything
    for i in range(N):
        for part, block in features.blocks():
            matrix = block.matrix.toarray() if sparse.issparse(block.matrix) else block.matrix
            if not np.nan_to_num(matrix[i]).any():
                n_blocks[i] -= 0.7 if part == "numeric" else 1

    def shared(columns: list[int]) -> float:
        total = 0.0
        for age, event in enumerate(reversed(range(4))):
            i, weight = query.items[event], query.weights[event] * 0.8**age
            alike = rare[i, columns] @ rare[ITEM, columns]
            alike /= np.linalg.norm(rare[i]) * np.linalg.norm(rare[ITEM])
            total += weight * alike / np.sqrt(n_blocks[i] * n_blocks[ITEM])
        return total

    values = dict(zip(found.parts, found.values, strict=True))
    assert values[ItemPart("multi_hot", "tag")] == pytest.approx(shared([0, 2, 4]), abs=1e-6)
    assert values[ItemPart("multi_hot", "for")] == pytest.approx(shared([1, 3]), abs=1e-6) != 0
    assert found.base == pytest.approx(model.state()["base"][ITEM])
    keep = np.eye(len(PARTS), dtype=bool)
    alone = model.score_of_parts(query, ITEM, features, keep) - found.base
    np.testing.assert_allclose(alone, found.values, atol=1e-12)


@pytest.mark.parametrize("name", ["scores history", "scores frozen"])
def test_of_a_fusion_each_part_is_worth_the_weighted_sum(name, models, features, query):
    model = models[name]
    found = explain_parts(model, query, ITEM, features, n_items=N)
    assert found.parts == (*(ItemPart(*part) for part in PARTS), ItemPart("id", ""))
    expected = dict.fromkeys(found.parts, 0.0)
    for c, component in enumerate(("content", "ease", "two_tower")):
        scores = models[component].score(query)[0].numpy().astype(float)
        spread = scores.std() if name == "scores history" else model.state()["scale"][0, c, 1]
        if component != "ease":
            own = explain_parts(models[component], query, ITEM, features, n_items=N)
            for part, value in zip(own.parts, own.values, strict=True):
                expected[part] += value / spread / 3
    np.testing.assert_allclose(found.values, list(expected.values()), atol=1e-5)


def test_of_ranks_one_place_more_is_worth_what_it_is(models, features, query):
    model = models["ranks history"]
    keep = np.array([[True] * 9 + [False]])  # all but the id, which only two_tower hears
    found = model.score_of_parts(query, ITEM, features, keep)[0]
    expected = 0.0
    for component in ("content", "ease", "two_tower"):
        scores = models[component].score(query)[0].numpy().copy()
        if component == "two_tower":
            own = np.array([[False] + [True] * 9])
            scores[ITEM] = models[component].score_of_parts(query, ITEM, features, own)[0]
        expected += 1 / (60 + 1 + (scores > scores[ITEM]).sum()) / 3
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("name", ["two_tower", "content"])
def test_of_many_parts_the_smallest_are_one(name, log, query):
    tags = sparse.csr_matrix(np.random.default_rng(8).random((N, 15)) < 0.7, dtype=float)
    features = Features(multi_hot=FeatureBlock(tuple(f"a{f}=yes" for f in range(15)), tags))
    model = fitted(name, TrainData(log, item_features=features), **COMPOSED[name])
    found = explain_parts(model, query, ITEM, features, n_items=N)
    assert len(found.parts) == 12
    assert found.parts[-1] == REST
    every = set(readable_parts(model, features))
    assert set(found.parts[:-1]) | set(found.rest) == every
    assert len(found.parts[:-1]) + len(found.rest) == len(every)
    assert found.gap < 1e-5
    assert found.evaluations == 2 + 2 * len(every) + 2**12
    if name == "content":  # additive: what was taken together is the smallest
        apart = model.score_of_parts(query, ITEM, features, np.eye(15, dtype=bool)) - found.base
        sizes = dict(zip(readable_parts(model, features), np.abs(apart), strict=True))
        largest = max(sizes[part] for part in found.rest)
        assert 0 < largest <= min(sizes[part] for part in found.parts[:-1])
        assert found.values[-1] == pytest.approx(
            sum(
                dict(zip(readable_parts(model, features), apart, strict=True))[p]
                for p in found.rest
            )
        )


def test_without_content_the_id_is_all(log, features, query):
    model = fitted("two_tower", TrainData(log, item_features=features), content=False, **SMALL)
    assert readable_parts(model, features) == readable_parts(model, None) == (ItemPart("id", ""),)
    assert explain_parts(model, query, ITEM, None, n_items=N).values[0] != 0


def test_embeddings_need_not_be_given_again(models, features, query):
    plain = replace(features, text_embedding=None, image_embedding=None)
    for name in ALL:
        again = models[name]
        if name == "content":
            again = MODELS[name](again.config).load(again.state())
        found = explain_parts(again, query, ITEM, plain, n_items=N)
        expected = explain_parts(models[name], query, ITEM, features, n_items=N)
        assert found.parts == expected.parts
        assert found.values.tolist() == expected.values.tolist()


@pytest.mark.parametrize("name", ["ease", "wholes", "stages"])
def test_models_of_wholes_say_so(name, models, features, query):
    assert readable_parts(models[name], features) == ()
    with pytest.raises(BadInput, match="knows items by who took them"):
        explain_parts(models[name], query, ITEM, features, n_items=N)


@pytest.mark.parametrize("name", COMPOSED)
def test_other_features_are_refused(name, models, features, query):
    for wrong in (None, replace(features, text=None), replace(features, numeric=None)):
        with pytest.raises(BadInput, match="give it those it was trained with"):
            explain_parts(models[name], query, ITEM, wrong, n_items=N)


@pytest.mark.parametrize("item", [-1, N])
def test_unknown_items_are_refused(item, models, features, query):
    with pytest.raises(BadInput, match=r"item must be a code in 0 … 7"):
        explain_parts(models["content"], query, item, features, n_items=N)
    two = Queries(np.array([0, 1]), np.array([0, 0, 0]), np.zeros(0, int), np.zeros(0, np.float32))
    with pytest.raises(BadInput, match="one history"):
        explain_parts(models["content"], two, 0, features, n_items=N)


def test_what_does_not_add_up_is_no_explanation(models, features, query):
    class Forgetful(MODELS["content"]):
        def score_of_parts(self, *args: Any) -> Array:
            return super().score_of_parts(*args) * 0.999

    model = Forgetful(models["content"].config).load(models["content"].state())
    with pytest.raises(CoreError, match="do not add up"):
        explain_parts(model, query, ITEM, features, n_items=N)
