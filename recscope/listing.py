"""What a workspace holds, as tables."""

from __future__ import annotations

import logging

import pandas as pd

from core import holdings, jobs
from core.data.info import is_archived
from core.data.store import Workspace as Folders
from core.runs import artifact
from core.runs.notes import RunNotes

DATASETS = ("id", "name", "events", "users", "items", "rejected", "created", "parent", "bytes")
RUNS = (
    *("id", "name", "dataset", "dataset_name", "model", "split", "seed", "state", "message"),
    *("created", "seconds", "ndcg@10", "recall@10", "bytes", "tags", "note"),
)
UNREADABLE = ("kind", "id", "folder", "problem")

_log = logging.getLogger("recscope")


def datasets(folders: Folders, archived: bool = False) -> pd.DataFrame:
    """A row for each dataset, newest first: DATASETS."""
    _warn(folders, of_datasets=True)
    rows = [
        {
            "id": info.id,
            "name": info.name,
            "events": info.counts["rows_kept"],
            "users": info.counts["users"],
            "items": info.counts["items"],
            "rejected": info.counts["rows_rejected"],
            "created": info.created,
            "parent": info.parent,
            "bytes": holdings.folder_size(info.folder),
        }
        for info in folders.datasets(archived=archived)
    ]
    return pd.DataFrame(rows, columns=list(DATASETS))


def runs(folders: Folders, archived: bool = False) -> pd.DataFrame:
    """A row for each training, newest first: RUNS."""
    _warn(folders, of_datasets=False)
    finished = {run.id: run for run in artifact.list_runs(folders, archived=True)}
    rows = []
    for status in jobs.statuses(folders):
        folder = jobs.folder_of(folders, status.run_id)
        if status.kind == jobs.RUN and (archived or not is_archived(folder)):
            size = holdings.folder_size(folder)
            rows.append({**_run(status, finished.get(status.run_id)), "bytes": size})
    return pd.DataFrame(rows, columns=list(RUNS))


def unreadable(folders: Folders) -> pd.DataFrame:
    """A row for all that cannot be used as it lies there: UNREADABLE."""
    rows = [one.to_json() for one in holdings.unreadable(folders)]
    return pd.DataFrame(rows, columns=list(UNREADABLE))


def _warn(folders: Folders, *, of_datasets: bool) -> None:
    for one in holdings.unreadable(folders):
        if (one.kind == holdings.DATASET) is of_datasets:
            _log.warning("unreadable: %s", one.problem)


def _run(status: jobs.Status, run: artifact.Run | None) -> dict[str, object]:
    evaluated = run.metrics if run else None
    measured = evaluated.metrics if evaluated else {}
    return {
        "id": status.run_id,
        "name": status.name,
        "dataset": status.dataset,
        "dataset_name": status.dataset_name,
        "model": status.model,
        "split": run.config.split if run else None,
        "seed": run.config.seed if run else None,
        "state": status.state,
        "message": status.message,
        "created": status.queued,
        "seconds": status.seconds,
        **{
            name: measured[name].mean if name in measured else None
            for name in ("ndcg@10", "recall@10")
        },
        **(run.notes if run else RunNotes()).to_json(),
    }
