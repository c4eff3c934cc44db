"""How fast histories should fade, chosen on validation: nothing is fitted anew for it."""

from __future__ import annotations

import time

import numpy as np

from core.models.common.deadline import Deadline
from core.models.common.validation import ValidationQueries
from core.types import Fades, Holdout, Recommender

DECAYS = (0.3, 0.5, 0.7, 0.8, 0.9, 1.0)
ASKED, FEWEST = 1_000, 200  # people at most and at least, whose held-out events decide
TIMED = 32  # of them, by whom it is known how long all take
NUMBERS = 2**24  # of scores at most, all people's, for one decay
SURE = 1.0  # standard errors by which another decay than the model's own must be better


def well_faded(model: Recommender, held_out: Holdout, until: Deadline) -> Recommender:
    """The model with the history_decay of the highest NDCG@10 on validation, or as it is.

    It stays as it is where its decay is part of its fit, where no other is better by more than a
    standard error, paired by person, and where the time is not enough to ask 200 people, or all.

    Args:
        model: Fitted without the validation events.
        held_out: These, of people who have any; so many of them are asked as there is time for.
        until: When it ends.
    """
    if not isinstance(model, Fades) or not len(held_out):
        return model
    some = held_out.queries[:TIMED]
    began = time.perf_counter()
    n_items = model.score(some).shape[1]
    seconds = (time.perf_counter() - began) / len(some)
    affordable = until.left / (seconds * (1 + len(DECAYS)))
    if affordable < min(FEWEST, len(held_out)):
        return model
    n = max(1, int(min(ASKED, NUMBERS // n_items, affordable)))
    asked = ValidationQueries(held_out[np.arange(0, len(held_out), -(-len(held_out) // n))])
    own: float = model.config.history_decay
    gains, best, lead = asked.gains(model.score, len(asked)), model, 0.0
    for decay in sorted({*DECAYS} - {own}, key=lambda decay: abs(decay - own)):
        if until.passed:
            break
        other = model.with_decay(decay)
        more = asked.gains(other.score, len(asked)) - gains
        if more.mean() > max(lead, SURE * more.std() / len(more) ** 0.5):
            best, lead = other, float(more.mean())
    return best
