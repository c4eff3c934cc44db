"""Jagged arrays and sparse matrices as tensors on a device."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn import functional

from core.types import Array, Floats, Queries


def tensor(array: Array, device: str | torch.device) -> Tensor:
    """The array on this device; shares its memory where it may."""
    return torch.from_numpy(array if array.flags.writeable else array.copy()).to(device)


def ragged_range(starts: Tensor, lengths: Tensor) -> Tensor:
    """From each start as many numbers as its length says.

    >>> ragged_range(torch.tensor([7, 3]), torch.tensor([2, 3])).tolist()
    [7, 8, 3, 4, 5]
    """
    ends = lengths.cumsum(0)
    steps = torch.arange(int(ends[-1]) if len(ends) else 0, device=lengths.device)
    return steps + (starts - ends + lengths).repeat_interleave(lengths)


def sum_rows(queries: Queries, weights: Floats, rows: Tensor) -> Tensor:
    """Σ over each query's events of weight (E,) · rows[item], (B, F) of rows (I, F)."""
    return functional.embedding_bag(
        tensor(queries.items, rows.device),
        rows,
        tensor(queries.offsets[:-1], rows.device),
        mode="sum",
        per_sample_weights=tensor(weights, rows.device),
    )


def sparse_tensor(matrix: sparse.csc_matrix, device: str | torch.device) -> Tensor:
    """The matrix on this device, as torch's sparse COO."""
    coo = matrix.tocsr().tocoo()
    places = torch.from_numpy(np.stack([coo.row, coo.col]).astype(np.int64))
    # torch 2.11 warns where this is not said aloud
    with torch.sparse.check_sparse_tensor_invariants(False):  # type: ignore[no-untyped-call]
        return torch.sparse_coo_tensor(
            places, torch.from_numpy(coo.data), coo.shape, device=device, is_coalesced=True
        )
