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
            if "choices" in limits:
                if value not in limits["choices"]:
                    raise BadInput(
                        f"{f.name} must be one of {', '.join(limits['choices'])}, not {value!r}"
                    )
                continue
            whole = isinstance(f.default, int)
            right_kind = isinstance(value, int if whole else int | float)
            if not right_kind or not limits["min"] <= value <= limits["max"]:
                kind = "a whole number" if whole else "a number"
                raise BadInput(
                    f"{f.name} must be {kind} from {limits['min']} to {limits['max']}, "
                    f"not {value!r}"
                )


def free_memory(device: str) -> int:
    """Bytes that can still be allocated on this device."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0]) + unused_by_torch(device)
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return 1024 * next(int(x.split()[1]) for x in lines if x.startswith("MemAvailable"))
    except OSError:  # not Linux: all the memory there is, the closest that the OS tells
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def unused_by_torch(device: str) -> int:
    """Bytes that torch holds on the GPU and would reuse."""
    return int(torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))


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


class HistoryLinear:
    """Models whose scores are a sum over the events of the history.

    score = base + Σ over events of weight · decay^age · rows[item], age 0 the latest. The base is
    what an empty history gets. Weight and age are those of the event's place in the whole history,
    so each event's share stands on its own. `rows` is (I, I): CSR where sparse, else a Tensor.
    """

    Config: ClassVar[type]
    needs_validation: ClassVar[bool] = False
    needs_features: ClassVar[bool] = False

    def __init__(self, config: Any = None) -> None:
        self.config = self.Config() if config is None else config
        self._base: Tensor | None = None
        self._rows: Any = None  # (I, I) CSR or Tensor; None: the history plays no part
        self._decay = 1.0

    def _keep(
        self,
        base: Array,
        rows: sparse.csr_matrix | Tensor | None,
        decay: float,
        device: str,
    ) -> None:
        self._base = tensor(np.asarray(base, np.float32), device)
        self._rows = rows
        self._decay = float(decay)
        self._on_device: Tensor | None = None

    def _fitted_base(self) -> Tensor:
        if self._base is None:
            raise NotFitted(f"this {type(self).__name__} has not been fitted or loaded yet")
        return self._base

    def score(self, queries: Queries) -> Tensor:
        """Scores (B, n_items), float32, on the model's device."""
        base = self._fitted_base()
        if self._rows is None or not len(queries.items):
            return base.repeat(len(queries), 1)
        weights = queries.weights * self._decay**queries.ages
        weights = weights.astype(np.float32)
        if isinstance(self._rows, Tensor):
            return _sum_dense(queries, weights, self._rows).add_(base)
        history = sparse.csr_matrix(
            (weights, queries.items, queries.offsets), shape=(len(queries), len(base))
        )
        return self._sum_sparse(history).add_(base)

    def _sum_sparse(self, history: sparse.csr_matrix) -> Tensor:
        """The product history · rows, dense on the model's device: (B, I)."""
        assert self._base is not None
        device = self._base.device
        if device.type == "cpu":
            return torch.from_numpy((history @ self._rows).toarray())
        if self._on_device is None:  # the transpose: a sparse matrix can only stand on the left
            self._on_device = _sparse_tensor(self._rows.T.tocsr(), device)
        dense = torch.from_numpy(history.T.toarray()).to(device)
        scores: Tensor = torch.sparse.mm(self._on_device, dense)
        return scores.T.contiguous()

    def state(self) -> dict[str, Array]:
        """Base (I,), decay (1,), and rows as weights (I, I) or as indptr, indices, data."""
        state: dict[str, Array] = {
            "base": self._fitted_base().cpu().numpy(),
            "decay": np.array([self._decay]),
        }
        if isinstance(self._rows, Tensor):
            state["weights"] = self._rows.cpu().numpy()
        elif self._rows is not None:
            state |= {n: getattr(self._rows, n) for n in ("indptr", "indices", "data")}
        return state

    def load(self, state: Mapping[str, Array], *, device: str = "cpu") -> Self:
        """Take up what an earlier fit learnt."""
        base, rows = state["base"], None
        if "weights" in state:
            rows = tensor(state["weights"], device)
        elif "data" in state:
            parts = (state["data"], state["indices"], state["indptr"])
            rows = sparse.csr_matrix(parts, shape=(len(base), len(base)))
        self._keep(base, rows, float(state["decay"][0]), device)
        return self


def _sum_dense(queries: Queries, weights: Array, rows: Tensor) -> Tensor:
    to = rows.device
    return functional.embedding_bag(
        tensor(queries.items, to),
        rows,
        tensor(queries.offsets[:-1], to),
        mode="sum",
        per_sample_weights=tensor(weights, to),
    )


def _sparse_tensor(matrix: sparse.csr_matrix, device: torch.device) -> Tensor:
    matrix = matrix.tocoo()
    return torch.sparse_coo_tensor(
        torch.from_numpy(np.stack([matrix.row, matrix.col]).astype(np.int64)),
        torch.from_numpy(matrix.data),
        matrix.shape,
        device=device,
        is_coalesced=True,
        check_invariants=False,
    )
