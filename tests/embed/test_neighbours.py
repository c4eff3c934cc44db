"""Exact neighbours against brute force in float64; the index against the exact ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.embed import neighbours
from core.embed.index import Index, recall, searcher
from core.embed.item_similarity import content, together
from core.embed.neighbours import Exact, Neighbours, nearest, unit
from core.errors import BadInput
from tests.explain.test_attribution import fitted


def brute(vectors, queries, k, out):
    """All cosines in float64, sorted one row at a time."""
    found = []
    for q, own in zip(np.asarray(queries, np.float64), out, strict=True):
        cosines = []
        for row, v in enumerate(np.asarray(vectors, np.float64)):
            size = np.sqrt(v @ v) * np.sqrt(q @ q)
            if row != own:
                cosines.append((-round(float(v @ q / size) if size else 0.0, 12), row))
        found.append(sorted(cosines)[:k])
    return [[row for _, row in one] for one in found], [[-c for c, _ in one] for one in found]


def test_a_thousand_queries_find_what_brute_force_in_float64_finds():
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((40, 24))
    vectors = centres[rng.integers(0, 40, 5000)] + 1e-3 * rng.standard_normal((5000, 24))
    vectors = vectors.astype(np.float32) * rng.uniform(0.1, 9, (5000, 1)).astype(np.float32)
    asked = rng.permutation(5000)[:1000]
    found = nearest(vectors, vectors[asked], 10, asked)
    x = np.asarray(vectors, np.float64)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    cosines = x[asked] @ x.T
    cosines[np.arange(1000), asked] = -np.inf
    best = np.sort(cosines, axis=1)[:, :-11:-1]
    np.testing.assert_allclose(found.cosines, best, atol=1e-11)
    wanted = np.argsort(-cosines.round(12), axis=1, kind="stable")[:, :10]
    np.testing.assert_array_equal(found.items, wanted)


@given(
    st.integers(1, 12), st.integers(1, 5), st.integers(1, 15), st.integers(0, 2**32), st.booleans()
)
def test_any_small_world_with_ties_and_zeros(n, dim, k, seed, without):
    rng = np.random.default_rng(seed)
    vectors = rng.integers(-1, 2, (n, dim)).astype(np.float32)
    out = np.arange(n) if without else np.full(n, -1)
    found = nearest(vectors, vectors, k, out if without else None)
    items, cosines = brute(vectors, vectors, k, out)
    for row in range(n):
        there = found.items[row] >= 0
        assert found.items[row][there].tolist() == items[row]
        np.testing.assert_allclose(found.cosines[row][there], cosines[row], atol=1e-12)
        assert (found.cosines[row][~there] == -np.inf).all()


def test_more_equals_than_float32_proposes_are_still_told_apart():
    rng = np.random.default_rng(1)
    x = rng.standard_normal(8)
    vectors = x + 1e-7 * rng.standard_normal((400, 8))  # float64: float32 sees them as one
    found = nearest(vectors, vectors[:5], 3, np.arange(5))
    unit64 = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = (unit64[:5] @ unit64.T).round(12)
    cosines[np.arange(5), np.arange(5)] = -np.inf
    np.testing.assert_array_equal(found.items, np.argsort(-cosines, axis=1, kind="stable")[:, :3])


def test_batches_change_nothing(monkeypatch):
    vectors = np.random.default_rng(2).standard_normal((300, 7)).astype(np.float32)
    whole = nearest(vectors, vectors, 4)
    monkeypatch.setattr(neighbours, "CELLS", 900)
    monkeypatch.setattr(neighbours, "chunks", lambda n, _, mib: [slice(0, 7), slice(7, n)])
    parts = nearest(vectors, vectors, 4)
    np.testing.assert_array_equal(whole.items, parts.items)
    np.testing.assert_array_equal(whole.cosines, parts.cosines)


def test_bad_input_is_said_in_a_sentence():
    with pytest.raises(BadInput, match="vector 1 has an entry that is not a finite number"):
        unit(np.array([[1.0, 0], [np.nan, 1]]))
    with pytest.raises(BadInput, match="queries have 2 columns as the vectors do"):
        nearest(np.ones((3, 2)), np.ones((3, 4)), 1)


def test_the_index_finds_nearly_all_and_says_how_much():
    rng = np.random.default_rng(4)
    centres = rng.standard_normal((60, 16))
    vectors = centres[rng.integers(0, 60, 8000)] + 0.5 * rng.standard_normal((8000, 16))
    index = Index(vectors.astype(np.float32))
    asked = rng.permutation(8000)[:300]
    found = index.nearest(index.vectors[asked], 10, asked)
    exact = nearest(index.vectors, index.vectors[asked], 10, asked)
    assert index.recall >= 0.98
    assert recall(found, exact) >= 0.95
    assert index.probes < 179
    assert not (found.items == asked[:, None]).any()
    again = Index(index.vectors)
    np.testing.assert_array_equal(again.nearest(index.vectors[asked], 10, asked).items, found.items)


def test_recall_counts_what_was_found():
    wanted = Neighbours(np.array([[1, 2], [3, -1]]), np.array([[0.9, 0.8], [0.7, -np.inf]]))
    found = Neighbours(np.array([[1, 4], [5, -1]]), np.array([[0.9, 0.5], [0.7, -np.inf]]))
    assert recall(found, wanted) == pytest.approx(2 / 3)  # 5 is as near as 3
    assert recall(wanted, wanted) == 1


def test_few_vectors_are_compared_one_by_one(monkeypatch):
    vectors = np.random.default_rng(5).standard_normal((500, 4))
    assert isinstance(searcher(vectors), Exact)
    monkeypatch.setattr("core.embed.index.EXACT_UP_TO", 400)
    assert isinstance(searcher(vectors), Index)


def test_together_is_the_cosine_of_who_took_both(log):
    found = together(log).nearest([0, 7], 10)
    people = [set(log.users[log.items == item]) for item in range(8)]
    for item, cosine in zip(found.items[0], found.cosines[0], strict=True):
        if item >= 0:
            shared = len(people[0] & people[item])
            assert cosine == pytest.approx(shared / (len(people[0]) * len(people[item])) ** 0.5)
    there = found.items[0][found.items[0] >= 0]
    assert set(there) == {i for i in range(1, 8) if people[0] & people[i]}
    assert (np.diff(found.cosines[0][: len(there)]) <= 0).all()
    assert (found.items[1] == -1).all()  # nobody took item 7
    shared = together(log).shared(0, [1, 2])
    assert shared.tolist() == [len(people[0] & people[1]), len(people[0] & people[2])]


def test_content_is_the_cosine_of_what_is_known(world):
    found = content(world.item_features, world.interactions).nearest(np.arange(8), 7)
    whole = fitted("content", world)._vectors.toarray().astype(float)
    cosines = whole @ whole.T
    for item in range(8):
        there = found.items[item] >= 0
        own = [(-round(cosines[item, j], 5), j) for j in range(8) if j != item]
        best = [j for c, j in sorted(own) if c < 0]
        np.testing.assert_allclose(
            found.cosines[item][there], cosines[item][best][: there.sum()], atol=1e-5
        )
        assert found.items[item][there].tolist() == best
    with pytest.raises(BadInput, match="has none"):
        content(None, world.interactions)
