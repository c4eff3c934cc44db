"""Many parts of one history as a tree: what begins alike is made once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from core.models.common.tensors import tensor
from core.types import Array, Ints


class PrefixTree(NamedTuple):
    """B parts of a history of E events, which have N beginnings that differ, all ends included.

    A beginning is an event of a part with all events of that part before it: all that a causal
    network knows there. Which part of those that begin so is named does not matter.
    """

    rows: Ints  # (B,) which of all parts these are
    events: Tensor  # (N,) the last event of each beginning
    parts: Tensor  # (N,) a part, 0 … B - 1, that begins so
    ranks: Tensor  # (N,) how many events of the part came before it
    order: Tensor  # (B, E) int32, the same of each event of each part; E of those it leaves out
    paths: Tensor  # (B, L) the beginnings of each part from short to long, 0 behind the last
    last: Tensor  # (B,) the longest of each: the part itself


def prefix_tree(keep: Array, most: int, device: torch.device) -> Iterator[PrefixTree]:
    """All parts keep (M, E) of a history that are not empty, about `most` beginnings at a time.

    In the order of words in a dictionary, so that each part begins like the one before it for as
    long as like any other.
    """
    rows = np.flatnonzero(keep.any(axis=1))
    if not len(rows):
        return
    rows = rows[np.lexsort(keep[rows].T[::-1])]
    fresh = _fresh(keep[rows]).sum(axis=1)
    ends = np.searchsorted(np.cumsum(fresh), np.arange(most, fresh.sum(), most))
    for chosen in np.split(rows, np.unique(ends[(ends > 0) & (ends < len(rows))])):
        yield _of(keep[chosen], chosen, device)


def _of(keep: Array, rows: Ints, device: torch.device) -> PrefixTree:
    n = keep.shape[1]
    fresh = _fresh(keep)
    number = np.zeros(keep.shape, np.int64)
    number[fresh] = np.arange(fresh.sum())
    number = np.maximum.accumulate(number, axis=0)  # else the one of the part before
    order = np.where(keep, keep.cumsum(axis=1, dtype=np.int32) - 1, np.int32(n))
    parts, events = np.nonzero(fresh)
    lengths = keep.sum(axis=1)
    places = np.argsort(~keep, axis=1, kind="stable")[:, : lengths.max()]
    paths = np.take_along_axis(number, places, axis=1)
    last = np.take_along_axis(paths, lengths[:, None] - 1, axis=1)[:, 0]
    paths[np.arange(paths.shape[1]) >= lengths[:, None]] = 0
    arrays = (events, parts, order[parts, events], order, paths, last)
    return PrefixTree(rows, *(tensor(array, device) for array in arrays))


def _fresh(keep: Array) -> Array:
    """Which events of each part (B, E) the one before it does not begin alike up to."""
    differs = keep[1:] != keep[:-1]
    alike = np.where(differs.any(axis=1), differs.argmax(axis=1), keep.shape[1])
    fresh: Array = keep & (np.arange(keep.shape[1]) >= np.append(0, alike)[:, None])
    return fresh
