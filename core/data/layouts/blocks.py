"""Blocks of `key: value` lines, one block an event, as SNAP's reviews of Amazon are written.

https://snap.stanford.edu/data/web-Movies.html
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from duckdb import DuckDBPyConnection

from core.data.files.encodings import Plain
from core.data.files.sources import LayoutNote, Source, raw_lines, unique_names
from core.data.layouts.layout import TextStart
from core.data.layouts.lines_of_items import event_source, set_aside
from core.data.store import literal, quoted
from core.errors import BadInput

NAME = "blocks"
MAX_KEYS = 100
_LINE = r"\s*([A-Za-z][\w/. -]{0,60}?)\s*[:=](\s+.*|)"
_MATCH = re.compile(_LINE)
FILE, LINE = "file", "line"  # what `event_source` adds


def recognise(start: TextStart) -> bool:
    """Nearly all lines are `key: value`, of few keys that come again and again."""
    lines = start.lines[:2000]
    keys = [m[1] for m in map(_MATCH.fullmatch, lines) if m]
    if len(keys) < 0.9 * len(lines) or len(lines) < 6 or not _MATCH.fullmatch(lines[0]):
        return False
    counts = Counter(keys)
    often = [key for key, n in counts.items() if n > 1]
    return (
        1 < len(often) <= MAX_KEYS
        and sum(counts[key] for key in often) >= 0.9 * len(keys)
        and counts[keys[0]] >= 0.5 * max(counts.values())
    )


def open_layout(
    con: DuckDBPyConnection, plain: Plain, start: TextStart, target: Path, limit: int | None
) -> Source:
    first = next((m[1] for m in map(_MATCH.fullmatch, start.lines) if m), None)
    if first is None:
        raise BadInput(f"{plain.name} holds no blocks of lines such as 'user: 7'")
    bom = literal(chr(0xFEFF))
    lines = raw_lines(con, plain.path).project(f"ltrim(coalesce(text, ''), {bom}) AS text, line")
    lines = lines.limit(limit * 10) if limit else lines
    cut = f"regexp_extract(text, {literal('^' + _LINE + '$')}, ['key', 'value'])"
    parts = lines.project(f"text, line, {cut} AS cut").project(
        "text, line, cut.key AS key, trim(cut.value) AS value"
    )
    # A block begins with the first key, or below a blank line.
    new = (
        f"CASE WHEN key = {literal(first)} OR coalesce(lag(trim(text)) OVER (ORDER BY line), '')"
        " = '' THEN 1 ELSE 0 END"
    )
    filled = "trim(text) <> ''"
    numbered = parts.project(f"*, {new} AS new").filter(filled)
    numbered = numbered.project("*, sum(new) OVER (ORDER BY line) AS block")
    con.execute("DROP TABLE IF EXISTS block_lines")
    numbered.to_table("block_lines")
    table = con.table("block_lines")
    set_aside(con, plain, table.filter("key = ''"), "'this is no line of key: value'")
    counted = table.filter("key <> ''").aggregate("key, min(line) AS line, count(*) AS n", "key")
    keys = [k for (k,) in counted.order("n DESC, line").limit(MAX_KEYS).project("key").fetchall()]
    keys = [k for (k,) in counted.order("line").project("key").fetchall() if k in keys]
    names = _names(keys)
    cells = [
        f"first(value ORDER BY line) FILTER (key = {literal(key)}) AS {quoted(name)}"
        for key, name in zip(keys, names, strict=True)
    ]
    events = table.filter("key <> ''").aggregate(f"min(line) AS line, {', '.join(cells)}", "block")
    if limit:
        events = events.order("line").limit(limit)
    source = event_source(con, plain, events.order("line"), target, _note(keys, names))
    con.execute("DROP TABLE block_lines")
    return source


def _names(keys: list[str]) -> tuple[str, ...]:
    """The last part of each key where these are all different: review/userId is userId."""
    short = [key.rpartition("/")[2] for key in keys]
    return unique_names(short if len({*short}) == len(keys) else keys, (FILE, LINE))


def _note(keys: list[str], names: tuple[str, ...]) -> LayoutNote:
    listed = ", ".join(keys[:10])
    return LayoutNote(
        NAME,
        f"blocks of key: value lines ({listed}): one event a block, a column a key"
        + (", named by what stands behind the slash" if tuple(keys) != names else ""),
    )
