"""An answer → a file: for spreadsheets (CSV), programs (Parquet) or both (JSON)."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from core.data.durable import sync_file, sync_folder
from core.data.limits import writing
from core.recommend import export
from core.sql.answer import Answer
from core.sql.spreadsheet import FORMULA, no_formula

FORMATS = (".csv", ".parquet", ".json")
_BEGINS = f"^[{''.join(FORMULA).replace('-', chr(92) + '-')}]"


def check(path: Path) -> None:
    """Raises BadInput unless an answer can be written to this file; asked before it is made."""
    export.check(path, FORMATS)


def write(path: Path, answer: Answer) -> None:
    """Writes the answer, whole or not at all.

    In CSV a text that a spreadsheet would take for a formula begins with '; Parquet and JSON have
    the texts as they are.

    Raises:
        BadInput: it ends otherwise than FORMATS, or cannot be written.
    """
    check(path)
    beside = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    kind = path.suffix.lower()
    with writing(path):
        try:
            if kind == ".parquet":
                parquet.write_table(answer.table, beside)
            elif kind == ".csv":
                beside.write_bytes(csv_bytes(answer))
            else:
                beside.write_text(json.dumps(answer.to_json(), ensure_ascii=False), "utf-8")
            sync_file(beside)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        sync_folder(path.parent)


def csv_bytes(answer: Answer) -> bytes:
    """The rows for a spreadsheet, UTF-8; a list is written as JSON has it."""
    names = [no_formula(column.name) for column in answer.columns]
    columns = [_for_a_spreadsheet(column) for column in answer.table.columns]
    sink = pa.BufferOutputStream()
    csv.write_csv(pa.table(columns, names=names), sink)
    return bytes(sink.getvalue())


def parquet_bytes(answer: Answer) -> bytes:
    """The rows for a program, as they are."""
    sink = pa.BufferOutputStream()
    parquet.write_table(answer.table, sink)
    return bytes(sink.getvalue())


def _for_a_spreadsheet(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    if pa.types.is_list(column.type):
        rows = (None if row is None else json.dumps(row) for row in column.to_pylist())
        return pa.array(rows, pa.string())
    if not pa.types.is_string(column.type):
        return column
    guarded = pc.binary_join_element_wise("'", column, "")
    return pc.if_else(pc.match_substring_regex(column, _BEGINS), guarded, column)
