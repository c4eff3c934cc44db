"""The categories of items or users as one matrix, and the attributes that its columns belong to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from core.types import Array, FeatureBlock, Features, Ints

TASTE_SMOOTHING = 0.01  # Steck's α: so much of the wanted mix every list has


@dataclass(frozen=True, eq=False)
class Attribute:
    """One categorical or multi-valued attribute: a row per item, a column per value."""

    name: str
    shares: sparse.csr_matrix  # (I, G), what part of the item each value is; rows sum to 1 or 0


def categories(features: Features | None) -> FeatureBlock | None:
    """All columns of the categorical and the multi-valued attributes side by side, or None."""
    if features is None:
        return None
    blocks = [b for b in (features.categorical, features.multi_hot) if b is not None]
    names = tuple(name for b in blocks for name in b.names)
    if not names:
        return None
    matrix = sparse.csr_matrix(sparse.hstack([b.matrix for b in blocks]), dtype=np.float64)
    matrix.eliminate_zeros()
    return FeatureBlock(names, matrix)


def attributes(names: tuple[str, ...], kind: str = "categorical") -> dict[str, Ints]:
    """The columns of a block of features that belong to each attribute.

    Args:
        names: Of the columns.
        kind: The field of Features that they are of, which says how a name is written.

    >>> {name: c.tolist() for name, c in attributes(("genre=A", "year=1", "genre=B")).items()}
    {'genre': [0, 2], 'year': [1]}
    """
    columns: dict[str, list[int]] = {}
    for column, name in enumerate(names):
        columns.setdefault(_attribute(name, kind), []).append(column)
    return {name: np.array(own) for name, own in columns.items()}


def _attribute(name: str, kind: str) -> str:
    """Of "genres=Comedy" genres, of "title: toy" title, of "price" price."""
    if kind == "text":
        return name.rpartition(": ")[0] or name  # a term has no colon, a column may
    return name if kind == "numeric" else name.partition("=")[0]


def traits(features: Features | None) -> sparse.csr_matrix | None:
    """Each item's categories (its text where no item has any) as a row of length 1, (I, F).

    The row of an item without them is zero.
    """
    block = categories(features)
    if block is None and features is not None:
        block = features.text
    if block is None:
        return None
    matrix = sparse.csr_matrix(block.matrix, dtype=np.float64)
    matrix.eliminate_zeros()
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    data = matrix.data / np.repeat(norms, np.diff(matrix.indptr))
    return sparse.csr_matrix((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def taste(described: FeatureBlock, consumed: Ints) -> Attribute | None:
    """The attribute that says most about these consumed items (E,), with at least two values.

    Which is the one that the largest share of them has; of equals the one with fewer values.
    """
    best: tuple[float, int, str] | None = None
    shares: sparse.csr_matrix | None = None
    for name, columns in attributes(described.names).items():
        matrix = sparse.csr_matrix(described.matrix[:, columns])
        counts = np.diff(matrix.indptr)
        rank = (-float((counts[consumed] > 0).sum()), len(columns), name)
        if len(columns) > 1 and (best is None or rank < best):
            data = 1 / np.repeat(counts, counts)
            best = rank
            shares = sparse.csr_matrix((data, matrix.indices, matrix.indptr), shape=matrix.shape)
    return None if best is None or shares is None else Attribute(best[2], shares)


def mix(counts: sparse.csr_matrix) -> Array:
    """Each row divided by its sum, dense (B, G); a row of zeros stays."""
    dense = counts.toarray()
    total = dense.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(dense, total, out=np.zeros_like(dense), where=total > 0))
