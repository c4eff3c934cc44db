"""Why this item: a value for each of the parts that it is made of, its id and its attributes.

What a model hears of an item are its id, its attributes, its texts and images. Of the people it
hears nothing but what they do: no model in MODELS reads an attribute of a user to score items, so
there is none to explain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import BadInput, CoreError
from core.explain import shapley
from core.explain.explanation import GAP
from core.explain.history import one_history
from core.recommend.top_k import score_blocks
from core.types import Array, Composed, Features, ItemPart, Queries, Recommender

REST = ItemPart("rest", "")  # several small ones as one


@dataclass(frozen=True, eq=False)
class ItemPartValues:
    """base + Σ values = score for one item, or it does not exist.

    `values` are Shapley values of the game v(S) = the model's raw score of the item for this
    history, were the item made of the parts S alone. The history's items keep all of their parts,
    and so do the other items, so that the values are the same of the score less the mean of all.
    (Of its share of all they would differ little: only its own part of the sum changes.)
    `base` is v(∅), what an item would get of which nothing is known, not even which one it is.

    Raises:
        CoreError: the values do not add up to within 1e-5 · max(1, |score|).
    """

    item: int
    parts: tuple[ItemPart, ...]  # P; of more than 12 the smallest are one, REST
    values: Array  # (P,) float64
    base: float
    score: float  # the model's own
    evaluations: int  # items of some parts that the model was asked for
    rest: tuple[ItemPart, ...] = ()  # what REST stands for

    def __post_init__(self) -> None:
        if not self.gap <= GAP * max(1, abs(self.score)):
            raise CoreError(
                f"the parts of item {self.item} do not add up: base and values miss the score "
                f"{self.score:.6g} by {self.gap:.3g}; this is a fault of the model or of Recscope"
            )

    @property
    def gap(self) -> float:
        """|base + Σ values - score|."""
        return float(abs(self.base + self.values.sum() - self.score))

    def to_json(self) -> dict[str, Any]:
        """{base, parts: [{kind, name, value}], gap, evaluations}."""
        pairs = zip(self.parts, self.values.tolist(), strict=True)
        parts = [{"kind": part.kind, "name": part.name, "value": value} for part, value in pairs]
        counts = {"gap": self.gap, "evaluations": self.evaluations}
        return {"base": self.base, "parts": parts, **counts}


def readable_parts(model: Recommender, features: Features | None) -> tuple[ItemPart, ...]:
    """The parts that this model's items are made of; none if it knows items as wholes.

    Raises:
        BadInput: the features are not those that the model learnt from.
    """
    return model.parts(features) if isinstance(model, Composed) else ()


def explain_parts(
    model: Recommender, query: Queries, item: int, features: Features | None, *, n_items: int
) -> ItemPartValues:
    """Why the model scores this item as it does for this history, by what the item is made of.

    Exact, by all coalitions of at most 12 parts; of more, those that matter least alone and last
    are one. Where the history is empty no part may matter, and all values are 0.

    Args:
        model: Fitted or loaded.
        query: One history. Of whom it is plays no part.
        item: Code of the item.
        features: The items' attributes, as the model was given them; embeddings may be missing.
        n_items: Items in the catalogue.

    Raises:
        BadInput: no such item, not one history, other features, or items have no parts here.
        CoreError: the values do not add up.
    """
    query = one_history(query)
    if not 0 <= item < n_items:
        raise BadInput(f"item must be a code in 0 … {n_items - 1}, not {item}")
    parts = readable_parts(model, features)
    if not parts or not isinstance(model, Composed):
        raise BadInput(
            f"a {type(model).__name__} model knows items by who took them, not by what they are "
            "made of: there are no parts to explain"
        )
    score = float(next(score_blocks(model, query, n_items))[1][0, item])

    def v(keep: Array) -> Array:
        return model.score_of_parts(query, item, features, keep)

    kept, rest, evaluations = _few(v, parts)
    groups = [*([part] for part in kept), *([rest] if rest else [])]
    coalitions = shapley.coalitions(len(groups))
    keep = np.zeros((len(coalitions), len(parts)), bool)
    for group, there in zip(groups, coalitions.T, strict=True):
        keep[:, group] = there[:, None]
    values = v(keep)
    return ItemPartValues(
        item=item,
        parts=(*(parts[part] for part in kept), *((REST,) if rest else ())),
        values=shapley.from_coalitions(values[:, None] - values[0])[:, 0],
        base=float(values[0]),
        score=score,
        evaluations=evaluations + len(keep),
        rest=tuple(parts[part] for part in rest),
    )


def _few(
    v: Callable[[Array], Array], parts: tuple[ItemPart, ...]
) -> tuple[list[int], list[int], int]:
    """Positions of at most 11 parts and of the others, in order; and how many evaluations.

    A part's size is what it adds when it comes first and when it comes last, each as a distance.
    """
    n = len(parts)
    if n <= shapley.MOST_ENUMERATED:
        return list(range(n)), [], 0
    alone = np.eye(n, dtype=bool)
    ends = np.stack([np.zeros(n, bool), np.ones(n, bool)])
    values = v(np.concatenate([ends, alone, ~alone]))
    size = np.abs(values[2 : n + 2] - values[0]) + np.abs(values[1] - values[n + 2 :])
    order = np.argsort(-size, kind="stable")
    most = shapley.MOST_ENUMERATED - 1
    return sorted(order[:most].tolist()), sorted(order[most:].tolist()), len(values)
