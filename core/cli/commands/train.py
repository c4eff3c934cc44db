"""A dataset → a run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from core import jobs, pipeline
from core.cli.commands.metrics_text import metrics_text
from core.cli.terminal import Result, progress, table
from core.data.features.embeddings import CHOICES
from core.data.processes import process_began
from core.data.store import Workspace
from core.findings import FusionFindings
from core.report import tracking
from core.runs import artifact
from core.runs.config import run_id, validated_on
from core.runs.overrun import overrun
from core.runs.request import RunRequest
from core.types import EpochReport, Progress, RunConfig

VALIDATED_ON = {
    "next-event": "the next event of each person",
    "next-visit": "the next visit of each person",
    "next-period": "the next period of everyone",
}


def train(options: Any) -> Result:
    if options.log:
        tracking.check(options.log)
    result, text = _train(options)
    return logged(options, result["run"], result, text)


def logged(options: Any, run_id: str, result: dict[str, Any], text: str) -> Result:
    """The same, and where else the run is found, if that was asked for."""
    if not options.log:
        return result, text
    workspace = Workspace.open(options.data_dir)
    there = tracking.log_to_mlflow(workspace, artifact.find_run(workspace, run_id))
    said = f"{text}\nin MLflow: run {there.run} of experiment {there.experiment} ({there.uri})"
    return {**result, "mlflow": there.to_json()}, said


def _train(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    began = process_began() if options.own_process else None
    if options.job:
        with (
            jobs.stopped_by_signals(jobs.folder_of(workspace, options.job)),
            jobs.adopt(workspace, options.job) as report,
        ):
            spec, name = jobs.asked_for(report.folder)
            return _fitted(workspace, spec, name, options.evaluate, report, began)
    spec = RunRequest(
        options.dataset,
        options.model,
        options.set,
        split=options.split,
        cut=options.cut,
        validate_on=options.validate_on,
        seed=options.seed,
        device=options.device,
        features=features(options),
    ).resolve(workspace)
    stored = pipeline.finished_run(workspace, spec, options.name)
    if stored and not (options.evaluate and stored.metrics is None and spec.split != "none"):
        print("recscope: this run is already there", file=sys.stderr)
        return _trained(stored, options.evaluate)
    dataset_name = workspace.dataset(spec.dataset).name
    with (
        jobs.stopped_by_signals(workspace.runs_folder / run_id(spec)),
        jobs.train_inline(workspace, spec, dataset_name, options.name) as report,
    ):
        return _fitted(workspace, spec, options.name, options.evaluate, report, began)


def features(options: Any) -> dict[str, str]:
    """Which encoders are to read the items' texts and images."""
    return {name: getattr(options, name) for name in CHOICES}


def report_progress(report: jobs.Report, show: Progress) -> Progress:
    """Tells each stage to the job and in the terminal."""

    def on_stage(stage: str, progress: float | None = None) -> None:
        report.stage(stage, progress)
        show(stage, progress)

    return on_stage


def _fitted(
    workspace: Workspace,
    spec: RunConfig,
    name: str | None,
    evaluate: bool,
    report: jobs.Report,
    began: float | None,
) -> Result:
    show = progress()
    on_stage = report_progress(report, show)

    def on_epoch(figures: EpochReport) -> None:
        report.epoch(figures)
        show(f"fit {figures.component or ''}".rstrip(), figures.share)

    run = pipeline.fit(
        workspace,
        spec,
        name=name,
        on_stage=on_stage,
        on_epoch=on_epoch,
        began=began,
    )
    evaluate = evaluate and spec.split != "none"
    if evaluate:
        pipeline.evaluate(workspace, run, device=spec.device, on_stage=on_stage)
    return _trained(run, evaluate)


def _trained(run: artifact.Run, evaluate: bool) -> Result:
    split = run.meta["split"]
    result = {
        "run": run.id,
        "name": run.name,
        "dataset": run.config.dataset,
        "dataset_name": run.dataset_name,
        "model": run.config.model,
        "params": dict(run.config.params),
        "features": dict(run.config.features),
        "seed": run.config.seed,
        "split": split["kind"],
        "cut": run.config.cut or None,
        "validate_on": validated_on(run.config),
        "split_tie_rate": split["tie_rate"],
        "split_fingerprint": split["fingerprint"],
        "train_events": split["train_events"],
        "test_users": split["test_users"],
        "device": run.config.device,
        **{key: run.meta[key] for key in ("seconds", "created", "machine", "parameters")},
        "artifact_hash": run.artifact_hash,
        "code_version": run.meta["code_version"],
    }
    text = f"{run.name} ({run.id}): {run.config.model} on {run.dataset_name}, {run.seconds:.1f} s"
    if made := run.meta.get("embeddings"):
        result["embeddings"] = made
        text += "".join(f"\n{_embedded(kind, about)}" for kind, about in made.items())
    if findings := run.meta.get("findings"):
        result["findings"] = findings
        text += _fusion_text(FusionFindings.from_json(findings), run.config)
    if late := overrun(run):
        result["overrun"] = late.to_json()
        text += f"\n{late.sentence()}"
    if evaluate and (metrics := run.metrics):
        result["metrics"] = metrics.to_json()["metrics"]
        text += "\n" + metrics_text(metrics)
    return result, text


def _embedded(kind: str, about: Mapping[str, Any]) -> str:
    """How many items have a text or an image, and what could not be read."""
    text = f"{kind}: {about['items']:,} of {about['of']:,} items have one"
    if about.get("unreadable"):
        text += f", {about['unreadable']:,} cannot be read, such as {about['example']}"
    return text


def _fusion_text(findings: FusionFindings | None, config: RunConfig) -> str:
    """A fusion's components, and why they were chosen."""
    if findings is None:
        return ""
    text = ""
    for choice in findings.choices or ():
        how = "not taken" if choice.took is None else f"{choice.took:.1f} s"
        text += f"\n{choice.name}: {how}, {choice.why}"
    segments = [f"from {edge} events" for edge in findings.segments]
    rows = [
        {
            "component": component.name,
            "model": component.model,
            "ndcg@10 alone": component.validation,
            **dict(zip(segments, component.weights, strict=True)),
        }
        for component in findings.components
    ]
    fused = findings.validation
    together = "" if fused is None else f" (ndcg@10 together, on validation: {fused:.4f})"
    columns = ("component", "model", "ndcg@10 alone", *segments)
    text = f"{text}\nweights by length of the history{together}"
    if (on := validated_on(config)) and fused is not None:
        text += f", by {VALIDATED_ON[on]}"
        text += f", {findings.people:,} people" if findings.people else ""
    if findings.newcomers:
        text += (
            f"; those of people without a history by {findings.newcomers:,} who came in the log's "
            "last period"
        )
    return f"{text}\n{table(rows, columns)}"
