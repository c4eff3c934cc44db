"""Which items are like one item: by the model's vectors, by content, and by who took both."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import sparse

from core.attributes import attributes, categories, traits
from core.types import Array, Ints
from dashboard.maps import Placed

ASKED = 400  # items whose neighbours say how much the map knows of an attribute
NEAR = 10  # neighbours of each


def by_vectors(placed: Placed, row: int, k: int) -> pd.DataFrame:
    """row, similarity: the k items of highest cosine, -1 … 1, the nearest first."""
    lengths = np.linalg.norm(placed.vectors, axis=1)
    own = placed.vectors[row] / (lengths[row] or 1)
    cosines = (placed.vectors @ own) / np.where(lengths > 0, lengths, 1)
    return _best(cosines, row, k, least=-np.inf)


def by_content(placed: Placed, row: int, k: int) -> pd.DataFrame | None:
    """The same by shared categories (words where there are none); None where nothing is known."""
    rows = traits(placed.ready.dataset.item_features)
    if rows is None:
        return None
    cosines = np.asarray((rows @ rows[[placed.codes[row]]].T).todense()).ravel()[placed.codes]
    return _best(cosines, row, k, least=0)


def by_people(placed: Placed, row: int, k: int) -> pd.DataFrame:
    """The same by who took both: people with both / √(those with one · those with the other)."""
    log = placed.ready.dataset.interactions
    pairs = (np.ones(len(log)), (log.items, log.users))
    took = sparse.csr_matrix(pairs, shape=(log.n_items, log.n_users))
    took.data[:] = 1
    both = np.asarray((took @ took[[placed.codes[row]]].T).todense()).ravel()
    people = np.diff(took.indptr)
    scale = np.sqrt(people * float(people[placed.codes[row]]))
    cosines = np.divide(both, scale, out=np.zeros(len(both)), where=scale > 0)
    return _best(cosines[placed.codes], row, k, least=0)


def _best(cosines: Array, row: int, k: int, *, least: float) -> pd.DataFrame:
    cosines = np.array(cosines, np.float64)
    cosines[row] = -np.inf
    near = np.argsort(-cosines, kind="stable")[:k]
    near = near[cosines[near] > least]
    return pd.DataFrame({"row": near, "similarity": cosines[near]})


def shared(placed: Placed) -> tuple[str, float, float] | None:
    """How often neighbours have a value of an attribute in common, and how often any two items do.

    The attribute is the one that most items have. Of ASKED items spread over the catalogue, each
    with its NEAR nearest by cosine; both shares are 0 … 1. None without categories.
    """
    block = categories(placed.ready.dataset.item_features)
    if block is None:
        return None
    known = {
        name: sparse.csr_matrix(block.matrix[:, columns])[placed.codes]
        for name, columns in attributes(block.names).items()
        if len(columns) > 1
    }
    if not known:
        return None
    name = max(known, key=lambda one: int((np.diff(known[one].indptr) > 0).sum()))
    values = known[name]
    has = np.flatnonzero(np.diff(values.indptr) > 0)
    asked = has[np.linspace(0, len(has) - 1, min(ASKED, len(has))).astype(int)]
    common = np.asarray((values[asked] @ values[has].T).todense()) > 0
    return name, *_rates(placed, asked, has, common)


def _rates(placed: Placed, asked: Ints, has: Ints, common: Array) -> tuple[float, float]:
    unit = placed.vectors[has]
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    places = np.searchsorted(has, asked)
    cosines = unit[places] @ unit.T
    rows = np.arange(len(asked))
    cosines[rows, places] = -np.inf
    common[rows, places] = False
    k = min(NEAR, len(has) - 1)
    if k < 1:
        return 0.0, 0.0
    near = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
    chance = common.sum() / (len(asked) * (len(has) - 1))
    return float(np.take_along_axis(common, near, axis=1).mean()), float(chance)


def contrast(placed: Placed, chosen: Array) -> pd.DataFrame:
    """value, selected, rest, lift: categories that the chosen items have more often than the rest.

    Shares are 0 … 1; those that stand out most come first, by (share - share of the rest) / its
    standard error, so that one rare value among few items does not lead.
    """
    block = categories(placed.ready.dataset.item_features)
    if block is None or not chosen.any() or chosen.all():
        return pd.DataFrame(columns=["value", "selected", "rest", "lift"])
    matrix = sparse.csr_matrix(block.matrix)[placed.codes]
    matrix.data[:] = 1
    here, there = int(chosen.sum()), int((~chosen).sum())
    a = np.asarray(matrix[np.flatnonzero(chosen)].sum(axis=0)).ravel() / here
    b = np.asarray(matrix[np.flatnonzero(~chosen)].sum(axis=0)).ravel() / there
    whole = (a * here + b * there) / (here + there)
    error = np.sqrt(whole * (1 - whole) * (1 / here + 1 / there))
    stands_out = np.divide(a - b, error, out=np.zeros_like(a), where=error > 0)
    order = [i for i in np.argsort(-stands_out, kind="stable") if stands_out[i] > 0]
    with np.errstate(divide="ignore"):
        frame = {"value": list(block.names), "selected": a, "rest": b, "lift": a / b}
    return pd.DataFrame(frame).iloc[order].reset_index(drop=True)
