"""Models whose scores are linear in the history: what they store, scores, shares.

torch is loaded where something is scored: it takes a second or two, and counting needs none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from scipy import sparse

from core.errors import NotFitted
from core.models.common.sparse_rows import SparseRows, stored_matrix
from core.types import Array, Floats, Queries

if TYPE_CHECKING:
    from torch import Tensor


class FadesAfterwards:
    """Models whose config.history_decay is but kept by the fit, for when a history is scored."""

    config: Any
    _decay: float

    def with_decay(self, decay: float) -> Self:
        """The fitted model with another history_decay, which shares what it learnt; see Fades."""
        other = copy(self)
        other.config = replace(self.config, history_decay=decay)
        other._decay = decay
        return other


class StoredRows:
    """A model that learns a constant per item, a matrix of rows, and how a history fades.

    The base is what an empty history gets. `rows` is (N, I): sparse, or a Tensor.
    """

    Config: ClassVar[type]
    needs_validation: ClassVar[bool] = False
    needs_features: ClassVar[bool] = False

    def __init__(self, config: Any = None) -> None:
        self.config = self.Config() if config is None else config
        self._base: Floats | None = None
        self._base_there: Tensor | None = None  # the same on the device
        self._device = "cpu"
        self._rows: SparseRows | Tensor | None = None  # None: the history plays no part
        self._decay = 1.0

    def _keep(
        self, base: Array, rows: SparseRows | Tensor | None, decay: float, device: str
    ) -> None:
        self._base = np.asarray(base, np.float32)
        self._base_there = None
        self._device = device.partition(":")[0]
        self._rows = rows
        self._decay = float(decay)

    @property
    def device(self) -> str:
        """Where base and rows lie: "cpu" or "cuda"."""
        return self._device

    def _stored(self) -> Floats:
        """The base, (I,).

        Raises:
            NotFitted: there is none.
        """
        if self._base is None:
            raise NotFitted(f"this {type(self).__name__} model is not fitted yet: fit or load it")
        return self._base

    def _fitted(self) -> Tensor:
        """The base on the device, (I,).

        Raises:
            NotFitted: there is none.
        """
        from core.models.common.tensors import tensor  # loads torch, see above

        if self._base_there is None:
            self._base_there = tensor(self._stored(), self._device)
        return self._base_there

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
        state = {"base": self._stored(), "decay": np.array([self._decay])}
        if isinstance(self._rows, SparseRows):
            state |= {n: getattr(self._rows.matrix, n) for n in ("indptr", "indices", "data")}
        elif self._rows is not None:
            state["weights"] = self._rows.cpu().numpy()
        return state

    def load(self, state: Mapping[str, Array], *, device: str = "cpu") -> Self:
        """Take up what an earlier fit learnt."""
        base = state["base"]
        rows: SparseRows | Tensor | None = None
        if "weights" in state:
            from core.models.common.tensors import tensor  # loads torch, see above

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
        if isinstance(self._rows, SparseRows):
            return self._rows.sum(self._history(queries, len(base))).add_(base)
        from core.models.common.tensors import sum_rows  # loads torch, see above

        return sum_rows(queries, self._weights(queries), self._rows).add_(base)

    def shares(self, queries: Queries, items: Array) -> Array:
        """What each event adds to these items' scores while it is the latest, (E, T) float64."""
        weights = np.asarray(queries.weights, np.float64)[:, None]
        if self._rows is None:
            return weights * np.zeros(len(items))
        if isinstance(self._rows, SparseRows):
            rows = self._rows.matrix[queries.items][:, items].toarray().astype(np.float64)
        else:
            rows = self._rows[queries.items][:, items].cpu().numpy().astype(np.float64)
        weighted: Array = weights * rows
        return weighted

    def fading(self, n: int) -> Array:
        """How much of a share is left behind 0 … n - 1 later events, (n,)."""
        return self._decay ** np.arange(n, dtype=np.float64)
