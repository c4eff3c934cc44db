"""Is one run really better than another? Paired, user by user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import BadInput, NotFound
from core.evaluate.intervals import bootstrap, holm, sign_flip_p
from core.types import Array


@dataclass(frozen=True)
class Comparison:
    """One run against the baseline in one metric, over the same users."""

    run: str
    metric: str
    users: int
    baseline_mean: float
    mean: float
    difference: float  # mean − baseline_mean
    low: float  # 95 % bootstrap interval of the difference
    high: float
    p: float  # two-sided, sign-flip test
    p_holm: float  # the same, corrected for all rows of this comparison


def compare(
    per_user: Mapping[str, Mapping[str, Array]],
    baseline: str,
    *,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
) -> list[Comparison]:
    """Every other run against the baseline in every metric that both have.

    Every row counts as a comparison made in Holm's correction, so ask only for the metrics that
    matter. Runs are compared on the same users in the same order: entry b of every array is one
    user's.

    Args:
        per_user: Run → metric → one value per user, (n,).
        baseline: The run that the others are held against.
        metrics: Only these; all if not given.
        seed: Of the random draws.

    Raises:
        NotFound: the baseline or a metric is not among the runs.
        BadInput: runs of different lengths, or no users.
    """
    if baseline not in per_user:
        raise NotFound(f"no run {baseline!r} to compare with; there are {', '.join(per_user)}")
    base = per_user[baseline]
    pairs = [
        (run, metric)
        for run, values in per_user.items()
        if run != baseline
        for metric in ([m for m in base if m in values] if metrics is None else metrics)
    ]
    if not pairs:
        return []
    columns = _columns(per_user, pairs + [(baseline, metric) for _, metric in pairs])
    new, old = columns[:, : len(pairs)], columns[:, len(pairs) :]
    differences = new - old
    rng = np.random.default_rng(seed)
    low, high = bootstrap(differences, rng)
    p = sign_flip_p(differences, rng)
    corrected = holm(p)
    return [
        Comparison(
            run=run,
            metric=metric,
            users=len(new),
            baseline_mean=float(old[:, j].mean()),
            mean=float(new[:, j].mean()),
            difference=float(differences[:, j].mean()),
            low=float(low[j]),
            high=float(high[j]),
            p=float(p[j]),
            p_holm=float(corrected[j]),
        )
        for j, (run, metric) in enumerate(pairs)
    ]


def _columns(
    per_user: Mapping[str, Mapping[str, Array]], pairs: Sequence[tuple[str, str]]
) -> Array:
    """The values of these (run, metric) pairs side by side, (n, M)."""
    for run, metric in pairs:
        if metric not in per_user[run]:
            raise NotFound(
                f"run {run!r} has no metric {metric!r}; it has {', '.join(per_user[run])}"
            )
    columns = [np.asarray(per_user[run][metric], np.float64) for run, metric in pairs]
    lengths = sorted({len(column) for column in columns})
    if len(lengths) > 1:
        raise BadInput(
            f"the runs were evaluated on {lengths[0]} and on {lengths[-1]} users: "
            "compare runs of the same dataset and split"
        )
    if lengths == [0]:
        raise BadInput("the runs have no users in common: compare runs of the same dataset")
    return np.column_stack(columns)
