"""A run → what it goes by over many people; with labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.explain.survey import overview as surveys
from core.explain.survey.dependence import dependence
from core.explain.survey.influence import Influence
from core.explain.survey.tables import Bar
from core.pipeline.explanations.as_json import NamedItem
from core.pipeline.explanations.cohorts import CohortMetrics, cohort_metrics
from core.pipeline.explanations.sentences import OLDEST
from core.pipeline.labels import Labels
from core.pipeline.loaded_run import LoadedRun
from core.types import PAD, Ints, Progress, silent

PEOPLE = surveys.USERS
PLACES = 3  # items of each person that are explained


@dataclass(frozen=True)
class NamedInfluence:
    """How an item that people took drives another that is recommended to them."""

    driver: NamedItem
    item: NamedItem
    total: float  # Σ of the positive values over people
    mean: float  # value over all who took the one and are recommended the other
    users: int  # to whom it is positive

    def to_json(self) -> dict[str, Any]:
        return vars(self) | {"driver": self.driver.to_json(), "item": self.item.to_json()}


@dataclass(frozen=True)
class NamedRecommended:
    """An item that is recommended, and what drives it most, by total."""

    item: NamedItem
    users: int
    drivers: tuple[NamedInfluence, ...]

    def to_json(self) -> dict[str, Any]:
        drivers = [
            {**one.driver.to_json(), "total": one.total, "mean": one.mean, "users": one.users}
            for one in self.drivers
        ]
        return {**self.item.to_json(), "users": self.users, "drivers": drivers}


@dataclass(frozen=True)
class NamedIdle:
    """An item that people took and that hardly matters to what they are recommended."""

    item: NamedItem
    users: int
    size: float  # mean |value|
    limit: float  # two standard errors over people above it

    def to_json(self) -> dict[str, Any]:
        return {**self.item.to_json(), **{n: getattr(self, n) for n in ("users", "size", "limit")}}


@dataclass(frozen=True)
class NamedCase:
    """Why one item is recommended to one person, as far as the overview tells; see SurveyedCase."""

    user: Any  # id
    item: NamedItem
    rank: int
    rank_without_causes: int | None  # None where no cause stands out
    verdict: str  # as in core.explain.reasons
    cause: NamedItem | None  # the strongest; of the oldest events together without an id
    share: float  # of all that speaks for the item, what the strongest cause does
    events: int  # in the history
    confidence: str

    def to_json(self) -> dict[str, Any]:
        plain = dict(vars(self)) | self.item.to_json()
        return plain | {"cause": None if self.cause is None else self.cause.to_json()}


@dataclass(frozen=True)
class NamedDependence:
    """Whether the values of events surely rise or fall with a number; see core.explain.survey."""

    number: str  # age (place from the end), days (before the last), value (own), item.NAME
    rho: float | None  # Spearman's within each person, the mean; None of nobody
    low: float | None  # of the 95 % interval over people; None of too few
    high: float | None
    people: int
    direction: str  # rises, falls, unsure or few


@dataclass(frozen=True, eq=False)
class RunOverview:
    """What a run goes by: the explanations of the first k items of some people, added up."""

    run: str
    model: str  # as in MODELS
    k: int
    seed: int
    users: int
    base_share: float  # mean share of |base| in |base| + Σ |value|
    tables: dict[str, tuple[Bar, ...]]  # recency, event, item.NAME, component, part, base
    influences: tuple[NamedInfluence, ...]  # of two people or more, by falling total
    recommended: tuple[NamedRecommended, ...]  # by falling number of people
    idle: tuple[NamedIdle, ...]
    cases: tuple[NamedCase, ...]  # each item explained, person by person
    dependences: tuple[NamedDependence, ...]  # one for each number that is known of events
    cohorts: tuple[CohortMetrics, ...]  # long histories first

    def to_json(self) -> dict[str, Any]:
        """As `recscope overview --json` has it."""
        lists = ("influences", "recommended", "idle", "cases", "cohorts")
        return vars(self) | {
            "tables": {by: [dict(vars(bar)) for bar in bars] for by, bars in self.tables.items()},
            "dependences": [dict(vars(one)) for one in self.dependences],
            **{name: [one.to_json() for one in getattr(self, name)] for name in lists},
        }


def run_overview(
    loaded: LoadedRun,
    *,
    k: int = PLACES,
    people: int = PEOPLE,
    seed: int = 0,
    on_stage: Progress = silent,
) -> RunOverview:
    """What the run goes by, from the first k items of a sample of the people of its dataset.

    Args:
        loaded: A run.
        k: Items of each person that are explained, at least 1.
        people: How many are drawn, at least 1.
        seed: Decides who is drawn, and the random orders.
        on_stage: Told "survey", and how far it is.

    Raises:
        BadInput: k or people below 1, or nobody has both a history and a recommendation.
        NotFound: the dataset is gone.
    """
    data = loaded.load_dataset()
    survey = surveys.overview(
        loaded.model,
        data.interactions.queries(),
        n_items=len(loaded.items),
        k=k,
        users=people,
        features=data.item_features,
        event_names=data.event_names,
        clock=data.info.time_kind == "clock",
        seed=seed,
        on_progress=on_stage,
    )
    names = _names(loaded, survey)
    return RunOverview(
        run=loaded.run.id,
        model=loaded.run.config.model,
        k=k,
        seed=seed,
        users=len(survey.rows),
        base_share=float(survey.base_share.mean()),
        tables={by: survey.bars(by) for by in survey.tables},
        influences=_influences(names, survey.influences),
        recommended=tuple(
            NamedRecommended(names[one.item], one.users, _influences(names, one.drivers))
            for one in survey.recommended
        ),
        idle=tuple(
            NamedIdle(names[one.item], one.users, one.size, one.limit) for one in survey.idle
        ),
        cases=tuple(_cases(names, survey, data.users.decode(survey.users).tolist())),
        dependences=tuple(_dependence(survey, number) for number in survey.values.numbers),
        cohorts=cohort_metrics(loaded, survey.rows),
    )


def _cases(
    names: dict[int, NamedItem], survey: surveys.Overview, people: list[Any]
) -> Iterator[NamedCase]:
    for case in survey.cases:
        cause = None
        if case.strongest is not None and case.strongest.item == PAD:
            cause = NamedItem(None, OLDEST.format(n=case.strongest.events))
        elif case.strongest is not None:
            cause = names[case.strongest.item]
        yield NamedCase(
            user=people[case.person],
            item=names[case.item],
            rank=case.rank,
            rank_without_causes=case.rank_without_causes,
            verdict=str(case.verdict),
            cause=cause,
            share=case.share,
            events=case.events,
            confidence=str(case.confidence),
        )


def _dependence(survey: surveys.Overview, number: str) -> NamedDependence:
    own = dependence(survey.values, number)
    rho, low, high = (None if np.isnan(x) else x for x in (own.rho, own.low, own.high))
    return NamedDependence(number, rho, low, high, own.people, own.direction)


def _influences(
    names: dict[int, NamedItem], influences: Iterable[Influence]
) -> tuple[NamedInfluence, ...]:
    return tuple(
        NamedInfluence(names[one.driver], names[one.item], one.total, one.mean, one.users)
        for one in influences
    )


def _names(loaded: LoadedRun, survey: surveys.Overview) -> dict[int, NamedItem]:
    """All items that the overview speaks of, by code."""
    pairs = [*survey.influences, *(pair for one in survey.recommended for pair in one.drivers)]
    spoken = [code for pair in pairs for code in (pair.driver, pair.item)]
    spoken += [one.item for one in survey.recommended] + [one.item for one in survey.idle]
    spoken += [case.item for case in survey.cases]
    strongest = [case.strongest for case in survey.cases]
    spoken += [one.item for one in strongest if one is not None and one.item != PAD]
    codes: Ints = np.unique(np.array(spoken, np.int64))
    labels, ids = Labels(loaded).labels(codes), loaded.items.decode(codes).tolist()
    return {
        code: NamedItem(item, labels[code]) for code, item in zip(codes.tolist(), ids, strict=True)
    }
