"""What tends to follow what: a graph of the steps that people took, no training."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse

from core.models.common.linear_history import FadesAfterwards, HistoryLinear
from core.models.common.settings import Settings, history_decay_setting, setting
from core.models.common.sparse_rows import SparseRows
from core.models.common.strengths import largest_per_row, tie_breaker
from core.types import Array, Interactions, OnEpoch, Queries, TrainData

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TransitionsConfig(Settings):
    """How steps are counted and added up."""

    gap: int = setting(6, "How many events later a step may end", min=1, max=50, step=1)
    gap_decay: float = setting(
        0.7, "How much less a step counts per event of gap", min=0.01, max=1.0, step=0.05
    )
    backward: float = setting(0.5, "Weight of steps taken in reverse", min=0.0, max=2.0, step=0.1)
    row_exponent: float = setting(
        0.5, "How much items with many steps out are toned down", min=0.0, max=1.0, step=0.1
    )
    column_exponent: float = setting(
        0.3, "How much items with many steps in are toned down", min=0.0, max=1.0, step=0.1
    )
    history_decay: float = history_decay_setting(0.6)
    length: int = setting(50, "Latest events of a history that count", min=1, max=1000, step=10)


class Transitions(FadesAfterwards, HistoryLinear):
    """Scores by how often an item was taken shortly after (or before) those of the history.

    A[a, b] = Σ gap_decay^(g - 1) over pairs where b follows a at gap g ≤ gap in one history, each
    pair counting the geometric mean of its events' weights. norm(M) divides row a by
    (row sum)^row_exponent and column b by (column sum)^column_exponent, both sums taken of M.
    rows = norm(A) + backward · norm(Aᵀ); a history's last `length` events count, fading by
    history_decay. Related: GraphRec, arXiv:2605.07125, which adds text and quotas per hop.
    """

    Config: ClassVar[type] = TransitionsConfig

    def fit(
        self,
        train: TrainData,
        *,
        rng: np.random.Generator,
        device: str = "cpu",
        on_epoch: OnEpoch | None = None,
    ) -> Self:
        """Count the steps; O(events · gap)."""
        config, log = self.config, train.interactions
        if log.times is None:
            logger.warning("The log tells no times, so the order of its rows is taken for theirs.")
        steps = _steps(log, config)
        rows = _normalised(steps, config)
        if config.backward:
            rows = rows + config.backward * _normalised(steps.T.tocsr(), config)
        rows = sparse.csr_matrix(rows, dtype=np.float32)
        rows.sort_indices()
        base = tie_breaker(log, largest_per_row(rows))
        self._keep(base, SparseRows(rows, device), config.history_decay, device)
        return self

    def reads(self) -> int:
        """The latest events of a history that count."""
        return int(self.config.length)

    def score(self, queries: Queries) -> Any:
        """Scores (B, n_items), float32, on the model's device."""
        return super().score(queries.latest(self.config.length))

    def fading(self, n: int) -> Array:
        """How much of a share is left behind 0 … n - 1 later events, (n,)."""
        return np.where(np.arange(n) < self.config.length, super().fading(n), 0.0)


def _steps(log: Interactions, config: Any) -> sparse.csr_matrix:
    """A, (I, I) float64."""
    weights = np.sqrt(log.weights, dtype=np.float64)
    total = sparse.csr_matrix((log.n_items, log.n_items))
    for gap in range(1, min(config.gap, len(log) - 1) + 1):
        first = np.flatnonzero(log.users[gap:] == log.users[:-gap])
        counts = config.gap_decay ** (gap - 1) * weights[first] * weights[first + gap]
        pairs = (log.items[first], log.items[first + gap])
        total = total + sparse.csr_matrix((counts, pairs), shape=total.shape)
    return total


def _normalised(steps: sparse.csr_matrix, config: Any) -> sparse.csr_matrix:
    row, column = (
        _power(steps.sum(axis), e)
        for axis, e in ((1, config.row_exponent), (0, config.column_exponent))
    )
    return sparse.diags(row) @ steps @ sparse.diags(column)


def _power(sums: Array, exponent: float) -> Array:
    """sums^-exponent, 0 where the sum is 0."""
    sums = np.asarray(sums, np.float64).ravel()
    return np.where(sums > 0, np.maximum(sums, 1e-300) ** -exponent, 0.0)
