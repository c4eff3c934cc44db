"""Which points a polygon surrounds, as the browser reckons it."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.errors import BadInput
from core.types import Array, Floats

MOST_CORNERS = 500


def inside(polygon: Any, x: Floats, y: Floats) -> Array:
    """Which points (N,) a polygon surrounds, by the even-odd rule, as the browser reckons it.

    Args:
        polygon: [[x, y], …] from a browser, not to be trusted.
        x: (N,)
        y: (N,)

    Raises:
        BadInput: this is no polygon.
    """
    try:
        corners = np.array(polygon, np.float64)
    except (TypeError, ValueError):
        corners = np.empty(0)
    if corners.ndim != 2 or corners.shape[1] != 2 or not 3 <= len(corners) <= MOST_CORNERS:
        raise BadInput(f"a selection is 3 to {MOST_CORNERS} corners of two numbers each")
    if not np.isfinite(corners).all():
        raise BadInput("a selection's corners must be finite numbers")
    (left, low), (right, high) = corners.min(axis=0), corners.max(axis=0)
    near = np.flatnonzero((x >= left) & (x <= right) & (y >= low) & (y <= high))
    surrounded = np.zeros(len(x), bool)
    surrounded[near] = _odd(corners, x[near].astype(np.float64), y[near].astype(np.float64))
    return surrounded


def _odd(corners: Array, x: Array, y: Array) -> Array:
    """Whether a ray from each point crosses an odd number of edges, (N,).

    Between two neighbouring heights of corners all points cross the same few edges.
    """
    heights, rank = np.unique(corners[:, 1], return_inverse=True)
    band = np.searchsorted(heights, y, side="right").astype(np.uint16)  # ranks below it are below
    order = np.argsort(band, kind="stable")
    starts = np.searchsorted(band[order], np.arange(len(heights) + 2))
    ends = np.stack([rank, np.roll(rank, 1)])
    x, y, odd = x[order], y[order], np.zeros(len(x), bool)
    for height in range(1, len(heights)):
        rows = slice(starts[height], starts[height + 1])
        for i in np.flatnonzero((ends[0] >= height) != (ends[1] >= height)).tolist():
            (xi, yi), (xj, yj) = corners[i], corners[i - 1]
            odd[rows] ^= x[rows] < (xj - xi) * (y[rows] - yi) / (yj - yi) + xi
    unsorted = np.empty_like(odd)
    unsorted[order] = odd
    return unsorted
