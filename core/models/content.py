"""Items with the same attributes and words: works for items that nobody has taken yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse
from torch import Tensor

from core.errors import BadInput
from core.models.blocks import (
    HistoryLinear,
    Settings,
    SparseRows,
    lengths,
    setting,
    sum_rows,
    tensor,
    tie_breaker,
    unit_rows,
    whitened,
)
from core.types import Array, Features, Floats, OnEpoch, Queries, TrainData

BANDS = 10  # a number counts as its tenth of the catalogue


@dataclass(frozen=True)
class ContentConfig(Settings):
    """Which kinds of attributes count how much."""

    attribute_weight: float = setting(
        1.0, "Weight of categories, single or several per item", min=0.0, max=100.0, step=0.1
    )
    text_weight: float = setting(
        1.0, "Weight of the words in titles and texts", min=0.0, max=100.0, step=0.1
    )
    text_embedding_weight: float = setting(
        1.0, "Weight of what a text model makes of the texts", min=0.0, max=100.0, step=0.1
    )
    image_embedding_weight: float = setting(
        1.0, "Weight of what an image model makes of the images", min=0.0, max=100.0, step=0.1
    )
    number_weight: float = setting(
        0.2, "Weight of numbers such as the price, by tenths", min=0.0, max=100.0, step=0.1
    )
    history_decay: float = setting(
        0.8, "Weight of an event relative to the one after it", min=0.0, max=1.0, step=0.05
    )


class Content(HistoryLinear):
    """Scores by how alike an item's attributes and words are to those of the history's items.

    v_i = unit(√w · unit(block) side by side): categories times ln(1 + I / items that have it),
    numbers as their tenth of the catalogue, text as it comes (TF-IDF), embeddings whitened. So
    v_i·v_j is the weighted mean of the blocks' cosines. score(i) = base(i) + Σ over events of
    weight · decay^age · v_i·v_j: the decayed mean of the history's vectors, up to its length, which
    changes no ranking.
    """

    Config: ClassVar[type] = ContentConfig
    needs_features: ClassVar[bool] = True

    def fit(
        self,
        train: TrainData,
        *,
        rng: np.random.Generator,
        device: str = "cpu",
        on_epoch: OnEpoch | None = None,
    ) -> Self:
        """Make each item's vector.

        Raises:
            BadInput: nothing is known of the items, or only what has weight 0.
        """
        log = train.interactions
        vectors, embeddings = _vectors(train.item_features, self.config)
        decay = self.config.history_decay if log.times is not None else 1.0
        by_feature = vectors.T.tocsr()
        self._keep(tie_breaker(log, 1.0), SparseRows(by_feature, device), decay, device)
        self._vectors = by_feature.T.tocsr()  # as load makes them, so that scores stay the same
        self._embeddings = tensor(embeddings, device)
        return self

    def score(self, queries: Queries) -> Tensor:
        """Scores (B, n_items), float32, on the model's device."""
        base = self._fitted()
        assert isinstance(self._rows, SparseRows)
        taste = self._history(queries, len(base)) @ self._vectors  # (B, F)
        scores = self._rows.sum(taste).add_(base)
        if self._embeddings.shape[1] and len(queries.items):
            felt = sum_rows(queries, self._weights(queries), self._embeddings)  # (B, D)
            scores.addmm_(felt, self._embeddings.T)
        return scores

    def shares(self, queries: Queries, items: Array) -> Array:
        """What each event adds to these items' scores while it is the latest, (E, T) float64."""
        self._fitted()
        known = self._vectors.astype(np.float64)
        alike = (known[queries.items] @ known[items].T).toarray()
        felt = self._embeddings.cpu().numpy().astype(np.float64)
        alike += felt[queries.items] @ felt[items].T
        found: Array = np.asarray(queries.weights, np.float64)[:, None] * alike
        return found

    def state(self) -> dict[str, Array]:
        """Beside what is sparse the embeddings (I, D), where there are any."""
        state = super().state()
        if self._embeddings.shape[1]:
            state["embeddings"] = self._embeddings.cpu().numpy()
        return state

    def load(self, state: Mapping[str, Array], *, device: str = "cpu") -> Self:
        """Take up what an earlier fit learnt."""
        super().load(state, device=device)
        assert isinstance(self._rows, SparseRows)
        self._vectors = self._rows.matrix.T.tocsr()
        none = np.zeros((len(state["base"]), 0), np.float32)
        self._embeddings = tensor(state.get("embeddings", none), device)
        return self


def _vectors(features: Features | None, config: Any) -> tuple[sparse.csr_matrix, Floats]:
    """The items' vectors, float32, of length 1, or 0 where nothing is known.

    In two parts: what is sparse (I, F), and the embeddings (I, D).
    """
    makers: dict[str, tuple[float, Callable[[Any], Any]]] = {
        "categorical": (config.attribute_weight, _rarity_weighted),
        "multi_hot": (config.attribute_weight, _rarity_weighted),
        "text": (config.text_weight, sparse.csr_matrix),
        "numeric": (config.number_weight, _bands),
        "text_embedding": (config.text_embedding_weight, _whitened),
        "image_embedding": (config.image_embedding_weight, _whitened),
    }
    blocks = dict(features.blocks()) if features else {}
    if not blocks:
        raise BadInput(
            "content compares items by their attributes, and this dataset has none: "
            "ingest it with a file of items, or choose another model"
        )
    made = []
    for name, block in blocks.items():
        weight, make = makers[name]
        if weight:
            made.append(np.sqrt(weight) * unit_rows(make(block.matrix)))
    if not made:
        raise BadInput(
            f"content has weight 0 for all that is known of the items ({', '.join(blocks)}): "
            "give one of them a weight above 0"
        )
    n_items = made[0].shape[0]
    parts = [sparse.csr_matrix((n_items, 0)), *(m for m in made if sparse.issparse(m))]
    words = sparse.hstack(parts, format="csr")
    dense = np.hstack([np.zeros((n_items, 0)), *(m for m in made if not sparse.issparse(m))])
    whole = np.hypot(lengths(words), lengths(dense))
    scale = sparse.diags(1 / np.where(whole > 0, whole, 1))
    return sparse.csr_matrix(scale @ words, dtype=np.float32), (scale @ dense).astype(np.float32)


def _whitened(embeddings: Array) -> Floats:
    return np.nan_to_num(whitened(embeddings))


def _rarity_weighted(matrix: Any) -> sparse.csr_matrix:
    """Each 0/1 column times ln(1 + I / items that have it)."""
    matrix = sparse.csr_matrix(matrix, dtype=np.float64)
    having = np.bincount(matrix.indices, minlength=matrix.shape[1])
    return matrix @ sparse.diags(np.log1p(matrix.shape[0] / np.maximum(having, 1)))


def _bands(numbers: Array) -> sparse.csr_matrix:
    """Which tenth of the catalogue each number lies in, 0/1 (I, F · BANDS); no tenth if missing."""
    columns = []
    for column in np.asarray(numbers, np.float64).T:
        known = np.flatnonzero(np.isfinite(column))
        edges = np.quantile(column[known], np.arange(1, BANDS) / BANDS) if len(known) else []
        band = np.searchsorted(edges, column[known], side="right")
        ones = np.ones(len(known))
        columns.append(sparse.csr_matrix((ones, (known, band)), shape=(len(column), BANDS)))
    return sparse.hstack(columns, format="csr")
