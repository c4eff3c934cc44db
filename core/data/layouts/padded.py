"""Columns that stand under one another, padded with blanks: `7    107   2024-03-01`."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

from duckdb import DuckDBPyConnection

from core.data.files.encodings import Plain
from core.data.files.sources import LayoutNote, Source, csv_source
from core.data.layouts.layout import TextStart
from core.errors import BadInput

NAME = "padded"
ANY, SEVERAL = re.compile(r"[ \t]+"), re.compile(r" {2,}| *\t[ \t]*")


def recognise(start: TextStart) -> bool:
    return _blanks(start) is not None


def _blanks(start: TextStart) -> re.Pattern[str] | None:
    """What stands between cells: any blanks, or several where cells have single ones in them."""
    lines = [line.strip() for line in start.lines[:2000]]
    padded = sum("  " in line for line in lines)
    if len(lines) < 3 or padded < 0.5 * len(lines) or any("\t" in line for line in lines[:100]):
        return None
    for mark in (",", ";", "|"):  # a delimiter beside which blanks only please the eye
        counts = Counter(line.count(mark) for line in lines)
        if counts.most_common(1)[0][0] and max(counts.values()) >= 0.9 * len(lines):
            return None
    found = None
    best = 0.95 * len(lines)
    for blanks in (SEVERAL, ANY):  # a cell may have single blanks in it, as titles and times do
        widths = Counter(len(blanks.split(line)) for line in lines)
        width, n = widths.most_common(1)[0]
        if width > 1 and n >= best and (found is None or n > best):
            found, best = blanks, float(n)
    return found


def open_layout(
    con: DuckDBPyConnection, plain: Plain, start: TextStart, target: Path, limit: int | None
) -> Source:
    blanks = _blanks(start) or ANY
    if not any(blanks.search(line.strip()) for line in start.lines):
        raise BadInput(f"{plain.name} has no blanks between cells: its lines are single words")
    with (
        plain.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file,
        target.open("w", encoding="utf-8", errors="surrogateescape", newline="\n") as out,
    ):
        for line in islice(file, limit):
            out.write(blanks.sub("\t", line.strip()) + "\n")
    source = csv_source(plain.name, target, ("\t",))
    between = "blanks" if blanks is ANY else "several blanks"
    note = LayoutNote(
        NAME, f"columns that stand under one another, with {between} between (else: layout=table)"
    )
    return replace(source, layout=note)
