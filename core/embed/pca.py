"""The straight view: the axes along which vectors differ most; and one view laid on another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from core.errors import BadInput
from core.models.common.gram import chunks
from core.models.common.tensors import tensor
from core.types import Array, Floats


@dataclass(frozen=True, eq=False)
class PCA:
    """The principal axes of N vectors, exactly: eigenvectors of their covariance in float64."""

    mean: Array  # (D,)
    axes: Array  # (D, n), the strongest first; the largest entry of each is positive
    variances: Array  # (D,) along all axes, falling

    @classmethod
    def fit(cls, vectors: Array, n: int, *, device: str = "cpu") -> Self:
        """The first n axes; O(N · D² + D³).

        Raises:
            BadInput: there are fewer than two vectors, or fewer columns than n.
        """
        vectors = np.asarray(vectors, np.float32)
        count, dim = vectors.shape
        if count < 2 or dim < n:
            raise BadInput(
                f"{n} axes need two vectors or more of at least {n} numbers, not {count} of {dim}"
            )
        kind = torch.float64
        mean: Array = vectors.mean(axis=0, dtype=np.float64)
        middle, total = tensor(mean, device), torch.zeros(dim, dim, dtype=kind, device=device)
        for chunk in chunks(count, dim, mib=32):
            centred = tensor(vectors[chunk], device).to(kind) - middle
            total.addmm_(centred.T, centred)
        variances, axes = torch.linalg.eigh(total / count)
        strongest = axes.flip(1)[:, :n].cpu().numpy()
        largest = np.abs(strongest).argmax(axis=0)
        strongest = strongest * np.where(strongest[largest, np.arange(n)] < 0, -1, 1)
        return cls(mean, strongest, variances.flip(0).clamp(min=0).cpu().numpy())

    def project(self, vectors: Array) -> Floats:
        """Where these vectors lie along the axes, (N, n)."""
        centred = np.asarray(vectors, np.float32) - self.mean.astype(np.float32)
        along: Floats = centred @ self.axes.astype(np.float32)
        return along

    @property
    def share(self) -> float:
        """Of the whole variance, what the axes show, 0 … 1."""
        total = float(self.variances.sum())
        return float(self.variances[: self.axes.shape[1]].sum()) / total if total else 1.0


def aligned(points: Array, onto: Array, shared: tuple[Array, Array]) -> tuple[Floats, float]:
    """A map (N, d) turned, mirrored, scaled and moved to lie on another (M, d), and their gap.

    Procrustes: min Σ |s · x R + t - y|² over the shared points, R orthogonal (Schönemann,
    Psychometrika 31, 1966, with scale). The gap is what is left, relative to how far the shared
    points of the other map lie from their centre: 0 where both are alike, 1 where nothing fits.

    Args:
        points: What is moved.
        onto: What stays.
        shared: The rows of points and those of onto, (S,) each, that are the same things.

    Raises:
        BadInput: the maps have another number of axes, or fewer than two points are shared.
    """
    rows, others = (np.asarray(codes, np.int64) for codes in shared)
    if points.shape[1] != onto.shape[1] or len(rows) < 2:
        raise BadInput(
            f"two maps are aligned by two shared points or more in equally many axes, not by "
            f"{len(rows)} in {points.shape[1]} and {onto.shape[1]}"
        )
    x, y = (np.asarray(p, np.float64) for p in (points[rows], onto[others]))
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    u, s, vt = np.linalg.svd((x - x_mean).T @ (y - y_mean))
    size = float(np.square(x - x_mean).sum())
    scale = float(s.sum()) / size if size else 0.0
    turn = scale * (u @ vt)
    moved = (np.asarray(points, np.float64) - x_mean) @ turn + y_mean
    spread = float(np.square(y - y_mean).sum())
    left = float(np.square(moved[rows] - y).sum())
    return moved.astype(np.float32), (left / spread) ** 0.5 if spread else 0.0
