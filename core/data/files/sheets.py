"""XLSX → Parquet in the scratch: the first sheet that holds a table, each cell a text."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import python_calamine
from duckdb import DuckDBPyConnection

from core.data.files.dialects import ReadAs
from core.data.files.encodings import Plain
from core.data.files.headers import Start, find_start
from core.data.files.scan import FOOTER, is_total
from core.data.files.sources import LINE, Source, check_width, unique_names
from core.data.files.workbook_bounds import check_workbook
from core.errors import BadInput


def open_workbook(
    con: DuckDBPyConnection,
    plain: Plain,
    target: Path,
    asked: ReadAs | None = None,
    limit: int | None = None,
) -> Source:
    """The records of a workbook; their lines are the rows of its sheet.

    Args:
        con: The connection that reads.
        plain: The file.
        target: Where its records go.
        asked: Which row names the columns.
        limit: Convert only so many records, for a preview.

    Raises:
        BadInput: it cannot be read, or holds nothing.
    """
    check_workbook(plain.name, plain.path)
    name, first, rows = _first_table(plain)
    if not any(map(any, rows)):
        raise BadInput(f"{plain.name} is empty: it needs a row for each event")
    width = max(map(len, rows))
    check_width(plain.name, width)
    told = asked.header_line if asked else None
    start = _start(plain, rows, width, first, told)
    names = [cell.strip() for cell in start.header]
    columns = unique_names(names or [f"column{n}" for n in range(width)])
    counted = Counter(dict(start.lines))
    kept: list[list[str]] = []
    lines: list[int] = []
    below = rows[start.first :]
    end = len(below) - FOOTER
    for n, row in enumerate(below[:limit]):
        kind = "blank" if not any(row) else "kept"
        if kind == "kept" and n >= end and is_total(row, width):
            kind = "total"
        elif kind == "kept" and names and [cell.strip() for cell in row] == names:
            kind = "header"
        counted[kind] += 1
        if kind == "kept":
            kept.append(row)
            lines.append(first + start.first + n + 1)
    inner = tuple(f"c{n}" for n in range(width))
    cells = [pa.array([row[n] or None for row in kept], pa.string()) for n in range(width)]
    pq.write_table(pa.table([pa.array(lines, pa.int64()), *cells], names=[LINE, *inner]), target)
    notes = [name, start.note, f"{counted['total']} rows of totals at the end are set aside"]
    note = "; ".join(note for note in (notes if counted["total"] else notes[:2]) if note)
    return Source(
        plain.name, target, columns, inner=inner, line=LINE, counted=dict(counted), note=note
    )


def _first_table(plain: Plain) -> tuple[str, int, list[list[str]]]:
    """What to say of the sheet, the rows above its first one, and the rows."""
    try:
        book = python_calamine.CalamineWorkbook.from_path(str(plain.path))
        sheets = [book.get_sheet_by_name(name) for name in book.sheet_names]
        filled = [sheet for sheet in sheets if sheet.height]
        tables = [sheet for sheet in filled if sheet.height > 1 and sheet.width > 1]
        sheet = next(iter([*tables, *filled]), None)
        rows = sheet.to_python(skip_empty_area=True) if sheet else []
    except (python_calamine.CalamineError, ValueError, OSError) as error:
        raise BadInput(
            f"{plain.name} is no workbook that can be read ({error}); save it again as .xlsx"
        ) from None
    if sheet is None:
        return "", 0, []
    note = f"of {len(filled)} sheets {sheet.name!r} is read" if len(filled) > 1 else ""
    above = sheet.start[0] if sheet.start else 0
    return note, above, [[_cell(cell) for cell in row] for row in rows]


def _start(
    plain: Plain, rows: Sequence[Sequence[str]], width: int, above: int, told: int | None
) -> Start:
    if told is None:
        return find_start(rows, lambda n: (list(rows[n]), 1), width)
    if not told:
        return Start(0, (), ())
    row = told - above
    if not 0 < row <= len(rows):
        raise BadInput(f"the header line is {told}, but {plain.name} has {len(rows)} rows")
    before = Counter("preamble" if any(cells) else "blank" for cells in rows[: row - 1])
    return Start(row, tuple(rows[row - 1]), (*before.items(), ("header", 1)))


def _cell(cell: Any) -> str:
    """A cell as text: 17850.0 as 17850, since a sheet has no whole numbers; a time as ISO 8601."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat(sep=" ") if isinstance(cell, datetime.datetime) else cell.isoformat()
    return str(cell)
