"""On which line of its file a record begins, as an editor counts them.

DuckDB says only how many records came before, so the line is found from the text: each record fills
one line, or more where a quoted cell holds line ends; blank lines between records are none.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.files.sources import Source
from core.data.ingest.staging import K
from core.data.store import literal, quoted
from core.types import Array, Ints

BLOCK = 1 << 24


def locate(
    con: DuckDBPyConnection, source: Source, wanted: DuckDBPyRelation, malformed: str
) -> DuckDBPyRelation:
    """The line, from 1, of each wanted record; the lines of malformed ones are filled in as well.

    Args:
        con: The connection with the table `malformed`.
        source: The file.
        wanted: Numbers of records from 0, as the column K.
        malformed: How malformed records are passed over when reading: "fail" or "skip".

    Returns:
        K and `line`, which is the record's number for Parquet and XLSX.
    """
    if source.line:
        inner = con.from_parquet(str(source.path))
        return inner.project(f"{quoted(source.line)} AS line, row_number() OVER () - 1 AS {K}")
    if source.dialect is None or not source.has_lines:
        return wanted.project(f"{K}, {K} + 1 AS line")
    numbers, starts = filled_lines(source.path, source.dialect.skip)
    taken = _malformed_lines(con, source, numbers, starts)
    taken[: source.dialect.header_lines] = True
    free = numbers[~taken]
    found = _places(con, source, wanted, malformed, len(free)).fetchnumpy()
    records, places = (np.asarray(found[name], np.int64) for name in ("k", "n"))
    known = places < len(free)
    table = pa.table({" k": records[known], "line": free[places[known]]})
    con.execute("DROP TABLE IF EXISTS lines")
    con.from_arrow(table).to_table("lines")
    return con.table("lines")


def filled_lines(path: Path, skip: int = 0) -> tuple[Ints, Ints]:
    """The numbers, from 1, of a text's lines that are not blank, and the bytes before each.

    Args:
        path: The text; its lines end in LF, CR LF, or CR throughout.
        skip: Lines at its start that are left out.
    """
    data = np.memmap(path, np.uint8, "r")
    blocks = [(at, data[at : at + BLOCK]) for at in range(0, len(data), BLOCK)]
    end = 10 if any((block == 10).any() for _, block in blocks) else 13
    ends = np.concatenate([np.flatnonzero(block == end) + at for at, block in blocks])
    starts = np.concatenate([[0], ends + 1]).astype(np.int64)
    starts = starts[starts < len(data)]
    filled = ~np.isin(data[starts], (10, 13))
    filled[:skip] = False
    return np.flatnonzero(filled) + 1, starts[filled]


def _malformed_lines(con: DuckDBPyConnection, source: Source, numbers: Ints, starts: Ints) -> Array:
    """Which of the filled lines malformed records take, (n,) bool; their lines are noted."""
    pieces = "string_split(replace(record, chr(13), ''), chr(10))"
    mine = con.table("malformed").filter(f"file = {literal(source.name)}")
    found = mine.project(
        f"place, greatest(1, len(list_filter({pieces}, lambda x: x <> ''))) AS span"
    ).fetchnumpy()
    places, spans = (np.asarray(found[name], np.int64) for name in ("place", "span"))
    at = np.searchsorted(starts, places)  # blank lines may come first
    change = np.zeros(len(numbers) + 1, np.int64)
    np.add.at(change, at, 1)
    np.add.at(change, np.minimum(at + spans, len(numbers)), -1)
    if len(places):
        lines = pa.table({"place": places, "line": numbers[np.minimum(at, len(numbers) - 1)]})
        con.execute("DROP TABLE IF EXISTS located")
        con.from_arrow(lines).to_table("located")
        con.execute(
            "UPDATE malformed SET line = located.line FROM located"
            " WHERE malformed.place = located.place AND malformed.file = ?",
            [source.name],
        )
    taken: Array = np.cumsum(change)[:-1] > 0
    return taken


def _places(
    con: DuckDBPyConnection, source: Source, wanted: DuckDBPyRelation, malformed: str, filled: int
) -> DuckDBPyRelation:
    """For each wanted record `k`, how many filled lines good records take before it, `n`."""
    source = source.as_it_lies()
    records = source.read(con, malformed)
    if records.aggregate("count(*)").fetchall()[0][0] == filled:  # each record is one line
        return wanted.project(f"{K} AS k, {K} AS n")
    more = " + ".join(map(_inner_lines, source.columns))
    numbered = records.project(f"{more} AS more, row_number() OVER () - 1 AS {K}")
    before = f"sum(more) OVER (ORDER BY {K} ROWS UNBOUNDED PRECEDING) - more"
    places = numbered.project(f"{K}, {K} + {before} AS n").set_alias("places")
    return places.join(wanted.set_alias("wanted"), K, how="semi").project(f"{K} AS k, n")


def _inner_lines(column: str) -> str:
    """SQL for how many filled lines a cell adds to its record: those after its first line end."""
    cell = f"replace({quoted(column)}, chr(13) || chr(10), chr(10))"
    cell = f"replace({cell}, chr(13), chr(10))"
    inner = f"string_split({cell}, chr(10))[2:-2]"
    return (
        f"CASE WHEN contains({quoted(column)}, chr(10)) OR contains({quoted(column)}, chr(13))"
        f" THEN 1 + len(list_filter({inner}, lambda x: x <> '')) ELSE 0 END"
    )
