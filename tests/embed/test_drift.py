"""Drift between epochs: a turn alone is none, what really moves is found; reckoned by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ortho_group

from core.embed.alignment import align
from core.embed.drift import NEAR, drift
from core.errors import BadInput

N, D = 300, 8


@pytest.fixture
def vectors():
    return np.random.default_rng(0).standard_normal((N, D))


def turned(vectors, seed):
    """The same space, turned and mirrored."""
    turn = ortho_group.rvs(D, random_state=seed)
    turn[:, 0] *= -np.sign(np.linalg.det(turn))
    assert np.linalg.det(turn) < 0, "it is mirrored"
    return vectors @ turn


def in_float64(before, after):
    """Mean cosine and overlap by loops, aligned by scipy's own Procrustes."""
    from scipy.linalg import orthogonal_procrustes

    x, y = ([row / np.sqrt(sum(v * v for v in row)) for row in table] for table in (before, after))
    turn, _ = orthogonal_procrustes(np.array(x), np.array(y))
    cosines = [float(a @ turn @ b) for a, b in zip(x, y, strict=True)]
    shared = []
    for place in range(len(x)):
        lists = []
        for table in (x, y):
            near = sorted((-(table[place] @ v), i) for i, v in enumerate(table) if i != place)
            lists.append({i for _, i in near[:NEAR]})
        shared.append(len(lists[0] & lists[1]) / NEAR)
    return np.array(cosines), np.mean(shared)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_turn_alone_is_no_drift(vectors, seed):
    longer = 3 * turned(vectors, seed)
    found = drift({1: vectors, 2: longer}, 2)
    (step,) = found.steps
    np.testing.assert_allclose(step.cosines, 1, atol=1e-6)
    assert step.overlap > 0.999
    assert found.finding.key == "drift.settled"


def test_what_moved_is_found(vectors):
    chosen = np.random.default_rng(5).permutation(N)[:10]
    after = vectors.copy()
    after[chosen] = -vectors[chosen]
    found = drift({1: vectors, 2: turned(after, 3)}, 2)
    assert set(found.finding.rows.tolist()) == set(chosen.tolist())
    assert found.finding.key == "drift.settled"  # the rest stayed
    assert (found.steps[0].cosines[chosen] < -0.8).all()
    assert np.delete(found.steps[0].cosines, chosen).min() > 0.9


def test_the_numbers_are_those_of_a_loop(vectors):
    rng = np.random.default_rng(2)
    after = turned(vectors + 0.6 * rng.standard_normal((N, D)), 4) * rng.uniform(1, 9, (N, 1))
    (step,) = drift({3: vectors, 7: after}, 7).steps
    cosines, shared = in_float64(vectors, after)
    np.testing.assert_allclose(step.cosines, cosines, atol=1e-5)
    assert step.cosine == pytest.approx(cosines.mean(), abs=1e-6)
    assert step.overlap == pytest.approx(shared, abs=1e-3)
    assert 0.3 < shared < 0.7, "a weak test"
    assert (step.before, step.after) == (3, 7)
    assert step.moved.tolist() == np.argsort(cosines)[:10].tolist()


def test_the_verdict_is_on_the_second_half(vectors):
    rng = np.random.default_rng(6)
    other = rng.standard_normal((N, D))
    settled = {1: other, 2: other, 4: vectors, 8: vectors, 9: turned(vectors, 5)}
    found = drift(settled, 9)
    assert [(step.before, step.after) for step in found.steps] == [(1, 2), (2, 4), (4, 8), (8, 9)]
    assert found.finding.key == "drift.settled"
    assert (found.finding.numbers["before"], found.finding.numbers["after"]) == (4, 9)
    moving = drift({**settled, 4: other}, 9)
    assert (moving.finding.key, moving.finding.severity) == ("drift.moving", "warn")
    near = drift({1: vectors, 2: vectors + 0.35 * rng.standard_normal((N, D))}, 2)
    assert 0.5 <= near.steps[0].overlap < 0.8
    assert (near.finding.key, near.finding.severity) == ("drift.settling", "ok")
    assert moving.steps[-1].overlap > 0.999  # the last step alone would say settled
    after_the_best = drift({**settled, 20: other}, 9)
    assert after_the_best.finding.key == "drift.settled"
    assert len(after_the_best.steps) == 5
    alone = drift({1: other}, 1)
    assert (alone.steps, alone.finding) == ((), None)


@pytest.mark.parametrize("thin", ["one direction", "a plane"])
def test_vectors_that_fell_together(vectors, thin):
    after = vectors + 20 if thin == "one direction" else vectors * np.r_[1, 1, [1e-3] * (D - 2)]
    found = drift({1: vectors, 2: vectors, 4: after}, 4).finding
    assert (found.key, found.severity) == ("drift.collapsed", "bad")
    assert found.numbers["was"] == pytest.approx(D, rel=0.05)
    assert found.numbers["now"] < 3
    assert "{" not in found.sentence


def test_vectors_of_0_are_not_said_to_have_moved(vectors):
    after = vectors.copy()
    after[:40] = 0
    (step,) = drift({1: vectors, 2: after}, 2).steps
    assert np.isnan(step.cosines[:40]).all()
    assert step.cosine == pytest.approx(1)
    assert not set(step.moved.tolist()) & set(range(40))
    nothing = drift({1: np.zeros((5, 2)), 2: np.zeros((5, 2))}, 2)
    assert (nothing.steps[0].cosine, nothing.steps[0].moved.tolist()) == (1, [])


def test_alignment_is_the_best_there_is(vectors):
    rng = np.random.default_rng(8)
    fixed = 2.5 * turned(vectors, 6) + 0.3 * rng.standard_normal((N, D))
    turn = align(vectors, fixed)
    np.testing.assert_allclose(turn @ turn.T, np.eye(D), atol=1e-12)

    def left(matrix):
        return np.square(vectors @ matrix - fixed).sum()

    assert all(left(turn) < left(ortho_group.rvs(D, random_state=seed)) for seed in range(20))
    scaled = align(vectors, fixed, scaled=True)
    scale = np.linalg.norm(scaled, 2)
    np.testing.assert_allclose(scaled, scale * turn)
    assert scale == pytest.approx(2.5, rel=0.05)
    assert all(left(scaled) < left(other * turn) for other in (scale * 0.99, scale * 1.01))
    with pytest.raises(BadInput, match="equally many numbers"):
        align(vectors, fixed[:, :3])
