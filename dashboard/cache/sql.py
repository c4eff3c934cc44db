"""What the page with a person's own SQL asks: the schema, and tables of a run that take a while."""

from __future__ import annotations

import pyarrow as pa

from core.data.store import DatasetInfo, Workspace
from core.runs.artifact import Run
from core.sql import tables
from core.sql.tables import Asked, TableColumns
from dashboard.cache.keeping import MEDIUM, cached_copy, cached_shared

RUN_TABLES = 4  # lists of everyone, vectors of all items


@cached_copy(MEDIUM)
def sql_schema(info: DatasetInfo) -> tuple[TableColumns, ...]:
    """All tables that there can be for this dataset."""
    return tables.schema(info)


@cached_shared(RUN_TABLES)
def run_table(
    workspace: Workspace, dataset: DatasetInfo, run: Run, user: str | None, name: str
) -> pa.Table:
    """A table of the run that hangs on nothing but it, and for explanations on whose they are.

    Raises:
        BadInput: this run has none.
    """
    from dashboard.cache.runs import loaded  # torch, which the page without such a table need not

    asked = Asked(workspace, dataset, run, user, lambda: loaded(workspace, run))
    return tables.make(name, asked)
