"""Simpler ways to put a history's events in order, which Shapley values must beat."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from core.errors import BadInput
from core.explain import shapley
from core.explain.item_rank import ItemRanks
from core.types import Array, Encoder, Ints, Queries, Recommender

CLUSTERS = 10
ROUNDS = 100  # of k-means, at most


def baselines(
    model: Recommender,
    query: Queries,
    item: int,
    *,
    n_items: int,
    rng: np.random.Generator,
    rows: Any = None,
) -> dict[str, Ints]:
    """Positions of the events (n,), the most important first, by the name of the way.

    - random
    - cosine: of the event's item with the item, by the model's item vectors if it is an Encoder,
      else by `rows`.
    - leave-one-out: how much less the item is lifted above the candidates without it.
    - 10-cluster SHAP: the events in at most 10 clusters of like items (k-means of unit vectors),
      the exact Shapley value of each cluster as a player, which all of its events get.

    Events with equal values come in random order: whoever says nothing of an order may not profit
    from the model's liking for late events. (Two in one cluster are the usual case.)

    Args:
        model: Fitted or loaded.
        query: One history.
        item: Its code.
        n_items: Items in the catalogue.
        rng: Of the random order and of where clusters start.
        rows: A vector per item (I, D), dense or sparse, such as how often it occurs together with
            each other item; only read if the model is no Encoder.

    Raises:
        BadInput: no such item, not one history, or no vectors.
    """
    ranks = ItemRanks(model, query, item, n_items)
    alike = cosine_matrix(_vectors(model, rows), np.append(query.items, item))
    shuffled = rng.permutation(ranks.n)
    groups = clusters(alike[:-1, :-1], CLUSTERS, rng)
    return {
        "random": shuffled,
        "cosine": falling_order(alike[:-1, -1], rng),
        "leave-one-out": falling_order(leave_one_out(ranks), rng),
        "10-cluster SHAP": falling_order(group_values(ranks, groups), rng),
    }


def falling_order(values: Array, rng: np.random.Generator) -> Ints:
    """Positions by falling value, of equal ones in random order."""
    return np.lexsort((rng.random(len(values)), -np.asarray(values)))


def leave_one_out(ranks: ItemRanks) -> Array:
    """How much less the item is lifted above the candidates' mean without each event, (n,)."""
    keep = np.concatenate([np.ones((1, ranks.n), bool), ~np.eye(ranks.n, dtype=bool)])
    lifts = ranks(keep).lifts
    fall: Array = lifts[0] - lifts[1:]
    return fall


def group_values(ranks: ItemRanks, groups: Ints) -> Array:
    """The exact Shapley value of each event's group, (n,); groups (n,) are numbered 0 … G - 1."""
    n = int(groups.max(initial=-1)) + 1
    keep = shapley.coalitions(n)[:, groups]
    values: Array = shapley.from_coalitions(ranks(keep).lifts[:, None])[groups, 0]
    return values


def _vectors(model: Recommender, rows: Any) -> Any:
    if isinstance(model, Encoder):
        return model.encode_items().cpu().numpy()
    if rows is None:
        raise BadInput("this model has no item vectors: give rows, a vector per item")
    return rows


def cosine_matrix(vectors: Any, items: Array) -> Array:
    """Of each two of these items (m, m) float64, from vectors (I, D); 0 where there is nothing."""
    chosen = vectors[items]
    if sparse.issparse(chosen):
        dots = (chosen.astype(np.float64) @ chosen.T).toarray()
    else:
        chosen = np.asarray(chosen, np.float64)
        dots = chosen @ chosen.T
    length = np.sqrt(dots.diagonal())
    length = np.where(length > 0, length, 1.0)
    cosines: Array = dots / np.outer(length, length)
    return cosines


def clusters(alike: Array, most: int, rng: np.random.Generator) -> Ints:
    """Clusters (n,) 0 … of n unit vectors whose dot products are alike (n, n), at most so many.

    Lloyd's k-means from starts that k-means++ draws (Arthur and Vassilvitskii, SODA 2007).
    """
    n = len(alike)
    if not n:
        return np.zeros(0, np.int64)
    size, axes = np.linalg.eigh(alike)
    points = axes * np.sqrt(np.maximum(size, 0))  # whose dot products are the same
    centres = points[[rng.integers(n)]]
    while len(centres) < most:
        away = _squares(points, centres).min(axis=1)
        if away.max() < 1e-9:  # no other points than these
            break
        centres = np.concatenate([centres, points[[rng.choice(n, p=away / away.sum())]]])
    groups = np.full(n, -1)
    for _ in range(ROUNDS):
        last, groups = groups, _squares(points, centres).argmin(axis=1)
        if (groups == last).all():
            break
        for group in np.unique(groups):
            centres[group] = points[groups == group].mean(axis=0)
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)


def _squares(points: Array, centres: Array) -> Array:
    """Squared distance of each point from each centre."""
    squares: Array = ((points[:, None] - centres[None]) ** 2).sum(axis=2)
    return squares
