"""Lines below the item that they are about, `1:` and then `user,rating,date`, as Netflix wrote."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from duckdb import DuckDBPyConnection

from core.data.files.encodings import Plain
from core.data.files.sources import LayoutNote, Source
from core.data.layouts.layout import TextStart
from core.data.layouts.lines_of_items import (
    ITEM,
    USER,
    event_source,
    filled_texts,
    set_aside,
    sum_of,
    with_line_counts,
)
from core.data.store import literal

NAME = "item_headers"
_HEAD = re.compile(r"\s*([^\s,;:|]+)\s*:\s*")
SEPARATORS = (",", "\t", ";", "|")


def recognise(start: TextStart) -> bool:
    """The first line is a word and a colon, as are some others; the rest has one width."""
    lines = start.lines
    if len(lines) < 3 or not _HEAD.fullmatch(lines[0]):
        return False
    rest = [line for line in lines if not _HEAD.fullmatch(line)]
    if len(rest) < 2 or any(":" in line.partition(",")[0] for line in rest[:1000]):
        return False
    widths = Counter(len(line.split(_separator(start))) for line in rest)
    return max(widths.values()) >= 0.9 * len(rest)


def _separator(start: TextStart) -> str:
    rest = [line for line in start.lines if not _HEAD.fullmatch(line)]
    return max(SEPARATORS, key=lambda mark: sum(mark in line for line in rest))


def open_layout(
    con: DuckDBPyConnection, plain: Plain, start: TextStart, target: Path, limit: int | None
) -> Source:
    mark = _separator(start)
    rest = [line.split(mark) for line in start.lines if not _HEAD.fullmatch(line)]
    widths = Counter(map(len, rest))
    width = max(widths, key=lambda n: widths[n], default=1)
    head = literal(r"^\s*([^\s,;:|]+)\s*:\s*$")
    lines = filled_texts(con, plain, limit).project(
        f"text, line, regexp_extract(text, {head}, 1) AS head"
    )
    above = "last_value(nullif(head, '') IGNORE NULLS) OVER (ORDER BY line)"
    cut = lines.project(f"text, line, head, {above} AS item").filter("head = ''")
    con.execute("DROP TABLE IF EXISTS headed_lines")
    cut.project(f"text, line, item, string_split(text, {literal(mark)}) AS cells").to_table(
        "headed_lines"
    )
    cut = con.table("headed_lines")
    whole = f"len(cells) = {width}"
    set_aside(con, plain, cut.filter("item IS NULL"), "'no item stands above this line'")
    set_aside(
        con,
        plain,
        cut.filter(f"item IS NOT NULL AND NOT ({whole})"),
        f"'{width} cells are expected, as in most lines'",
    )
    names = ["rating" if _are_ratings([row[1:2] for row in rest]) else "column2", "column3"]
    names = [*names, *(f"column{n + 1}" for n in range(3, width))][: width - 1]
    more = "".join(f", trim(cells[{n}]) AS {name}" for n, name in enumerate(names, 2))
    events = cut.filter(f"item IS NOT NULL AND {whole}").project(
        f"line, trim(cells[1]) AS {USER}, item AS {ITEM}{more}"
    )
    source = event_source(con, plain, events, target, _note(names))
    con.execute("DROP TABLE headed_lines")
    headers = sum_of(con, plain, f"regexp_full_match(text, {head})")
    return with_line_counts(con, plain, source, limit, header=headers)


def _are_ratings(rows: Sequence[Sequence[str]]) -> bool:
    """Whether these cells are a few different numbers from 0 to 10."""
    cells = {row[0].strip() for row in rows if row}
    numeric = all(re.fullmatch(r"(10|\d)(\.\d+)?", cell) for cell in cells)
    return bool(cells) and len(cells) <= 21 and numeric


def _note(names: Sequence[str]) -> LayoutNote:
    more = f", then {', '.join(names)}" if names else ""
    return LayoutNote(
        NAME,
        "a line such as '1:' names the item of the lines below it, as in Netflix' files: one event "
        f"a line, the user first{more}",
        roles={"user_id": USER, "item_id": ITEM},
        role_evidence={
            "user_id": "the first cell of each line",
            "item_id": "the name before the colon above",
        },
    )
