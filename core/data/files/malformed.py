"""Records that are none, set aside with their place: lines that cannot be cut into their cells."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from duckdb import DuckDBPyConnection

MALFORMED = "file VARCHAR, line BIGINT, detail VARCHAR, record VARCHAR, reason VARCHAR"
NO_RECORD = "malformed"  # the reason, where a layout knows no better
REJECTED = "file VARCHAR, line BIGINT, reason VARCHAR, detail VARCHAR, record VARCHAR"


def create_tables(con: DuckDBPyConnection) -> None:
    """The empty tables `malformed` (what is no record) and `rejected` (all that is not kept)."""
    con.execute(f"CREATE TABLE IF NOT EXISTS malformed ({MALFORMED})")
    con.execute(f"CREATE TABLE IF NOT EXISTS rejected ({REJECTED})")


def add_malformed(
    con: DuckDBPyConnection, name: str, records: Sequence[tuple[int, str, str]]
) -> None:
    """Adds these of one file, each a line from 1, what is wrong, and the text."""
    if not records:
        return
    lines, details, texts = zip(*records, strict=True)
    table = pa.table({"line": lines, "detail": details, "record": texts})
    con.register("malformed_lines", table)
    con.execute(
        "INSERT INTO malformed SELECT ?, line, detail, record, ? FROM malformed_lines",
        [name, NO_RECORD],
    )
    con.unregister("malformed_lines")


def forget_malformed(con: DuckDBPyConnection, name: str) -> None:
    """Makes ready for another read of this file."""
    con.execute("DELETE FROM malformed WHERE file = ?", [name])
