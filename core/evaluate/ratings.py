"""How far predicted ratings are from the real ones, where a model predicts them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from core.errors import CoreError
from core.evaluate.intervals import percentiles, resample_weights
from core.evaluate.metrics import Values
from core.types import Array, Holdout, Ints, RatingPredictor

PAIRS = 4096  # (query, item) pairs predicted at once


def rmse(errors: Values, weights: Array | None = None) -> Values:
    """√(Σ w·e² ÷ Σ w) over all ratings alike. 0 or more, in the log's own units; lower is better.

    Source: Herlocker et al., ACM TOIS 22(1), 2004.

    >>> float(rmse(np.array([3.0, -4.0])).round(4))  # √(25 / 2)
    3.5355
    """
    w = np.ones(len(errors)) if weights is None else weights
    return np.asarray(np.sqrt(w @ errors**2 / w.sum(axis=-1)))


def mae(errors: Values, weights: Array | None = None) -> Values:
    """Σ w·|e| ÷ Σ w over all ratings alike. 0 or more, in the log's own units; lower is better.

    Source: Herlocker et al., ACM TOIS 22(1), 2004.

    >>> float(mae(np.array([3.0, -4.0])))  # 7 / 2
    3.5
    """
    w = np.ones(len(errors)) if weights is None else weights
    return np.asarray(w @ np.abs(errors) / w.sum(axis=-1))


def rating_errors(model: RatingPredictor, holdout: Holdout) -> tuple[Values, Ints]:
    """Predicted − real value of every target that has one, (n,), and whose it is, (n,).

    Raises:
        CoreError: a prediction is not a finite number.
    """
    if holdout.values is None:
        return np.empty(0), np.empty(0, np.int64)
    rated = np.flatnonzero(np.isfinite(holdout.values))
    owner = np.repeat(np.arange(len(holdout)), np.diff(holdout.offsets))[rated]
    predicted = np.empty(len(rated))
    for start in range(0, len(rated), PAIRS):
        block = slice(start, start + PAIRS)
        predicted[block] = model.predict(
            holdout.queries[owner[block]], holdout.targets[rated[block]]
        )
    if not np.isfinite(predicted).all():
        raise CoreError("the model predicted a rating that is not a finite number; train it again")
    return predicted - holdout.values[rated], owner


def rating_summary(
    metrics: Mapping[str, Callable[..., Values]],
    errors: Values,
    owner: Ints,
    rng: np.random.Generator,
) -> dict[str, dict[str, float]]:
    """Each metric of errors with its interval (bootstrap over users); empty if nothing is rated."""
    if not len(errors):
        return {}
    users, user = np.unique(owner, return_inverse=True)
    drawn: dict[str, list[Values]] = {name: [] for name in metrics}
    for weights in resample_weights(len(users), rng):
        for name, metric in metrics.items():
            drawn[name].append(metric(errors, weights[:, user]))
    summary = {}
    for name, metric in metrics.items():
        low, high = percentiles(np.concatenate(drawn[name]))
        summary[name] = {"mean": float(metric(errors)), "low": float(low), "high": float(high)}
    return summary
