"""Sparse matrices on a device, whose rows are added up."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from core.types import Array


class SparseRows:
    """A fixed sparse matrix (N, I) whose rows are added up for each query, on the device."""

    def __init__(self, matrix: sparse.csr_matrix, device: str | torch.device) -> None:
        self.matrix = matrix
        self.device = torch.device(device)
        # On a GPU the transpose: there a sparse matrix can only stand on the left.
        self._transposed = (
            None if self.device.type == "cpu" else sparse_tensor(matrix.T, self.device)
        )

    def sum(self, weights: sparse.csr_matrix) -> Tensor:
        """The product of weights (B, N) and the matrix, dense: (B, I)."""
        if self._transposed is None:
            return torch.from_numpy((weights @ self.matrix).toarray())
        dense = torch.from_numpy(weights.T.toarray()).to(self.device)
        total: Tensor = torch.sparse.mm(self._transposed, dense)
        return total.T.contiguous()


def sparse_tensor(matrix: sparse.csc_matrix, device: torch.device) -> Tensor:
    """The matrix on this device, as torch's sparse COO."""
    coo = matrix.tocsr().tocoo()
    places = torch.from_numpy(np.stack([coo.row, coo.col]).astype(np.int64))
    # torch 2.11 warns where this is not said aloud
    with torch.sparse.check_sparse_tensor_invariants(False):  # type: ignore[no-untyped-call]
        return torch.sparse_coo_tensor(
            places, torch.from_numpy(coo.data), coo.shape, device=device, is_coalesced=True
        )


def stored_matrix(state: Mapping[str, Array], columns: int) -> sparse.csr_matrix:
    """The sparse matrix in this state, which has so many columns."""
    parts = (state["data"], state["indices"], state["indptr"])
    return sparse.csr_matrix(parts, shape=(len(state["indptr"]) - 1, columns))
