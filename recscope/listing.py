"""What a workspace holds, as tables."""

from __future__ import annotations

import pandas as pd

from core import jobs
from core.data.store import Workspace as Folders
from core.runs import artifact

DATASETS = ("id", "name", "events", "users", "items", "rejected", "created", "parent")
RUNS = (
    *("id", "name", "dataset", "dataset_name", "model", "split", "seed", "state", "message"),
    *("created", "seconds", "ndcg@10", "recall@10"),
)


def datasets(folders: Folders) -> pd.DataFrame:
    """A row for each dataset, newest first: DATASETS."""
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
        }
        for info in folders.datasets()
    ]
    return pd.DataFrame(rows, columns=list(DATASETS))


def runs(folders: Folders) -> pd.DataFrame:
    """A row for each training, newest first: RUNS."""
    finished = {run.id: run for run in artifact.list_runs(folders)}
    trainings = [status for status in jobs.statuses(folders) if status.kind == jobs.RUN]
    return pd.DataFrame(
        [_run(status, finished.get(status.run_id)) for status in trainings], columns=list(RUNS)
    )


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
    }
