"""What a layout is, and what its files are recognised by: the first lines of a text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from duckdb import DuckDBPyConnection

from core.data.files.dialects import ReadAs
from core.data.files.encodings import SAMPLE_BYTES, Plain
from core.data.files.sniff import read_off
from core.data.files.sources import Source


@dataclass(frozen=True)
class TextStart:
    """The lines at the start of a text that are not blank, without their line ends."""

    lines: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> TextStart:
        """The whole lines among the first 256 KiB."""
        with path.open("rb") as file:
            start = file.read(SAMPLE_BYTES)
        lines = start.decode("utf-8-sig", errors="replace").splitlines()
        if len(start) == SAMPLE_BYTES and len(lines) > 1:
            lines = lines[:-1]  # cut off within
        return cls(tuple(line for line in lines if line.strip()))

    def is_json(self) -> bool:
        """Whether the first line begins an object, or an array of them."""
        first = "".join(self.lines[:2]).replace(" ", "")
        return first.startswith(("{", "[{"))

    def is_table(self) -> bool:
        """Whether most lines have as many cells as the others, between whatever."""
        return bool(self.lines) and read_off("", self.lines[:1000], ReadAs()).share > 0.75


class Layout(Protocol):
    """One layout: a module of this folder."""

    NAME: str  # as --map layout=… says it

    def recognise(self, start: TextStart) -> bool:
        """Whether a text that begins like this is laid out so, beyond reasonable doubt."""

    def open_layout(
        self,
        con: DuckDBPyConnection,
        plain: Plain,
        start: TextStart,
        target: Path,
        limit: int | None,
    ) -> Source:
        """The records of such a file; what is none of them goes to the table `malformed`.

        Args:
            con: The connection that reads.
            plain: The file.
            start: Its first lines.
            target: Where a converted copy goes.
            limit: Convert only so many lines, for a preview.

        Raises:
            BadInput: there is nothing in it that this layout can hold.
        """


def is_ragged(widths: Sequence[int]) -> bool:
    """Whether the lines of a text have no number of cells in common, as those of a table have.

    >>> is_ragged([3, 3, 3, 2, 3]), is_ragged([1, 4, 2, 7, 3])
    (False, True)
    """
    if len(widths) < 3:
        return False
    ((_, most),) = Counter(widths).most_common(1)
    enough = 3 if len(widths) > 5 else 2
    return most <= 0.7 * len(widths) and len(set(widths)) >= enough
