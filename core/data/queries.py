"""Questions to one dataset: one question, one SQL text, one function."""

from __future__ import annotations

import duckdb

from core.data import store
from core.data.store import DatasetInfo

# The events with every column that a log may have, NULL where this one lacks it, and `time`:
# Unix seconds, the order number, or NULL.
_LOG = """
    CREATE VIEW log AS
    SELECT *, {time} AS time FROM (
        FROM events
        UNION ALL BY NAME
        SELECT NULL AS timestamp, NULL::VARCHAR AS event, NULL::DOUBLE AS value,
               NULL::VARCHAR AS platform
        WHERE false
    )
"""
_TIME = {"clock": "epoch_us(timestamp) // 1000000", "order": "timestamp", "none": "NULL::BIGINT"}


def open_log(info: DatasetInfo) -> duckdb.DuckDBPyConnection:
    """A connection with the views events, items, users, rejected (those that it has) and `log`."""
    con = store.connect()
    store.views(con, info)
    con.execute(_LOG.format(time=_TIME[info.time_kind]))
    return con
