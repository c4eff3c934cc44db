"""How alike the rows or columns of a sparse matrix are, and the most alike of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from core.models.common.gram import chunks, gram, products
from core.models.common.tensors import tensor
from core.types import Floats

SIMILARITIES = ("cosine", "tfidf", "bm25")
PRODUCTS = 2**22  # multiplications of one sparse block: small ones are sorted twice as fast
TINY = 1e-12  # no division by 0
DENSE_ITEMS = 16_384  # a dense (I, I) matrix of 1 GiB


@dataclass(frozen=True, eq=False)
class Weighting:
    """How the entries x of (N things, T terms) are weighted before they are compared.

    cosine: x. tfidf: √x · idf. bm25: 2.2·x / (1.2·(.25 + .75·s / mean s) + x) · idf, s the sum of
    the thing's row (Robertson's k1 = 1.2, b = .75). idf = ln(N / (1 + things that have the term)),
    at least 0: who takes everything says little.
    """

    similarity: str
    idf: Floats  # (T,)
    mean_sum: float

    @classmethod
    def fit(cls, x: sparse.csr_matrix, similarity: str) -> Weighting:
        """The weighting for these things, (N, T)."""
        having = np.bincount(x.indices, minlength=x.shape[1])
        idf = np.log(x.shape[0] / (1.0 + having)).clip(min=0).astype(np.float32)
        return cls(similarity, idf, float(x.data.sum()) / max(1, x.shape[0]))

    def apply(self, x: sparse.csr_matrix) -> sparse.csr_matrix:
        """The weighted entries of these or other things, (n, T)."""
        if self.similarity == "cosine":
            return x
        if self.similarity == "tfidf":
            data = np.sqrt(x.data)
        else:
            relative = np.asarray(x.sum(axis=1)).ravel() / max(self.mean_sum, 1e-9)
            lengths = np.repeat(1.2 * (0.25 + 0.75 * relative), np.diff(x.indptr))
            data = 2.2 * x.data / (lengths + x.data)
        data = (data * self.idf[x.indices]).astype(np.float32)
        return sparse.csr_matrix((data, x.indices, x.indptr), shape=x.shape)


def norms(x: sparse.csr_matrix) -> Floats:
    """Euclidean length of each row."""
    return np.sqrt(np.asarray(x.multiply(x).sum(axis=1), np.float32).ravel())


def most_similar(x: sparse.csr_matrix, shrink: float, k: int, device: str) -> sparse.csr_matrix:
    """The shrunk cosines of each column of x (U, I) with its k most similar others, (I, I)."""
    transposed = x.T.tocsr()
    lengths = norms(transposed)
    n = x.shape[1]
    if n <= DENSE_ITEMS and products(x).sum() > n**2:  # few pairs of items without a person
        rows = _dense_rows(gram(x, device), lengths, shrink, k)
    else:
        rows = _sparse_rows(transposed, x, lengths, shrink, k)
    return sparse.vstack(list(rows), format="csr")


def _sparse_rows(
    transposed: sparse.csr_matrix, x: sparse.csr_matrix, lengths: Floats, shrink: float, k: int
) -> Iterator[sparse.csr_matrix]:
    """As many rows at a time as PRODUCTS allows."""
    cost = products(x)
    bounds = np.searchsorted(np.cumsum(cost), np.arange(0, cost.sum(), PRODUCTS))
    for start, stop in pairwise(np.unique([0, *bounds, x.shape[1]]).tolist()):
        block = transposed[start:stop] @ x
        per_row = np.diff(block.indptr)
        scale = np.repeat(lengths[start:stop], per_row) * lengths[block.indices]
        block.data /= scale + np.float32(shrink + TINY)
        block.data[block.indices == np.repeat(np.arange(start, stop), per_row)] = 0
        yield largest(block, k)


def _dense_rows(
    dots: Tensor, lengths: Floats, shrink: float, k: int
) -> Iterator[sparse.csr_matrix]:
    """Some rows at a time, of all pairs' dot products (I, I)."""
    norm = tensor(lengths, dots.device)
    dots.fill_diagonal_(0)
    for chunk in chunks(len(dots), len(dots)):
        yield largest_of_dense(shrunk(dots[chunk], norm[chunk], norm, shrink), k)


def shrunk(dots: Tensor, left: Tensor, right: Tensor, shrink: float) -> Tensor:
    """Dots (n, m) / (left · right + shrink), in place; left (n,), right (m,) vectors' lengths."""
    return dots.div_(torch.outer(left, right).add_(shrink + TINY))


def largest_of_dense(matrix: Tensor, k: int) -> sparse.csr_matrix:
    """The k largest positive entries of each row (n, m), as `largest` gives them."""
    lowest = matrix.topk(min(k, matrix.shape[1])).values[:, -1:]
    keep = (matrix >= lowest) & (matrix > 0)
    rows, columns = keep.nonzero(as_tuple=True)
    indptr = np.searchsorted(rows.cpu().numpy(), np.arange(len(matrix) + 1))
    parts = (matrix[rows, columns].cpu().numpy(), columns.cpu().numpy(), indptr)
    return largest(sparse.csr_matrix(parts, shape=matrix.shape), k)


def largest(matrix: sparse.csr_matrix, k: int) -> sparse.csr_matrix:
    """The k largest positive entries of each row; among equals those of the lowest columns.

    Sorts whole numbers that order by row, then by falling value: the bits of a positive float32
    read as a whole number are in the same order as the floats.
    """
    matrix.eliminate_zeros()
    matrix.sort_indices()
    lengths = np.diff(matrix.indptr)
    rows = np.repeat(np.arange(len(lengths), dtype=np.uint64), lengths)
    keys = rows << np.uint64(32) | (~matrix.data.view(np.uint32)).astype(np.uint64)
    kept = np.minimum(lengths, k)
    if (kept == lengths).all():
        return matrix
    last = np.repeat(np.sort(keys)[matrix.indptr[:-1] + kept - 1], lengths)
    above, tied = keys < last, keys == last
    n_above, n_tied = (np.concatenate([[0], np.cumsum(flags)]) for flags in (above, tied))
    room = kept - np.diff(n_above[matrix.indptr])
    rank = n_tied[1:] - np.repeat(n_tied[matrix.indptr[:-1]], lengths)
    keep = above | (tied & (rank <= np.repeat(room, lengths)))
    parts = (matrix.data[keep], matrix.indices[keep], np.concatenate([[0], np.cumsum(kept)]))
    return sparse.csr_matrix(parts, shape=matrix.shape)
