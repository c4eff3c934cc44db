"""Makes the trials of a search, and trains the best settings as a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cached_property

import numpy as np
import optuna
import torch

from core import pipeline
from core.data import dataset
from core.data.store import Workspace
from core.errors import BadInput
from core.jobs.progress import Report
from core.models.common.validation import validation_score
from core.models.neural.gradient_model import SCORED_AT_ONCE
from core.runs import artifact
from core.runs.config import model_class, model_config, run_id
from core.tune.result import BestTrial, SearchResult
from core.tune.search import Search, finish, with_params
from core.tune.trials import Trials
from core.types import EpochReport, Holdout, OnEpoch, Params, Progress, TrainData


def run_search(
    workspace: Workspace, search: Search, report: Report, on_stage: Progress
) -> SearchResult:
    """Makes the trials that are still to be made, keeps the best, and says what was found.

    Args:
        workspace: Where.
        search: What is searched.
        report: Of the search's job, in whose folder the trials are.
        on_stage: Is told load, split, tune and the stages of the last training, with their shares.

    Raises:
        BadInput: a log that the model cannot learn from, with the settings it starts from.
    """
    trials, bench = Trials(search, report.folder), _Bench(workspace, search, on_stage)
    for line in _lines(trials, search):
        report.line(line)
    while (begun := _share(trials, search)) < 1:
        bench.read()

        def on_progress(done: float, begun: float = begun) -> None:
            on_stage("tune", begun + done / search.trials)

        on_progress(0.0)
        _try(trials, bench, on_progress)
        report.line(_lines(trials, search)[-1])
    result = _result(trials, search)
    run = _keep_best(workspace, search, result.best.params, report, on_stage)
    result = replace(result, run=run.id, name=run.name)
    finish(report.folder, result)
    return result


class _Bench:
    """Measures settings on validation; the data are read once."""

    def __init__(self, workspace: Workspace, search: Search, on_stage: Progress) -> None:
        self._workspace, self._search, self._say = workspace, search, on_stage

    def read(self) -> None:
        """Reads the data if that is still to be done, so that it is no part of the first trial."""
        _ = self._data

    @cached_property
    def _data(self) -> tuple[TrainData, Holdout]:
        """What a trial learns from, and what it is asked; nothing of it is a test event."""
        config = self._search.config
        kind = model_class(config.model)
        self._say("load", None)
        data = dataset.load(self._workspace.dataset(config.dataset))
        self._say("split", None)
        parts = pipeline.split_as(data, config, validation=True)
        assert parts.validation is not None, "it was asked for"
        items, users, _ = pipeline.features_of(self._workspace, data, config, self._say)
        stop = parts.validation if kind.needs_validation else None
        return TrainData(parts.train, items, users, stop), parts.validation

    def measure(self, params: Params, on_epoch: OnEpoch) -> float:
        """NDCG@10 on validation of the model with these settings."""
        config = with_params(self._search, params)
        train, holdout = self._data
        model = model_class(config.model)(model_config(config.model, config.params)).fit(
            train,
            rng=np.random.default_rng(config.seed),
            device=config.device,
            on_epoch=on_epoch,
        )
        rng = np.random.default_rng(config.seed)  # each trial is asked the same
        return validation_score(model.score, holdout, rng, SCORED_AT_ONCE)()


def _try(trials: Trials, bench: _Bench, on_progress: Callable[[float], None]) -> None:
    """One more trial."""
    first = not trials.counted()
    trial, params = trials.propose()
    try:
        validation = bench.measure(params, _judge(trial, on_progress))
    except optuna.TrialPruned:
        trials.give_up(trial)
    except (BadInput, MemoryError, torch.OutOfMemoryError) as error:
        if first:  # then it is not the settings
            raise
        trials.give_up(trial, why=str(error) or "memory ran out")
    else:
        trials.finish(trial, validation)


def _judge(trial: optuna.Trial, on_progress: Callable[[float], None]) -> OnEpoch:
    """Stops a training that is behind the others."""

    def tell(report: EpochReport) -> None:
        on_progress(report.epoch / report.epochs)
        if report.validation is None:
            return
        trial.report(report.validation, report.epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    return tell


def _share(trials: Trials, search: Search) -> float:
    """How much of the search is over, 0 … 1; 0 before the first trial."""
    history = trials.history()
    share = len(history) / search.trials
    if search.minutes:
        share = max(share, sum(trial.seconds for trial in history) / (60 * search.minutes))
    return share


def _lines(trials: Trials, search: Search) -> list[dict[str, object]]:
    """The lines of epochs.jsonl: how each trial went, and the best so far."""
    best, lines = 0.0, []
    for trial in trials.history():
        if trial.state == "done" and trial.validation is not None:
            best = max(best, trial.validation)
        lines.append({**asdict(trial), "trials": search.trials, "best": best})
    return lines


def _result(trials: Trials, search: Search) -> SearchResult:
    """What the trials say; the run of the best settings is still to be trained."""
    history, config = trials.history(), search.config
    done = [(trial.validation, trial) for trial in history if trial.state == "done"]
    validation, best = max(
        ((value, trial) for value, trial in done if value is not None), key=lambda pair: pair[0]
    )
    defaults = {name: config.params[name] for name in search.space}
    return SearchResult(
        search=search.id,
        dataset=config.dataset,
        model=config.model,
        split=config.split,
        seed=config.seed,
        device=config.device,
        space=dict(search.space),
        trials=len(history),
        pruned=sum(trial.state == "pruned" for trial in history),
        failed=sum(trial.state == "failed" for trial in history),
        best=BestTrial(best.params, validation, best.trial),
        defaults=defaults,
        default_validation=history[0].validation if trials.first == defaults else None,
        importance=trials.importance(),
        seconds=round(sum(trial.seconds for trial in history), 3),
        history=history,
    )


def _keep_best(
    workspace: Workspace,
    search: Search,
    params: Params,
    report: Report,
    on_stage: Progress,
) -> artifact.Run:
    """The run of these settings, trained with the validation events too."""
    config = with_params(search, params)
    earlier = artifact.open_run(workspace, run_id(config))
    name = search.name
    if name is None and (earlier is None or earlier.name == config.model):  # else it has its own
        name = f"{config.model} tuned"
    run = pipeline.fit(workspace, config, name=name, on_stage=on_stage, on_epoch=report.epoch)
    if search.evaluate and config.split != "none" and run.metrics is None:
        pipeline.evaluate(workspace, run, device=config.device, on_stage=on_stage)
    return run
