"""Are these vectors sound? What a trainer looks for first, each with a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from core.embed.neighbours import Exact, nearest, unit
from core.embed.pca import PCA
from core.types import Array, Ints

OK, WARN, BAD = "ok", "warn", "bad"
SAMPLE = 2000  # vectors whose neighbours are looked at
TWIN = 1 - 1e-6  # cosine from where two vectors are one
DEAD = 1e-4  # of the mean variance
NEAR = 10
# Each figure's bounds: from the first on it warns, from the second on it is bad.
BOUNDS = {
    "popularity": (0.5, 0.8),  # |Spearman| of length and popularity
    "twins": (0.01, 0.1),  # share of vectors that have an equal
    "zeros": (0.001, 0.05),  # share of vectors that are 0
    "narrow": (0.5, 0.9),  # mean cosine of two vectors
    "flat": (0.75, 0.9),  # 1 - effective rank / dimensions
    "dead": (1e-9, 0.25),  # share of dimensions without variance
    "cold": (0.5, 0.9),  # how far above chance cold things are among themselves
}


SENTENCES: Mapping[str, str] = {
    "zeros.none": "No vector is 0.",
    "zeros.some": "{zeros:,.0f} vectors of {vectors:,.0f} are 0: nothing was learnt of those.",
    "twins.none": "No two vectors are equal.",
    "twins.some": "{share:.1%} of the vectors have an equal: the model cannot tell those apart.",
    "narrow.ok": "Two vectors have cosine {mean:.2f} on average: they use the space.",
    "narrow.warn": "Two vectors have cosine {mean:.2f} on average: they lean one way, and cosines "
    "look higher than they mean.",
    "narrow.bad": "Two vectors have cosine {mean:.2f} on average: they have nearly collapsed into "
    "one direction.",
    "flat.ok": "The vectors fill {rank:.1f} of {dimensions:.0f} dimensions.",
    "flat.warn": "The vectors fill {rank:.1f} of {dimensions:.0f} dimensions: fewer would do.",
    "flat.bad": "The vectors fill {rank:.1f} of {dimensions:.0f} dimensions: they have nearly "
    "collapsed.",
    "dead.none": "No dimension is dead.",
    "dead.some": "{dead:.0f} of {dimensions:.0f} dimensions are the same for all.",
    "popularity.unit": "All vectors are of one length, so it says nothing of popularity.",
    "popularity.ok": "Length and popularity have rank correlation {spearman:.2f}: length says "
    "little of popularity.",
    "popularity.warn": "Length and popularity have rank correlation {spearman:.2f}: length partly "
    "says how popular a thing is.",
    "popularity.bad": "Length and popularity have rank correlation {spearman:.2f}: length is "
    "popularity in the main, so compare by cosine, not by product.",
    "cold.ok": "{cold:,.0f} were never taken: they lie among the others (cosine {to_warm:.2f} to "
    "the nearest that was, {usual:.2f} is usual).",
    "cold.warn": "{cold:,.0f} were never taken: they partly keep to themselves (cosine "
    "{to_warm:.2f} to the nearest that was, {usual:.2f} is usual).",
    "cold.bad": "{cold:,.0f} were never taken: they lie on an island of their own (cosine "
    "{to_warm:.2f} to the nearest that was, {usual:.2f} is usual).",
    "cold.none": "{cold:,.0f} were never taken, and have no vectors.",
    "drift.settled": "From epoch {before:.0f} to {after:.0f} a vector kept {overlap:.0%} of its "
    "{near:.0f} nearest and turned to cosine {cosine:.2f}: they have settled.",
    "drift.settling": "From epoch {before:.0f} to {after:.0f} a vector kept {overlap:.0%} of its "
    "{near:.0f} nearest and turned to cosine {cosine:.2f}: they were settling, as is usual where "
    "validation ends the training.",
    "drift.moving": "From epoch {before:.0f} to {after:.0f} a vector kept {overlap:.0%} of its "
    "{near:.0f} nearest and turned to cosine {cosine:.2f}: they were still moving; a "
    "longer training may give other neighbours.",
    "drift.collapsed": "From epoch {before:.0f} to {after:.0f} the vectors fell together: they "
    "fill {now:.1f} directions, where they had filled {was:.1f}.",
}


@dataclass(frozen=True, eq=False)
class Finding:
    """One thing that was looked at: a key and numbers, which a page can say in any language."""

    key: str  # what was looked at, and what was found: "narrow.bad"
    severity: str  # ok, warn or bad
    numbers: Mapping[str, float]
    rows: Ints = field(default_factory=lambda: np.zeros(0, np.int64))  # of the vectors concerned

    @property
    def name(self) -> str:
        """What was looked at."""
        return self.key.partition(".")[0]

    @property
    def sentence(self) -> str:
        """The finding in English."""
        return SENTENCES[self.key].format(**self.numbers)

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "severity": self.severity,
            "numbers": dict(self.numbers),
            "sentence": self.sentence,
        }


def diagnosis(vectors: Array, taken: Array | None = None, *, seed: int = 0) -> tuple[Finding, ...]:
    """What there is to say about vectors (N, D); O(2,000 · N · D).

    Args:
        vectors: At least two.
        taken: How often each was taken where the model learnt, (N,): popularity, and 0 for cold
            things. Without it both are left out.
        seed: Of the sample whose neighbours are looked at.
    """
    vectors = np.asarray(vectors, np.float32)
    table = unit(vectors)
    there = np.flatnonzero(table.any(axis=1))
    findings = [_zeros(table, there)]
    if len(there) < 3:
        return tuple(findings)
    random = np.random.default_rng(seed)
    findings += [_twins(table, there, random), _narrow(table[there]), _flat(table[there])]
    findings.append(_dead(vectors))
    if taken is not None:
        taken = np.asarray(taken)
        findings.append(_popularity(vectors, taken))
        if (cold := np.flatnonzero(taken == 0)).size and len(cold) < len(vectors) - NEAR:
            findings.append(_cold(table, cold, random))
    return tuple(findings)


def _severity(name: str, figure: float) -> str:
    warn, bad = BOUNDS[name]
    return BAD if figure >= bad else WARN if figure >= warn else OK


def _share(name: str, share: float, numbers: Mapping[str, float], rows: Ints) -> Finding:
    key = f"{name}.{'some' if share else 'none'}"
    return Finding(key, _severity(name, share), numbers, rows)


def _zeros(table: Array, there: Ints) -> Finding:
    rows = np.setdiff1d(np.arange(len(table)), there)
    numbers = {"zeros": len(rows), "vectors": len(table)}
    return _share("zeros", len(rows) / max(1, len(table)), numbers, rows)


def _twins(table: Array, there: Ints, random: np.random.Generator) -> Finding:
    """Vectors that point where another one does."""
    sample = np.sort(random.permutation(len(there))[:SAMPLE])
    near = nearest(table[there], table[there[sample]], 1, sample)
    rows = there[sample[near.cosines[:, 0] >= TWIN]]
    share = len(rows) / len(sample)
    return _share("twins", share, {"share": share}, rows)


def _narrow(table: Array) -> Finding:
    """Mean cosine of two different vectors: how far all lean one way."""
    n = len(table)
    total = table.sum(axis=0, dtype=np.float64)
    mean = (float(total @ total) - n) / (n * (n - 1))
    severity = _severity("narrow", mean)
    return Finding(f"narrow.{severity}", severity, {"mean": mean})


def _flat(table: Array) -> Finding:
    """The effective rank, exp of the entropy of singular values. Roy, Vetterli, EUSIPCO 2007."""
    dim = table.shape[1]
    spread = np.sqrt(PCA.fit(table, 1).variances)
    share = spread / max(float(spread.sum()), 1e-12)
    share = share[share > 0]
    rank = float(np.exp(-(share * np.log(share)).sum())) if len(share) else 0.0
    severity = _severity("flat", 1 - rank / dim)
    return Finding(f"flat.{severity}", severity, {"rank": rank, "dimensions": dim})


def _dead(vectors: Array) -> Finding:
    """Columns that hardly differ from vector to vector."""
    variances = vectors.var(axis=0, dtype=np.float64)
    dead, dim = int((variances <= DEAD * variances.mean()).sum()), len(variances)
    return _share("dead", dead / dim, {"dead": dead, "dimensions": dim}, np.zeros(0, np.int64))


def _popularity(vectors: Array, taken: Array) -> Finding:
    """Whether a vector's length says how often a thing was taken."""
    lengths = np.linalg.norm(np.asarray(vectors, np.float64), axis=1)
    warm = (taken > 0) & (lengths > 0)
    own, often = lengths[warm], taken[warm]
    if len(own) < 3 or np.ptp(own) <= 1e-5 * own.max() or np.ptp(often) == 0:
        return Finding("popularity.unit", OK, {})
    rho = float(stats.spearmanr(own, often).statistic)
    severity = _severity("popularity", abs(rho))
    return Finding(f"popularity.{severity}", severity, {"spearman": rho})


def _cold(table: Array, cold: Ints, random: np.random.Generator) -> Finding:
    """Whether things that were never taken lie among the others, or on an island of their own.

    `apart` is the share of cold things among a cold one's ten nearest, as far above their share of
    all as it can be: 0 by chance, 1 on an island. `to_warm` is a cold thing's cosine to the
    nearest that was taken, `usual` that of those among themselves, medians.
    """
    if not table[cold].any():
        return Finding("cold.none", BAD, {"cold": len(cold)}, cold)
    warm = np.setdiff1d(np.arange(len(table)), cold)
    cold_sample = np.sort(random.permutation(cold)[:SAMPLE])
    others = np.sort(random.permutation(len(warm))[:SAMPLE])
    near = nearest(table, table[cold_sample], NEAR, cold_sample).items
    expected = (len(cold) - 1) / (len(table) - 1)
    apart = (float(np.isin(near, cold).mean()) - expected) / (1 - expected)
    search = Exact(table[warm])
    numbers = {
        "cold": len(cold),
        "apart": apart,
        "to_warm": float(np.median(search.nearest(table[cold_sample], 1).cosines)),
        "usual": float(np.median(search.nearest(table[warm[others]], 1, others).cosines)),
    }
    severity = _severity("cold", apart)
    return Finding(f"cold.{severity}", severity, numbers, cold)


def kept_neighbours(first: Ints, second: Ints) -> Array:
    """The share of the first list that is in the second too, row by row (n, K), PAD for no more."""
    same = (first[:, :, None] == second[:, None, :]) & (first[:, :, None] >= 0)
    return np.asarray(same.any(axis=2).sum(axis=1) / np.maximum((first >= 0).sum(axis=1), 1))
