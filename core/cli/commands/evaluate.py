"""What runs are worth, alone and against each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core import pipeline
from core.cli.commands.metrics_text import metrics_text
from core.cli.commands.recommend import rerank
from core.cli.terminal import Result, progress, table
from core.data.store import Workspace
from core.errors import BadInput
from core.recommend import export
from core.recommend.rules import Rules
from core.runs import artifact
from core.runs.artifact import Run
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
        rules=Rules.parse(options.rules),
        export=options.export,
        on_stage=progress(),
    )
    text = metrics_text(metrics, run.metrics)
    if options.export:
        text += f"\nwhat was asked and what was right: {options.export}"
    return metrics.to_json(), text


def compare(options: Any) -> Result:
    if options.people:
        export.check(options.people)
    workspace = Workspace.open(options.data_dir)
    runs = [artifact.find_run(workspace, ref) for ref in options.runs]
    if options.people and len(runs) < 2:
        raise BadInput(f"people gain or lose between two runs: name another beside {runs[0].id}")
    rows: list[Any] = pipeline.compare(workspace, runs, metrics=options.metrics).to_dict("records")
    columns = ("run", "metric", "mean", "difference", "low", "high", "p_holm")
    head = f"against {runs[0].name} ({runs[0].id}), user by user\n"
    machines = Machines.of(runs)
    if warning := machines.sentence():
        head += f"{warning}\n"
    result = {"baseline": runs[0].id, "comparisons": rows, "machines": machines.to_json()}
    text = head + table(rows, columns)
    if options.people:
        metric = (options.metrics or ["ndcg@10"])[0]
        result["people"] = {"out": str(options.people), "metric": metric}
        text += f"\n{_people(runs, metric, options.people)}"
    return result, text


def _people(runs: Sequence[Run], metric: str, out: Path) -> str:
    """Writes who gains and who loses; what to say of it."""
    frames = [
        pipeline.by_person(run, runs[0], metric).assign(run_id=run.id, metric=metric)
        for run in runs[1:]
    ]
    order = ["run_id", "metric", "user_id", "baseline", "run", "difference"]
    export.write(out, [frame[order] for frame in frames])
    lines = [
        f"{run.id[:6]}: better for {(frame['difference'] > 0).sum()} people, worse for "
        f"{(frame['difference'] < 0).sum()}, alike for {(frame['difference'] == 0).sum()}"
        for run, frame in zip(runs[1:], frames, strict=True)
    ]
    return "\n".join([*lines, f"by {metric}, person by person: {out}"])
