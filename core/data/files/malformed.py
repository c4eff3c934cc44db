"""Records that are none: lines that cannot be cut into their cells, set aside with their place."""

from __future__ import annotations

from duckdb import DuckDBPyConnection

from core.data.files.sources import MAX_LINE_BYTES, Source
from core.data.store import literal

# `place`: bytes before a CSV's record, by which `line` is found
MALFORMED = "file VARCHAR, line BIGINT, place BIGINT, detail VARCHAR, record VARCHAR"
REJECTED = "file VARCHAR, line BIGINT, reason VARCHAR, detail VARCHAR, record VARCHAR"


def create_tables(con: DuckDBPyConnection) -> None:
    """The empty tables `malformed` (what is no record) and `rejected` (all that is not kept)."""
    con.execute(f"CREATE TABLE IF NOT EXISTS malformed ({MALFORMED})")
    con.execute(f"CREATE TABLE IF NOT EXISTS rejected ({REJECTED})")


def forget_malformed(con: DuckDBPyConnection, source: Source) -> None:
    """Makes ready for another read of this CSV that stores its malformed records."""
    con.execute("DROP TABLE IF EXISTS reject_errors")
    con.execute("DROP TABLE IF EXISTS reject_scans")
    if source.dialect:
        con.execute("DELETE FROM malformed WHERE file = ?", [source.name])


def store_malformed(con: DuckDBPyConnection, source: Source) -> None:
    """Moves what a read of this CSV stored in reject_errors to `malformed`."""
    if source.dialect is None:
        return
    width = source.width or len(source.columns)
    detail = f"""CASE CAST(error_type AS VARCHAR)
        WHEN 'MISSING COLUMNS' THEN 'too few cells: {width} are expected'
        WHEN 'TOO MANY COLUMNS' THEN 'too many cells: {width} are expected'
        WHEN 'UNQUOTED VALUE' THEN 'a quote is left open, or stands inside of a quoted cell'
        WHEN 'LINE SIZE OVER MAXIMUM' THEN 'longer than {MAX_LINE_BYTES:,} bytes'
        WHEN 'INVALID ENCODING' THEN 'not UTF-8'
        ELSE lower(CAST(error_type AS VARCHAR)) END"""
    record = "ltrim(any_value(csv_line), chr(10) || chr(13))"
    con.table("reject_errors").aggregate(
        f"{literal(source.name)}, NULL, line_byte_position - 1, min({detail}), {record}",
        "line_byte_position",
    ).insert_into("malformed")
