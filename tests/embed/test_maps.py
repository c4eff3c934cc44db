"""Axes, maps, their alignment and quality, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA as Sklearn
from sklearn.manifold import trustworthiness

from core.embed import layout
from core.embed.layout import Graph, Map, _slope
from core.embed.map_quality import neighbour_accuracy, quality
from core.embed.neighbours import nearest, unit
from core.embed.pca import PCA, aligned
from core.errors import BadInput

pytestmark = pytest.mark.slow  # together too many for `make quick`


def test_axes_are_those_of_scikit_learn_up_to_sign(clumps):
    points = clumps[0]
    found, theirs = PCA.fit(points, 3), Sklearn(3, svd_solver="full").fit(points)
    np.testing.assert_allclose(np.abs(found.axes), np.abs(theirs.components_.T), atol=1e-5)
    np.testing.assert_allclose(
        found.variances[:3], theirs.explained_variance_ * 299 / 300, rtol=1e-4
    )
    assert found.share == pytest.approx(theirs.explained_variance_ratio_.sum(), rel=1e-4)
    largest = np.abs(found.axes).argmax(axis=0)
    assert (found.axes[largest, np.arange(3)] > 0).all()
    np.testing.assert_allclose(
        np.abs(found.project(points)), np.abs(theirs.transform(points)), atol=1e-4
    )
    with pytest.raises(BadInput, match="3 axes need two vectors or more"):
        PCA.fit(points[:1], 3)


def test_the_slope_is_that_of_the_exact_loss_when_all_points_are_drawn():
    rng = np.random.default_rng(0)
    table = unit(rng.standard_normal((40, 6)))
    graph = Graph.of(table, "cpu")
    points = torch.from_numpy(rng.standard_normal((40, 2))).float()
    p = torch.zeros(40, 40, dtype=torch.float64)
    p[graph.ends, graph.others] = graph.pull.double()
    y = points.double().requires_grad_()
    q = 1 / (1 + (y[:, None] - y).square().sum(dim=2)) * (1 - torch.eye(40))
    together = 3.0
    loss = together * -(p * torch.log(torch.where(p > 0, q, 1))).sum() + q.sum().log()
    loss.backward()
    found = _slope(points, graph, torch.arange(40), together) / 4
    np.testing.assert_allclose(found, y.grad / 4, atol=1e-6)


def test_the_slope_by_drawn_points_is_right_on_average():
    rng = np.random.default_rng(1)
    graph = Graph.of(unit(rng.standard_normal((60, 6))), "cpu")
    points = torch.from_numpy(rng.standard_normal((60, 3))).float()
    whole = _slope(points, graph, torch.arange(60), 1.0)
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randperm(60, generator=generator)[:30] for _ in range(2000)]
    mean = torch.stack([_slope(points, graph, some, 1.0) for some in drawn]).mean(dim=0)
    assert float((mean - whole).abs().max()) < 0.05 * float(whole.abs().max())


def test_the_graph_has_each_of_the_nearest_both_ways(clumps):
    table = unit(clumps[0])
    graph = Graph.of(table, "cpu")
    near = nearest(table, table, 15, np.arange(300)).items
    wanted = {(a, b) for a, row in enumerate(near.tolist()) for b in row}
    wanted |= {(b, a) for a, b in wanted}
    assert set(zip(graph.ends.tolist(), graph.others.tolist(), strict=True)) == wanted
    assert float(graph.pull.sum()) == pytest.approx(1)
    assert (graph.starts.diff().numpy() == np.bincount(graph.ends, minlength=300)).all()


@pytest.mark.parametrize("dim", [2, 3])
def test_a_map_keeps_clumps_apart_and_is_the_same_for_the_same_seed(clumps, dim, monkeypatch):
    monkeypatch.setattr(layout, "DRAWN", 64)
    points, labels = clumps
    made, again, other = (Map.fit(points, dim, seed=seed) for seed in (1, 1, 2))
    assert made.points.shape == (300, dim)
    np.testing.assert_array_equal(made.points, again.points)
    assert not np.allclose(made.points, other.points)
    found = quality(points, made.points)
    straight = quality(points, PCA.fit(unit(points), dim).project(unit(points)))
    assert found.trustworthiness > 0.95
    assert found.recall > straight.recall + 0.1
    distances = np.linalg.norm(made.points[:, None] - made.points, axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (labels[distances.argmin(axis=1)] == labels).mean() > 0.98


def test_new_points_are_placed_and_nothing_moves(clumps):
    points, labels = clumps
    held = np.arange(0, 300, 10)
    rest = np.setdiff1d(np.arange(300), held)
    made = Map.fit(points[rest])
    before = made.points.copy()
    placed = made.place(points[held])
    np.testing.assert_array_equal(before, made.points)
    distances = np.linalg.norm(placed[:, None] - made.points, axis=2)
    assert (labels[rest][distances.argmin(axis=1)] == labels[held]).mean() > 0.9
    own = made.place(points[rest])
    assert np.abs(own - made.points).max() < 0.05 * np.abs(made.points).max()


def test_of_many_some_are_laid_out_and_the_others_placed(clumps, monkeypatch):
    monkeypatch.setattr(layout, "LANDMARKS", 200)
    points, labels = clumps
    made = Map.fit(points)
    assert len(made.laid_out) == 200
    assert (np.diff(made.laid_out) > 0).all()
    distances = np.linalg.norm(made.points[:, None] - made.points, axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (labels[distances.argmin(axis=1)] == labels).mean() > 0.95


def test_a_map_that_starts_from_another_keeps_its_shape(clumps):
    points = clumps[0]
    first = Map.fit(points).points
    moved = points + 0.01 * np.random.default_rng(0).standard_normal(points.shape)
    everyone = (np.arange(300), np.arange(300))
    kept = aligned(Map.fit(moved, seed=5, start=first).points, first, everyone)[1]
    anew = aligned(Map.fit(moved, seed=5).points, first, everyone)[1]
    assert kept < 0.08 < anew


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_few_points_and_equal_ones_are_mapped(n):
    assert np.isfinite(Map.fit(np.ones((n, 3))).points).all()
    assert np.isfinite(Map.fit(np.eye(n, 1), 3).points).all()


def test_what_cannot_be_mapped_is_said_in_a_sentence():
    with pytest.raises(BadInput, match="2 or 3 axes and a point or more, not 4 of 3"):
        Map.fit(np.ones((3, 3)), 4)
    with pytest.raises(BadInput, match="not 2 of 0"):
        Map.fit(np.ones((0, 3)))


def test_steps_are_told(clumps):
    shares: list[float] = []
    Map.fit(clumps[0][:50], on_stage=lambda stage, share: shares.append(share))
    assert shares[-1] == 1
    assert shares == sorted(shares)


def test_a_turned_mirrored_stretched_map_is_laid_back():
    rng = np.random.default_rng(2)
    onto = rng.standard_normal((30, 2))
    angle = 0.7
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = 3 * (onto * [1, -1]) @ turn + [5, -2]
    order = rng.permutation(30)
    moved, gap = aligned(points[order], onto, (np.arange(20), order[:20]))
    np.testing.assert_allclose(moved, onto[order], atol=1e-5)
    assert gap < 1e-6
    assert aligned(rng.standard_normal((30, 2)), onto, (np.arange(30),) * 2)[1] > 0.7
    with pytest.raises(BadInput, match="two shared points or more"):
        aligned(points, onto, (np.arange(1), np.arange(1)))


def test_quality_is_scikit_learns_and_recall_is_a_count(clumps):
    points = clumps[0]
    shown = points[:, :2]
    found = quality(points, shown)
    table = unit(points)
    assert found.trustworthiness == pytest.approx(trustworthiness(table, shown, n_neighbors=15))
    real, flat = (
        np.linalg.norm(x[:, None].astype(float) - x, axis=2) + np.diag([np.inf] * 300)
        for x in (table, shown)
    )
    same = [
        len({*a[:15]} & {*b[:15]})
        for a, b in zip(real.argsort(axis=1), flat.argsort(axis=1), strict=True)
    ]
    assert found.recall == pytest.approx(np.mean(same) / 15)
    assert quality(points, table).trustworthiness == 1


@pytest.mark.parametrize("n", [1, 2])
def test_of_one_point_or_two_nothing_is_claimed(n):
    found = quality(np.eye(3)[:n], np.eye(3)[:n])
    assert (found.trustworthiness, found.recall, found.points) == (None, None, n)
    assert quality(np.eye(3), np.eye(3)).trustworthiness is not None


def test_attributes_are_told_by_vote():
    near = np.array([[1, 2, 3], [2, 0, -1], [3, 1, 0], [-1, -1, -1]])
    values = np.array([0, 1, 1, 0])
    found = neighbour_accuracy(near, values)
    # 0: 1, 1, 0 → 1, wrong; 1: 1, 0 → the nearest, 1, right; 2: 0, 1, 0 → 0; 3: nobody → 0
    assert (found.right, found.commonest, found.things) == (0.5, 0.5, 4)
    assert neighbour_accuracy(near, np.array([0, 1, -1, 0])).things == 3
    assert neighbour_accuracy(near, np.full(4, -1)).things == 0
    assert (
        neighbour_accuracy(near, np.array([0, 1, 1, 1])).gain == 0
    )  # 0 is told wrongly, as by guessing
    part = neighbour_accuracy(near[[1, 3]], values, np.array([1, 3]))
    assert (part.right, part.things) == (1, 2)
