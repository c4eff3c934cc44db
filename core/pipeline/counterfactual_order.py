"""In which order events are tried when an item is to leave the list."""

from __future__ import annotations

import numpy as np

from core.explain import Explanation
from core.types import Ints


def removal_order(explanation: Explanation, column: int) -> Ints:
    """The events (E,), what speaks most for the item in this column of the values first.

    The events of a player share what it is worth.
    """
    sizes = np.bincount(explanation.players, minlength=len(explanation.values))
    shares = explanation.values[:, column] / np.maximum(sizes, 1)
    order: Ints = np.argsort(-shares[explanation.players], kind="stable")
    return order
