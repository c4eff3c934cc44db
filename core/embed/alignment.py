"""One space laid on another: what turning and mirroring alone cannot explain is left."""

from __future__ import annotations

import numpy as np

from core.errors import BadInput
from core.types import Array


def align(moving: Array, fixed: Array, *, scaled: bool = False) -> Array:
    """R (D, D) float64: moving @ R lies as near to fixed as turning and mirroring can bring it.

    Orthogonal Procrustes: min ‖moving R - fixed‖, R orthogonal (Schönemann, Psychometrika 31,
    1966), around the origin, so that no cosine among the rows changes. With `scaled`, times the
    number that brings it nearer still. Of rows of length 1 the sum of cosines row by row is the
    greatest that there is.

    Args:
        moving: (N, D); rows of 0 say nothing.
        fixed: (N, D), the same things in the same order.
        scaled: Whether sizes may change too.

    Raises:
        BadInput: the shapes differ.
    """
    x, y = np.asarray(moving, np.float64), np.asarray(fixed, np.float64)
    if x.shape != y.shape or x.ndim != 2:
        raise BadInput(
            f"two spaces are aligned by the same things in equally many numbers, not {x.shape} "
            f"and {y.shape}"
        )
    u, s, vt = np.linalg.svd(x.T @ y)
    size = float(np.square(x).sum()) if scaled else 0.0
    turn: Array = u @ vt
    return turn * (float(s.sum()) / size) if size else turn
