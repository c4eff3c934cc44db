"""Every metric by name: what it is measured on says what is done with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from core.evaluate import lists, metrics, ratings
from core.evaluate.lists import Lists
from core.evaluate.metrics import Places, Values
from core.types import Ints


@dataclass(frozen=True)
class OfTopK:
    """From the places of each query's targets, with a list length k: one value per query."""

    measure: Callable[[Places, int], Values]


@dataclass(frozen=True)
class OfRanking:
    """From the places of each query's targets in the whole ranking: one value per query."""

    measure: Callable[[Places], Values]


@dataclass(frozen=True)
class OfLists:
    """From the first k items of each query: one value per query; None where data are missing."""

    measure: Callable[[Lists, int], Values | None]


@dataclass(frozen=True)
class OfCatalogue:
    """From how often each item is listed, (I,): one value, 0 … 1."""

    measure: Callable[[Ints], float]


@dataclass(frozen=True)
class OfRatings:
    """From the errors of predicted ratings, and weights of them if given: one value."""

    measure: Callable[..., Values]


Metric = OfTopK | OfRanking | OfLists | OfCatalogue | OfRatings

METRICS: dict[str, Metric] = {
    "precision": OfTopK(metrics.precision),
    "recall": OfTopK(metrics.recall),
    "hit_rate": OfTopK(metrics.hit_rate),
    "f1": OfTopK(metrics.f1),
    "map": OfTopK(metrics.average_precision),
    "mrr": OfTopK(metrics.reciprocal_rank),
    "ndcg": OfTopK(metrics.ndcg),
    "auc": OfRanking(metrics.auc),
    "novelty": OfLists(lists.novelty),
    "diversity": OfLists(lists.diversity),
    "popularity_bias": OfLists(lists.popularity_bias),
    "calibration": OfLists(lists.calibration),
    "coverage": OfCatalogue(lists.coverage),
    "gini": OfCatalogue(lists.gini),
    "rmse": OfRatings(ratings.rmse),
    "mae": OfRatings(ratings.mae),
}

Kind = TypeVar("Kind", OfTopK, OfRanking, OfLists, OfCatalogue, OfRatings)


def metrics_of(kind: type[Kind]) -> dict[str, Kind]:
    """The metrics that are measured on this, by name, in the order of METRICS."""
    return {name: metric for name, metric in METRICS.items() if isinstance(metric, kind)}
