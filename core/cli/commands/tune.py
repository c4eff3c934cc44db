"""The best settings of a model → a run."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from core import jobs
from core.cli.commands.metrics_text import metrics_text
from core.cli.commands.train import features, logged, report_progress
from core.cli.terminal import Result, progress, table
from core.data.store import Workspace
from core.report import tracking
from core.runs import artifact
from core.runs.request import RunRequest
from core.tune.conduct import run_search
from core.tune.result import SearchResult
from core.tune.search import Search, plan_search, prepare_search


def tune(options: Any) -> Result:
    if options.log:
        tracking.check(options.log)
    result, text = _tune(options)
    return logged(options, result["run"], result, text)


def _tune(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)

    def searched(search: Search, report: jobs.Report) -> Result:
        result = run_search(workspace, search, report, report_progress(report, progress()))
        run = artifact.find_run(workspace, result.run)
        text = _tuned(result, run.dataset_name)
        if search.evaluate and (metrics := run.metrics):
            content = {**result.to_json(), "metrics": metrics.to_json()["metrics"]}
            return content, f"{text}\n{metrics_text(metrics)}"
        return result.to_json(), text

    if options.job:
        with (
            jobs.stopped_by_signals(jobs.folder_of(workspace, options.job)),
            jobs.adopt(workspace, options.job) as report,
        ):
            return searched(Search.read(report.folder), report)
    search = plan_search(
        workspace,
        RunRequest(
            options.dataset,
            options.model,
            options.set,
            split=options.split,
            cut=options.cut,
            validate_on=options.validate_on,
            seed=options.seed,
            device=options.device,
            name=options.name,
            features=features(options),
        ),
        space=options.search,
        trials=options.trials,
        minutes=options.minutes,
        evaluate=options.evaluate,
    )
    folder = workspace.searches_folder / search.id
    with (
        jobs.stopped_by_signals(folder),
        jobs.run_inline(workspace, folder, lambda: prepare_search(workspace, search)) as report,
    ):
        return searched(search, report)


def _tuned(result: SearchResult, dataset: str) -> str:
    best, start = result.best, result.default_validation
    columns = ("trial", "state", "validation", *result.space, "seconds")
    rows = [{**asdict(trial), **trial.params} for trial in result.history]
    settings = ", ".join(f"{name}={value}" for name, value in best.params.items())
    shares = ", ".join(f"{name} {share:.0%}" for name, share in result.importance.items())
    return "\n".join(
        [
            table(rows, columns),
            f"{result.model} on {dataset}: {result.trials} trials, of which "
            f"{result.pruned} pruned and {result.failed} failed, {result.seconds:.1f} s",
            f"ndcg@10 on validation: {best.validation:.4f} with {settings}"
            + ("" if start is None else f"; {start:.4f} with the defaults"),
            f"what matters: {shares or 'not known from so few trials that differ'}",
            f"run {result.name} ({result.run})",
        ]
    )
