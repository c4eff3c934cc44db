"""What runs are worth, alone and against each other."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from core import pipeline
from core.cli.commands.recommend import rerank
from core.cli.terminal import Result, progress, table
from core.data.store import Workspace
from core.runs import artifact
from core.runs.machines import Machines
from core.runs.metrics import RunMetrics


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


def metrics_text(metrics: RunMetrics, own: RunMetrics | None = None) -> str:
    """The figures; beside those of re-ranked lists the model's own, if measured the same way."""
    hidden = "hidden" if metrics.hide_seen else "kept"
    cut = f" at {metrics.cut}" if metrics.cut else ""
    head = f"{metrics.users} users, {metrics.split}{cut}, every item ranked, seen items {hidden}"
    if metrics.target_hidden_share:
        head += f", {metrics.target_hidden_share:.1%} of targets among them: never reached"
    if metrics.split_tie_rate:
        head += f", {metrics.split_tie_rate:.1%} tied in time with what came before"
    rows = [{"metric": name, **asdict(interval)} for name, interval in metrics.metrics.items()]
    columns = ["metric", "mean", "low", "high"]
    if how := metrics.rerank:
        head += f", lists re-ranked: {how.method} by {how.by}, strength {how.strength:g}"
        if own and own.hide_seen == metrics.hide_seen:
            columns.append("not re-ranked")
            for row in rows:
                interval = own.metrics.get(row["metric"])
                row["not re-ranked"] = interval.mean if interval else None
    return head + "\n" + table(rows, columns)
