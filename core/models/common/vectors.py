"""Rows of a matrix as vectors: their lengths, of length one, whitened."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from core.types import Array, Floats

DIRECTIONS = 128  # of an embedding that models look at


def row_lengths(matrix: Any) -> Array:
    """The length of each row, (I,), of a sparse or a dense matrix."""
    squares = matrix.multiply(matrix) if sparse.issparse(matrix) else matrix**2
    size: Array = np.sqrt(np.asarray(squares.sum(axis=1), float)).ravel()
    return size


def unit_rows(matrix: Any) -> Any:
    """Each row, sparse or dense, divided by its length; rows of length 0 stay."""
    size = row_lengths(matrix)
    share = 1 / np.where(size > 0, size, 1)
    return sparse.diags(share) @ matrix


def whitened(vectors: Array) -> Floats:
    """Embeddings (I, D) in their strongest directions, each of variance 1; rows of NaN stay.

    Encoders lean all their vectors one way, and most of the rest in a few directions: what tells
    items apart is seen only without that. At most 128 directions are left.
    """
    there = np.isfinite(vectors).all(axis=1)
    centred = vectors[there]
    centred = centred - centred.mean(axis=0, keepdims=True) if len(centred) else centred
    variances, axes = np.linalg.eigh(centred.T @ centred / max(1, len(centred)))  # smallest first
    kept = np.flatnonzero(variances > 1e-5 * max(variances.max(initial=0), 1e-9))
    kept = kept[: -DIRECTIONS - 1 : -1]
    white: Floats = np.full((len(vectors), len(kept)), np.nan, np.float32)
    white[there] = centred @ (axes[:, kept] / np.sqrt(variances[kept]))
    return white
