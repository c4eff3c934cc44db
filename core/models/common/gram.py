"""Dense matrices as large as the catalogue squared: XᵀX and what it is made of."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from scipy.linalg import blas
from torch import Tensor

from core.models.common.tensors import tensor
from core.types import Floats, Ints

# Multiplications per second, measured on two cores: they set no result, only the way to it.
DENSE_SPEED = 1.2e11  # of a symmetric dense product that counts both halves and makes one
SPARSE_SPEED = 3.3e8
CORNER = 4096  # items whose dense product is small: 64 MiB


def products(x: sparse.csr_matrix) -> Ints:
    """Multiplications that each row of XᵀX takes where X (U, I) is sparse, (I,)."""
    per_user = np.diff(x.indptr).astype(np.int64)
    return np.bincount(x.indices, np.repeat(per_user, per_user), x.shape[1]).astype(np.int64)


def gram(x: sparse.csr_matrix, device: str) -> Tensor:
    """XᵀX of a sparse X (U, I), dense (I, I) float32 on the device.

    On a CPU the rows of items that many people took are made by a dense product, the others by a
    sparse one, whichever is quicker; at most a quarter more memory than the result is needed.
    """
    n = x.shape[1]
    out = torch.zeros(n, n, device=device)
    if torch.device(device).type != "cpu":
        for chunk in chunks(x.shape[0], n, mib=64):
            dense = tensor(x[chunk].toarray(), device)
            out.addmm_(dense.T, dense)
        return out
    popular, rare = _divided(x)
    if not len(rare):
        _add_dense_gram(x, out.numpy())
        return out
    matrix, transposed = out.numpy(), x.T.tocsr()
    for chunk in chunks(len(rare), n):
        rows = (transposed[rare[chunk]] @ x).toarray()
        matrix[rare[chunk]] = rows
        matrix[np.ix_(popular, rare[chunk])] = rows[:, popular].T
    corner = np.zeros((len(popular), len(popular)), np.float32)
    _add_dense_gram(x[:, popular], corner)
    matrix[np.ix_(popular, popular)] = corner
    return out


def _divided(x: sparse.csr_matrix) -> tuple[Ints, Ints]:
    """Items for the dense product and items for the sparse one, each ascending."""
    cost = products(x)
    order = np.argsort(-cost, kind="stable")
    left = cost.sum() - np.concatenate([[0], np.cumsum(cost[order])])
    sizes = np.arange(x.shape[1] + 1, dtype=np.float64)
    seconds = x.shape[0] * sizes**2 / DENSE_SPEED + left / SPARSE_SPEED
    seconds[max(CORNER, x.shape[1] // 2) : -1] = np.inf  # the corner would take too much memory
    n = int(seconds.argmin())
    return np.sort(order[:n]), np.sort(order[n:])


def _add_dense_gram(x: sparse.csr_matrix, out: Floats) -> None:
    """Add XᵀX to `out` (I, I), in place, by BLAS's symmetric product: half the work."""
    if not len(out):
        return
    for chunk in chunks(x.shape[0], x.shape[1], mib=64):
        dense = x[chunk].toarray()
        blas.ssyrk(1.0, dense.T, beta=1.0, c=out.T, overwrite_c=1)  # makes our lower triangle
    mirror(torch.from_numpy(out))


def mirror(matrix: Tensor) -> Tensor:
    """Copy the lower triangle of a square matrix onto the upper one, in place."""
    for chunk in chunks(len(matrix), len(matrix)):
        matrix[: chunk.start, chunk] = matrix[chunk, : chunk.start].T
        square = matrix[chunk, chunk]
        square.copy_(square.tril() + square.tril(-1).T)
    return matrix


def chunks(rows: int, columns: int, mib: int = 16) -> list[slice]:
    """Slices that cut a (rows, columns) float32 matrix into pieces of so many MiB."""
    step = max(1, mib * 2**18 // max(1, columns))
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]
