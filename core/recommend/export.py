"""Recommendations → a Parquet or CSV file, block by block, whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow as pa
from pyarrow import csv, parquet

from core.data.read_only import check_writable
from core.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

FORMATS = (".parquet", ".csv")


def check(path: Path, formats: Sequence[str] = FORMATS) -> None:
    """Raises BadInput unless a file of this name can be written; asked before the work is done."""
    if path.suffix.lower() not in formats:
        raise BadInput(f"{path} ends in {path.suffix!r}: a file ends in {' or '.join(formats)}")
    if not path.parent.is_dir():
        raise BadInput(f"the folder {path.parent} is not there: make it, or choose another")
    if path.is_dir():
        raise BadInput(f"{path} is a folder: give the name of a file")
    check_writable(path)
    if not os.access(path.parent, os.W_OK):
        raise BadInput(f"the folder {path.parent} cannot be written to: choose another")


def write(path: Path, blocks: Iterable[pd.DataFrame]) -> int:
    """Writes the frames (at least one, all alike) one after the other; returns the rows.

    Ids are written as they are. A cell that begins with "=" could be a formula to a spreadsheet,
    but these files are read by programs, for which a changed id is another person.
    """
    check(path)
    open_writer: Any = parquet.ParquetWriter if path.suffix.lower() == ".parquet" else csv.CSVWriter
    beside = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    writer, rows = None, 0
    try:
        for block in blocks:
            schema = writer.schema if isinstance(writer, parquet.ParquetWriter) else None
            table = pa.Table.from_pandas(block, schema=schema, preserve_index=False)
            writer = writer or open_writer(beside, table.schema)
            writer.write_table(table)
            rows += len(block)
        if writer:
            writer.close()
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return rows
