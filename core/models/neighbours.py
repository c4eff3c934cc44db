"""Nearest neighbours: items taken by the same people, and people who took the same items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse

from core.models.blocks import (
    HistoryLinear,
    Settings,
    largest_per_row,
    setting,
    strengths,
    tie_breaker,
)
from core.types import Array, OnEpoch, TrainData

SIMILARITIES = ("cosine", "tfidf", "bm25")


@dataclass(frozen=True)
class ItemKNNConfig(Settings):
    """What makes two items alike."""

    similarity: str = setting("cosine", "How events are weighted", choices=SIMILARITIES)
    k: int = setting(200, "Neighbours kept per item", min=1, max=10_000, step=50)
    shrink: float = setting(
        10.0, "Doubts similarities that rest on few people", min=0.0, max=1000.0, step=5
    )
    history_decay: float = setting(
        0.6, "Weight of an event relative to the one after it", min=0.0, max=1.0, step=0.05
    )


class ItemKNN(HistoryLinear):
    """Scores by how alike an item is to those of the history: taken by the same people.

    X (U, I) is weighted (see `_weighted`), then rows[a, b] = x_a·x_b / (‖x_a‖ ‖x_b‖ + shrink),
    the k largest kept in each row, none with itself.
    """

    Config: ClassVar[type] = ItemKNNConfig

    def fit(
        self,
        train: TrainData,
        *,
        rng: np.random.Generator,
        device: str = "cpu",
        on_epoch: OnEpoch | None = None,
    ) -> Self:
        """Compare all pairs of items that share a person; O(Σ over users of length²)."""
        config, log = self.config, train.interactions
        x = _weighted(strengths(log), config.similarity)
        rows = _top(_similar(x, config.shrink), config.k)
        decay = config.history_decay if log.times is not None else 1.0
        self._keep(tie_breaker(log, largest_per_row(rows)), rows, decay, device)
        return self


def _weighted(x: sparse.csr_matrix, similarity: str) -> sparse.csr_matrix:
    """X (U, I) with its entries reweighted.

    tfidf: √x · idf; bm25 (k1 1.2, b .75): 2.2·x / (1.2·(.25 + .75·s / mean s) + x) · idf, s the
    item's sum. idf = ln(I / (1 + items of the user)): who takes everything says little.
    """
    if similarity == "cosine":
        return x
    idf = np.log(x.shape[1] / (1.0 + np.diff(x.indptr))).clip(min=0)
    if similarity == "tfidf":
        data = np.sqrt(x.data)
    else:
        sums = np.asarray(x.sum(0)).ravel()
        lengths = 0.25 + 0.75 * sums / max(sums.mean(), 1e-9)
        data = 2.2 * x.data / (1.2 * lengths[x.indices] + x.data)
    data = data * np.repeat(idf, np.diff(x.indptr))
    return sparse.csr_matrix((data.astype(np.float32), x.indices, x.indptr), shape=x.shape)


def _similar(x: sparse.csr_matrix, shrink: float) -> sparse.csr_matrix:
    """Shrunk cosine of all pairs of columns, (I, I) float32, without the diagonal."""
    dots = (x.T @ x).tocsr()
    norms = np.sqrt(dots.diagonal())
    rows = np.repeat(np.arange(dots.shape[0]), np.diff(dots.indptr))
    dots.data /= norms[rows] * norms[dots.indices] + np.float32(shrink) + 1e-12
    dots.setdiag(0)
    dots.eliminate_zeros()
    dots.sort_indices()
    return dots


def _top(matrix: sparse.csr_matrix, k: int) -> sparse.csr_matrix:
    """The k largest entries of each row; among equals the one of the lower column."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -matrix.data, rows))
    place = np.arange(len(order)) - np.repeat(matrix.indptr[:-1], np.diff(matrix.indptr))
    keep = np.sort(order[place < k])
    indptr = np.concatenate([[0], np.cumsum(np.minimum(np.diff(matrix.indptr), k))])
    parts: tuple[Array, Array, Any] = (matrix.data[keep], matrix.indices[keep], indptr)
    return sparse.csr_matrix(parts, shape=matrix.shape)
