"""A run in somebody's MLflow: its settings, its metrics by epoch and at the end, tags, its id.

MLflow is an extra. Where it writes is its own affair: MLFLOW_TRACKING_URI, or the folder in which
the command was called. Its report of usage to its makers is switched off, as nothing leaves this
machine that nobody asked for, and a plain folder (`mlruns`), which it would refuse by now, allowed.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from core import jobs
from core.data.store import Workspace
from core.errors import BadInput
from core.runs.artifact import Run
from core.types import Interval

MLFLOW = "mlflow"
RUN_ID = "recscope.run_id"  # the tag by which a run is found again
_BATCH = 100  # of metrics or parameters in one request: no version takes fewer
_LONGEST = 500  # characters of a parameter: what every version of its server takes


@dataclass(frozen=True)
class Logged:
    """Where a run is found in MLflow."""

    run: str  # MLflow's id
    experiment: str
    uri: str

    def to_json(self) -> dict[str, str]:
        """As `recscope train --json` has it."""
        return asdict(self)


def check(where: str) -> None:
    """Raises BadInput unless runs can be logged there; asked before anything is trained."""
    if where == MLFLOW and find_spec(MLFLOW) is None:
        raise BadInput(
            "MLflow is not installed, and runs are logged only where it is: "
            "pip install '.[mlflow]' in a clone of Recscope, or pip install mlflow-skinny"
        )


def log_to_mlflow(workspace: Workspace, run: Run) -> Logged:
    """Logs a finished run; one that is there already gets its final metrics and tags once more.

    Raises:
        BadInput: MLflow is not installed, or does not take it; the run itself is not affected.
    """
    check(MLFLOW)
    for switch in ("MLFLOW_DISABLE_TELEMETRY", "MLFLOW_ALLOW_FILE_STORE"):
        os.environ.setdefault(switch, "true")
    mlflow: Any = import_module(MLFLOW)
    try:
        return _log(mlflow, workspace, run)
    except (mlflow.exceptions.MlflowException, OSError) as error:
        reason = " ".join(str(error).split())[:300]
        raise BadInput(
            f"MLflow did not take run {run.id} ({reason}): it is trained and kept; mend "
            "MLFLOW_TRACKING_URI, then give the same command again"
        ) from error


def _log(mlflow: Any, workspace: Workspace, run: Run) -> Logged:
    client = mlflow.MlflowClient()
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or run.dataset_name
    experiment = client.get_experiment_by_name(name)
    number = client.create_experiment(name) if experiment is None else experiment.experiment_id
    there = client.search_runs([number], f"tags.`{RUN_ID}` = '{run.id}'", max_results=1)
    began = int(1000 * datetime.fromisoformat(run.created).timestamp())
    if there:
        ident = there[0].info.run_id
    else:
        made = client.create_run(number, start_time=began, tags=_tags(run), run_name=run.name)
        ident = made.info.run_id
        params = [mlflow.entities.Param(key, value) for key, value in settings_of(run).items()]
        for some in _batches(params):
            client.log_batch(ident, params=some)
    now = int(1000 * time.time())
    figures = [] if there else list(by_epoch(jobs.epochs(workspace, run.id)))
    figures += [(name, value, 0) for name, value in at_the_end(run).items()]
    metrics = [mlflow.entities.Metric(name, value, now, step) for name, value, step in figures]
    for some in _batches(metrics):
        client.log_batch(ident, metrics=some)
    for key, value in _tags(run).items():
        client.set_tag(ident, key, value)
    client.set_terminated(ident, "FINISHED", began + int(1000 * run.seconds))
    return Logged(ident, name, mlflow.get_tracking_uri())


def _batches(things: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(things), _BATCH):
        yield things[start : start + _BATCH]


def settings_of(run: Run) -> dict[str, str]:
    """Name → value of all that was chosen, the model's own settings and the conditions."""
    config = run.config
    conditions = {
        "model": config.model,
        "dataset": f"{run.dataset_name} ({config.dataset})",
        "split": config.split,
        "cut": config.cut,
        "validate_on": config.validate_on,
        "seed": config.seed,
        "device": config.device,
    }
    chosen = {**conditions, **config.features, **config.params}
    return {_key(name): str(value)[:_LONGEST] for name, value in chosen.items() if value != ""}


def by_epoch(lines: list[dict[str, Any]]) -> Iterator[tuple[str, float, int]]:
    """Name, value, epoch of what a job reported: loss and validation, of a part of a fusion under
    its name, and under "refit" where it was learnt anew with the validation events.
    """
    names = {"loss": "loss", "validation": metric_key("validation_ndcg@10")}
    for line in lines:
        before = [line.get("component"), "refit" if line.get("refit") else None]
        for field, name in names.items():
            value = line.get(field)
            if isinstance(value, int | float) and isinstance(line.get("epoch"), int):
                yield (
                    "/".join(map(_key, filter(None, [*before, name]))),
                    float(value),
                    line["epoch"],
                )


def at_the_end(run: Run) -> dict[str, float]:
    """Name → value: every metric with the ends of its interval, seconds, parameters, size."""
    figures = {
        "seconds": run.seconds,
        "parameters": float(run.meta["parameters"]),
        "bytes": float(run.meta["bytes"]),
    }
    measured = run.metrics
    if measured is None:
        return figures
    if measured.list_ms is not None:
        figures["list_ms"] = measured.list_ms
    for name, own in measured.metrics.items():
        figures |= {metric_key(name) + end: value for end, value in _ends(own)}
    return figures


def _ends(own: Interval) -> Iterator[tuple[str, float]]:
    for end, value in (("", own.mean), (".low", own.low), (".high", own.high)):
        if value is not None:
            yield end, value


def metric_key(name: str) -> str:
    """A metric as MLflow takes it, which knows no "@".

    >>> metric_key("ndcg@10")
    'ndcg_at_10'
    """
    return _key(name.replace("@", "_at_"))


def _key(name: str) -> str:
    return re.sub(r"[^\w .\-]", "_", str(name), flags=re.ASCII)[:200] or "_"


def _tags(run: Run) -> Mapping[str, str]:
    notes = run.notes
    tags = {
        RUN_ID: run.id,
        "recscope.dataset_id": run.config.dataset,
        "recscope.code_version": str(run.meta["code_version"]),
        "recscope.artifact_hash": run.artifact_hash,
        "recscope.tags": ", ".join(notes.tags),
        "mlflow.note.content": notes.note[:5000],  # what its page shows as the description
    }
    return {key: value for key, value in tags.items() if value}
