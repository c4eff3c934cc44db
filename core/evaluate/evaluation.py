"""One model, one holdout → every metric with its interval, and the conditions they hold under."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core.errors import BadInput
from core.evaluate.intervals import GROUPS, bootstrap, jackknife
from core.evaluate.lists import Lists
from core.evaluate.metrics import Values
from core.evaluate.ranking import Ranking, rank
from core.evaluate.ratings import rating_errors, rating_summary
from core.evaluate.registry import OfCatalogue, OfLists, OfRanking, OfRatings, OfTopK, metrics_of
from core.models.common.places import UNREACHABLE
from core.recommend.top_k import Reorder
from core.types import (
    Features,
    Holdout,
    Interactions,
    Progress,
    RatingPredictor,
    Recommender,
    Split,
)

if TYPE_CHECKING:
    from core.recommend.ruled_lists import CatalogueRules

LONGEST = 1000  # a list that may be asked for however few the items are


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a model is worth on a holdout. A name is "metric@k", or "metric" where there is no k."""

    summary: dict[str, dict[str, float]]  # name → mean, low, high (95 %)
    per_user: dict[str, Values]  # name → (B,), without coverage, gini, rmse and mae
    ranking: Ranking  # ranking.queries: which queries of the holdout the B are
    ks: tuple[int, ...]
    users: int  # B, the queries with a target
    users_without_targets: int
    hide_seen: bool
    target_hidden_share: float  # share of targets that no list can hold: seen, or by the rules
    score_tie_rate: float  # share of lists (largest k) whose last score ties with one left out
    taste_attribute: str | None  # what calibration is measured on
    list_ms: float  # to score and rank all items for one person, of many at once; measured once
    seconds: float


def evaluate(
    model: Recommender,
    holdout: Holdout | Split,
    *,
    train: Interactions,
    ks: Sequence[int] = (5, 10, 20),
    hide_seen: bool = True,
    reorder: Reorder | None = None,
    rules: CatalogueRules | None = None,
    item_features: Features | None = None,
    ratings: bool = True,
    seed: int = 0,
    on_progress: Progress | None = None,
) -> Evaluation:
    """Every metric that the data allow, over all items, in float32, a tie against the target.

    Args:
        model: Fitted or loaded.
        holdout: Queries and what came next; of a Split its test part.
        train: What the model learnt from; says what is popular and how large the catalogue is.
        ks: Lengths of the lists, each at least 1.
        hide_seen: Leave the items of a query's history out of its ranking.
        reorder: How the lists are re-ranked (core.recommend.rerank); not at all if not given.
        rules: What lists must keep (core.recommend.ruled_lists).
        item_features: For diversity and calibration.
        ratings: Whether the targets' values are ratings, so that a prediction can miss them.
        seed: Of the intervals' random draws.
        on_progress: Told "evaluate" and the share of queries that are ranked, 0 … 1.

    Raises:
        BadInput: no test part, no target, or a k below 1 or far beyond the items.
    """
    started = time.perf_counter()
    cuts = tuple(sorted(set(ks)))
    if not cuts or cuts[0] < 1:
        raise BadInput(f"k must be one or more numbers from 1 up, not {list(ks)}")
    if cuts[-1] > max(train.n_items, LONGEST):
        raise BadInput(
            f"k is {cuts[-1]:,}, but only {train.n_items:,} items are ranked: ask for less"
        )
    held = _test_part(holdout)
    began = time.perf_counter()
    ranking = rank(
        model,
        held,
        cuts[-1],
        n_items=train.n_items,
        hide_seen=hide_seen,
        reorder=reorder,
        rules=rules,
        on_progress=on_progress,
    )
    list_ms = 1000 * (time.perf_counter() - began) / len(ranking.queries)
    lists = Lists.of(ranking.items, held.queries[ranking.queries], train, item_features)
    per_user = _per_user(ranking, lists, cuts)
    rng = np.random.default_rng(seed)
    summary = summarise(per_user, rng) | _catalogue(lists, cuts)
    if ratings and isinstance(model, RatingPredictor):
        of_ratings = {name: metric.measure for name, metric in metrics_of(OfRatings).items()}
        summary |= rating_summary(of_ratings, *rating_errors(model, held), rng)
    return Evaluation(
        summary=summary,
        per_user=per_user,
        ranking=ranking,
        ks=cuts,
        users=len(ranking.queries),
        users_without_targets=len(held) - len(ranking.queries),
        hide_seen=hide_seen,
        target_hidden_share=float((ranking.places.places == UNREACHABLE).mean()),
        score_tie_rate=float(ranking.cut_tied.mean()),
        taste_attribute=None if lists.taste is None else lists.taste.name,
        list_ms=list_ms,
        seconds=time.perf_counter() - started,
    )


def _test_part(holdout: Holdout | Split) -> Holdout:
    if isinstance(holdout, Holdout):
        return holdout
    if holdout.test is None:
        raise BadInput(
            f'the split "{holdout.kind}" holds nothing out to test on; '
            "train with leave-last-out or by-time to evaluate"
        )
    return holdout.test


def _per_user(ranking: Ranking, lists: Lists, ks: tuple[int, ...]) -> dict[str, Values]:
    places = ranking.places
    values = {f"{n}@{k}": m.measure(places, k) for n, m in metrics_of(OfTopK).items() for k in ks}
    values |= {name: metric.measure(places) for name, metric in metrics_of(OfRanking).items()}
    for name, metric in metrics_of(OfLists).items():
        measured = {f"{name}@{k}": metric.measure(lists, k) for k in ks}
        values |= {key: v for key, v in measured.items() if v is not None}
    return values


def summarise(per_user: dict[str, Values], rng: np.random.Generator) -> dict[str, dict[str, float]]:
    """Mean and 95 % bootstrap interval over users of each of these arrays (B,), B ≥ 1."""
    values = np.column_stack(list(per_user.values()))
    rows = zip(values.mean(axis=0), *bootstrap(values, rng), strict=True)
    return {
        name: {"mean": float(mean), "low": float(low), "high": float(high)}
        for name, (mean, low, high) in zip(per_user, rows, strict=True)
    }


def _catalogue(lists: Lists, ks: tuple[int, ...]) -> dict[str, dict[str, float]]:
    summary = {}
    n_groups = min(GROUPS, len(lists.items))
    parts = [slice(j, None, n_groups) for j in range(n_groups)]  # neighbours in different groups
    for k in ks:
        groups = np.stack([lists.exposure(k, group) for group in parts])
        for name, metric in metrics_of(OfCatalogue).items():
            low, high = jackknife(metric.measure, groups)
            summary[f"{name}@{k}"] = {
                "mean": metric.measure(groups.sum(axis=0)),
                "low": max(0.0, low),
                "high": min(1.0, high),
            }
    return summary
