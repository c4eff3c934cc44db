"""Nearest neighbours by cosine: exact in batches, or by an index with its recall known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from core.errors import BadInput
from core.models.common.gram import chunks
from core.models.common.tensors import tensor
from core.types import PAD, Array, Floats, Ints

CELLS = 2**23  # numbers held in float64 at a time
SPARE = 32  # candidates beyond k that are looked at again in float64
DIGITS = 12  # of a cosine in float64 that mean something: what is closer is a tie


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The K nearest of N vectors to each of B, the nearest first; of equals the lower code."""

    items: Ints  # (B, K), PAD where there are no more
    cosines: Array  # (B, K) float64, -1 … 1; -inf where there are no more

    @classmethod
    def none(cls, n: int, k: int) -> Self:
        """No neighbours yet of n queries."""
        return cls(np.full((n, k), PAD, np.int64), np.full((n, k), -np.inf))


def unit(vectors: Array) -> Floats:
    """Each row (N, D) divided by its length, float32; a row of 0 stays.

    Raises:
        BadInput: an entry is not finite.
    """
    vectors = np.asarray(vectors, np.float32)
    if not np.isfinite(vectors).all():
        row = int(np.argmin(np.isfinite(vectors).all(axis=1)))
        raise BadInput(f"vector {row} has an entry that is not a finite number: train it again")
    return unit64(vectors).astype(np.float32)


def unit64(vectors: Array) -> Array:
    """The same in float64, whatever the entries are."""
    vectors = np.asarray(vectors, np.float64)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


class Exact:
    """N vectors (N, D) by whose cosine any query finds its nearest, as float64 would.

    float32 proposes k and 32 more; those are compared again in float64. A query whose proposals
    could have missed one, since too many lie within float32's error, is done in float64 as a whole.
    Only directions count; a vector of 0 has cosine 0 with all. A query costs O(N · D).
    """

    recall = 1.0

    def __init__(self, vectors: Array, device: str = "cpu") -> None:
        self.vectors = np.asarray(vectors)
        self._table = tensor(unit(self.vectors), device)  # where float32 works

    def nearest(self, queries: Array, k: int, leave_out: Array | None = None) -> Neighbours:
        """The k nearest to each of queries (B, D).

        Args:
            queries: (B, D).
            k: How many.
            leave_out: A row (B,) that is no answer to each query: itself. PAD for none.

        Raises:
            BadInput: the queries are of another width, or have entries that are not finite.
        """
        queries, out = checked(self.vectors, queries, leave_out)
        n, dim = self.vectors.shape
        best, rows = Neighbours.none(len(queries), k), unit(queries)
        doubt = 4e-7 * (dim**0.5 + 4)  # twice what float32 may err by, with room
        for chunk in chunks(len(rows), n, mib=128):
            block = tensor(rows[chunk], self._table.device)
            proposed, safe = _proposals(self._table, block, out[chunk], k, doubt)
            step = max(1, CELLS // (proposed.shape[1] * dim))
            for start in range(0, len(proposed), step):
                own = np.arange(chunk.start, chunk.stop)[start : start + step]
                settle(best, self.vectors, queries, out, own, proposed[start : start + step])
            for row in (chunk.start + np.flatnonzero(~safe)).tolist():
                settle(best, self.vectors, queries, out, np.array([row]), np.arange(n)[None])
        return best


def nearest(
    vectors: Array, queries: Array, k: int, leave_out: Array | None = None, *, device: str = "cpu"
) -> Neighbours:
    """The k rows of vectors (N, D) nearest to each of queries (B, D); see Exact."""
    return Exact(vectors, device).nearest(queries, k, leave_out)


def checked(vectors: Array, queries: Array, leave_out: Array | None) -> tuple[Array, Ints]:
    """The queries (B, D), and what each leaves out (B,), PAD for nothing."""
    queries = np.asarray(queries)
    if queries.ndim != 2 or queries.shape[1] != vectors.shape[1]:
        raise BadInput(
            f"queries have {vectors.shape[1]} columns as the vectors do, not {queries.shape}"
        )
    out = np.full(len(queries), PAD) if leave_out is None else np.asarray(leave_out, np.int64)
    return queries, out


def _proposals(table: Tensor, rows: Tensor, out: Ints, k: int, doubt: float) -> tuple[Ints, Array]:
    """The k + 32 nearest by float32, (B, K + 32), and whether nothing nearer can be missing."""
    cosines = rows @ table.T
    masked = np.flatnonzero(out >= 0)
    cosines[torch.from_numpy(masked), torch.from_numpy(out[masked])] = -torch.inf
    many = min(k + SPARE, len(table))
    values, rows_near = cosines.topk(many, dim=1)
    whole = many == len(table)
    safe = values[:, -1] < values[:, min(k, many) - 1] - doubt
    return rows_near.cpu().numpy(), safe.cpu().numpy() | whole


def settle(
    into: Neighbours, vectors: Array, queries: Array, out: Ints, rows: Ints, candidates: Ints
) -> None:
    """Writes the best of these candidates (B, C), PAD for none, of the rows (B,), by float64."""
    near = unit64(vectors[candidates])  # (B, C, D)
    cosines = np.einsum("bcd,bd->bc", near, unit64(queries[rows])).round(DIGITS)
    cosines[(candidates == out[rows][:, None]) | (candidates < 0)] = -np.inf
    k = min(into.items.shape[1], candidates.shape[1])
    order = np.lexsort((candidates, -cosines), axis=1)[:, :k]
    best = np.take_along_axis(cosines, order, axis=1)
    items = np.take_along_axis(candidates, order, axis=1)
    into.items[rows, :k] = np.where(np.isfinite(best), items, PAD)
    into.cosines[rows, :k] = best
