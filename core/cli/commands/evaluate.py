"""What runs are worth, alone and against each other."""

from __future__ import annotations

from typing import Any

from core import pipeline
from core.cli.commands.metrics_text import metrics_text
from core.cli.commands.recommend import rerank
from core.cli.terminal import Result, progress, table
from core.data.store import Workspace
from core.runs import artifact
from core.runs.machines import Machines


def evaluate(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    run = artifact.find_run(workspace, options.run)
    metrics = pipeline.evaluate(
        workspace,
        run,
        ks=options.k,
        hide_seen=not options.keep_seen,
        rerank=rerank(options),
        export=options.export,
        on_stage=progress(),
    )
    text = metrics_text(metrics, run.metrics)
    if options.export:
        text += f"\nwhat was asked and what was right: {options.export}"
    return metrics.to_json(), text


def compare(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    runs = [artifact.find_run(workspace, ref) for ref in options.runs]
    rows: list[Any] = pipeline.compare(workspace, runs, metrics=options.metrics).to_dict("records")
    columns = ("run", "metric", "mean", "difference", "low", "high", "p_holm")
    head = f"against {runs[0].name} ({runs[0].id}), user by user\n"
    machines = Machines.of(runs)
    if warning := machines.sentence():
        head += f"{warning}\n"
    result = {"baseline": runs[0].id, "comparisons": rows, "machines": machines.to_json()}
    return result, head + table(rows, columns)
