"""Sparse matrices on a device, whose rows are added up. torch is loaded where that is done."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from scipy import sparse

from core.types import Array

if TYPE_CHECKING:
    from torch import Tensor


class SparseRows:
    """A fixed sparse matrix (N, I) whose rows are added up for each query, on the device."""

    def __init__(self, matrix: sparse.csr_matrix, device: str) -> None:
        self.matrix = matrix
        self.device = device

    @cached_property
    def _transposed(self) -> Tensor:
        """On a GPU the transpose: there a sparse matrix can only stand on the left."""
        from core.models.common.tensors import sparse_tensor  # loads torch

        return sparse_tensor(self.matrix.T, self.device)

    def sum(self, weights: sparse.csr_matrix) -> Tensor:
        """The product of weights (B, N) and the matrix, dense: (B, I)."""
        import torch  # a second or two, which to count what follows what needs not

        if self.device == "cpu":
            return torch.from_numpy((weights @ self.matrix).toarray())
        dense = torch.from_numpy(weights.T.toarray()).to(self.device)
        total: Tensor = torch.sparse.mm(self._transposed, dense)
        return total.T.contiguous()


def stored_matrix(state: Mapping[str, Array], columns: int) -> sparse.csr_matrix:
    """The sparse matrix in this state, which has so many columns."""
    parts = (state["data"], state["indices"], state["indptr"])
    return sparse.csr_matrix(parts, shape=(len(state["indptr"]) - 1, columns))
