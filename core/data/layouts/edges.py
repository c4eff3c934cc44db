"""Edges below comments that begin with %: `user item [weight [time]]`, as KONECT and MatrixMarket.

http://konect.cc/networks/, https://math.nist.gov/MatrixMarket/formats.html
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection

from core.data.files.encodings import Plain
from core.data.files.sources import LayoutNote, Source
from core.data.layouts.layout import TextStart
from core.data.layouts.lines_of_items import (
    ITEM,
    USER,
    WORDS,
    event_source,
    filled_texts,
    set_aside,
    sum_of,
    with_line_counts,
)
from core.errors import BadInput

NAME = "edges"
COLUMNS = (USER, ITEM, "weight", "timestamp")


@dataclass(frozen=True)
class EdgeFormat:
    """How the lines below the comments are cut."""

    matrix: bool  # MatrixMarket, whose first line says how large it is
    width: int


def recognise(start: TextStart) -> bool:
    first = start.lines[0] if start.lines else ""
    return first.startswith("%%MatrixMarket") or (
        first.startswith("%") and edge_format(start) is not None
    )


def edge_format(start: TextStart) -> EdgeFormat | None:
    """How these edges are written; None where the lines are not two to four words."""
    matrix = start.lines[0].startswith("%%MatrixMarket")
    rows = [line.split() for line in start.lines if not line.startswith("%")]
    if matrix and rows:
        rows = rows[1:] or [["0"] * (int("pattern" not in start.lines[0]) + 2)]
    widths = Counter(map(len, rows))
    width = max(widths, key=lambda n: (widths[n], n), default=0)
    return EdgeFormat(matrix, width) if 2 <= width <= len(COLUMNS) else None


def open_layout(
    con: DuckDBPyConnection, plain: Plain, start: TextStart, target: Path, limit: int | None
) -> Source:
    head = start.lines[0].lower().split()
    if head[0] == "%%matrixmarket" and ("coordinate" not in head or "complex" in head):
        raise BadInput(
            f"{plain.name} is a MatrixMarket file of the kind {' '.join(head[2:4])}: save it as "
            "coordinate real, integer or pattern, with a row for each user"
        )
    if "symmetric" in head or "skew-symmetric" in head or "hermitian" in head:
        raise BadInput(
            f"{plain.name} is a symmetric matrix: its rows and columns are the same things, not "
            "users and items"
        )
    form = edge_format(start)
    if form is None:
        raise BadInput(
            f"{plain.name} holds no edges: below the lines that begin with % each line needs a "
            "user and an item, and may have a weight and a time"
        )
    lines = filled_texts(con, plain, None if limit is None else limit + len(start.lines))
    lines = lines.filter("NOT starts_with(ltrim(text), '%')")
    if form.matrix:
        first = lines.aggregate("min(line)").fetchall()[0][0] or 0
        lines = lines.filter(f"line > {int(first)}")
    lines = lines.limit(limit) if limit else lines
    words = lines.project(f"text, line, {WORDS} AS words")
    whole = f"len(words) = {form.width}"
    set_aside(con, plain, words.filter(f"NOT ({whole})"), f"'{form.width} words are expected'")
    cells = (f"words[{n + 1}] AS {name}" for n, name in enumerate(COLUMNS[: form.width]))
    events = words.filter(whole).project(", ".join(["line", *cells]))
    steps = 0
    if form.width > 2:
        steps = events.aggregate("count(DISTINCT weight)").fetchall()[0][0]
    source = event_source(con, plain, events, target, _note(form, steps))
    comments = sum_of(con, plain, "starts_with(ltrim(text), '%')")
    return with_line_counts(con, plain, source, limit, comment=comments, header=int(form.matrix))


def _note(form: EdgeFormat, steps: int) -> LayoutNote:
    kind = "MatrixMarket" if form.matrix else "KONECT"
    size = ", then the size of the matrix" if form.matrix else ""
    listed = ", ".join(COLUMNS[: form.width])
    timed = form.width > 3
    roles: dict[str, str | None] = {
        "user_id": USER,
        "item_id": ITEM,
        "value": "weight" if steps > 1 else None,
    }
    if not timed:
        roles["timestamp"] = None
    return LayoutNote(
        NAME,
        f"comments that begin with %{size}, then an edge a line ({listed}), as {kind} writes them",
        roles,
        {
            "user_id": "the first number of an edge: the row",
            "item_id": "the second number of an edge: the column",
            "value": "the weight of an edge" if steps > 1 else "none: all edges weigh the same",
            "timestamp": "none: the edges have no times",
        },
    )
