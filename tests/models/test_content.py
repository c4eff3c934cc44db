"""Content-kNN against plain loops."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from core.errors import BadInput
from core.models.common.vectors import whitened
from core.models.content import Content, ContentConfig
from core.types import FeatureBlock, Features, TrainData


def unit(vector):
    length = math.sqrt(sum(x * x for x in vector))
    return [x / length for x in vector] if length else list(vector)


def rare(matrix):
    """Each column times ln(1 + items / items that have it)."""
    dense = matrix.toarray().astype(float)
    having = [max(1, sum(1 for x in column if x)) for column in dense.T]
    return [
        [x * math.log(1 + len(dense) / n) for x, n in zip(row, having, strict=True)]
        for row in dense
    ]


def tenths(numbers):
    """One column per tenth: how many of the nine cuts lie at or below the number."""
    rows = [[] for _ in numbers]
    for column in np.asarray(numbers, float).T:
        known = sorted(x for x in column if x == x)
        cuts = [np.quantile(known, t / 10) for t in range(1, 10)]
        for row, x in zip(rows, column, strict=True):
            tenth = sum(cut <= x for cut in cuts) if x == x else -1
            row += [float(t == tenth) for t in range(10)]
    return rows


def vectors(features, weights):
    blocks = [
        (weights[0], rare(features.categorical.matrix)),
        (weights[0], rare(features.multi_hot.matrix)),
        (weights[1], features.text.matrix.toarray().tolist()),
        (weights[2], tenths(features.numeric.matrix)),
    ]
    for part, weight in zip(("text_embedding", "image_embedding"), weights[3:], strict=False):
        if block := getattr(features, part):
            z = np.nan_to_num(whitened(block.matrix)).tolist()  # test_tower.py
            blocks.append((weight, z))
    whole = []
    for i in range(8):
        joined = [math.sqrt(w) * x for w, block in blocks for x in unit(block[i])]
        whole.append(unit(joined))
    return np.array(whole)


@pytest.mark.parametrize("weights", [(1, 1, 0.2), (0, 2, 0), (0.5, 0, 3)])
def test_scores_equal_loops_over_blocks(world, queries, weights):
    attribute, text, number = weights
    config = ContentConfig(
        attribute_weight=attribute, text_weight=text, number_weight=number, history_decay=0.7
    )
    model = Content(config).fit(world, rng=np.random.default_rng(0))
    v = vectors(world.item_features, weights)
    base = model.state()["base"]
    for b, got in enumerate(model.score(queries).numpy()):
        one = queries[b : b + 1]
        expected = base.astype(float)
        for age, event in enumerate(reversed(range(len(one.items)))):
            expected += one.weights[event] * 0.7**age * (v @ v[one.items[event]])
        np.testing.assert_allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("weights", [(1, 1, 0.2, 1, 1), (0, 0, 0, 2, 0.5), (0.5, 0, 3, 0, 3)])
def test_embeddings_are_further_blocks(weights, world, queries):
    rng = np.random.default_rng(2)
    texts, images = rng.normal(size=(2, 8, 5)).astype(np.float32)
    texts[6], images[[1, 6]] = np.nan, np.nan
    names = tuple("abcde")
    features = replace(
        world.item_features,
        text_embedding=FeatureBlock(names, texts),
        image_embedding=FeatureBlock(names, images),
    )
    names = ("attribute", "text", "number", "text_embedding", "image_embedding")
    config = ContentConfig(
        **{f"{name}_weight": w for name, w in zip(names, weights, strict=True)}, history_decay=0.7
    )
    world = replace(world, item_features=features)
    model = Content(config).fit(world, rng=np.random.default_rng(0))
    v = vectors(features, weights)
    assert not v[6].any(), "where nothing is known, nothing is alike"
    history = queries.matrix(8, queries.weights * 0.7**queries.ages)
    expected = model.state()["base"] + history @ v @ v.T
    np.testing.assert_allclose(model.score(queries), expected, atol=1e-5)


def test_scores_an_item_that_nobody_took(world, queries):
    scores = Content(ContentConfig()).fit(world, rng=np.random.default_rng(0)).score(queries)
    assert scores[0, 7] > scores[0, 6]  # 7 is like the history, of 6 nothing is known


@pytest.mark.parametrize("features", [None, Features()])
def test_refuses_where_nothing_is_known_of_the_items(log, features):
    with pytest.raises(BadInput, match="this dataset has none"):
        Content(ContentConfig()).fit(TrainData(log, features), rng=np.random.default_rng(0))


def test_refuses_where_all_that_is_known_has_weight_0(world):
    config = ContentConfig(attribute_weight=0, number_weight=0)
    textless = replace(world, item_features=replace(world.item_features, text=None))
    with pytest.raises(BadInput, match=r"weight 0 .*\(categorical, multi_hot, numeric\)"):
        Content(config).fit(textless, rng=np.random.default_rng(0))
