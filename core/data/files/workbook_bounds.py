"""What a workbook takes in memory, told from its XML before it is opened.

Its reader makes a grid of all cells from the first to the last, and a copy of a shared text for
each cell that has it: two kilobytes can ask for half a terabyte.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

from core.data.files.archives import FREE_RATIO_BYTES, MAX_RATIO, UNZIP_ERRORS
from core.errors import BadInput, TooLarge

BLOCK = 1 << 20
MAX_BYTES = 2 << 30  # of XML
MAX_CELLS = 25_000_000  # of the grid of a sheet, blank ones too: a gigabyte
MAX_TEXT = 1 << 30  # bytes of all texts of a sheet
_TAG = 1_000  # bytes that the tag of a cell may take
_CELL = re.compile(rb"<(?:\w+:)?c\s[^<>]*?\br=[\"']([A-Z]{1,3})(\d{1,7})[\"'][^<>]*?(/?)>")
_SHARED = re.compile(rb"\bt=[\"']s[\"'][^<>]*>\s*<(?:\w+:)?v>(\d{1,10})<")


def check_workbook(name: str, path: Path) -> None:
    """Raises TooLarge where a workbook would take more memory than it may.

    Raises:
        BadInput: it is damaged.
    """
    try:
        with zipfile.ZipFile(path) as book:
            size = sum(member.file_size for member in book.infolist())
            if size > max(MAX_RATIO * path.stat().st_size, FREE_RATIO_BYTES) or size > MAX_BYTES:
                raise TooLarge(
                    f"{name} unpacks to {size:,} bytes: save a sheet of that size as CSV or Parquet"
                )
            lengths = _lengths(book)
            for member in book.namelist():
                if member.startswith("xl/worksheets/") and member.endswith(".xml"):
                    _check_sheet(name, book, member, lengths)
    except UNZIP_ERRORS as error:
        raise BadInput(
            f"{name} is no workbook that can be read ({error}); save it again as .xlsx"
        ) from None


def _check_sheet(name: str, book: zipfile.ZipFile, member: str, lengths: list[int]) -> None:
    rows: set[int] = set()
    columns: set[bytes] = set()
    text, longest = 0, max(lengths, default=0)
    for block in _blocks(book, member):
        filled = [(letters, row) for letters, row, empty in _CELL.findall(block) if not empty]
        if filled:
            columns.update(letters for letters, _ in filled)
            numbers = {int(row) for _, row in filled}
            rows.update((min(numbers), max(numbers)))
        if longest:
            found = _SHARED.findall(block)
            text += sum(lengths[k] for k in map(int, found) if k < len(lengths))
    if not rows:
        return
    places = [_place(letters) for letters in columns]
    width, height = max(places) - min(places) + 1, max(rows) - min(rows) + 1
    if width * height > MAX_CELLS:
        last = max(columns, key=_place).decode()
        raise TooLarge(
            f"{name} has a sheet with cells out to {last}{max(rows)}: {width:,} columns by "
            f"{height:,} rows, blank ones included, and at most {MAX_CELLS:,} cells are read; "
            "delete what lies far from the table, or save it as CSV"
        )
    if text > MAX_TEXT:
        raise TooLarge(
            f"{name} has a sheet with {text:,} bytes of text, and at most {MAX_TEXT:,} are read: "
            "save it as CSV"
        )


def _lengths(book: zipfile.ZipFile) -> list[int]:
    """The bytes of each text that cells share."""
    member = "xl/sharedStrings.xml"
    if member not in book.namelist():
        return []
    lengths, open_ = [], 0
    with book.open(member) as file:
        rest = b""
        while block := file.read(BLOCK):
            *done, rest = re.split(rb"</(?:\w+:)?si>|<(?:\w+:)?si/>", rest + block)
            for piece in done:
                lengths.append(open_ + len(piece))
                open_ = 0
            open_, rest = open_ + max(0, len(rest) - 20), rest[-20:]
    return lengths


def _blocks(book: zipfile.ZipFile, member: str) -> Iterator[bytes]:
    """The XML in pieces; a cell that is cut in two is whole in the next one."""
    with book.open(member) as file:
        rest = b""
        while block := file.read(BLOCK):
            data = rest + block
            cut = data.rfind(b"<", max(0, len(data) - _TAG))
            cut = data.rfind(b"<", max(0, len(data) - _TAG), cut) if cut > 0 else cut
            cut = len(data) if cut <= 0 else cut
            yield data[:cut]
            rest = data[cut:]
        yield rest


def _place(letters: bytes) -> int:
    """The number of a column, from 1: A is 1, XFD 16,384."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
