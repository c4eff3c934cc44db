"""Where the strongest reason of an item came from: who in the log taught it, with ids and names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.errors import BadInput
from core.explain import Explanation
from core.explain.contrast import Contrast
from core.explain.game import Game
from core.explain.origin import Origins, origins
from core.explain.reasons import causes
from core.pipeline.explanations.as_json import NamedItem
from core.pipeline.labels import Labels
from core.pipeline.loaded_run import LoadedRun
from core.pipeline.training import features_of, learnt_from, split_as
from core.runs import weights
from core.runs.config import model_class, model_config
from core.types import (
    PAD,
    Array,
    Floats,
    Interactions,
    Ints,
    Progress,
    Queries,
    Recommender,
    TrainData,
    silent,
)

SHOWN = 10  # people
NOTHING = 1e-6  # what an event counts that is left out


@dataclass(frozen=True)
class OriginEvent:
    """What a person took, and when."""

    item: NamedItem
    timestamp: str | int | None  # UTC, or an order number; None where the log has no times

    def to_json(self) -> dict[str, Any]:
        return self.item.to_json() | {"timestamp": self.timestamp}


@dataclass(frozen=True)
class Origin:
    """A person who taught the reason, and by which of their events."""

    user: Any  # an id
    share: float  # of all that was taught, 0 … 1
    own: bool  # whether it is the person who is asked about
    because: OriginEvent | None  # the earlier event that made most of it; None if nothing was
    taken: OriginEvent  # of the item
    between: int | None  # events between the two; None without times
    has_cause: bool  # whether the cause itself was taken before the item; without times, at all

    def to_json(self) -> dict[str, Any]:
        because = None if self.because is None else self.because.to_json()
        return vars(self) | {"because": because, "taken": self.taken.to_json()}


@dataclass(frozen=True)
class Retrained:
    """What is left of a reason where its first origins count for nothing, and where others do."""

    people: int  # left out each time
    value: float  # of the cause for the item, of the run itself
    without: float  # trained again without the first origins
    without_others: float  # and without as many others who took the item
    others: int  # how many of these there were

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class ReasonOrigins:
    """Who in the log taught the run that one item speaks for another; an estimate."""

    cause: NamedItem
    item: NamedItem
    value: float  # how much less the item is lifted above others without the cause
    takers: int  # people who took the item
    with_cause: int  # of those looked at, how many had taken the cause before
    looked_at: int  # people
    ordered: bool  # whether the log knows what came after what
    origins: tuple[Origin, ...]  # the first SHOWN that taught anything, the most first
    retrained: Retrained | None = None

    def to_json(self) -> dict[str, Any]:
        """As `recscope explain --origin --json` has it."""
        return vars(self) | {
            "cause": self.cause.to_json(),
            "item": self.item.to_json(),
            "origins": [each.to_json() for each in self.origins],
            "retrained": None if self.retrained is None else self.retrained.to_json(),
        }


def strongest_cause(query: Queries, explanation: Explanation, column: int = 0) -> int | None:
    """The code of the item of the history that speaks most for the one in this column.

    None where none does; events that are explained together only have no code.
    """
    item = int(explanation.items[column])
    speaking = (each for each in causes(query.items, explanation, column) if each.value > 0)
    return next((each.item for each in speaking if each.item not in (PAD, item)), None)


def reason_origins(
    loaded: LoadedRun,
    query: Queries,
    cause: int,
    item: int,
    *,
    user: object = None,
    retrain: bool = False,
    on_stage: Progress = silent,
) -> ReasonOrigins:
    """Who taught the run that `cause` speaks for `item`, codes; see core.explain.origin.

    Args:
        loaded: A run of a network.
        query: One history.
        cause: An item of the history.
        item: What it speaks for.
        user: The id of whose history it is, if the log has them.
        retrain: Train again without the first origins, and without others, to see what is left.
        on_stage: Told what is being done, and how far it is.

    Raises:
        BadInput: the run's model is no network with vectors of items, or no such cause.
        NotFound: the dataset is gone.
    """
    data = loaded.load_dataset()
    log = learnt_from(data, loaded.run.config, loaded.model)
    traced = origins(
        loaded.model,
        query,
        cause,
        item,
        log,
        n_items=len(loaded.items),
        top=SHOWN,
        on_progress=on_stage,
    )
    own = PAD if user is None else int(data.users.encode([user])[0])
    had = _had(log, traced)
    taught = int((traced.influence[:SHOWN] > 0).sum())
    checked = None
    if retrain:
        if not taught:
            raise BadInput("there is nobody to leave out: no one in the log taught this reason")
        checked = _retrained(loaded, query, traced, own, on_stage)
    name = _Naming(loaded, log, traced)
    return ReasonOrigins(
        cause=name.item(cause),
        item=name.item(item),
        value=traced.value,
        takers=traced.takers,
        with_cause=int(had.sum()),
        looked_at=len(traced.users),
        ordered=log.times is not None,
        origins=tuple(
            Origin(
                user=data.users.ids[[traced.users[at]]].tolist()[0],
                share=float(traced.shares[at]),
                own=bool(traced.users[at] == own),
                because=None if traced.because[at] == PAD else name.event(int(traced.because[at])),
                taken=name.event(int(traced.taken[at])),
                between=None
                if log.times is None or traced.because[at] == PAD
                else int(traced.taken[at] - traced.because[at] - 1),
                has_cause=bool(had[at]),
            )
            for at in range(taught)
        ),
        retrained=checked,
    )


class _Naming:
    """What items and events of the log are called."""

    def __init__(self, loaded: LoadedRun, log: Interactions, traced: Origins) -> None:
        self._log, self._labels = log, Labels(loaded)
        events = np.concatenate([traced.because, traced.taken])
        codes = np.append(log.items[events[events != PAD]], [traced.cause, traced.item])
        self._names = self._labels.labels(codes)
        self._ids = loaded.items.ids

    def item(self, code: int) -> NamedItem:
        return NamedItem(self._ids[[code]].tolist()[0], self._names[code])

    def event(self, place: int) -> OriginEvent:
        times = self._log.times
        when = None if times is None else self._labels.time(int(times[place]))
        return OriginEvent(self.item(int(self._log.items[place])), when)


def _had(log: Interactions, traced: Origins) -> Array:
    """Whether each of these people took the cause before the item, (P,) bool."""
    first = log.offsets[traced.users]
    last = traced.taken if log.times is not None else log.offsets[traced.users + 1]
    pairs = zip(first.tolist(), last.tolist(), strict=True)
    return np.array([bool((log.items[a:b] == traced.cause).any()) for a, b in pairs], bool)


def _retrained(
    loaded: LoadedRun, query: Queries, traced: Origins, own: int, on_stage: Progress
) -> Retrained:
    """The run trained twice more: without the first origins, and without others drawn."""
    users = traced.users[traced.influence > 0]
    users = users[users != own][:SHOWN]
    rest = np.setdiff1d(traced.users, np.append(users, own))
    rng = np.random.default_rng(loaded.run.config.seed)
    others = np.sort(rng.permutation(rest)[: len(users)])
    keep = np.stack([np.ones(len(query.items), bool), query.items != traced.cause])

    def left(people: Ints) -> float:
        model = trained_without(loaded, people, on_stage)
        v = Game(model, query, np.array([traced.item]), len(loaded.items), contrast=Contrast.MEAN)(
            keep
        )
        return float(v[0].sum() - v[1].sum())

    return Retrained(
        people=len(users),
        value=traced.value,
        without=left(users),
        without_others=left(others),
        others=len(others),
    )


def trained_without(loaded: LoadedRun, users: Ints, on_stage: Progress = silent) -> Recommender:
    """The run's model, trained again with its settings while these people's events count nothing.

    They stay in their batches at next to no weight, so that by the same seed all that is drawn is
    drawn as it was. The run on disk stays as it is, and there is none of the new one.
    """
    config, data = loaded.run.config, loaded.load_dataset()
    parts = split_as(data, config)
    items, people, _ = features_of(loaded.workspace, data, config, on_stage)
    on_stage("fit", None)
    return model_class(config.model)(model_config(config.model, config.params)).fit(
        TrainData(
            without(parts.train, users),
            items,
            people,
            parts.validation,
            without(parts.train_and_validation, users),
            weights.load_components(loaded.workspace, config, data.items),
        ),
        rng=np.random.default_rng(config.seed),
        device=loaded.model.device,
        on_epoch=lambda report: on_stage("fit", report.share),
    )


def without(log: Interactions, users: Ints) -> Interactions:
    """The same log, in which these people's events count next to nothing."""
    light: Floats = np.where(np.isin(log.users, users), np.float32(NOTHING), log.weights)
    return replace(log, weights=light)
