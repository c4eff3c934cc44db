"""How fast histories should fade, chosen on validation: nothing is fitted anew for it."""

from __future__ import annotations

from core.models.common.deadline import Deadline
from core.models.common.validation import ValidationQueries
from core.types import Fades, Recommender

DECAYS = (0.3, 0.5, 0.7, 0.8, 0.9, 1.0)
ASKED = 1_000  # people at most, whose held-out events decide
NUMBERS = 2**24  # of scores at most, all people's, for one decay
SURE = 1.0  # standard errors by which another decay than the model's own must be better


def well_faded(model: Recommender, asked: ValidationQueries, until: Deadline) -> Recommender:
    """The model with the history_decay of the highest NDCG@10 on validation, or as it is.

    It stays as it is where its decay is part of its fit, and where no other is better by more than
    a standard error, paired by person. Those near its own are tried first, until the time is over.
    """
    if not isinstance(model, Fades):
        return model
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
