"""A workbook whose log is one of several sheets, below titles, above totals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from duckdb import DuckDBPyConnection

from core.data.files.encodings import Plain
from core.data.files.records import sheet_source
from core.data.files.sources import LayoutNote, Source

NAME = "sheet"


def open_sheet(con: DuckDBPyConnection, plain: Plain, scratch: Path, limit: int | None) -> Source:
    """The sheet of a workbook that looks like a log, with what was made of it if anything was."""
    target = scratch / f"{plain.path.name}-records"
    source, evidence = sheet_source(con, plain, target, limit, plainly=False)
    if not evidence:
        return source
    sentence = f"{evidence} (the first sheet as it lies instead: layout=table)"
    return replace(source, layout=LayoutNote(NAME, sentence))
