"""XLSX → Parquet in the scratch: the sheet that looks like a log, each cell a text."""

from __future__ import annotations

import datetime
import errno
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers import expat

import pyarrow as pa
import pyarrow.parquet as pq
import python_calamine
from duckdb import DuckDBPyConnection

from core.data.files.archives import UNZIP_ERRORS
from core.data.files.dialects import ReadAs
from core.data.files.encodings import Plain
from core.data.files.headers import is_header
from core.data.files.scan import FOOTER, is_number, is_total
from core.data.files.sources import LINE, Source, check_width, unique_names
from core.data.files.workbook_bounds import check_workbook
from core.data.roles.names import NAMES, plain
from core.errors import BadInput

HEAD_ROWS = 30  # among which the header is looked for
BLOCK_ROWS = 100_000
_DAMAGED = (
    *(*UNZIP_ERRORS, python_calamine.CalamineError, expat.ExpatError),
    *(KeyError, RuntimeError),
)
Row = list[Any]


@dataclass(frozen=True)
class Sheet:
    """A sheet that is not empty: its rows, and which of them names the columns."""

    name: str
    rows: list[Row]
    at: int  # rows above the first record
    headed: bool  # whether the last of these names the columns
    merged: int  # cells that got what their merged cell says

    @property
    def header(self) -> list[str]:
        """The names of the columns; [] without any."""
        return [_text(cell).strip() for cell in self.rows[self.at - 1]] if self.headed else []

    @property
    def score(self) -> tuple[int, int]:
        """How much it looks like a log: the roles that its header names, then its rows."""
        keys = {plain(name) for name in self.header}
        return sum(bool(keys & {*names}) for names in NAMES.values()), len(self.rows)


def open_workbook(
    con: DuckDBPyConnection,
    plain_file: Plain,
    target: Path,
    asked: ReadAs | None = None,
    limit: int | None = None,
    *,
    as_it_lies: bool = False,
) -> Source:
    """The records of a workbook; their lines are the rows of its sheet.

    Args:
        con: The connection that reads.
        plain_file: The file.
        target: Where its records go.
        asked: Which row names the columns.
        limit: Convert only so many records, for a preview.
        as_it_lies: The first sheet with a table, its first row above the others.

    Raises:
        BadInput: it cannot be read, or holds nothing.
        TooLarge: it asks for more than it may.
    """
    name = plain_file.name
    told = asked.header_line if asked else None
    sheets = _sheets(name, plain_file.path, limit, told, as_it_lies=as_it_lies)
    if not sheets:
        raise BadInput(f"{name} is empty: it needs a row for each event")
    sheet = sheets[0] if as_it_lies else max(sheets, key=lambda one: one.score)
    if told and not sheet.headed:
        raise BadInput(f"the header line is {told}, but {name} has {len(sheet.rows)} rows")
    width = max(map(len, sheet.rows))
    used = [
        n
        for n in range(width)
        if any(_filled(row[n]) for row in sheet.rows[sheet.at - sheet.headed :])
    ]
    check_width(name, len(used))
    header = [sheet.header[n] for n in used] if sheet.headed else []
    columns = unique_names(header or [f"column{n}" for n in range(len(used))])
    parts = [sheet] if as_it_lies or told is not None else _parts(sheet, sheets)
    counted: Counter[str] = Counter()
    kept: list[tuple[int, list[str]]] = []
    above = 0  # rows of the sheets before
    for part in parts:
        places = used if part is sheet else _places(part.header, header)
        stop = None if limit is None else max(0, limit - len(kept))
        kept += [(above + n, row) for n, row in _records(part, places, header, counted, stop)]
        above += len(part.rows)
    _write(target, kept, len(used))
    return Source(
        name,
        target,
        columns,
        inner=tuple(f"c{n}" for n in range(len(used))),
        line=LINE,
        counted=dict(counted),
        note=_note(parts, [one.name for one in sheets], counted),
    )


def _parts(sheet: Sheet, sheets: Sequence[Sheet]) -> list[Sheet]:
    """The sheets with the same columns as this one, as where each month has its own."""
    names = sorted(name.lower() for name in sheet.header)
    if not names or len(set(names)) < len(names) or "" in names:
        return [sheet]
    return [s for s in sheets if sorted(name.lower() for name in s.header) == names]


def _places(header: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where in a row with this header the cells of the wanted columns stand."""
    names = [name.lower() for name in header]
    return [names.index(name.lower()) for name in wanted]


def _records(
    sheet: Sheet,
    places: Sequence[int],
    header: Sequence[str],
    counted: Counter[str],
    limit: int | None,
) -> list[tuple[int, list[str]]]:
    """The rows of a sheet that are records, each with its number; what others are is counted."""
    counted.update(
        "preamble" if any(map(_filled, row)) else "blank"
        for row in sheet.rows[: sheet.at - sheet.headed]
    )
    counted["header"] += sheet.headed
    found: list[tuple[int, list[str]]] = []
    order: list[int] = []  # of the cells, below a header in another order
    stop = len(sheet.rows) if limit is None else sheet.at + limit
    for n in range(sheet.at, min(stop, len(sheet.rows))):
        row = [_text(sheet.rows[n][k]) for k in places]
        kind = "kept" if any(row) else "blank"
        if kind == "kept" and n >= len(sheet.rows) - FOOTER and is_total(row, len(places)):
            kind = "total"
        elif kind == "kept" and (again := _order_of(row, header)):
            kind, order = "header", again
        counted[kind] += 1
        if kind == "kept":
            found.append((n + 1, [row[k] for k in order] if order else row))
    return found


def _sheets(
    name: str, path: Path, limit: int | None, told: int | None, *, as_it_lies: bool
) -> list[Sheet]:
    """The sheets that are not empty; those that may be a table, if there are any."""
    try:
        check_workbook(name, path)
        book = python_calamine.CalamineWorkbook.from_path(str(path))
        found = []
        for title in book.sheet_names:
            sheet = book.get_sheet_by_name(title)
            if sheet.height:
                rows = sheet.to_python(skip_empty_area=False, nrows=limit and limit + HEAD_ROWS)
                merged = 0 if as_it_lies else _fill_merged(rows, sheet.merged_cell_ranges or [])
                found.append(_sheet(title, rows, merged, told, as_it_lies=as_it_lies))
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # a full disk is no fault of the workbook
        raise BadInput(
            f"{name} is no workbook that can be read ({error}); save it again as .xlsx"
        ) from None
    return [s for s in found if len(s.rows) > s.at and len(s.rows[0]) > 1] or found


def _sheet(
    title: str, rows: list[Row], merged: int, told: int | None, *, as_it_lies: bool
) -> Sheet:
    if told is not None:
        return Sheet(title, rows, min(told, len(rows)), 0 < told <= len(rows), merged)
    filled = [n for n, row in enumerate(rows) if any(map(_filled, row))]
    first = filled[0] if filled else 0
    at = first if as_it_lies else _header_row(rows, filled[:HEAD_ROWS], first)
    texts = [[_text(cell) for cell in rows[n]] for n in filled if n >= at][:200]
    headed = bool(texts) and is_header(texts) and not _is_dated(rows[at])
    return Sheet(title, rows, at + headed if headed else first, headed, merged)


def _header_row(rows: Sequence[Row], filled: Sequence[int], first: int) -> int:
    """The first row of different texts that is as wide as most rows below; else the first."""
    widths = [sum(map(_filled, rows[n])) for n in filled]
    for k, n in enumerate(filled[:-1]):
        cells = [cell for cell in rows[n] if _filled(cell)]
        below = sorted(widths[k + 1 :])
        texts = all(isinstance(cell, str) and not is_number(cell) for cell in cells)
        different = len({str(cell).lower() for cell in cells}) == len(cells)
        if texts and different and len(cells) > 1 and len(cells) >= below[len(below) // 2]:
            return n
    return first


def _order_of(row: Sequence[str], header: Sequence[str]) -> list[int]:
    """Where the cells of each column stand below this row, if it is the header again; else []."""
    names = [cell.strip().lower() for cell in row]
    wanted = [name.lower() for name in header]
    if not header or sorted(names) != sorted(wanted) or len(set(names)) != len(names):
        return []
    return [names.index(name) for name in wanted]


def _is_dated(row: Row) -> bool:
    """Whether a row holds a time, as no header does."""
    return any(isinstance(cell, datetime.date | datetime.time) for cell in row)


def _fill_merged(rows: list[Row], ranges: Sequence[Any]) -> int:
    """Gives each cell that is merged downwards what the first of them says."""
    filled = 0
    for (top, left), (bottom, _) in ranges:
        for n in range(top + 1, min(bottom + 1, len(rows))):
            if left < len(rows[n]) and rows[n][left] == "" and rows[top][left] != "":
                rows[n][left] = rows[top][left]
                filled += 1
    return filled


def _note(parts: Sequence[Sheet], names: Sequence[str], counted: Mapping[str, int]) -> str:
    """What was made of the workbook; "" where nothing was."""
    said = []
    read = [sheet.name for sheet in parts]
    others = ", ".join(repr(name) for name in names if name not in read)
    if len(read) > 1:
        listed = ", ".join(map(repr, read))
        said.append(f"the sheets {listed} are read one below the other, their rows counted on")
        said += [f"not {others}"] if others else []
    elif others:
        said.append(f"the sheet {read[0]!r} is read, not {others}")
    if above := counted["preamble"]:
        said.append(f"{above} rows of titles above the header are passed over")
    if totals := counted["total"]:
        said.append(f"{totals} rows of totals at the end are set aside")
    if merged := sum(sheet.merged for sheet in parts):
        said.append(f"{merged:,} cells got what their merged cell says")
    return "; ".join(said) + (" (the first sheet as it lies: layout=table)" if said else "")


def _write(target: Path, kept: Sequence[tuple[int, list[str]]], width: int) -> None:
    names = [f"c{n}" for n in range(width)]
    schema = pa.schema([(LINE, pa.int64()), *((name, pa.string()) for name in names)])
    with pq.ParquetWriter(target, schema) as writer:
        for at in range(0, len(kept), BLOCK_ROWS):
            block = kept[at : at + BLOCK_ROWS]
            cells = ([row[n] or None for _, row in block] for n in range(width))
            writer.write_table(pa.table([[line for line, _ in block], *cells], schema=schema))


def _filled(cell: Any) -> bool:
    return bool(cell != "")


def _text(cell: Any) -> str:
    """A cell as text: 17850.0 as 17850, since a sheet has no whole numbers; a time as ISO 8601."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat(sep=" ") if isinstance(cell, datetime.datetime) else cell.isoformat()
    return str(cell)
