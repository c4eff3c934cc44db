"""A run's items along the three directions in which their vectors differ most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.types import Floats
from dashboard.map.placement import PlacedItems

DRAWN = 50_000  # items, the most popular; each is sent with its name


@dataclass(frozen=True, eq=False)
class ThreeAxes:
    """N items in three axes, the most popular first."""

    places: Floats  # (N, 3); 0 along axes that the vectors do not have
    share: float  # of the vectors' variance, what these axes show; 0 … 1


def three_axes(placed: PlacedItems) -> ThreeAxes:
    """The items of a map in three axes instead of two."""
    from core.embed import PCA

    vectors = placed.near.vectors.values
    axes = PCA.fit(vectors, min(3, vectors.shape[1]))
    places = np.zeros((len(placed.codes), 3), np.float32)
    places[:, : axes.axes.shape[1]] = axes.place(vectors)[placed.codes]
    return ThreeAxes(places, axes.share)
