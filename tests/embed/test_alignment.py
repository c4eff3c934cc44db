"""One map laid on another, and two spaces compared: by scipy, by properties, by counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import procrustes

from core.embed import aligned, compare_spaces
from core.errors import BadInput

places = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed))


@given(places, st.integers(3, 40), st.integers(1, 3))
def test_what_is_left_of_two_maps_is_scipys_disparity(rng, n, dim):
    points, onto = rng.standard_normal((2, n, dim)) * rng.uniform(0.1, 10)
    rows = np.arange(n)
    moved, gap = aligned(points, onto, (rows, rows))
    theirs, turned, disparity = procrustes(onto, points)
    assert gap**2 == pytest.approx(disparity, abs=1e-6)
    centred = onto - onto.mean(axis=0)
    found = (moved - onto.mean(axis=0)) / np.linalg.norm(centred)
    np.testing.assert_allclose(found, turned, atol=1e-5)
    np.testing.assert_allclose(theirs, centred / np.linalg.norm(centred), atol=1e-9)


@given(places, st.integers(3, 30), st.floats(0.01, 100), st.booleans())
def test_however_a_map_is_turned_mirrored_scaled_and_moved_it_comes_back(rng, n, scale, mirrored):
    onto = rng.standard_normal((n, 2))
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turn[:, 0] *= -1 if mirrored else 1
    order = rng.permutation(n)
    points = (scale * onto @ turn + rng.standard_normal(2))[order]
    some = np.sort(rng.permutation(n)[:3])  # known to both; the others come along
    moved, gap = aligned(points, onto, (some, order[some]))
    flat = np.linalg.svd(onto[order[some]] - onto[order[some]].mean(axis=0), compute_uv=False)
    if flat[1] > 0.05:  # three points on a line leave it open on which side of it the others are
        np.testing.assert_allclose(moved, onto[order], atol=2e-3)
    assert gap < 1e-3


def test_neighbours_in_two_spaces_are_those_that_sorting_finds():
    rng = np.random.default_rng(4)
    first, second = rng.standard_normal((60, 5)), rng.standard_normal((60, 7))
    asked = np.array([3, 0, 59])
    found = compare_spaces(first, second, asked, 8)
    chosen = rng.random(60) < 0.3
    lists = []
    for vectors, near in ((first, found.first), (second, found.second)):
        units = vectors / np.linalg.norm(vectors, axis=1)[:, None]
        cosines = units @ units.T - 9 * np.eye(60)
        lists.append(np.argsort(-cosines[asked], axis=1)[:, :8])
        assert near.tolist() == lists[-1].tolist()
    wanted = [len({*a} & {*b}) / 8 for a, b in zip(*lists, strict=True)]
    np.testing.assert_allclose(found.kept, wanted)
    assert 0 < found.kept.sum() < 3
    here, there = found.among(chosen, np.array([0, 2]))
    assert here == pytest.approx(chosen[lists[0][[0, 2]]].mean())
    assert there == pytest.approx(chosen[lists[1][[0, 2]]].mean())


def test_few_things_have_fewer_neighbours_and_nobody_a_share_of_none():
    vectors = np.eye(4)
    assert (compare_spaces(vectors, vectors, np.arange(4), 15).kept == 1).all()
    alone = compare_spaces(vectors[:1], vectors[:1], np.arange(1), 15)
    assert alone.kept.tolist() == [0]
    assert alone.among(np.ones(1, bool), np.arange(1)) == (0, 0)
    with pytest.raises(BadInput, match="the same things, not 4 and 3"):
        compare_spaces(vectors, vectors[:3], np.arange(3), 2)
