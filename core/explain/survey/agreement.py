"""Whether two runs have the same reasons for the same recommendations to the same people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from core.errors import BadInput
from core.explain.attribution import explain
from core.explain.explanation import SURE, Explanation
from core.explain.history import anonymous
from core.explain.item_rank import ItemRanks
from core.explain.reasons import MOST, causes
from core.explain.survey.dependence import mean_over_people
from core.explain.survey.explained import histories_per_player
from core.recommend.top_k import recommend
from core.types import PAD, Array, Ints, Progress, Queries, Recommender, silent

PEOPLE = 25
FEWEST_CAUSES = 5  # items in a history, to have an order
DRAWS = 100  # of the values within their standard errors


@dataclass(frozen=True)
class CaseAgreement:
    """Two runs' reasons for one item that the first recommends to one person."""

    row: int  # position in the queries
    item: int  # code
    rank: int  # by the first run
    other_rank: int  # by the other
    rho: float  # Spearman's, of what each item of the history is worth to one run and the other
    se: float  # of rho, by the standard errors of the values; 0 where both are exact
    ceiling: float  # the rho that errors would leave if the reasons were the same; 1 where exact
    shared: float  # of the strongest causes of each (three at most), those that both have; 0 … 1
    strongest: int | None  # the item that speaks for it most by the first run; None: nothing does
    other_strongest: int | None

    @property
    def differs(self) -> bool:
        """Whether the order of the causes is surely another than errors alone would make it."""
        return self.rho + SURE * self.se < self.ceiling - 1e-9


@dataclass(frozen=True)
class Agreement:
    """Two runs' reasons over people; means are over people, each counting alike."""

    cases: tuple[CaseAgreement, ...]  # those that agree least first
    people: int  # of whom both runs' causes have an order
    rho: float  # NaN of nobody
    low: float  # of its 95 % interval over people; NaN of fewer than ten
    high: float
    ceiling: float  # see CaseAgreement
    shared: float
    left_out: int  # cases in which a run is moved by nothing, or the history is too short

    @property
    def verdict(self) -> str:
        """Is "differ" if even the interval's end is below the ceiling; else unsure, or few."""
        if not np.isfinite(self.low):
            return "few"
        return "differ" if self.high < self.ceiling - 1e-9 else "unsure"


def agreement(
    model: Recommender,
    other: Recommender,
    queries: Queries,
    rows: Ints,
    *,
    n_items: int,
    k: int = 1,
    seed: int = 0,
    on_progress: Progress = silent,
) -> Agreement:
    """Compares, item by item of the history, what moves the first model's k best items.

    Values of two models have no common scale, so their order is compared: Spearman's ρ over the
    items of the history. Errors make any two orders differ; what they would leave of a ρ of 1 is
    √(ρ₁₁ ρ₂₂), where ρᵢᵢ is that of two draws of one model's values within their standard errors
    (Spearman, Am. J. Psychology 15(1), 1904).

    Args:
        model: Whose recommendations are looked at.
        other: Of the same catalogue.
        queries: Histories.
        rows: Of which people, positions in `queries`.
        n_items: Items in the catalogue.
        k: Items of each.
        seed: Decides the random orders and draws.
        on_progress: Told "agreement" and the share of the people that are done, after each.

    Raises:
        BadInput: k below 1, or nobody.
    """
    if k < 1 or not len(rows):
        raise BadInput(
            f"reasons are compared of one item and person at least, not {k}, {len(rows)}"
        )
    chosen = anonymous(queries[rows])
    lists = recommend(model, chosen, k, n_items=n_items).items
    cases, left_out = [], 0
    for at, row in enumerate(rows.tolist()):
        query, items = chosen[at : at + 1], lists[at][lists[at] != PAD]
        per_player = histories_per_player(len(query.items))
        if len(items):
            both = [
                explain(each, query, items, n_items=n_items, seed=seed, per_player=per_player)
                for each in (model, other)
            ]
        for column, item in enumerate(items.tolist()):
            rank = _rank(other, query, item, n_items)
            case = _compare(query, both, column, row, column + 1, rank, seed)
            left_out += case is None
            cases += [] if case is None else [case]
        on_progress("agreement", (at + 1) / len(rows))
    return _together(cases, left_out, seed)


def _rank(model: Recommender, query: Queries, item: int, n_items: int) -> int:
    whole = np.ones((1, len(query.items)), bool)
    return int(ItemRanks(model, query, item, n_items)(whole).ranks[0])


def _compare(
    query: Queries,
    both: Sequence[Explanation],
    column: int,
    row: int,
    rank: int,
    other_rank: int,
    seed: int,
) -> CaseAgreement | None:
    """None where a run is moved by nothing, or there are too few items to have an order."""
    sides = [_by_item(query.items, explanation, column) for explanation in both]
    alike = np.intersect1d(sides[0][0], sides[1][0])
    (one, one_se), (two, two_se) = (
        (worth[np.isin(items, alike)], se[np.isin(items, alike)]) for items, worth, se in sides
    )
    if len(alike) < FEWEST_CAUSES or not np.ptp(one) or not np.ptp(two):
        return None
    rng = np.random.default_rng([seed, row, rank])

    def drawn(worth: Array, se: Array) -> Array:
        return worth + se * rng.normal(size=(DRAWS, len(worth)))

    rhos = _rho(drawn(one, one_se), drawn(two, two_se))
    same = [_rho(drawn(*side), drawn(*side)).mean() for side in ((one, one_se), (two, two_se))]
    strongest = [_strongest(query.items, explanation, column) for explanation in both]
    most = max(len(named) for named in strongest)
    return CaseAgreement(
        row=row,
        item=int(both[0].items[column]),
        rank=rank,
        other_rank=other_rank,
        rho=float(_rho(one[None], two[None])[0]),
        se=float(rhos.std(ddof=1)) if one_se.any() or two_se.any() else 0.0,
        ceiling=float(np.sqrt(np.prod(np.maximum(same, 0)))),
        shared=len(set(strongest[0]) & set(strongest[1])) / most if most else 0.0,
        strongest=strongest[0][0] if strongest[0] else None,
        other_strongest=strongest[1][0] if strongest[1] else None,
    )


def _by_item(history: Ints, explanation: Explanation, column: int) -> tuple[Ints, Array, Array]:
    """Items whose events are players of their own (N,), what each is worth, and its error (N,)."""
    players = explanation.players
    alone = np.flatnonzero(np.bincount(players)[players] == 1)
    items, own = np.unique(history[alone], return_inverse=True)
    values = np.bincount(own, explanation.values[players[alone], column], len(items))
    errors = np.bincount(own, explanation.se[players[alone], column], len(items))
    return items, values, errors


def _strongest(history: Ints, explanation: Explanation, column: int) -> list[int]:
    """The items that speak for it most, three at most."""
    every = causes(history, explanation, column)
    return [cause.item for cause in every if cause.value > 0 and cause.item != PAD][:MOST]


def _rho(one: Array, two: Array) -> Array:
    """Spearman's ρ of each row with its like, (S,); ranks of equals are their mean."""
    ranks = [stats.rankdata(side, axis=1) for side in (one, two)]
    apart = [side - side.mean(axis=1, keepdims=True) for side in ranks]
    spread = np.sqrt(np.prod([np.square(side).sum(axis=1) for side in apart], axis=0))
    rho: Array = (apart[0] * apart[1]).sum(axis=1) / np.where(spread > 0, spread, 1)
    return rho


def _together(cases: Sequence[CaseAgreement], left_out: int, seed: int) -> Agreement:
    people = sorted({case.row for case in cases})

    def of_people(figure: Callable[[CaseAgreement], float]) -> list[float]:
        return [float(np.mean([figure(c) for c in cases if c.row == row])) for row in people]

    rho, low, high = mean_over_people(of_people(lambda case: case.rho), seed=seed)
    return Agreement(
        cases=tuple(sorted(cases, key=lambda case: case.rho)),
        people=len(people),
        rho=rho,
        low=low,
        high=high,
        ceiling=float(np.mean(of_people(lambda case: case.ceiling))) if people else np.nan,
        shared=float(np.mean(of_people(lambda case: case.shared))) if people else np.nan,
        left_out=left_out,
    )
