"""How sure a mean is: bootstrap over users, jackknife for the catalogue, paired sign flips."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from core.evaluate.metrics import Values
from core.types import Array, Floats

RESAMPLES = 1000
FLIPS = 9999
LEVEL = 0.95
GROUPS = 20
BLOCK_VALUES = 2**22  # weights or signs held at once


def resample_weights(
    n: int, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Iterator[Floats]:
    """How often each of n users is drawn in each bootstrap resample, in blocks (r, n).

    The weights of a resample sum to n. One pass serves every metric by a matrix product.
    """
    step = max(1, BLOCK_VALUES // max(1, n))
    for start in range(0, resamples, step):
        r = min(step, resamples - start)
        drawn = rng.integers(n, size=(r, n))
        drawn += np.arange(r)[:, None] * n
        yield np.bincount(drawn.ravel(), minlength=r * n).reshape(r, n).astype(np.float32)


def bootstrap(values: Values, rng: np.random.Generator) -> tuple[Values, Values]:
    """Lower and upper end (M,) of the 95 % percentile interval of each column's mean.

    Users are drawn with replacement, all columns with the same draws. Source: Efron and
    Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 13.

    Args:
        values: A row per user, a column per metric, (n, M), n ≥ 1.
        rng: The source of the draws.
    """
    n, mean = len(values), values.mean(axis=0)
    apart = (values - mean).astype(np.float32)  # from the mean, so that float32 is enough
    drawn = [weights @ apart / n for weights in resample_weights(n, rng)]
    low, high = percentiles(np.concatenate(drawn))
    ends = values.min(axis=0), values.max(axis=0)  # float32's last bits may lie beyond
    return np.clip(mean + low, *ends), np.clip(mean + high, *ends)


def percentiles(drawn: Array) -> tuple[Values, Values]:
    """The ends of the middle 95 % of what was drawn, down the first axis."""
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


def jackknife(statistic: Callable[[Array], float], groups: Array) -> tuple[float, float]:
    """The 95 % interval of a statistic of summed counts, by leaving out one group of users a time.

    For figures of the whole catalogue: resampling with replacement lists fewer different items
    than there are, so a bootstrap interval of coverage would lie below coverage itself. The
    interval is estimate ± 1.96·se, se² = (g − 1)/g · Σ (θ_j − θ̄)². Source: Efron and Tibshirani,
    ch. 11, with groups; Shao and Tu, "The Jackknife and Bootstrap", 1995, §5.

    Args:
        statistic: Counts (I,) → a number.
        groups: Counts of g disjoint groups of users, (g, I).
    """
    total = groups.sum(axis=0)
    estimate = statistic(total)
    if len(groups) < 2:
        return estimate, estimate
    left_out = np.array([statistic(total - group) for group in groups])
    spread = (len(groups) - 1) / len(groups) * ((left_out - left_out.mean()) ** 2).sum()
    half = 1.96 * float(np.sqrt(spread))
    return estimate - half, estimate + half


def sign_flip_p(differences: Values, rng: np.random.Generator) -> Values:
    """Two-sided p (M,) that the mean of each column of paired differences is zero.

    Fisher's randomisation test: were the two runs alike, each user's difference could as well have
    the other sign. p = (1 + flips with a mean at least as far from 0) ÷ (1 + flips), so p is never
    0 and the smallest is .0001. Chosen over Wilcoxon's test because it tests the mean, which is
    what is reported, and because most users' differences are exactly 0, which Wilcoxon's throws
    away. Source: Smucker, Allan and Carterette, CIKM 2007; Phipson and Smyth, SAGMB 9(1), 2010.

    Args:
        differences: A row per user, a column per comparison, (n, M).
        rng: The source of the signs.
    """
    n, total = len(differences), differences.sum(axis=0)
    size = np.abs(differences).sum(axis=0)
    reach = np.abs(total) - 1e-6 * size  # a flip that is as far may differ in float32's last bits
    apart = differences.astype(np.float32)
    extreme = np.zeros(differences.shape[1])
    step = max(1, BLOCK_VALUES // max(1, n))
    for start in range(0, FLIPS, step):
        flips = min(step, FLIPS - start)
        bits = np.frombuffer(rng.bytes(flips * ((n + 7) // 8)), np.uint8).reshape(flips, -1)
        turned = np.unpackbits(bits, axis=1, count=n).astype(np.float32) @ apart
        extreme += (np.abs(total - 2 * turned) >= reach).sum(axis=0)
    return np.asarray((1 + extreme) / (1 + FLIPS))


def holm(p: Values) -> Values:
    """The p values (m,) corrected so that any false alarm among all m is rarer than p.

    Sorted ascending, p_(j) becomes the largest of (m − i + 1)·p_(i) over i ≤ j, at most 1.
    Source: Holm, Scandinavian Journal of Statistics 6(2), 1979.

    >>> holm(np.array([0.01, 0.04, 0.03])).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order])
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected
