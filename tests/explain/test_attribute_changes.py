"""Other values of an attribute that would bring an item in: against every one, asked by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from core.explain import attribute_changes as module
from core.explain.attribute_changes import TOLD, attribute_changes
from core.models import MODELS
from core.types import PAD, FeatureBlock, Features, Queries, Recommender, TrainData
from tests.models.conftest import features, log, world

__all__ = ["features", "log", "world"]

SETTINGS = {
    "content": {},
    "two_tower": {"dim": 8, "epochs": 3, "batch": 4},
    "unified": {"dim": 8, "epochs": 3, "batch": 4},
}
N = 8


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """On a busy machine, threads of so small a network do little but wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def fitted(name: str, train: TrainData) -> Recommender:
    model = MODELS[name](MODELS[name].Config(**SETTINGS.get(name, {})))
    return model.fit(train, rng=np.random.default_rng(0))


@pytest.fixture(params=SETTINGS)
def model(request: pytest.FixtureRequest, world: TrainData) -> Recommender:
    return fitted(request.param, world)


def history_of(world: TrainData, user: int) -> Queries:
    return replace(world.interactions.queries(np.array([user])), users=np.array([PAD]))


def every(model: Recommender, query: Queries, item: int, features: Features) -> dict:
    """Rank by (kind, old column, new column), asked one at a time."""
    found = {}
    for kind in ("categorical", "multi_hot"):
        block = getattr(features, kind)
        row = block.matrix[[item]].toarray()[0]
        for old in np.flatnonzero(row).tolist() or [None]:
            for new in np.flatnonzero(row == 0).tolist():
                changed = row.copy()
                changed[new] = 1
                if old is not None:
                    changed[old] = 0
                blocks = {
                    k: FeatureBlock(b.names, stacked(b.matrix, b.matrix[[item]]))
                    for k, b in features.blocks()
                }
                blocks[kind] = FeatureBlock(block.names, stacked(block.matrix, changed[None]))
                more = model.with_items(Features(**blocks), like=np.array([item]))
                scores = more.score(query)[0].tolist()
                rivals = [i for i in range(N) if i != item and i not in query.items]
                own = (-scores[N], item)
                found[kind, old, new] = 1 + sum((-scores[i], i) < own for i in rivals)
    return found


def stacked(matrix, row):
    if sparse.issparse(matrix):
        return sparse.csr_matrix(sparse.vstack([matrix, sparse.csr_matrix(row)]))
    return np.concatenate([matrix, row])


def columns(features: Features, change) -> tuple[str, int | None, int]:
    names = getattr(features, change.kind).names
    old = None if change.old is None else names.index(f"{change.name}={change.old}")
    return change.kind, old, names.index(f"{change.name}={change.new}")


@pytest.mark.parametrize("user", [0, 2, 3])
def test_told_are_the_best_of_all_and_they_hold_when_asked_alone(model, world, features, user):
    query = history_of(world, user)
    for item in np.setdiff1d(np.arange(N), query.items).tolist():
        ranks = every(model, query, item, features)
        for k in (1, 2):
            found = attribute_changes(model, query, item, features, n_items=N, k=k)
            enough = sorted(rank for rank in ranks.values() if rank <= k)
            assert (found.enough, found.tried) == (len(enough), len(ranks))
            assert [change.rank_after for change in found.changes] == enough[:TOLD]
            for change in found.changes:
                assert ranks[columns(features, change)] == change.rank_after


def test_of_many_values_the_most_frequent_are_tried(model, world, features, monkeypatch):
    monkeypatch.setattr(module, "MOST_VALUES", 1)
    query = history_of(world, 0)
    found = attribute_changes(model, query, 7, features, n_items=N, k=N)
    tags = features.multi_hot.matrix.toarray()
    common = int(np.argmax(tags.sum(axis=0) * (tags[7] == 0)))
    told = {columns(features, change) for change in found.changes}
    assert found.tried == 2  # b instead of a, the commonest of the other tags instead of y
    assert told == {("categorical", 0, 1), ("multi_hot", 1, common)}


@given(st.sampled_from(["two_tower", "content"]), st.integers(0, 3), st.data())
def test_the_other_items_and_the_model_stay(name, user, data):
    if name not in KEPT:
        return
    model, world = KEPT[name]
    query = history_of(world, user)
    item = data.draw(st.sampled_from(np.setdiff1d(np.arange(N), query.items).tolist()))
    before = model.score(query).numpy().copy()
    attribute_changes(model, query, item, world.item_features, n_items=N, k=3)
    np.testing.assert_array_equal(model.score(query).numpy(), before)


KEPT: dict = {}


@pytest.fixture(autouse=True)
def kept(world: TrainData) -> None:
    """For hypothesis, which takes no fixture of a test."""
    for name in ("two_tower", "content"):
        if name not in KEPT:
            KEPT[name] = fitted(name, world), world


def test_where_there_is_no_attribute_to_change_nothing_is_said(world, features):
    query = history_of(world, 0)
    for name, given_features in (
        ("ease", features),
        ("unified", None),
        ("content", None),
    ):
        model = fitted(name, world)
        assert attribute_changes(model, query, 7, given_features, n_items=N) is None
    numbers = Features(numeric=features.numeric)
    model = fitted("content", replace(world, item_features=numbers))
    assert attribute_changes(model, query, 7, numbers, n_items=N) is None


def test_an_attribute_of_no_weight_is_none(world, features):
    model = MODELS["content"](MODELS["content"].Config(attribute_weight=0.0))
    model.fit(world, rng=np.random.default_rng(0))
    query = history_of(world, 0)
    assert attribute_changes(model, query, 7, features, n_items=N) is None


def test_what_nothing_is_known_of_has_no_value_to_lose(model, world, features):
    found = attribute_changes(model, history_of(world, 0), 6, features, n_items=N, k=N)
    assert found.tried == 5
    assert {change.old for change in found.changes} == {None}
