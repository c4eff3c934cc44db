"""What a workbook asks for, counted in its XML before a reader gets it.

A workbook of a few kilobytes may ask for any amount of memory: one cell in the last corner makes
a sheet of 17 billion, one long text may be shared by millions of cells.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

from core.data.files.archives import FREE_RATIO_BYTES, MAX_RATIO
from core.data.files.encodings import BLOCK
from core.errors import TooLarge

MAX_BYTES = 2 << 30  # of XML
MAX_CELLS = 25_000_000  # of the grid of a sheet, blank ones too: a gigabyte
MAX_TEXT = 1 << 30  # characters of all texts of a sheet
_CELL = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_AGAIN = "save the table alone as .xlsx or CSV"


def check_workbook(name: str, path: Path) -> None:
    """Raises TooLarge where the cells of a sheet, or the texts in them, are more than may be.

    Args:
        name: What the person calls it.
        path: Where it lies.

    Raises:
        zipfile.BadZipFile: it is damaged, as other errors of its zip and its XML say.
    """
    with zipfile.ZipFile(path) as archive:
        size = sum(part.file_size for part in archive.infolist())
        if size > max(MAX_RATIO * path.stat().st_size, FREE_RATIO_BYTES) or size > MAX_BYTES:
            raise TooLarge(
                f"{name} unpacks to {size:,} bytes: save a sheet of that size as CSV or Parquet"
            )
        _check_sheets(name, archive)


def _check_sheets(name: str, archive: zipfile.ZipFile) -> None:
    """Raises TooLarge where the cells of a sheet, or the texts in them, are more than may be."""
    shared: list[int] = []
    parts = [part for part in archive.infolist() if not part.is_dir()]
    for part in parts:
        if part.filename.lower().endswith("sharedstrings.xml"):
            with archive.open(part) as file:
                shared += _shared_lengths(file)
    for part in parts:  # any of them may be called a sheet
        with archive.open(part) as file:
            if not file.read(64).lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").startswith(b"<"):
                continue
            file.seek(0)
            extent = _Extent(shared)
            extent.read(file)
        if extent.cells > MAX_CELLS:
            raise TooLarge(
                f"{name} has a sheet that reaches to the cell {extent.corner}, which makes "
                f"{extent.cells:,} cells, at most {MAX_CELLS:,} are read: delete what stands "
                f"outside the table, or {_AGAIN}"
            )
        if extent.text > MAX_TEXT:
            raise TooLarge(
                f"{name} has a sheet with {extent.text:,} characters in its cells, at most "
                f"{MAX_TEXT:,} are read: {_AGAIN}"
            )


def _local(tag: str) -> str:
    return tag.rpartition(":")[2]


def _shared_lengths(file: IO[bytes]) -> list[int]:
    """The characters of each shared text."""
    lengths: list[int] = []
    inside = False

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal inside
        if _local(tag) == "si":
            lengths.append(0)
        inside = _local(tag) == "t"

    def end(tag: str) -> None:
        nonlocal inside
        inside = False

    def text(data: str) -> None:
        if inside and lengths:
            lengths[-1] += len(data)

    _parse(file, start, end, text)
    return lengths


class _Extent:
    """How far a sheet reaches, and how much text its cells hold, by one pass over its XML."""

    def __init__(self, shared: Sequence[int]) -> None:
        self.shared = shared
        self.bottom = self.right = self.text = 0
        self._row = self._column = 0
        self._type = ""
        self._inside = False
        self._value = ""

    @property
    def cells(self) -> int:
        return self.bottom * self.right

    @property
    def corner(self) -> str:
        letters, n = "", self.right
        while n:
            n, k = divmod(n - 1, 26)
            letters = chr(65 + k) + letters
        return f"{letters}{self.bottom}"

    def read(self, file: IO[bytes]) -> None:
        _parse(file, self._start, self._end, self._data)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = _local(tag)
        if tag == "row":
            said = attributes.get("r", "")
            self._row = int(said) if said.isdecimal() and len(said) < 10 else self._row + 1
            self._column = 0
        elif tag == "c":
            self._column += 1
            if place := _CELL.fullmatch(attributes.get("r", "").upper()):
                self._column = 0
                for letter in place[1]:
                    self._column = 26 * self._column + ord(letter) - 64
                self._row = int(place[2])
            self._type = attributes.get("t", "")
        self._inside = tag in ("v", "t")
        if self._inside:  # a cell that only has a colour is none
            self.bottom, self.right = max(self.bottom, self._row), max(self.right, self._column)
        self._value = ""

    def _data(self, data: str) -> None:
        if not self._inside:
            return
        if self._type == "s":
            self._value += data[:10]
        else:
            self.text += len(data)

    def _end(self, tag: str) -> None:
        if self._inside and self._type == "s" and self._value.isdecimal():
            n = int(self._value)
            if n >= len(self.shared):
                raise ValueError(f"a cell says text {n:,} of {len(self.shared):,}")
            self.text += self.shared[n]
        self._inside = False


def _parse(file: IO[bytes], start: Any, end: Any, text: Any) -> None:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    while block := file.read(BLOCK):
        parser.Parse(block)
    parser.Parse(b"", True)
