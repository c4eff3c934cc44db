"""Stored figures of several runs against each other, person by person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pandas as pd

from core.data.store import Workspace
from core.errors import BadInput
from core.evaluate import compare as paired
from core.runs.artifact import Run


def compare(
    workspace: Workspace, runs: Sequence[Run], *, metrics: Sequence[str] | None = None
) -> pd.DataFrame:
    """Each run against the first, user by user, in these metrics (ndcg@10 and recall@10).

    Returns:
        run, metric, users, baseline_mean, mean, difference, low, high (95 % of the difference),
        p, and p_holm: p corrected for all rows.

    Raises:
        BadInput: one run twice, or runs not evaluated on the same people in the same way.
    """
    if len({run.id for run in runs}) < len(runs):
        raise BadInput(
            f"a run is named twice among {', '.join(run.id for run in runs)}: name others"
        )
    tables = _tables_alike(runs)
    values = {
        run.id: {str(name): table[name].to_numpy() for name in table}
        for run, table in zip(runs, tables, strict=True)
    }
    rows = paired(values, runs[0].id, metrics=metrics or ("ndcg@10", "recall@10"))
    return pd.DataFrame([asdict(row) for row in rows])


def by_person(run: Run, baseline: Run, metric: str = "ndcg@10") -> pd.DataFrame:
    """For whom a run is better than the baseline, and for whom worse.

    Args:
        run: Evaluated on the same events in the same way as the baseline.
        baseline: What it is held against.
        metric: One that both have by person, such as "recall@20".

    Returns:
        user_id, baseline and run (the metric of each), difference (run - baseline): the greatest
        win first, the greatest loss last, equal ones as they were evaluated.

    Raises:
        BadInput: one run twice, not evaluated alike, or without this metric.
    """
    if run.id == baseline.id:
        raise BadInput(f"run {run.id} is held against itself: name another")
    tables = _tables_alike([baseline, run])
    for one, table in zip((baseline, run), tables, strict=True):
        if metric not in table:
            have = ", ".join(map(str, table))
            raise BadInput(f"run {one.id} has no {metric!r} by person: there are {have}")
    frame = pd.DataFrame({"baseline": tables[0][metric], "run": tables[1][metric]})
    frame["difference"] = frame["run"] - frame["baseline"]
    return frame.sort_values("difference", ascending=False, kind="stable").reset_index()


def _per_user(run: Run) -> pd.DataFrame:
    table = run.per_user()
    if table is None:
        raise BadInput(f"run {run.id} is not evaluated yet: evaluate it first")
    return table.set_index("user_id")


def _tables_alike(runs: Sequence[Run]) -> list[pd.DataFrame]:
    """The figures of each run by person, of the same people in the same order.

    Raises:
        BadInput: runs not evaluated on the same people in the same way.
    """
    tables = [_per_user(run) for run in runs]
    for run, table in zip(runs[1:], tables[1:], strict=True):
        if _conditions(run) != _conditions(runs[0]) or not table.index.equals(tables[0].index):
            raise BadInput(
                f"runs {runs[0].id} and {run.id} were not evaluated on the same events in the "
                "same way: compare runs of one dataset and split, seen items hidden in both or none"
            )
    return tables


def _conditions(run: Run) -> tuple[str, bool | None]:
    return run.meta["split"]["fingerprint"], run.metrics.hide_seen if run.metrics else None
