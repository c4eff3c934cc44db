"""How strongly items were taken: by each user, by all, and what breaks ties."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from core.types import Floats, Interactions


def strengths(log: Interactions) -> sparse.csr_matrix:
    """How strongly each user took each item, (U, I) float32: log2(1 + Σ event weights).

    A plain log of single events gives 0 and 1; a repeat adds less each time.
    """
    matrix = log.queries().matrix(log.n_items)
    matrix.data = np.log2(1 + matrix.data)
    return matrix


def popularity(log: Interactions) -> Floats:
    """Σ event weights of each item, (I,)."""
    return np.bincount(log.items, log.weights, minlength=log.n_items).astype(np.float32)


def tie_breaker(log: Interactions, typical: float) -> Floats:
    """A constant that ranks what a history says nothing about by popularity, (I,).

    1e-4 of a typical strong weight, times log(1 + popularity) / log(1 + the highest): too small
    to overrule an event, large enough for a float32 sum of such weights to hold on to.
    """
    level = np.log1p(popularity(log))
    scale = 1e-4 * (typical or 1.0) / max(float(level.max(initial=0)), 1e-9)
    return (scale * level).astype(np.float32)


def largest_per_row(matrix: sparse.csr_matrix) -> float:
    """Mean over the non-empty rows of their largest value: a typical strong weight; 0 if none."""
    filled = np.flatnonzero(np.diff(matrix.indptr))
    if not len(filled):
        return 0.0
    return float(np.maximum.reduceat(matrix.data, matrix.indptr[filled]).mean())
