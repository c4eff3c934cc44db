"""On which line of its file a record stands, and whether every line is accounted for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.files.sources import Source
from core.data.ingest.plan import K
from core.data.store import quoted
from core.types import Ints

BLOCK = 1 << 24


class NotPlain(Exception):
    """A text was read as it lies, and what was read does not account for its lines."""


def locate(con: DuckDBPyConnection, source: Source, wanted: DuckDBPyRelation) -> DuckDBPyRelation:
    """The line, from 1, of each wanted record.

    Args:
        con: The connection that reads.
        source: The file; of a text that lies as it is, each record is one line (`count_lines`).
        wanted: Numbers of records from 0, as the column K.

    Returns:
        K and `line`, which is the record's number for Parquet.
    """
    if source.line:
        inner = con.from_parquet(str(source.path))
        return inner.project(f"{quoted(source.line)} AS line, row_number() OVER () - 1 AS {K}")
    if source.form is None:
        return wanted.project(f"{K}, {K} + 1 AS line")
    records = np.asarray(wanted.project(f"{K} AS k").fetchnumpy()["k"], np.int64)
    numbers, _ = filled_lines(source.path, source.form.first)
    table = pa.table({" k": records, "line": numbers[records]})
    con.execute("DROP TABLE IF EXISTS lines")
    con.from_arrow(table).to_table("lines")
    return con.table("lines")


def count_lines(source: Source, records: int) -> dict[str, int]:
    """The lines of a source by what they are; `kept` counts its records.

    Args:
        source: The file.
        records: How many were read of it.

    Raises:
        NotPlain: they are not as many as there are lines for them.
    """
    if source.counted is not None:
        if source.counted["kept"] != records:
            raise NotPlain(f"{source.counted['kept']} records were found, {records} read")
        return dict(source.counted)
    if source.form is None:
        return {"kept": records}
    counted = {"kept": records, **dict(source.form.start)}
    blank = physical_lines(source.path) - source.form.first - records
    if blank and len(filled_lines(source.path, source.form.first)[0]) != records:
        raise NotPlain(f"{records} records on another number of lines")
    counted["blank"] = counted.get("blank", 0) + blank
    return counted


def physical_lines(path: Path) -> int:
    """The lines of a text, whichever way they end; the last one may have no end."""
    lf, cr, last = 0, 0, b""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            lf += int(np.count_nonzero(np.frombuffer(block, np.uint8) == 10))  # count() is slower
            cr, last = cr + block.count(b"\r"), block[-1:]
    return (lf or cr) + (last not in (b"\n", b"\r", b""))


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
