"""Each fault that vectors can have, made on purpose."""

from __future__ import annotations

import numpy as np
import pytest

from core.embed.compared import compare_spaces
from core.embed.diagnosis import BAD, OK, SENTENCES, WARN, diagnosis

N, D = 400, 12


@pytest.fixture
def sound():
    return np.random.default_rng(0).standard_normal((N, D)).astype(np.float32)


@pytest.fixture
def taken():
    return np.random.default_rng(1).integers(1, 500, N)


def found(vectors, taken=None):
    return {finding.name: finding for finding in diagnosis(vectors, taken)}


def test_sound_vectors_are_said_to_be_sound(sound, taken):
    told = found(sound, taken)
    assert {name: one.severity for name, one in told.items()} == dict.fromkeys(
        ["zeros", "twins", "narrow", "flat", "dead", "popularity"], OK
    )
    assert told["flat"].numbers["rank"] == pytest.approx(D, rel=0.02)


def test_length_that_is_popularity(sound, taken):
    told = found(sound / np.linalg.norm(sound, axis=1)[:, None] * taken[:, None], taken)
    assert told["popularity"].severity == BAD
    assert told["popularity"].numbers["spearman"] == pytest.approx(1, abs=1e-4)
    partly = taken + np.random.default_rng(2).uniform(0, 500, N)
    told = found(sound / np.linalg.norm(sound, axis=1)[:, None] * partly[:, None], taken)
    assert told["popularity"].severity == WARN
    unit = sound / np.linalg.norm(sound, axis=1)[:, None]
    assert "of one length" in found(unit, taken)["popularity"].sentence


def test_equal_and_empty_vectors(sound):
    vectors = sound.copy()
    vectors[:20] = 3 * vectors[20:40]  # the same directions, other lengths
    vectors[100:103] = 0
    told = found(vectors)
    assert told["twins"].rows.tolist() == list(range(40))
    assert told["twins"].numbers["share"] == pytest.approx(40 / 397)
    assert told["twins"].severity == BAD
    assert told["zeros"].rows.tolist() == [100, 101, 102]
    assert told["zeros"].severity == WARN
    assert set(found(np.zeros((5, 3)))) == {"zeros"}


def test_vectors_that_lean_one_way(sound):
    told = found(sound + 3)
    x = (sound + 3) / np.linalg.norm(sound + 3, axis=1)[:, None]
    cosines = x.astype(float) @ x.T
    by_hand = cosines[~np.eye(N, dtype=bool)].mean()
    assert told["narrow"].numbers["mean"] == pytest.approx(by_hand, abs=1e-6)
    assert told["narrow"].severity in (WARN, BAD)
    assert found(sound + 30)["narrow"].severity == BAD


def test_few_directions_and_dead_dimensions(sound):
    thin = sound * np.r_[1, 1, np.full(D - 2, 1e-4)]
    told = found(thin.astype(np.float32))
    assert told["flat"].numbers["rank"] == pytest.approx(2, abs=0.1)
    assert told["flat"].severity == WARN
    assert told["dead"].severity == BAD
    assert told["dead"].numbers["dead"] == D - 2
    one = sound.copy()
    one[:, 3] = 7
    assert found(one)["dead"].numbers["dead"] == 1
    assert found(one)["dead"].severity == WARN


def test_cold_things_among_the_others_and_on_an_island(sound, taken):
    taken = taken.copy()
    taken[:80] = 0
    among = found(sound, taken)["cold"]
    assert among.severity == OK
    assert abs(among.numbers["apart"]) < 0.1
    assert among.numbers["to_warm"] == pytest.approx(among.numbers["usual"], abs=0.05)
    island = sound.copy()
    island[:80] += 8
    told = found(island, taken)["cold"]
    assert told.severity == BAD
    assert told.numbers["apart"] == pytest.approx(1, abs=0.01)
    assert told.rows.tolist() == list(range(80))
    empty = sound.copy()
    empty[:80] = 0
    assert "no vectors" in found(empty, taken)["cold"].sentence


def test_overlap_is_a_count_of_shared_neighbours(sound):
    asked = np.arange(len(sound))
    assert (compare_spaces(sound, 2 * sound, asked, 10).kept == 1).all()
    other = sound.copy()
    other[:, 0] += np.random.default_rng(3).standard_normal(N) * 3
    x, y = (v.astype(float) / np.linalg.norm(v, axis=1)[:, None] for v in (sound, other))
    lists = [np.argsort(-(v @ v.T - 9 * np.eye(N)), axis=1)[:, :10] for v in (x, y)]
    wanted = [len({*a} & {*b}) / 10 for a, b in zip(*lists, strict=True)]
    np.testing.assert_allclose(compare_spaces(sound, other, asked, 10).kept, wanted)


def test_each_sentence_can_be_said(sound, taken):
    cases = [(sound, taken), (sound + 3, taken % 3), (sound * 1e-3 + 1, taken % 2)]
    for vectors, often in cases:
        for finding in diagnosis(vectors, often):
            assert finding.sentence.endswith(".")
            assert "{" not in finding.sentence
            assert finding.key in SENTENCES
