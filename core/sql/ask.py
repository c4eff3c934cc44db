"""A statement on a dataset and a run → its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import parquet

from core import pipeline
from core.data.info import DatasetInfo
from core.data.store import Workspace
from core.errors import BadInput, CoreError
from core.runs import artifact
from core.runs.artifact import Run
from core.sql import sandbox, tables
from core.sql.answer import Answer
from core.sql.limits import TO_SHOW, Limits
from core.sql.tables import OF_DATASET, OF_RUN, Asked
from core.types import Progress, silent

if TYPE_CHECKING:  # it loads torch, which most statements need not await
    from core.pipeline import LoadedRun


def context(
    workspace: Workspace, dataset: str | None, run: str | None
) -> tuple[DatasetInfo, Run | None]:
    """What a statement is about: what is named, else the newest run and its dataset.

    Raises:
        NotFound: no such dataset or run, or no dataset at all.
        BadInput: the run is of another dataset.
    """
    named = artifact.find_run(workspace, run) if run else None
    runs = [named] if named else artifact.list_runs(workspace)
    if dataset:
        info = workspace.dataset(dataset)
    elif runs:
        info = workspace.dataset(runs[0].config.dataset)
    elif newest := workspace.datasets():
        info = newest[0]
    else:
        raise BadInput("there is no dataset to ask yet: import data first")
    if named and named.config.dataset != info.id:
        raise BadInput(
            f"run {named.name} ({named.id}) is of dataset {named.dataset_name} "
            f"({named.config.dataset}), not of {info.name} ({info.id}): leave one of both out"
        )
    return info, next((each for each in runs if each.config.dataset == info.id), None)


def ask(
    workspace: Workspace,
    statement: str,
    *,
    dataset: DatasetInfo,
    run: Run | None = None,
    values: Mapping[str, str] | None = None,
    limits: Limits = TO_SHOW,
    on_stage: Progress = silent,
    load: Callable[[], LoadedRun] | None = None,
    make: Callable[[str, Asked], pa.Table] = tables.make,
) -> Answer:
    """What one statement gives, in the sandbox.

    Args:
        workspace: Where.
        statement: See core.sql.sandbox.answer.
        dataset: Whose events, items and users are asked.
        run: One of this dataset, whose tables are asked; $run is its id.
        values: What else $name stands for; user and item are ids of the log.
        limits: What the statement may take.
        on_stage: Told what is being done; what it raises ends it.
        load: Gives the run, where it is loaded already.
        make: Makes a table of the run.

    Raises:
        BadInput: it cannot be answered; the sentence says why.
        TooLarge: it needs more memory than it may have.
    """
    values = dict(values or {})
    bound: dict[str, sandbox.Value] = dict(values)
    if run is not None:
        bound.setdefault("run", run.id)
    kinds = _id_kinds(dataset)
    for name in ("user", "item"):
        if name in values:
            bound[name] = _as_id(values[name], kinds[f"{name}_id"])
    asked = Asked(
        workspace,
        dataset,
        run,
        values.get("user"),
        load or (lambda: pipeline.load_run(workspace, asked.the_run())),
        on_stage,
    )
    files: dict[str, Path] = {}
    for table in OF_DATASET:
        if path := dataset.path(table):
            files[table] = path.absolute()
    reasons: dict[str, CoreError] = {}  # why a table is not there
    with workspace.scratch() as scratch:
        for table in tables.mentioned(statement):
            try:
                made = make(table, asked)
            except CoreError as error:
                reasons[table] = error
                continue
            files[table] = scratch / f"{table}.parquet"
            parquet.write_table(made, files[table])
        empty = scratch / "empty"
        empty.mkdir()
        try:
            return sandbox.answer(statement, files, bound, empty, limits, on_stage)
        except sandbox.NoTable as error:
            raise reasons.get(error.table) or _no_table(error, dataset) from None


def _no_table(error: sandbox.NoTable, dataset: DatasetInfo) -> BadInput:
    if error.table in OF_DATASET:
        return BadInput(
            f"dataset {dataset.name} has no table {error.table!r}: nothing came in that describes "
            f"its {error.table}"
        )
    names = ", ".join((*OF_DATASET, *OF_RUN))
    return BadInput(f"there is no table {error.table!r}; there are {names}")


def _id_kinds(dataset: DatasetInfo) -> dict[str, str]:
    events = dataset.path("events")
    assert events is not None
    return {field.name: str(field.type) for field in parquet.read_schema(events)}


def _as_id(value: str, kind: str) -> sandbox.Value:
    """The id as the log has it; what is no number is equal to no number."""
    if kind != "int64":
        return value
    try:
        number = int(value)
    except ValueError:
        return None
    return number if -(2**63) <= number < 2**63 else None
