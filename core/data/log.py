"""The events of a dataset version as one view that every question can rely on, and item labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from core.data import store
from core.data.store import DatasetInfo, quoted

Connection = duckdb.DuckDBPyConnection

# The events with every column that a log may have, NULL where this one lacks it; `row` is the place
# in the file (sorted by user, time, source row), `time` Unix seconds, the order number or NULL.
_LOG = """
    CREATE VIEW log AS
    SELECT file_row_number AS row, user_id, item_id, timestamp, {time} AS time, event, value,
           platform, source_row
    FROM (
        FROM numbered
        UNION ALL BY NAME
        SELECT NULL AS timestamp, NULL::VARCHAR AS event, NULL::DOUBLE AS value,
               NULL::VARCHAR AS platform
        WHERE false
    )
"""
_TIME = {"clock": "epoch_us(timestamp) // 1000000", "order": "timestamp", "none": "NULL::BIGINT"}


def open_log(info: DatasetInfo, *, temp_directory: Path | None = None) -> Connection:
    """A connection with the views events, items, users, rejected (those that it has) and `log`."""
    con = store.connect(temp_directory=temp_directory)
    store.views(con, info)
    events = con.from_parquet(str(info.path("events")), file_row_number=True)
    events.create_view("numbered")
    con.execute(_LOG.format(time=_TIME[info.time_kind]))
    return con


def query_row(con: Connection, question: str) -> dict[str, float]:
    """The one row of an answer, by name: counts (int) and shares (float)."""
    cursor = con.execute(question)
    names = [column[0] for column in cursor.description or ()]
    return dict(zip(names, cursor.fetchall()[0], strict=True))


def query_table(con: Connection, question: str, **values: Any) -> pd.DataFrame:
    """All rows of an answer; the values are bound by name."""
    found: pd.DataFrame = con.execute(question, values).df()
    return found


_TITLES = ("title", "name", "标题", "名称", "description", "descr", "label")


def label_sql(con: Connection) -> str | None:
    """SQL over `items` that gives a text a person would know an item by; None if there is none.

    The column that is called a title or the like; else up to three texts together (a brand and a
    category); else a list.
    """
    try:
        items = con.table("items")
    except duckdb.CatalogException:
        return None
    types = dict(zip(items.columns, map(str, items.types), strict=True))
    texts = [c for c, kind in types.items() if kind == "VARCHAR" and c != "item_id"]
    for wanted in _TITLES:
        for column in texts:
            if wanted in column.lower():
                return quoted(column)
    if texts:
        return f"nullif(concat_ws(' · ', {', '.join(map(quoted, texts[:3]))}), '')"
    lists = [c for c, kind in types.items() if kind == "VARCHAR[]"]
    return f"array_to_string({quoted(lists[0])}, ', ')" if lists else None


def make_labels(con: Connection) -> None:
    """The view `labels` (item_id, label); empty where nothing but the ids is known."""
    text = label_sql(con)
    source = con.table("log" if text is None else "items")
    labels = source.project(f"item_id, {text or 'NULL::VARCHAR'} AS label")
    (labels.limit(0) if text is None else labels).create_view("labels", replace=True)
