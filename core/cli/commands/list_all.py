"""What there is: datasets and runs; without loading what trains."""

from __future__ import annotations

from typing import Any

from core import holdings, jobs
from core.cli.terminal import Result, table
from core.data.info import is_archived
from core.data.limits import size_in_words
from core.data.store import DatasetInfo, Workspace
from core.data.unreadable import Unreadable
from core.runs import artifact
from core.runs.notes import RunNotes

_ABOUT = (
    *("mapping", "evidence", "time_kind", "value_kind", "weights", "cleaning", "parent", "files"),
    *("first_time", "last_time", "item_columns", "user_columns", "created"),
    *("lines", "read_as", "matched", "advice"),
)


def datasets(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    found = []
    for info in workspace.datasets(archived=options.all):
        size = holdings.folder_size(info.folder)
        found.append({**to_json(info), "bytes": size, "archived": info.archived})
    broken = [one for one in holdings.unreadable(workspace) if one.kind == holdings.DATASET]
    columns = ("id", "name", "rows_kept", "users", "items", "size", "created")
    return _listed("datasets", found, columns, broken)


def to_json(info: DatasetInfo) -> dict[str, Any]:
    """What --json says of a dataset."""
    about = {key: info.meta.get(key) for key in _ABOUT}
    return {"id": info.id, "name": info.name, **info.counts, **about}


def runs(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    finished = {run.id: run for run in artifact.list_runs(workspace, archived=True)}
    found = []
    for status in jobs.statuses(workspace):
        folder = jobs.folder_of(workspace, status.run_id)
        archived = is_archived(folder)
        if status.kind != jobs.RUN or (archived and not options.all):
            continue
        run = finished.get(status.run_id)
        notes = run.notes if run else RunNotes()
        if not set(options.tag) <= set(notes.tags):
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
            "bytes": holdings.folder_size(folder),
            "archived": archived,
            **notes.to_json(),
        }
        if run:
            metrics = run.metrics.to_json()["metrics"] if run.metrics else {}
            row |= {key: run.meta[key] for key in ("config", "parameters", "artifact_hash")}
            row |= {"metrics": metrics, "ndcg@10": metrics.get("ndcg@10", {}).get("mean")}
            row["faithfulness"] = _measured(run)
        found.append(row)
    broken = [one for one in holdings.unreadable(workspace) if one.kind != holdings.DATASET]
    first = ("id", "name", "dataset_name", "model", "state", "seconds")
    tags = ("tags",) if any(row["tags"] for row in found) else ()
    return _listed("runs", found, (*first, "ndcg@10", "size", *tags, "message"), broken)


def _measured(run: artifact.Run) -> dict[str, Any] | None:
    """How faithful the run's explanations were when that was last measured."""
    stored = run.faithfulness
    return None if stored is None else {**stored.to_json(), "older": stored.older}


def _listed(
    what: str, rows: list[dict[str, Any]], columns: tuple[str, ...], broken: list[Unreadable]
) -> Result:
    """The rows as a table, and below it what could not be read."""
    shown = [
        {**row, "size": size_in_words(row["bytes"]), "tags": ", ".join(row.get("tags", ()))}
        for row in rows
    ]
    text = "\n".join([table(shown, columns), *(f"unreadable: {one.problem}" for one in broken)])
    return {what: rows, "unreadable": [one.to_json() for one in broken]}, text
