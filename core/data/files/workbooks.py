"""XLSX → the table of one sheet: which sheet, where it begins, and what is none of its rows."""

from __future__ import annotations

import datetime
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers import expat

import python_calamine

from core.data.files.workbook_bounds import check_workbook
from core.data.roles.names import NAMES, plain
from core.errors import BadInput

HEAD_ROWS = 30  # among which the header is looked for
_TOTAL = re.compile(r"(grand |sub)?total\b|sums?\b|gesamt|summe|合计|总计|小计", re.I)
_DAMAGED = (
    *(python_calamine.CalamineError, expat.ExpatError, zipfile.BadZipFile, zlib.error),
    *(ValueError, KeyError, EOFError, NotImplementedError, RuntimeError),
)


@dataclass(frozen=True)
class Sheet:
    """The table of one sheet: its header, its rows with their numbers, and what is none of them."""

    name: str
    header: tuple[str, ...]
    rows: list[tuple[int, list[Any]]]
    totals: list[tuple[int, list[Any]]]
    above: int  # filled rows above the header
    headed: int  # rows of the header, 0 or 1
    merged: int  # cells that got the text of a merged cell


def read_sheet(name: str, path: Path, limit: int | None, *, plainly: bool) -> tuple[Sheet, str]:
    """The sheet with the log, and a sentence on what was made of it; "" where nothing was.

    Args:
        name: What the person calls the workbook.
        path: Where it lies.
        limit: Read only so many rows, for a preview.
        plainly: The first sheet as it lies, its first row as the header.

    Raises:
        BadInput: it is damaged, or has no rows.
        TooLarge: it asks for more than it may.
    """
    try:
        check_workbook(name, path)
        book = python_calamine.CalamineWorkbook.from_path(str(path))
        found = []
        for title in book.sheet_names:
            sheet = book.get_sheet_by_name(title)
            if table := _table(sheet, title, limit, plainly):
                found.append(table)
            if found and plainly:
                break
    except (*_DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # a full disk is no fault of the workbook
        raise BadInput(
            f"{name} is no workbook that can be read ({error}); save it again as .xlsx"
        ) from None
    if not found:
        raise BadInput(f"{name} has no rows: it needs one for each event")
    best = max(range(len(found)), key=lambda n: (*_score(found[n]), -n))
    return found[best], _evidence(found, best)


def _score(sheet: Sheet) -> tuple[int, int]:
    """How much a sheet looks like a log: the roles that its header names, then its rows."""
    keys = {plain(cell) for cell in sheet.header}
    return sum(bool(keys & {*names}) for names in NAMES.values()), len(sheet.rows)


def _evidence(found: Sequence[Sheet], best: int) -> str:
    sheet = found[best]
    said = []
    if len(found) > 1:
        others = ", ".join(repr(s.name) for n, s in enumerate(found) if n != best)
        said.append(f"the sheet {sheet.name!r}, not {others}")
    if sheet.above:
        said.append(f"{sheet.above} rows of titles above the header are left out")
    if sheet.totals:
        said.append(f"{len(sheet.totals)} rows of totals are set aside")
    if sheet.merged:
        said.append(f"{sheet.merged:,} cells got what their merged cell says")
    return "; ".join(said)


def _table(sheet: Any, title: str, limit: int | None, plainly: bool) -> Sheet | None:
    if not sheet.height:
        return None
    rows = sheet.to_python(skip_empty_area=False, nrows=limit and limit + HEAD_ROWS)
    numbered = list(enumerate(rows, 1))
    merged = 0 if plainly else _fill_merged(rows, sheet.merged_cell_ranges or [])
    numbered = [(n, row) for n, row in numbered if any(cell != "" for cell in row)]
    if not numbered:
        return None
    at = 0 if plainly else _header_row([row for _, row in numbered[:HEAD_ROWS]])
    head = [cell_text(cell) or "" for cell in numbered[at][1]]
    below, headed = numbered[at + 1 :], 1
    if any(not isinstance(cell, str) or is_number(cell) for cell in numbered[at][1] if cell != ""):
        head, below, headed = [f"column{k}" for k in range(len(head))], numbered, 0
    used = [k for k in range(len(head)) if head[k] or any(row[k] != "" for _, row in below)]
    below = [(n, [row[k] for k in used]) for n, row in below]
    below = [(n, row) for n, row in below if any(cell != "" for cell in row)]
    header = tuple(head[k] for k in used)
    totals = [] if plainly else [pair for pair in below[-3:] if _is_total(pair[1])]
    numbers = {n for n, _ in totals}
    kept = [pair for pair in below if pair[0] not in numbers]
    return Sheet(title, header, kept, totals, at if headed else 0, headed, merged)


def _header_row(rows: Sequence[Sequence[Any]]) -> int:
    """The first row of different texts that is as wide as most rows below; 0 if there is none."""
    widths = [sum(cell != "" for cell in row) for row in rows]
    for n, row in enumerate(rows[:-1]):
        filled = [cell for cell in row if cell != ""]
        rest = sorted(widths[n + 1 :])
        texts = all(isinstance(cell, str) for cell in filled)
        different = len({str(cell).lower() for cell in filled}) == len(filled)
        texts = texts and not any(map(is_number, filled))
        if texts and different and len(filled) > 1 and len(filled) >= rest[len(rest) // 2]:
            return n
    return 0


def _is_total(row: Sequence[Any]) -> bool:
    """Whether a row sums up those above: it begins with the word, and says nothing of some."""
    first = next((cell for cell in row if cell != ""), "")
    return isinstance(first, str) and bool(_TOTAL.match(first.strip())) and "" in row


def _fill_merged(rows: list[list[Any]], ranges: Sequence[Any]) -> int:
    """Gives each cell that is merged downwards what the first of them says."""
    filled = 0
    for (top, left), (bottom, _) in ranges:
        for n in range(top + 1, min(bottom + 1, len(rows))):
            if left < len(rows[n]) and rows[n][left] == "" and rows[top][left] != "":
                rows[n][left] = rows[top][left]
                filled += 1
    return filled


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def cell_text(cell: Any) -> str | None:
    """A cell as text: 17850.0 as 17850, since a sheet has no whole numbers; a time as ISO 8601."""
    if cell == "":
        return None
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    return str(cell)
