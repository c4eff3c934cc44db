"""The best settings of a model → a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core import jobs
from core.cli.commands.evaluate import measures
from core.cli.commands.train import features, told_to
from core.cli.terminal import Result, table
from core.data.store import Workspace
from core.runs import artifact


def tune(options: Any) -> Result:
    from core import tune
    from core.tune.conduct import conduct

    workspace = Workspace.open(options.data_dir)

    def searched(search: tune.Search, report: jobs.Report) -> Result:
        result = conduct(workspace, search, report, told_to(report))
        run = artifact.run(workspace, result["run"])
        measured = run.metrics if search.evaluate else None
        text = _tuned(result, run.dataset_name)
        if measured:
            return {**result, "metrics": measured["metrics"]}, f"{text}\n{measures(measured)}"
        return result, text

    if options.job:
        with jobs.resumed(workspace, options.job) as (asked, report):
            return searched(tune.Search.of(asked), report)
    search = tune.plan(
        workspace,
        options.dataset,
        options.model,
        options.set,
        space=options.search,
        trials=options.trials,
        minutes=options.minutes,
        split=options.split,
        seed=options.seed,
        device=options.device,
        name=options.name,
        evaluate=options.evaluate,
        features=features(options),
    )
    folder = workspace.searches_folder / search.id
    with (
        jobs.here(workspace, folder, lambda: tune.prepare(workspace, search)) as report,
        jobs.stopped_by_ctrl_c(report),
    ):
        return searched(search, report)


def _tuned(result: Mapping[str, Any], dataset: str) -> str:
    best, start = result["best"], result["default_validation"]
    columns = ("trial", "state", "validation", *result["space"], "seconds")
    rows = [{**told, **told["params"]} for told in result["history"]]
    settings = ", ".join(f"{name}={value}" for name, value in best["params"].items())
    shares = ", ".join(f"{name} {share:.0%}" for name, share in result["importance"].items())
    return "\n".join(
        [
            table(rows, columns),
            f"{result['model']} on {dataset}: {result['trials']} trials, of which "
            f"{result['pruned']} pruned and {result['failed']} failed, {result['seconds']:.1f} s",
            f"ndcg@10 on validation: {best['validation']:.4f} with {settings}"
            + ("" if start is None else f"; {start:.4f} with the defaults"),
            f"what matters: {shares or 'not known from so few trials that differ'}",
            f"run {result['name']} ({result['run']})",
        ]
    )
