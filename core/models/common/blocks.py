"""What several models share: settings of a Config, free memory, scores linear in the history."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn import functional

from core.errors import BadInput, NotFitted
from core.types import Array, Floats, Interactions, Queries

DIRECTIONS = 128  # of an embedding that models look at


PLACES = 10  # of a list, by which models and their weights are chosen


def ideal(counts: Tensor) -> Tensor:
    """Σ of 1 / log2(1 + rank) where all targets, so many of a query, come first in a list of ten.

    >>> [round(x, 3) for x in ideal(torch.tensor([1, 2, 99])).tolist()]
    [1.0, 1.631, 4.544]
    """
    ranks = torch.arange(1, PLACES + 1, device=counts.device)
    best = (1 / torch.log2(1 + ranks)).cumsum(0)
    return best[counts.clamp(1, PLACES) - 1]


def setting(default: Any, about: str, **limits: Any) -> Any:
    """A field of a Config: its default, a sentence of help, and min, max, step or choices."""
    return field(default=default, metadata={"help": about, **limits})


@dataclass(frozen=True)
class Settings:
    """A Config checks its own values.

    Raises:
        BadInput: a value of the wrong kind or outside its limits.
    """

    def __post_init__(self) -> None:
        for f in fields(self):
            value, limits = getattr(self, f.name), f.metadata
            if isinstance(f.default, bool):
                right, wanted = isinstance(value, bool), "true or false"
            elif "choices" in limits:
                right = value in limits["choices"]
                wanted = "one of " + ", ".join(limits["choices"])
            elif isinstance(f.default, str):
                right, wanted = isinstance(value, str), "a text"
            else:
                whole = isinstance(f.default, int)
                right = isinstance(value, int if whole else int | float)
                right = right and limits["min"] <= value <= limits["max"]
                kind = "a whole number" if whole else "a number"
                wanted = f"{kind} from {limits['min']} to {limits['max']}"
            if not right:
                raise BadInput(f"{f.name} must be {wanted}, not {value!r}")


def free_memory(device: str) -> int:
    """Bytes that can still be allocated on this device."""
    if torch.device(device).type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + unused
    try:
        free = 1024 * _number_after("/proc/meminfo", "MemAvailable:")
    except OSError:  # not Linux: all the memory there is, the closest that the OS tells
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:  # a container's own limit; what it holds of files can be given back, so only "anon" counts
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
        return min(free, limit - _number_after("/sys/fs/cgroup/memory.stat", "anon"))
    except (OSError, ValueError):  # no such group, or its limit is "max"
        return free


def _number_after(file: str, word: str) -> int:
    lines = [line.split() for line in Path(file).read_text(encoding="ascii").splitlines()]
    return next(int(line[1]) for line in lines if line[0] == word)


def tensor(array: Array, device: str | torch.device) -> Tensor:
    """The array on this device; shares its memory where it may."""
    return torch.from_numpy(array if array.flags.writeable else array.copy()).to(device)


def strengths(log: Interactions) -> sparse.csr_matrix:
    """How strongly each user took each item, (U, I) float32: log2(1 + Σ event weights).

    A plain log of single events gives 0 and 1; a repeat adds less each time.
    """
    matrix = log.queries().matrix(log.n_items)
    matrix.data = np.log2(1 + matrix.data)
    return matrix


def spread(starts: Tensor, lengths: Tensor) -> Tensor:
    """From each start as many numbers as its length says.

    >>> spread(torch.tensor([7, 3]), torch.tensor([2, 3])).tolist()
    [7, 8, 3, 4, 5]
    """
    ends = lengths.cumsum(0)
    steps = torch.arange(int(ends[-1]) if len(ends) else 0, device=lengths.device)
    return steps + (starts - ends + lengths).repeat_interleave(lengths)


def lengths(matrix: Any) -> Array:
    """The length of each row, (I,), of a sparse or a dense matrix."""
    squares = matrix.multiply(matrix) if sparse.issparse(matrix) else matrix**2
    size: Array = np.sqrt(np.asarray(squares.sum(axis=1), float)).ravel()
    return size


def unit_rows(matrix: Any) -> Any:
    """Each row, sparse or dense, divided by its length; rows of length 0 stay."""
    size = lengths(matrix)
    share = 1 / np.where(size > 0, size, 1)
    return sparse.diags(share) @ matrix


def whitened(vectors: Array) -> Floats:
    """Embeddings (I, D) in their strongest directions, each of variance 1; rows of NaN stay.

    Encoders lean all their vectors one way, and most of the rest in a few directions: what tells
    items apart is seen only without that. At most 128 directions are left.
    """
    there = np.isfinite(vectors).all(axis=1)
    known = vectors[there]
    known = known - known.mean(axis=0, keepdims=True) if len(known) else known
    variances, axes = np.linalg.eigh(known.T @ known / max(1, len(known)))  # smallest first
    kept = np.flatnonzero(variances > 1e-5 * max(variances.max(initial=0), 1e-9))
    kept = kept[: -DIRECTIONS - 1 : -1]
    white: Floats = np.full((len(vectors), len(kept)), np.nan, np.float32)
    white[there] = known @ (axes[:, kept] / np.sqrt(variances[kept]))
    return white


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


class StoredRows:
    """A model that learns a constant per item, a matrix of rows, and how a history fades.

    The base is what an empty history gets. `rows` is (N, I): sparse, or a Tensor.
    """

    Config: ClassVar[type]
    needs_validation: ClassVar[bool] = False
    needs_features: ClassVar[bool] = False

    def __init__(self, config: Any = None) -> None:
        self.config = self.Config() if config is None else config
        self._base: Tensor | None = None
        self._rows: SparseRows | Tensor | None = None  # None: the history plays no part
        self._decay = 1.0

    def _keep(
        self, base: Array, rows: SparseRows | Tensor | None, decay: float, device: str
    ) -> None:
        self._base = tensor(np.asarray(base, np.float32), device)
        self._rows = rows
        self._decay = float(decay)

    @property
    def device(self) -> str:
        """Where base and rows lie: "cpu" or "cuda"."""
        return "cpu" if self._base is None else self._base.device.type

    def _fitted(self) -> Tensor:
        """The base, (I,).

        Raises:
            NotFitted: there is none.
        """
        if self._base is None:
            raise NotFitted(f"this {type(self).__name__} model is not fitted yet: fit or load it")
        return self._base

    def _weights(self, queries: Queries) -> Floats:
        """What each event counts, (E,)."""
        faded = queries.weights * self._decay**queries.ages
        return faded.astype(np.float32)

    def _history(self, queries: Queries, n_items: int) -> sparse.csr_matrix:
        """The weights by query and item, (B, I); repeats of an item are not summed."""
        parts = (self._weights(queries), queries.items, queries.offsets)
        return sparse.csr_matrix(parts, shape=(len(queries), n_items))

    def state(self) -> dict[str, Array]:
        """Base (I,), decay (1,), and rows as weights (I, I) or as indptr, indices, data."""
        state = {"base": self._fitted().cpu().numpy(), "decay": np.array([self._decay])}
        if isinstance(self._rows, Tensor):
            state["weights"] = self._rows.cpu().numpy()
        elif self._rows is not None:
            state |= {n: getattr(self._rows.matrix, n) for n in ("indptr", "indices", "data")}
        return state

    def load(self, state: Mapping[str, Array], *, device: str = "cpu") -> Self:
        """Take up what an earlier fit learnt."""
        base = state["base"]
        rows: SparseRows | Tensor | None = None
        if "weights" in state:
            rows = tensor(state["weights"], device)
        elif "data" in state:
            rows = SparseRows(stored_matrix(state, len(base)), device)
        self._keep(base, rows, float(state["decay"][0]), device)
        return self


class HistoryLinear(StoredRows):
    """Models whose scores are a sum over the events of the history.

    score = base + Σ over events of weight · decay^age · rows[item], age 0 the latest. Weight and
    age are those of the event's place in the whole history, so each event's share stands on its
    own.
    """

    def score(self, queries: Queries) -> Tensor:
        """Scores (B, n_items), float32, on the model's device."""
        base = self._fitted()
        if self._rows is None or not len(queries.items):
            return base.repeat(len(queries), 1)
        if isinstance(self._rows, Tensor):
            return sum_rows(queries, self._weights(queries), self._rows).add_(base)
        return self._rows.sum(self._history(queries, len(base))).add_(base)

    def shares(self, queries: Queries, items: Array) -> Array:
        """What each event adds to these items' scores while it is the latest, (E, T) float64."""
        weights = np.asarray(queries.weights, np.float64)[:, None]
        if self._rows is None:
            return weights * np.zeros(len(items))
        if isinstance(self._rows, Tensor):
            chosen = self._rows[torch.from_numpy(queries.items)][:, torch.from_numpy(items)]
            return weights * chosen.cpu().numpy().astype(np.float64)
        rows = self._rows.matrix[queries.items][:, items].toarray().astype(np.float64)
        found: Array = weights * rows
        return found

    def fading(self, n: int) -> Array:
        """How much of a share is left behind 0 … n - 1 later events, (n,)."""
        return self._decay ** np.arange(n, dtype=np.float64)


def stored_matrix(state: Mapping[str, Array], columns: int) -> sparse.csr_matrix:
    """The sparse matrix in this state, which has so many columns."""
    parts = (state["data"], state["indices"], state["indptr"])
    return sparse.csr_matrix(parts, shape=(len(state["indptr"]) - 1, columns))


def sum_rows(queries: Queries, weights: Floats, rows: Tensor) -> Tensor:
    """Σ over each query's events of weight (E,) · rows[item], (B, F) of rows (I, F)."""
    return functional.embedding_bag(
        tensor(queries.items, rows.device),
        rows,
        tensor(queries.offsets[:-1], rows.device),
        mode="sum",
        per_sample_weights=tensor(weights, rows.device),
    )
