"""The small world of the models' tests, and points that lie in clumps."""

from __future__ import annotations

import numpy as np
import pytest

from tests.models.conftest import features, log, queries, world

__all__ = ["features", "log", "queries", "world"]


@pytest.fixture
def clumps() -> tuple[np.ndarray, np.ndarray]:
    """Points (300, 16) float32, and which of six clumps each is in."""
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(6), [20, 30, 40, 50, 70, 90])
    centres = rng.standard_normal((6, 16)) * 2
    points = centres[labels] + rng.standard_normal((300, 16)) * 0.5
    return points.astype(np.float32), labels
