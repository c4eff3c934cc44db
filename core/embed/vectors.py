"""What a model knows of items and people, as vectors: whole, by part, or from its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse

from core.errors import BadInput
from core.findings import FusionFindings
from core.models.common.linear_history import HistoryLinear
from core.models.content import Content
from core.models.ease import EASE
from core.models.neighbours import ItemKNN
from core.types import (
    Additive,
    Encoder,
    Floats,
    Queries,
    Recommender,
    ReportsFindings,
    Summed,
)

RANK = 64  # columns kept of a linear model's weights
PASSES = 7  # of the randomised SVD: on item_knn's and EASE's weights within 1 % of ARPACK's
AT_ONCE = 4096  # histories encoded at a time
FUSED, VECTORS, ROWS = "fused", "vectors", "rows"


@dataclass(frozen=True, eq=False)
class Vectors:
    """N items or people as vectors of one space, compared by their cosine."""

    values: Floats  # (N, D)
    component: str  # which of the model's spaces this is, as in `components`
    kept: float = 1.0  # of the weights' squared size, what a truncated SVD keeps; 1 without one

    def __len__(self) -> int:
        return len(self.values)


def components(model: Recommender) -> tuple[str, ...]:
    """The spaces that a model has, the usual one first; none for one without vectors.

    `fused` are the items as they are scored, `id` and `content` what those are made from
    (`unified`, `two_tower`); `vectors` those of any other Encoder; `rows` the weights of a linear
    model (`ease`, `item_knn`, `transitions`, `content`, `gfcf`). A fusion has those of its
    components, as NAME and NAME:SPACE, the first component in the order of their weight.
    """
    if fused := _fused_models(model):
        return tuple(
            name if number == 0 else f"{name}:{space}"
            for name, component in fused.items()
            for number, space in enumerate(components(component))
        )
    spaces = []
    if isinstance(model, HistoryLinear) and weights_of(model) is not None:
        spaces.append(ROWS)
    if isinstance(model, Encoder):
        spaces += [FUSED, *model.item_terms()] if isinstance(model, Summed) else [VECTORS]
    return tuple(spaces)


def _fused_models(model: Recommender) -> dict[str, Recommender]:
    """The components of a fusion by name, the weightiest first."""
    fused: dict[str, Recommender] = getattr(model, "components", {})
    if not isinstance(model, Additive) or not fused:
        return fused
    findings = model.findings() if isinstance(model, ReportsFindings) else None
    weighted = findings.components if isinstance(findings, FusionFindings) else ()
    total = {component.name: -sum(component.weights) for component in weighted}
    return {name: fused[name] for name in sorted(fused, key=lambda name: total.get(name, 0.0))}


def item_vectors(
    model: Recommender, component: str = "", *, rank: int = RANK, seed: int = 0
) -> Vectors:
    """The items (I, D) in a space of the model's, the usual one if none is named.

    Of a linear model item a's row of weights, what having taken it says for each item, in `rank`
    numbers: a row of UΣ of its truncated SVD, by scikit-learn's randomized_svd (Halko, Martinsson,
    Tropp, SIAM Review 2011) with 7 power iterations, so that products of vectors are close to those
    of rows. What item_knn and EASE leave out, an item's weight for itself, is that for its nearest.
    Of gfcf the rows are those of its neighbours; its broad tastes are `vectors`.

    Raises:
        BadInput: the model has no vectors, or no such space.
    """
    chosen, space, name = _chosen(model, component)
    if space == ROWS:
        assert isinstance(chosen, HistoryLinear), "it has rows"
        values, kept = _factors(chosen, rank, seed)
        return Vectors(values, name, kept)
    if space in (FUSED, VECTORS):
        assert isinstance(chosen, Encoder), "it has vectors"
        return Vectors(_array(chosen.encode_items()), name)
    assert isinstance(chosen, Summed), "it has terms"
    return Vectors(_array(chosen.item_terms()[space]), name)


def user_vectors(
    model: Recommender,
    queries: Queries,
    component: str = "",
    *,
    rank: int = RANK,
    seed: int = 0,
) -> Vectors:
    """These histories (B, D) in the space of `item_vectors`; 0 for an empty one.

    Of a linear model Σ weight · fading · vector of its events' items.

    Raises:
        BadInput: the model has no vectors, no such space, or one where only items are.
    """
    chosen, space, name = _chosen(model, component)
    if space == ROWS:
        assert isinstance(chosen, HistoryLinear), "it has rows"
        values, kept = _factors(chosen, rank, seed)
        ages = queries.ages
        faded = queries.weights * chosen.fading(int(ages.max(initial=0)) + 1)[ages]
        events = (faded, queries.items, queries.offsets)
        history = sparse.csr_matrix(events, shape=(len(queries), len(values)))
        return Vectors(np.asarray(history @ values, np.float32), name, kept)
    if space not in (FUSED, VECTORS):
        raise BadInput(
            f"{name} is a part of items, and people are not made of it: ask for another component "
            f"of {', '.join(components(model))}"
        )
    assert isinstance(chosen, Encoder), "it has vectors"
    blocks = [
        _array(chosen.encode(queries[start : start + AT_ONCE]))
        for start in range(0, max(1, len(queries)), AT_ONCE)
    ]
    return Vectors(np.concatenate(blocks), name)


def _chosen(model: Recommender, component: str) -> tuple[Recommender, str, str]:
    """The model, or the component of a fusion, the space, and the whole name of both."""
    names = components(model)
    kind = type(model).__name__
    if not names:
        raise BadInput(
            f"{kind} holds no vectors of items: choose a run of a model that has some, such as "
            "als, item_knn or unified"
        )
    name = component or names[0]
    if name not in names:
        raise BadInput(f"{kind} has no component {component!r}: it has {', '.join(names)}")
    if fused := _fused_models(model):
        head, _, space = name.partition(":")
        chosen = fused[head]
        return chosen, space or components(chosen)[0], name
    return model, name, name


def weights_of(model: HistoryLinear) -> Any:
    """What each item of a history says, for each item (I, I) or feature (I, F); or None."""
    state = model.state()
    if "weights" in state:
        return state["weights"]
    if "data" not in state:
        return None
    n_items, n_rows = len(state["base"]), len(state["indptr"]) - 1
    entries = (state["data"], state["indices"], state["indptr"])
    matrix = sparse.csr_matrix(entries, shape=(n_rows, n_items))
    if not isinstance(model, Content):
        return matrix
    embeddings = state.get("embeddings", np.zeros((n_items, 0), np.float32))
    return sparse.hstack([matrix.T, sparse.csr_matrix(embeddings)], format="csr")


def _with_itself(model: HistoryLinear) -> Any:
    """The weights, each item to itself as near as to its nearest where the model leaves that out.

    Those of item_knn and EASE are 0 from an item to itself, so that a history does not recommend
    itself. Of two items that the same people take, each would lack what the other has most of: the
    nearest would come last.
    """
    weights = weights_of(model)
    if not isinstance(model, ItemKNN | EASE):
        return weights
    if not sparse.issparse(weights):
        whole = np.array(weights)
        np.fill_diagonal(whole, whole.max(axis=1, initial=0))
        return whole
    largest = np.asarray(weights.max(axis=1).todense()).ravel()
    return sparse.csr_matrix(weights + sparse.diags(largest))


def _factors(model: HistoryLinear, rank: int, seed: int) -> tuple[Floats, float]:
    """UΣ (I, rank) of the model's weights, and the share of their squares that it keeps."""
    from sklearn.utils.extmath import randomized_svd  # a second to load, for linear models alone

    weights = _with_itself(model)
    data = weights.data if sparse.issparse(weights) else weights
    whole = float(np.square(data, dtype=np.float64).sum())
    n = min(rank, *weights.shape)
    u, s, _ = randomized_svd(weights, n, n_iter=PASSES, random_state=seed)
    values = np.asarray(u * s, np.float32)
    return _signed(values), min(1.0, float(np.square(s, dtype=np.float64).sum()) / (whole or 1.0))


def _signed(values: Floats) -> Floats:
    """Each column so that its largest entry is positive: the same whichever way it was found."""
    largest = values[np.abs(values).argmax(axis=0), np.arange(values.shape[1])]
    return values * np.where(largest < 0, -1, 1).astype(np.float32)


def _array(values: torch.Tensor) -> Floats:
    array: Floats = values.detach().float().cpu().numpy()
    return array
