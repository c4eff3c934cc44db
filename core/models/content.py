"""Items with the same attributes and words: works for items that nobody has taken yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse
from torch import Tensor

from core.errors import BadInput
from core.models.common.item_parts import EMBEDDINGS, item_parts, rows_like, unembedded
from core.models.common.linear_history import FadesAfterwards, HistoryLinear
from core.models.common.settings import Settings, history_decay_setting, setting
from core.models.common.sparse_rows import SparseRows
from core.models.common.strengths import tie_breaker
from core.models.common.tensors import sum_rows, tensor
from core.models.common.vectors import row_lengths, unit_rows, whitened
from core.types import PAD, Array, Features, Floats, Ints, ItemPart, OnEpoch, Queries, TrainData

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
    history_decay: float = history_decay_setting(0.8)


class Content(FadesAfterwards, HistoryLinear):
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
        vectors, embeddings, self._widths = _vectors(train.item_features, self.config)
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
        vectors = self._vectors.astype(np.float64)
        alike = (vectors[queries.items] @ vectors[items].T).toarray()
        felt = self._embeddings.cpu().numpy().astype(np.float64)
        alike += felt[queries.items] @ felt[items].T
        weighted: Array = np.asarray(queries.weights, np.float64)[:, None] * alike
        return weighted

    def parts(self, features: Features | None) -> tuple[ItemPart, ...]:
        """What the items are made of: the attributes of a weight above 0; ids are not known."""
        return tuple(self._parts(features))

    def _parts(self, features: Features | None) -> dict[ItemPart, Ints]:
        """Each part's columns of the items' vectors, words (F) and embeddings (D) side by side."""
        self._fitted()
        columns_of: dict[ItemPart, Ints] = {}
        n_columns = 0
        for kind, block in features.blocks() if features else ():
            if kind in EMBEDDINGS or not _weight(self.config, kind):
                continue
            bands = BANDS if kind == "numeric" else 1
            for item_part, own in item_parts(kind, block).items():
                columns_of[item_part] = (
                    n_columns + (own[:, None] * bands + np.arange(bands)).ravel()
                )
            n_columns += len(block.names) * bands
        if n_columns != self._vectors.shape[1]:
            raise BadInput(
                f"the model learnt from {self._vectors.shape[1]} columns of attributes, and these "
                f"features make {n_columns}: give it those it was trained with"
            )
        for kind, width in zip(EMBEDDINGS, self._widths.tolist(), strict=True):
            if width:
                columns_of[ItemPart(kind, "")] = n_columns + np.arange(width)
                n_columns += width
        return columns_of

    def score_of_parts(
        self, query: Queries, item: int, features: Features | None, keep: Array
    ) -> Array:
        """Scores (M,) of an item of only some parts: what those alone have in common with it.

        The item's vector keeps the length that it has as a whole, so that the parts add up: what
        one adds does not hang on which others are there. The tie-breaker is no part, and stays.
        """
        columns = self._parts(features).values()
        taste = self._history(query, self._vectors.shape[0]) @ self._vectors
        felt = sum_rows(query, self._weights(query), self._embeddings).cpu().numpy()
        alike = np.append(
            taste.toarray()[0].astype(np.float64) * self._vectors[[item]].toarray()[0],
            felt[0].astype(np.float64) * self._embeddings[item].cpu().numpy(),
        )
        terms = np.array([alike[own].sum() for own in columns])
        base = float(self._fitted()[item])
        scores: Array = base + np.asarray(keep, np.float64) @ terms
        return scores

    def with_items(
        self, features: Features, learnt: int | None = None, like: Array | None = None
    ) -> Self:
        """Items nobody took: their vectors by the rarities and tenths of the items learnt from."""
        self._parts(features)  # they are those that it learnt from
        n_items = self._vectors.shape[0]
        like = np.full(features.n_rows - n_items, PAD) if like is None else like
        words, _ = _weighted(unembedded(features), self.config, learnt or n_items)
        felt = rows_like(self._embeddings.cpu().numpy(), like)
        ends, weights = np.cumsum(self._widths), [_weight(self.config, kind) for kind in EMBEDDINGS]
        dense = [
            np.sqrt(weight) * unit_rows(felt[:, end - width : end])
            for weight, width, end in zip(weights, self._widths, ends, strict=True)
        ]
        new, embeddings = _of_length_one(words[n_items:], np.hstack(dense))
        rows = sparse.hstack([self._vectors.T, new.T], format="csr")
        state = self.state() | {name: getattr(rows, name) for name in ("indptr", "indices", "data")}
        state["base"] = np.append(state["base"], rows_like(state["base"], like))
        if "embeddings" in state:
            state["embeddings"] = np.concatenate([state["embeddings"], embeddings])
        return type(self)(self.config).load(state, device=self.device)

    def state(self) -> dict[str, Array]:
        """Beside what is sparse the embeddings (I, D) and the width of each kind, if any."""
        state = super().state()
        if self._embeddings.shape[1]:
            state["embeddings"] = self._embeddings.cpu().numpy()
            state["widths"] = self._widths
        return state

    def load(self, state: Mapping[str, Array], *, device: str = "cpu") -> Self:
        """Take up what an earlier fit learnt."""
        super().load(state, device=device)
        assert isinstance(self._rows, SparseRows)
        self._vectors = self._rows.matrix.T.tocsr()
        none = np.zeros((len(state["base"]), 0), np.float32)
        self._embeddings = tensor(state.get("embeddings", none), device)
        self._widths = np.array(state.get("widths", [self._embeddings.shape[1], 0]))
        return self


def _weight(config: Any, kind: str) -> float:
    """How much this field of Features counts."""
    weights: dict[str, float] = {
        "categorical": config.attribute_weight,
        "multi_hot": config.attribute_weight,
        "text": config.text_weight,
        "numeric": config.number_weight,
        "text_embedding": config.text_embedding_weight,
        "image_embedding": config.image_embedding_weight,
    }
    return weights[kind]


def _vectors(features: Features | None, config: Any) -> tuple[sparse.csr_matrix, Floats, Ints]:
    """The items' vectors, float32, of length 1, or 0 where nothing is known.

    In two parts: what is sparse (I, F), and the embeddings (I, D); then how many columns of D each
    kind in EMBEDDINGS has.
    """
    words, dense = _weighted(features, config)
    widths = np.array([dense[kind].shape[1] if kind in dense else 0 for kind in EMBEDDINGS])
    return *_of_length_one(
        words, np.hstack([np.zeros((words.shape[0], 0)), *dense.values()])
    ), widths


def _weighted(
    features: Features | None, config: Any, learnt: int | None = None
) -> tuple[sparse.csr_matrix, dict[str, Array]]:
    """The blocks times the roots of their weights: what is sparse, and the embeddings by kind.

    Rarities and tenths are those of the first `learnt` items, or of all.
    """
    makers: dict[str, Callable[[Any], Any]] = {
        "categorical": lambda matrix: _rarity_weighted(matrix, learnt),
        "multi_hot": lambda matrix: _rarity_weighted(matrix, learnt),
        "text": sparse.csr_matrix,
        "numeric": lambda numbers: _bands(numbers, learnt),
        "text_embedding": _whitened,
        "image_embedding": _whitened,
    }
    blocks = dict(features.blocks()) if features else {}
    if not blocks:
        raise BadInput(
            "content compares items by their attributes, and this dataset has none: "
            "ingest it with a file of items, or choose another model"
        )
    by_kind = {}
    for name, block in blocks.items():
        if weight := _weight(config, name):
            by_kind[name] = np.sqrt(weight) * unit_rows(makers[name](block.matrix))
    if not by_kind:
        raise BadInput(
            f"content has weight 0 for all that is known of the items ({', '.join(blocks)}): "
            "give one of them a weight above 0"
        )
    n_items = next(iter(by_kind.values())).shape[0]
    words = [matrix for kind, matrix in by_kind.items() if kind not in EMBEDDINGS]
    stacked = sparse.hstack([sparse.csr_matrix((n_items, 0)), *words], format="csr")
    return stacked, {kind: by_kind[kind] for kind in EMBEDDINGS if kind in by_kind}


def _of_length_one(words: sparse.csr_matrix, dense: Array) -> tuple[sparse.csr_matrix, Floats]:
    """Rows (I, F) and (I, D) side by side, of length 1, float32."""
    whole = np.hypot(row_lengths(words), row_lengths(dense))
    scale = sparse.diags(1 / np.where(whole > 0, whole, 1))
    words = sparse.csr_matrix(scale @ words, dtype=np.float32)
    return words, (scale @ dense).astype(np.float32)


def _whitened(embeddings: Array) -> Floats:
    return np.nan_to_num(whitened(embeddings))


def _rarity_weighted(matrix: Any, learnt: int | None) -> sparse.csr_matrix:
    """Each 0/1 column times ln(1 + I / items that have it)."""
    matrix = sparse.csr_matrix(matrix, dtype=np.float64)
    first = matrix[:learnt]
    having = np.bincount(first.indices, minlength=matrix.shape[1])
    return matrix @ sparse.diags(np.log1p(first.shape[0] / np.maximum(having, 1)))


def _bands(numbers: Array, learnt: int | None) -> sparse.csr_matrix:
    """Which tenth of the catalogue each number lies in, 0/1 (I, F · BANDS); no tenth if missing."""
    columns = []
    for column in np.asarray(numbers, np.float64).T:
        present = np.flatnonzero(np.isfinite(column))
        first = column[:learnt]
        first = first[np.isfinite(first)]
        edges = np.quantile(first, np.arange(1, BANDS) / BANDS) if len(first) else []
        band = np.searchsorted(edges, column[present], side="right")
        ones = np.ones(len(present))
        columns.append(sparse.csr_matrix((ones, (present, band)), shape=(len(column), BANDS)))
    return sparse.hstack(columns, format="csr")
