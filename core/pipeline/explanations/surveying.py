"""A run → what it goes by over many people; with labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.explain.survey import overview as surveys
from core.explain.survey.influence import Influence
from core.explain.survey.tables import Bar
from core.pipeline.explanations.as_json import NamedItem
from core.pipeline.labels import Labels
from core.pipeline.loaded_run import LoadedRun
from core.types import Ints, Progress, silent

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

    def to_json(self) -> dict[str, Any]:
        """As `recscope overview --json` has it."""
        return vars(self) | {
            "tables": {by: [dict(vars(bar)) for bar in bars] for by, bars in self.tables.items()},
            **{
                name: [one.to_json() for one in getattr(self, name)]
                for name in ("influences", "recommended", "idle")
            },
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
    )


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
    codes: Ints = np.unique(np.array(spoken, np.int64))
    labels, ids = Labels(loaded).labels(codes), loaded.items.decode(codes).tolist()
    return {
        code: NamedItem(item, labels[code]) for code, item in zip(codes.tolist(), ids, strict=True)
    }
