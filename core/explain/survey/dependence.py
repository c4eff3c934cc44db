"""Whether values surely go with what is known of the events; by person, not by dot.

Dots of one person hang together, and people differ: those with long histories have older events
and smaller values. So each person is looked at on their own, and the interval is over people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from core.explain.survey.event_values import EventValues, Membership
from core.types import Array, Ints

FEWEST_PEOPLE = 10  # of whom an interval over people says something
FEWEST_DOTS = 5  # of a person, to be looked at
DRAWS = 2_000
LEVEL = 0.95


@dataclass(frozen=True)
class Dependence:
    """Whether values rise or fall with a number, by the mean of Spearman's ρ within each person."""

    rho: float  # -1 … 1; NaN of nobody
    low: float  # of the 95 % interval over people; NaN of too few
    high: float
    people: int

    @property
    def direction(self) -> str:
        """Rises or falls where the interval leaves out 0; else unsure, or few (people)."""
        if self.people < FEWEST_PEOPLE:
            return "few"
        return "rises" if self.low > 0 else "falls" if self.high < 0 else "unsure"


@dataclass(frozen=True)
class Gap:
    """How far a group's values lie above a person's others, the mean over people."""

    name: str
    gap: float
    low: float  # of an interval that all groups together miss in 5 %
    high: float
    people: int  # that have events inside the group and outside


def dependence(values: EventValues, name: str, *, size: bool = False, seed: int = 0) -> Dependence:
    """Whether values, or their size, go with this one of their numbers.

    What is estimated has no say on size: errors enlarge it, and they may go with the number.

    Each person of five dots or more, of which neither number nor value is all the same, counts
    alike. The interval is the bootstrap's over people (Efron and Tibshirani, "An Introduction to
    the Bootstrap", 1993, ch. 13), of ten or more.
    """
    numbers = values.numbers[name]
    worth = np.abs(values.values) if size else values.values
    fit = np.isfinite(numbers) & ((values.se == 0) | (not size))
    rhos = []
    for own in _by_person(values.people, np.flatnonzero(fit)):
        x, y = numbers[own], worth[own]
        if len(own) >= FEWEST_DOTS and np.ptp(x) > 0 and np.ptp(y) > 0:
            rhos.append(float(stats.spearmanr(x, y).statistic))
    rho, low, high = mean_over_people(rhos, seed=seed)
    return Dependence(rho, low, high, len(rhos))


def gaps(values: EventValues, groups: Membership) -> tuple[Gap, ...]:
    """How far the values of each group lie above or below the others of the same people.

    By Student's interval over people, Bonferroni's over groups; groups of fewer than ten people
    are left out.
    """
    inside = np.zeros((len(values), len(groups.names)), bool)
    inside[groups.rows, groups.groups] = True
    people = _by_person(values.people, np.arange(len(values)))
    rows = []
    for group, name in enumerate(groups.names):
        apart = []
        for own in people:
            there = inside[own, group]
            if there.any() and not there.all():
                figures = values.values[own]
                apart.append(float(figures[there].mean() - figures[~there].mean()))
        if len(apart) >= FEWEST_PEOPLE:
            rows.append((name, np.array(apart)))
    return tuple(_gap(name, apart, len(rows)) for name, apart in rows)


def mean_over_people(figures: Sequence[float], *, seed: int = 0) -> tuple[float, float, float]:
    """The mean, and the ends of its 95 % bootstrap interval; NaN of too few people."""
    each = np.asarray(figures, float)
    n = len(each)
    mean = float(each.mean()) if n else np.nan
    if n < FEWEST_PEOPLE:
        return mean, np.nan, np.nan
    drawn = each[np.random.default_rng(seed).integers(n, size=(DRAWS, n))].mean(axis=1)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return mean, float(low), float(high)


def _by_person(people: Ints, rows: Ints) -> list[Ints]:
    """These rows, those of each person together."""
    order = rows[np.argsort(people[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(people[order])) + 1
    return np.split(order, starts) if len(order) else []


def _gap(name: str, apart: Array, groups: int) -> Gap:
    n, mean = len(apart), float(apart.mean())
    t = float(stats.t.ppf(1 - (1 - LEVEL) / 2 / groups, n - 1))
    half = t * float(apart.std(ddof=1)) / n**0.5
    return Gap(name, mean, mean - half, mean + half, n)
