"""The trials of a search, written down as they are made, and what they say together.

Optuna proposes, prunes and keeps: a journal of JSON lines, to which only the search's job writes. A
proposal follows from the seed and the trials before it, so that a search that was killed goes on
as if it had not been.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from core.tune.result import TrialReport
from core.tune.search import Search
from core.tune.space import Domain, Range, domain
from core.types import Params, Setting

JOURNAL = "trials.jsonl"
AT_RANDOM = 5  # trials before what they say guides the next
UNJUDGED = 3  # epochs before a trial can be pruned
ENOUGH = 4  # finished trials, to prune others by or to tell importance from
WHY = "why"  # the attribute of a trial whose settings cannot be trained


class Trials:
    """The trials of a search in this folder. One that a kill left unfinished does not count.

    What is worse than the median of the finished trials at the same epoch is pruned: with a dozen
    trials, halving them by rungs (Hyperband) would leave hardly any to learn from.
    """

    def __init__(self, search: Search, folder: Path) -> None:
        config = search.config
        self._config = config
        self._domains = {name: domain(config.model, name, t) for name, t in search.space.items()}
        self._study = _opened(folder / JOURNAL)
        for trial in self._in_state(TrialState.RUNNING):
            self._study.tell(trial.number, state=TrialState.FAIL)

    @property
    def first(self) -> dict[str, Setting]:
        """What the search starts from: the defaults, or what is nearest to them in the space."""
        return {name: _nearest(d, self._config.params[name]) for name, d in self._domains.items()}

    def propose(self) -> tuple[optuna.Trial, dict[str, Setting]]:
        """The next trial, and its settings."""
        made = len(self.counted())
        if not made and not self._in_state(TrialState.WAITING):
            self._study.enqueue_trial(self.first)
        seed = _seed(self._config.seed, made, self._lost_again())
        self._study.sampler = TPESampler(seed=seed, n_startup_trials=AT_RANDOM)
        trial = self._study.ask({name: _distribution(d) for name, d in self._domains.items()})
        return trial, self._tidy(trial.params)

    def finish(self, trial: optuna.Trial, validation: float) -> None:
        """The trial was trained to its end."""
        self._study.tell(trial, validation)

    def give_up(self, trial: optuna.Trial, why: str = "") -> None:
        """The trial was pruned, or its settings cannot be trained, and why."""
        if why:
            trial.set_user_attr(WHY, why)
        self._study.tell(trial, state=TrialState.PRUNED)

    def counted(self) -> list[FrozenTrial]:
        """The trials that count, in order."""
        return self._in_state(TrialState.COMPLETE, TrialState.PRUNED)

    def history(self) -> list[TrialReport]:
        """Each trial that counts, in order."""
        return [self._report(number, trial) for number, trial in enumerate(self.counted(), start=1)]

    def importance(self) -> dict[str, float]:
        """Each setting's share in how the finished trials differ; empty if they are too few.

        By fANOVA, which names the setting that matters after a dozen trials; PED-ANOVA needs more.
        """
        values = [trial.value for trial in self._in_state(TrialState.COMPLETE)]
        if len(values) < ENOUGH or len(set(values)) == 1:
            return {}
        evaluator = FanovaImportanceEvaluator(seed=_seed(self._config.seed))
        shares = get_param_importances(self._study, evaluator=evaluator)
        return {name: round(float(share), 4) for name, share in shares.items()}

    def _in_state(self, *states: TrialState) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=states)

    def _lost_again(self) -> int:
        """How often the next trial was lost beyond once: what kills twice is not tried again."""
        lost = 0
        for trial in reversed(self._study.get_trials(deepcopy=False)):
            if trial.state != TrialState.FAIL:
                break
            lost += 1
        return max(0, lost - 1)

    def _report(self, number: int, trial: FrozenTrial) -> TrialReport:
        why, by_epoch = trial.user_attrs.get(WHY, ""), trial.intermediate_values
        done = trial.state == TrialState.COMPLETE
        return TrialReport(
            trial=number,
            state="done" if done else "failed" if why else "pruned",
            validation=trial.value if done else max(by_epoch.values(), default=None),
            params=self._tidy(trial.params),
            epoch=max(by_epoch, default=None),
            seconds=round(trial.duration.total_seconds(), 3) if trial.duration else 0.0,
            message=why,
        )

    def _tidy(self, params: Params) -> dict[str, Setting]:
        return {
            name: d.tidy(params[name]) if isinstance(d, Range) else params[name]
            for name, d in self._domains.items()
        }


class _NoLock(JournalFileOpenLock):
    """The job is the only one to write; Optuna's own lock outlives its killed holder by 30 s."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def _opened(path: Path) -> optuna.Study:
    """The study in this journal; a line that a kill cut short is taken out."""
    if path.exists():
        whole = path.read_bytes().rfind(b"\n") + 1
        with path.open("ab") as file:
            file.truncate(whole)
    with _quiet():
        return optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(path), lock_obj=_NoLock(str(path)))),
            study_name=path.parent.name,
            direction="maximize",
            pruner=MedianPruner(n_startup_trials=ENOUGH, n_warmup_steps=UNJUDGED),
            load_if_exists=True,
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Inside, Optuna tells only what is wrong; afterwards it is as talkative as before."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _distribution(where: Domain) -> BaseDistribution:
    if not isinstance(where, Range):
        return CategoricalDistribution(where)
    if isinstance(where.low, int) and isinstance(where.high, int):
        return IntDistribution(where.low, where.high, log=where.by_ratio)
    return FloatDistribution(where.low, where.high, log=where.by_ratio)


def _nearest(where: Domain, value: Any) -> Any:
    if isinstance(where, Range):
        return min(max(value, where.low), where.high)
    return value if value in where else where[0]


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
