"""Which of a list's items are there for the same reason."""

from __future__ import annotations

import numpy as np

from core.explain.explanation import Explanation
from core.types import PAD, Ints


def strongest_events(explanation: Explanation) -> Ints:
    """The player, an event, that speaks loudest for each item, (T,); PAD where none surely does.

    The largest value that is positive and more than two standard errors from 0; of equal ones the
    oldest.
    """
    speaking = np.where(explanation.sure & (explanation.values > 0), explanation.values, 0.0)
    if not len(speaking):
        return np.full(len(explanation.items), PAD)
    return np.where(speaking.max(axis=0) > 0, speaking.argmax(axis=0), PAD)


def same_cause(explanation: Explanation, column: int) -> Ints:
    """Codes of the other explained items whose loudest event is the same, the strongest pull first.

    None where no event surely speaks for the item in this column of the values.
    """
    events = strongest_events(explanation)
    event = events[column]
    if event == PAD:
        return np.zeros(0, np.int64)
    others = np.flatnonzero(events == event)
    others = others[others != column]
    order = np.argsort(-explanation.values[event, others], kind="stable")
    items: Ints = explanation.items[others[order]]
    return items
