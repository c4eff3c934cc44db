"""Whether a model's explanations are faithful, over a sample of people, beside simpler orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import BadInput
from core.explain.attribution import explain
from core.explain.checks.baselines import baselines, falling_order
from core.explain.checks.faithfulness import MEASURES, faithfulness
from core.explain.history import anonymous
from core.recommend.top_k import recommend
from core.types import PAD, Progress, Queries, Recommender, silent

PEOPLE = 100
FEWEST_EVENTS = 5  # of a history whose order can be right or wrong
MOST_EVENTS = 200  # the latest, which count; each is a player of its own
VALUES = "values"  # the order by Shapley values, that all others are held against


@dataclass(frozen=True)
class Figure:
    """A mean over people."""

    mean: float
    se: float  # its standard error over people
    people: int  # of whom there is the figure


@dataclass(frozen=True)
class PeopleFaithfulness:
    """MEASURES of each order of the events, for the best item of each of U people."""

    people: int  # U
    events: float  # in their histories, the mean
    seed: int
    means: Mapping[str, Mapping[str, Figure]]  # by order, then by measure
    # How far the order by values is ahead, person by person; more is better, whatever the measure.
    ahead: Mapping[str, Mapping[str, Figure]]


def faithfulness_of_people(
    model: Recommender,
    queries: Queries,
    *,
    n_items: int,
    people: int = PEOPLE,
    rows: Any = None,
    seed: int = 0,
    on_progress: Progress = silent,
) -> PeopleFaithfulness:
    """How faithful the values are for the best item of each of some people; see `faithfulness`.

    Of histories above 200 events the latest 200 count.

    Args:
        model: Fitted or loaded.
        queries: Histories, of which those of five events or more are drawn from.
        n_items: Items in the catalogue.
        people: How many are drawn, at least 2; all if there are no more.
        rows: A vector per item for the order by cosine, if the model is no Encoder.
        seed: Decides who is drawn, and all that is random.
        on_progress: Told "faithfulness" and the share of the people that are done, after each.

    Raises:
        BadInput: people below 2, or fewer than two have such a history and an item to be
            recommended, or there are no vectors.
    """
    if people < 2:
        raise BadInput(f"people must be at least 2, not {people}: one has no standard error")
    rng = np.random.default_rng(seed)
    fitting = np.flatnonzero(queries.lengths >= FEWEST_EVENTS)
    chosen = anonymous(queries[np.sort(rng.permutation(fitting)[:people])].latest(MOST_EVENTS))
    best = recommend(model, chosen, 1, n_items=n_items).items[:, 0]
    chosen, best = chosen[best != PAD], best[best != PAD]
    if len(chosen) < 2:
        raise BadInput(
            f"{len(chosen)} of {len(queries)} people have {FEWEST_EVENTS} events or more and an "
            "item to be recommended: at least 2 are needed"
        )
    measured = []
    for row, item in enumerate(best.tolist()):
        query, own = chosen[row : row + 1], np.random.default_rng([seed, row])
        orders = baselines(model, query, item, n_items=n_items, rng=own, rows=rows)
        explanation = explain(model, query, np.array([item]), n_items=n_items, seed=seed)
        values = explanation.values[explanation.players, 0]
        orders = {VALUES: falling_order(values, own), **orders}
        measured.append(faithfulness(model, query, item, orders, n_items=n_items))
        on_progress("faithfulness", (row + 1) / len(chosen))
    return PeopleFaithfulness(
        people=len(chosen),
        events=float(chosen.lengths.mean()),
        seed=seed,
        means={
            order: {name: _figure([one[order][name] for one in measured]) for name in MEASURES}
            for order in measured[0]
        },
        ahead={order: _ahead(measured, order) for order in measured[0] if order != VALUES},
    )


def _ahead(measured: Sequence[Mapping[str, Mapping[str, float]]], order: str) -> dict[str, Figure]:
    """How far the order by values is ahead of another, by measure."""
    signs = {name: 1 if more else -1 for name, more in MEASURES.items()}
    return {
        name: _figure([sign * (one[VALUES][name] - one[order][name]) for one in measured])
        for name, sign in signs.items()
    }


def _figure(values: Sequence[float]) -> Figure:
    """Over those that have a value; of fewer than two there is no standard error (NaN)."""
    there = np.array(values)[np.isfinite(values)]
    n = len(there)
    return Figure(
        mean=float(there.mean()) if n else float("nan"),
        se=float(there.std(ddof=1) / n**0.5) if n > 1 else float("nan"),
        people=n,
    )
