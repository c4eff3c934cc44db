"""What groups of events are worth to each of many users, and to two cohorts of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import stats

from core.errors import BadInput
from core.types import Array

LEVEL = 0.95
OF_NOISE = (2 / np.pi) ** 0.5  # mean distance from 0 of what is normal with standard error 1


@dataclass(frozen=True)
class Bar:
    """One group over all users that have any of it, each counting alike."""

    name: str
    size: float  # mean |φ|
    se: float  # its standard error over users; inf for a single one
    noise: float  # the mean |φ| that sampling alone would give if all φ were 0; 0 if exact
    value: float  # mean φ
    share: float  # of a user's Σ |φ|, the mean over all users
    users: int
    count: int  # of its events; of components, parts and base: of the items explained


@dataclass(frozen=True)
class Difference:
    """One group in two cohorts: the mean of each, and what lies between, with its interval."""

    name: str
    first: float
    second: float
    difference: float  # first - second
    low: float  # of the 95 % interval
    high: float
    users: tuple[int, int]  # in each cohort, of those that have any of it


@dataclass(frozen=True, eq=False)
class Table:
    """What G groups are worth to each of U users, NaN where somebody has none of a group."""

    names: tuple[str, ...]  # (G,)
    size: Array  # (U, G) mean |φ| of a user's events of the group and of the items explained
    value: Array  # (U, G) mean φ
    share: Array  # (U, G) of the user's Σ |φ|; 0 where there is none of the group
    noise: Array  # (U, G) what size would be by sampling alone
    count: Array  # (U, G) how many events, or items explained, there are

    @classmethod
    def of_events(
        cls,
        names: Sequence[str],
        belongs: Sequence[Array],
        values: Sequence[Array],
        errors: Sequence[Array],
    ) -> Self:
        """From each user's events: groups that have none anywhere are left out.

        Args:
            names: Of the groups.
            belongs: How much of each event is of each group, (n, G); its rows add up to 1.
            values: The events' φ for each item, (n, T).
            errors: Their standard errors, (n, T).
        """
        rows = []
        for own, phi, se in zip(belongs, values, errors, strict=True):
            sizes = np.stack([np.abs(phi).mean(axis=1), phi.mean(axis=1), se.mean(axis=1)])
            rows.append(np.concatenate([sizes @ own, own.sum(axis=0, keepdims=True)]))
        sums = np.stack(rows)
        there = np.flatnonzero(sums[:, 3].any(axis=0))
        size, value, error, events = sums[:, :, there].transpose(1, 0, 2)  # (U, G) each
        n = np.where(events > 0, events, np.nan)
        return cls(
            names=tuple(names[group] for group in there.tolist()),
            size=size / n,
            value=value / n,
            share=_shares(size),
            noise=OF_NOISE * error / n,
            count=events,
        )

    @classmethod
    def of_amounts(cls, names: Sequence[str], values: Sequence[Array]) -> Self:
        """From each user's φ of each group for each item, (G, T), NaN where there is none."""
        size, value, there = (
            np.stack([np.nansum(change(own), axis=1) for own in values])
            for change in (np.abs, np.positive, np.isfinite)
        )
        n = np.where(there > 0, there, np.nan)
        return cls(
            names=tuple(names),
            size=size / n,
            value=value / n,
            share=_shares(size),
            noise=np.zeros_like(size),
            count=there,
        )

    def bars(self) -> tuple[Bar, ...]:
        """Each group over all users."""
        bars = []
        for group, name in enumerate(self.names):
            own = np.isfinite(self.size[:, group])
            n, size = int(own.sum()), self.size[own, group]
            if n:
                bars.append(
                    Bar(
                        name=name,
                        size=float(size.mean()),
                        se=float(size.std(ddof=1) / n**0.5) if n > 1 else np.inf,
                        noise=float(self.noise[own, group].mean()),
                        value=float(self.value[own, group].mean()),
                        share=float(self.share[:, group].mean()),
                        users=n,
                        count=round(float(self.count[:, group].sum())),
                    )
                )
        return tuple(bars)

    def compared(self, cohort: Array, of: str) -> tuple[Difference, ...]:
        """The users marked in cohort (U,) against the others, by Welch's interval.

        Groups that fewer than two users of a cohort have are left out: they have no interval.

        Raises:
            BadInput: there is no such quantity, or a cohort has fewer than two users.
        """
        cohort = np.asarray(cohort, bool)
        if of not in ("share", "size", "value"):
            raise BadInput(f"cohorts are compared by share, size or value, not by {of!r}")
        if cohort.shape != (len(self.size),) or min(cohort.sum(), (~cohort).sum()) < 2:
            raise BadInput(
                f"each of two cohorts among {len(self.size)} users needs two users or more, not "
                f"{int(cohort.sum())} and {int((~cohort).sum())}"
            )
        figures: Array = getattr(self, of)
        differences = []
        for group, name in enumerate(self.names):
            sides = [figures[side, group] for side in (cohort, ~cohort)]
            first, second = (side[np.isfinite(side)] for side in sides)
            if min(len(first), len(second)) > 1:
                differences.append(_difference(name, first, second))
        return tuple(differences)


def _shares(size: Array) -> Array:
    """Each row's parts of its sum; 0 where that is 0."""
    total = size.sum(axis=1, keepdims=True)
    shares: Array = size / np.where(total > 0, total, 1)
    return shares


def _difference(name: str, first: Array, second: Array) -> Difference:
    """The difference of two means. Welch, Biometrika 34(1/2), 1947."""
    variances = [side.var(ddof=1) / len(side) for side in (first, second)]
    total = sum(variances)
    terms = [v**2 / (len(s) - 1) for v, s in zip(variances, (first, second), strict=True)]
    freedom = total**2 / sum(terms) if sum(terms) else 1.0
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom) * total**0.5)
    gap = float(first.mean() - second.mean())
    return Difference(
        name=name,
        first=float(first.mean()),
        second=float(second.mean()),
        difference=gap,
        low=gap - half,
        high=gap + half,
        users=(len(first), len(second)),
    )
