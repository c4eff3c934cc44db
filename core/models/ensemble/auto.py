"""The models that suit a log, fitted in the time there is, and their fusion."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np

from core.errors import TooLarge
from core.findings import ChoiceFindings, FusionFindings
from core.models.common.deadline import Deadline
from core.models.common.settings import setting
from core.models.common.tensors import tensor
from core.models.ensemble.budget import Budget
from core.models.ensemble.choice import Choice, Facts, choose
from core.models.ensemble.fading import well_faded
from core.models.ensemble.fusion import (
    SCALED_ON,
    UNJUDGED,
    Fusion,
    has_validation,
    part_of,
    weigh,
    without_validation_events,
)
from core.models.ensemble.newcomers import weights_of_newcomers
from core.models.ensemble.score_fusion import ScoreFusion, ScoreFusionConfig
from core.models.neural.gradient_model import GradientModel
from core.types import EpochReport, Fades, Holdout, OnEpoch, Recommender, TrainData

NOT_WORTH = 0.3  # of a network's time, below which it is better left as it was judged
PROBED, WEIGHED = 0.5, 0.6  # shares of the whole that are done, as it is told
BEST_EPOCH = "auto.best_epoch"  # in what is kept of a network
WORTH_KEEPING, MOST_KEPT = 2.0, 2**28  # seconds and bytes of a part that need not be fitted again


@dataclass(frozen=True)
class AutoConfig(ScoreFusionConfig):
    """What may be spent, and how the models are added up."""

    minutes: float = setting(
        6.0,
        "From the start to the saved run; what would take longer is left out",
        min=0.1,
        max=1e4,
        step=1.0,
    )


@dataclass(frozen=True)
class Fit:
    """What a model is fitted with."""

    train: TrainData
    rng: np.random.Generator  # its own: what an earlier fit had finished draws nothing
    device: str
    on_epoch: OnEpoch


class Auto(Fusion):
    """The models that suit the data and the time, each fitted, then their fusion.

    `choose` says which and why. Each is fitted without the validation events, from which the
    fusion's weights come, then, if it has any weight, for good with them: a neural one for as many
    epochs as were best. All of it ends when the minutes are over: a part is begun only where it and
    all that is left to do fit, by what the parts before it took on this machine; networks and the
    search for weights stop where they are; what could not be fitted for good stays without the
    validation events. For people without a history, whom validation by last events does not know,
    the weights are of those who came in the log's last period (newcomers.py).
    """

    Config: ClassVar[type] = AutoConfig

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self._choices: tuple[ChoiceFindings, ...] = ()
        self._began: float | None = None

    def began_at(self, moment: float) -> None:
        """The minutes of the next fit count from this moment of time.perf_counter()."""
        self._began = moment

    def fit(
        self,
        train: TrainData,
        *,
        rng: np.random.Generator,
        device: str = "cpu",
        on_epoch: OnEpoch | None = None,
    ) -> Self:
        """Choose, fit and fuse."""
        began, self._began = self._began or time.perf_counter(), None
        budget = Budget(began, 60 * self.config.minutes)
        on_epoch = budget.telling(on_epoch)
        choices = choose(Facts.of(train, device))
        models, choices = self._probes(choices, budget, train, rng, device, on_epoch)
        log, held_out = train.interactions, train.validation
        sample = log.queries(np.sort(rng.permutation(log.n_users)[:SCALED_ON]))
        fusion = ScoreFusion.alike(self.config, tuple(models.values()), sample, device)
        names, judged = list(models), UNJUDGED
        if has_validation(train) and held_out is not None:
            if on_epoch is not None:
                on_epoch(EpochReport(0, 1, done=PROBED))
            weights, judged = weigh(fusion, held_out, log.n_items, rng, budget.weighed_by())
            if held_out.queries.lengths.all():  # nobody without a history was asked
                known = log if train.train_and_validation is None else train.train_and_validation
                own = weights_of_newcomers(models, known, self.config, rng, device)
                if own is not None:
                    by_popularity, newcomers = own
                    judged = replace(judged, newcomers=newcomers)
                    weights[0] = tensor(by_popularity.astype(np.float32), weights.device)
            kept = np.flatnonzero(weights.any(dim=0).cpu().numpy()).tolist()
            names = [names[c] for c in kept]
            judged = replace(judged, figures=judged.figures[[*kept, -1]])
            del fusion  # what is fitted again makes room first
            models = {name: models[name] for name in names}
            finals = self._finals(models, budget, train, rng, device, on_epoch)
            weights, fitted = weights[:, kept], [name in finals for name in names]
            if not all(fitted):
                choices = [_unless_lost(choice, names, finals) for choice in choices]
                weights = weights[:, fitted]
                weights[weights.sum(dim=1) == 0] = 1 / sum(fitted)
                judged = replace(judged, figures=judged.figures[[*fitted, True]])
                names = list(finals)
            fusion = ScoreFusion.alike(self.config, tuple(finals.values()), sample, device)
            fusion = replace(fusion, weights=weights)
        self._names, self._fusion, self._judged = tuple(names), fusion, judged
        self._choices = tuple(choice.findings(budget.took.get(choice.name)) for choice in choices)
        if on_epoch is not None:
            on_epoch(EpochReport(1, 1, done=1.0, component=names[-1]))
        return self

    def _probes(
        self,
        choices: list[Choice],
        budget: Budget,
        train: TrainData,
        rng: np.random.Generator,
        device: str,
        on_epoch: OnEpoch | None,
    ) -> tuple[dict[str, Recommender], list[Choice]]:
        """The models by name, without the validation events, and what became of each choice."""
        total = sum(choice.seconds for choice in choices if choice.taken) or 1.0
        models, done, told = dict[str, Recommender](), 0.0, []
        known = without_validation_events(train)
        twice = has_validation(train)
        asked = _asked(train)
        for choice in choices:
            # the first, popularity, is there whatever the time
            if choice.taken and models and (late := budget.late(choice)):
                choice = choice.left_out(**late)
            if not choice.taken:
                told.append(choice)
                continue
            tell = part_of(on_epoch, choice.name, done, done + PROBED * choice.seconds / total)
            done += PROBED * choice.seconds / total
            probe = _probe(choice)
            fit = Fit(known, rng.spawn(1)[0], device, tell)
            try:
                with budget.fitting(choice.name):
                    if isinstance(probe, GradientModel):
                        probe.stop_by(budget.probed_by(twice=twice))
                    probe = self._once(probe, f"{choice.name}.probe", fit)
            except TooLarge:
                if not models:
                    raise
                told.append(replace(choice, taken=False, reason="too_large"))
                continue
            budget.compare(choice)
            if asked is not None:
                faded = well_faded(probe, asked, budget.faded_by())
                if faded is not probe:
                    choice = choice.fading(faded.config.history_decay)
                probe = faded
            models[choice.name] = probe
            told.append(choice)
        return models, told

    def _finals(
        self,
        probes: dict[str, Recommender],
        budget: Budget,
        train: TrainData,
        rng: np.random.Generator,
        device: str,
        on_epoch: OnEpoch | None,
    ) -> dict[str, Recommender]:
        """The same models with the validation events, as far as there is time; by name.

        `probes` is emptied, so that a large model need not lie there twice. What no longer fits
        into memory is missing; TooLarge, if nothing is left.
        """
        if train.train_and_validation is None:
            return probes
        whole = replace(
            train,
            interactions=train.train_and_validation,
            validation=None,
            train_and_validation=None,
        )
        names, models = list(probes), dict[str, Recommender]()
        total, done = sum(budget.once[name] for name in names) or 1.0, WEIGHED
        # networks last: they can be stopped
        for name in sorted(probes, key=lambda name: isinstance(probes[name], GradientModel)):
            probe, seconds = probes.pop(name), budget.once[name]
            tell = part_of(on_epoch, name, done, done + (1 - WEIGHED) * seconds / total)
            done += (1 - WEIGHED) * seconds / total
            config = probe.config
            if isinstance(probe, GradientModel):
                config = replace(config, epochs=probe.best_epoch)
            elif budget.saved_by().left < seconds:
                models[name] = probe
                continue
            final = type(probe)(config)
            if isinstance(final, GradientModel):
                others = sum(budget.once[other] for other in names if other not in models)
                share = seconds / others if others else 1.0
                if budget.saved_by().left * share < NOT_WORTH * seconds:
                    models[name] = probe
                    continue
                final.stop_by(Deadline.within(budget.saved_by().left * share))
            del probe
            fit = Fit(whole, rng.spawn(1)[0], device, tell)
            # how fast histories fade is chosen by the clock: another time it may be another
            fading = f".{config.history_decay:g}" if isinstance(final, Fades) else ""
            try:
                with budget.fitting(name):
                    models[name] = self._once(final, f"{name}.final{fading}", fit)
            except TooLarge:
                if not models and not probes:
                    raise
        return {name: models[name] for name in names if name in models}

    def _once(self, model: Recommender, name: str, fit: Fit) -> Recommender:
        """The model, fitted; as it was left where an interrupted fit had come beyond it."""
        place = self._checkpoint.part(f"{name}.done") if self._checkpoint else None
        if place is not None and (kept := place.read()) is not None:
            state = dict(kept)
            best_epoch = state.pop(BEST_EPOCH, np.zeros(1))
            loaded = model.load(state, device=fit.device)
            if isinstance(loaded, GradientModel):
                loaded.best_epoch = int(best_epoch[0])
            return loaded
        began = time.perf_counter()
        fitted = self._resumed(model, name).fit(
            fit.train, rng=fit.rng, device=fit.device, on_epoch=fit.on_epoch
        )
        if place is not None and time.perf_counter() - began > WORTH_KEEPING:
            state = dict(fitted.state())
            if isinstance(fitted, GradientModel):
                state[BEST_EPOCH] = np.array([fitted.best_epoch])
            if sum(array.nbytes for array in state.values()) < MOST_KEPT:
                place.write(state)
        return fitted

    def findings(self) -> FusionFindings:
        """What was chosen and why, beside what a fusion finds."""
        return replace(super().findings(), choices=self._choices)


def _probe(choice: Choice) -> Recommender:
    """The model, which will know nothing of the validation events."""
    from core.models import MODELS

    kind = MODELS[choice.model]
    config = kind.Config(**choice.params)
    return kind(replace(config, refit=False) if issubclass(kind, GradientModel) else config)


def _unless_lost(choice: Choice, names: list[str], finals: dict[str, Recommender]) -> Choice:
    """The choice; not taken any more if it had weight and could not be fitted again."""
    lost = choice.name in names and choice.name not in finals
    return replace(choice, taken=False, reason="too_large_again") if lost else choice


def _asked(train: TrainData) -> Holdout | None:
    """What was held out of those of whom anything was; None where no history can fade."""
    held_out = train.validation
    if held_out is None or not has_validation(train) or train.interactions.times is None:
        return None
    return held_out[np.flatnonzero(np.diff(held_out.offsets))]
