"""Nearest neighbours: items taken by the same people, and people who took the same items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy import sparse
from torch import Tensor

from core.models.common.gram import chunks
from core.models.common.linear_history import FadesAfterwards, HistoryLinear
from core.models.common.rating_baselines import PredictsRatings, RatingBaseline
from core.models.common.settings import Settings, history_decay_setting, setting
from core.models.common.similarity import (
    SIMILARITIES,
    Weighting,
    largest_of_dense,
    most_similar,
    norms,
    shrunk,
)
from core.models.common.sparse_rows import SparseRows, stored_matrix
from core.models.common.strengths import largest_per_row, strengths, tie_breaker
from core.models.common.tensors import tensor
from core.types import Array, Floats, Interactions, OnEpoch, Queries, TrainData


@dataclass(frozen=True)
class ItemKNNConfig(Settings):
    """What makes two items alike."""

    similarity: str = setting("cosine", "How events are weighted", choices=SIMILARITIES)
    k: int = setting(200, "Neighbours kept per item", min=1, max=10_000, step=50)
    shrink: float = setting(
        20.0, "Doubts similarities that rest on few people", min=0.0, max=1000.0, step=5
    )
    history_decay: float = history_decay_setting(0.6)


class ItemKNN(FadesAfterwards, PredictsRatings, HistoryLinear):
    """Scores by how alike an item is to those of the history: taken by the same people.

    Item vectors x over people, weighted (see Weighting); rows[a, b] = x_a·x_b / (‖x_a‖ ‖x_b‖ +
    shrink), the k largest of each row, none with itself. Sarwar et al., WWW 2001; weights by event
    and decay beside it.
    """

    Config: ClassVar[type] = ItemKNNConfig

    def fit(
        self,
        train: TrainData,
        *,
        rng: np.random.Generator,
        device: str = "cpu",
        on_epoch: OnEpoch | None = None,
    ) -> Self:
        """Compare all pairs of items that share a person; O(Σ over users of length²)."""
        config, log = self.config, train.interactions
        people = strengths(log).T.tocsr()  # (I, U)
        x = Weighting.fit(people, config.similarity).apply(people).T.tocsr()
        rows = most_similar(x, config.shrink, config.k, device)
        decay = config.history_decay if log.times is not None else 1.0
        base = tie_breaker(log, largest_per_row(rows))
        self._keep(base, SparseRows(rows, device), decay, device)
        self._ratings = RatingBaseline.fit(log)
        return self

    def predict(self, queries: Queries, items: Array) -> Floats:
        """b(u, i) + Σ s(j, i) · (r_j - b(u, j)) / Σ s(j, i), over the rated events j; (B,).

        b is RatingBaseline's, s the rows kept by fit, so only events whose k neighbours include i
        speak. Koren, TiiS 2010, eq. 3, with the log's own similarities.
        """
        baseline = self._baseline()
        person, residuals = baseline.residuals(queries)
        assert isinstance(self._rows, SparseRows)
        towards = self._rows.matrix.T.tocsr()[items]  # (B, I): s(j, items[b])
        rated = np.isfinite(residuals)
        correction = _weighted_mean(
            towards,
            queries.matrix(len(baseline.item), np.where(rated, residuals, 0)),
            queries.matrix(len(baseline.item), rated),
        )
        return baseline.predict(person, items, correction)


@dataclass(frozen=True)
class UserKNNConfig(Settings):
    """What makes two people alike."""

    similarity: str = setting("cosine", "How events are weighted", choices=SIMILARITIES)
    k: int = setting(200, "Most similar people who have a say", min=1, max=10_000, step=50)
    shrink: float = setting(
        10.0, "Doubts similarities that rest on few items", min=0.0, max=1000.0, step=5
    )
    history_decay: float = history_decay_setting(0.8)


class UserKNN(FadesAfterwards, PredictsRatings):
    """Scores by what the k people did whose histories are most like the query's.

    score(i) = base(i) + Σ over them of s(q, v) · x_vi, x_v = log2(1 + Σ event weights) of person v,
    s(q, v) = y_q·y_v / (‖y_q‖ ‖y_v‖ + shrink), y = x weighted (see Weighting). A known person is no
    neighbour of their own. Not a sum over events: another event brings other neighbours.
    """

    Config: ClassVar[type] = UserKNNConfig

    def fit(
        self,
        train: TrainData,
        *,
        rng: np.random.Generator,
        device: str = "cpu",
        on_epoch: OnEpoch | None = None,
    ) -> Self:
        """Store everyone's history."""
        config, log = self.config, train.interactions
        x = strengths(log)
        decay = config.history_decay if log.times is not None else 1.0
        self._keep(tie_breaker(log, 0.1), SparseRows(x, device), decay, device)
        self._ratings = RatingBaseline.fit(log)
        self._residuals = None if self._ratings is None else _residuals(log, self._ratings)
        self._index()
        return self

    def _index(self) -> None:
        """What the search for neighbours needs, from the stored histories."""
        assert isinstance(self._rows, SparseRows)
        x = self._rows.matrix
        self._weighting = Weighting.fit(x, self.config.similarity)
        y = self._weighting.apply(x)
        self._norms = tensor(norms(y), self._rows.device)
        self._people = SparseRows(y.T.tocsr(), self._rows.device)

    def score(self, queries: Queries) -> Tensor:
        """Scores (B, n_items), float32, on the model's device."""
        base = self._fitted()
        assert isinstance(self._rows, SparseRows)
        return self._rows.sum(self._neighbours(queries)).add_(base)

    def _neighbours(self, queries: Queries) -> sparse.csr_matrix:
        """The similarity of each query to its k most similar people, (B, U)."""
        history = self._history(queries, len(self._fitted()))
        history.sum_duplicates()
        history.data = np.log2(1 + history.data)
        y = self._weighting.apply(history)
        lengths = tensor(norms(y), self._norms.device)
        parts = [sparse.csr_matrix((0, len(self._norms)), dtype=np.float32)]
        for chunk in chunks(len(queries), len(self._norms)):
            dots = self._people.sum(y[chunk])
            similar = shrunk(dots, lengths[chunk], self._norms, self.config.shrink)
            users = queries.users[chunk]
            in_log = np.flatnonzero(users >= 0)
            similar[in_log, users[in_log]] = 0
            parts.append(largest_of_dense(similar, self.config.k))
        return sparse.vstack(parts, format="csr")

    def predict(self, queries: Queries, items: Array) -> Floats:
        """b(u, i) + Σ s(u, v) · (r_vi - b(v, i)) / Σ s(u, v), over neighbours v who rated i; (B,).

        b is RatingBaseline's; the neighbours are the k of `score`, whether they rated i or not.
        Herlocker et al., SIGIR 1999, with baselines in place of means.
        """
        baseline = self._baseline()
        assert self._residuals is not None
        rated = self._residuals.T.tocsr()[items]  # (B, U)
        ones = rated.copy()
        ones.data = np.ones_like(rated.data)
        correction = _weighted_mean(self._neighbours(queries), rated, ones)
        return baseline.predict(baseline.residuals(queries)[0], items, correction)

    def state(self) -> dict[str, Array]:
        """Histories (U, I) as indptr, indices, data; rating_… likewise their ratings - baseline."""
        state = super().state()
        if self._residuals is not None:
            for name in ("indptr", "indices", "data"):
                state["rating_" + name] = getattr(self._residuals, name)
        return state

    def load(self, state: Mapping[str, Array], *, device: str = "cpu") -> Self:
        """Take up what an earlier fit learnt."""
        super().load(state, device=device)
        self._residuals = None
        if self._ratings is not None:
            ratings = {n: state["rating_" + n] for n in ("indptr", "indices", "data")}
            self._residuals = stored_matrix(ratings, len(state["base"]))
        self._index()
        return self


def _residuals(log: Interactions, baseline: RatingBaseline) -> sparse.csr_matrix:
    """Rating - baseline of each rated pair, (U, I), their mean where one is rated repeatedly."""
    rated = log.where(np.isfinite(np.asarray(log.values))).queries()
    residuals = rated.matrix(log.n_items, baseline.residuals(rated)[1])
    residuals.data /= rated.matrix(log.n_items, np.ones(len(rated.items))).data
    return residuals


def _weighted_mean(
    similarity: sparse.csr_matrix, sums: sparse.csr_matrix, counts: sparse.csr_matrix
) -> Array:
    """Σ similarity · sums / Σ similarity · counts along each row; 0 where nothing is counted."""
    total = np.asarray(similarity.multiply(sums).sum(axis=1), np.float64).ravel()
    weight = np.asarray(similarity.multiply(counts).sum(axis=1), np.float64).ravel()
    return np.where(weight > 0, total / np.maximum(weight, 1e-30), 0.0)
