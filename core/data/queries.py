"""Questions to one dataset: one question, one SQL text, one function."""

from __future__ import annotations

from pathlib import Path

import duckdb

from core.data import store
from core.data.store import DatasetInfo

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


def open_log(info: DatasetInfo, *, temp_directory: Path | None = None) -> duckdb.DuckDBPyConnection:
    """A connection with the views events, items, users, rejected (those that it has) and `log`."""
    con = store.connect(temp_directory=temp_directory)
    store.views(con, info)
    events = con.from_parquet(str(info.path("events")), file_row_number=True)
    events.create_view("numbered")
    con.execute(_LOG.format(time=_TIME[info.time_kind]))
    return con
