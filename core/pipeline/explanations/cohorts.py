"""A run, groups of its people → what it is worth to just these, as far as it was evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.errors import Corrupt
from core.evaluate.intervals import bootstrap
from core.explain.survey.cohorts import Cohort, cohorts
from core.pipeline.loaded_run import LoadedRun
from core.types import Array, Interval, Ints, Vocab

ABOUT = 10  # length of the lists whose metrics are told, or what is nearest
NAMES = ("ndcg", "recall")
FEWEST = 10  # people, to have an interval


@dataclass(frozen=True)
class People:
    """What a run is worth to some people."""

    people: int  # of whom there is a figure
    figure: Interval | None  # None of nobody; without ends of few, or where all have the same


@dataclass(frozen=True)
class CohortMetric:
    """One metric of the people of a cohort, and of all others."""

    metric: str  # "ndcg@10"
    inside: People  # of those explained
    outside: People
    all_inside: People  # of all who were evaluated, explained or not
    all_outside: People


@dataclass(frozen=True, eq=False)
class CohortMetrics:
    """A cohort with what the run is worth to it."""

    cohort: Cohort
    explained: tuple[int, int]  # people inside and outside, of those explained
    metrics: tuple[CohortMetric, ...]  # none where the run has no figures of single people

    def to_json(self) -> dict[str, Any]:
        return {
            "by": self.cohort.by,
            "value": self.cohort.value,
            "above": self.cohort.above,
            "users": list(self.explained),
            "metrics": [asdict(one) for one in self.metrics],
        }


def cohort_metrics(loaded: LoadedRun, rows: Ints) -> tuple[CohortMetrics, ...]:
    """The cohorts of the people explained, with the run's stored figures of just these.

    Args:
        loaded: A run.
        rows: Of the people explained, as in Overview.

    Raises:
        NotFound: the dataset is gone.
    """
    data = loaded.load_dataset()
    queries = data.interactions.queries()
    figures = _per_person(loaded, data.users, queries.users)
    explained = np.zeros(len(queries), bool)
    explained[rows] = True
    return tuple(
        CohortMetrics(
            cohort=cohort,
            explained=(int(cohort.everybody[rows].sum()), int((~cohort.everybody[rows]).sum())),
            metrics=tuple(_metrics(figures, cohort.everybody, explained)),
        )
        for cohort in cohorts(queries, rows, data.user_features)
    )


def why_no_metrics(loaded: LoadedRun) -> str:
    """Why a run has no figures of single people: split, evaluated, damaged; "" where it has."""
    if loaded.run.config.split == "none":
        return "split"
    if loaded.run.metrics is None:
        return "evaluated"
    try:
        return "" if loaded.run.per_user() is not None else "evaluated"
    except Corrupt:
        return "damaged"


def _per_person(loaded: LoadedRun, users: Vocab, codes: Ints) -> dict[str, Array]:
    """Metric → a figure for each query (B,), NaN where that person was not evaluated."""
    if why_no_metrics(loaded):
        return {}
    frame = loaded.run.per_user()
    assert frame is not None
    at = np.full(len(users), np.nan)
    own = users.encode(frame["user_id"].tolist())
    figures = {}
    for name in _names([str(name) for name in frame]):
        each = at.copy()
        each[own] = frame[name].to_numpy(float)
        figures[name] = each[codes]
    return figures


def _names(there: Sequence[str]) -> Iterator[str]:
    """Such as "ndcg@10": of those that are there, that of the length nearest to ten."""
    for name in NAMES:
        lengths = [int(own.partition("@")[2]) for own in there if own.startswith(f"{name}@")]
        if lengths:
            yield f"{name}@{min(lengths, key=lambda k: abs(k - ABOUT))}"


def _metrics(figures: dict[str, Array], inside: Array, explained: Array) -> Iterator[CohortMetric]:
    for name, own in figures.items():
        there = np.isfinite(own)
        yield CohortMetric(
            metric=name,
            inside=_people(own[there & explained & inside]),
            outside=_people(own[there & explained & ~inside]),
            all_inside=_people(own[there & inside]),
            all_outside=_people(own[there & ~inside]),
        )


def _people(figures: Array) -> People:
    """Their mean with its interval; there is none of few, or where all have the same."""
    n = len(figures)
    if not n:
        return People(0, None)
    mean = float(figures.mean())
    if n < FEWEST or not np.ptp(figures):
        return People(n, Interval(mean))
    low, high = bootstrap(figures[:, None], np.random.default_rng(0))
    return People(n, Interval(mean, float(low[0]), float(high[0])))
