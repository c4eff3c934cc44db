"""What there is: datasets and runs; without loading what trains."""

from __future__ import annotations

from typing import Any

from core import jobs
from core.cli.commands.ingest import to_json
from core.cli.terminal import Result, table
from core.data.store import Workspace
from core.runs import artifact


def datasets(options: Any) -> Result:
    found = [to_json(info) for info in Workspace.open(options.data_dir).datasets()]
    columns = ("id", "name", "rows_kept", "users", "items", "created")
    return {"datasets": found}, table(found, columns)


def runs(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    finished = {run.id: run for run in artifact.list_runs(workspace)}
    found = []
    for status in jobs.statuses(workspace):
        if status.kind != jobs.RUN:
            continue
        row: dict[str, Any] = {
            "id": status.run_id,
            "name": status.name,
            "dataset": status.dataset,
            "dataset_name": status.dataset_name,
            "model": status.model,
            "state": status.state,
            "message": status.message,
            "created": status.queued,
            "seconds": status.seconds,
        }
        if run := finished.get(status.run_id):
            metrics = run.metrics.to_json()["metrics"] if run.metrics else {}
            row |= {key: run.meta[key] for key in ("config", "parameters", "artifact_hash")}
            row |= {"metrics": metrics, "ndcg@10": metrics.get("ndcg@10", {}).get("mean")}
        found.append(row)
    columns = ("id", "name", "dataset_name", "model", "state", "seconds", "ndcg@10", "message")
    return {"runs": found}, table(found, columns)
