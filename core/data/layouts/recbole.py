"""RecBole's atomic files: tables whose header types each column, `user_id:token rating:float`.

https://recbole.io/docs/user_guide/data/atomic_files.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from duckdb import DuckDBPyConnection

from core.data.files.dialects import ReadAs
from core.data.files.encodings import Plain
from core.data.files.sources import LayoutNote, Source, unique_names
from core.data.files.texts import open_text
from core.data.layouts.layout import TextStart
from core.data.roles.names import NAMES
from core.data.roles.names import plain as plain_name
from core.data.store import quoted
from core.errors import BadInput

NAME = "recbole"
_HEAD = re.compile(r"([^:]+):(token|token_seq|float|float_seq)")
# token_seq is also how RecBole writes texts, a word a token: a title stays one text.
TEXT_NAME = re.compile(r"title|name|desc|text|summary|review", re.I)
VALUES = ("rating", "quantity", "duration", "price")
MAX_VECTOR = 200  # numbers of a float_seq that become columns


@dataclass(frozen=True)
class TypedColumn:
    """One column of the header."""

    name: str
    type: str


def typed_header(start: TextStart) -> tuple[TypedColumn, ...]:
    """The columns of the first line; () where not every one has a type."""
    first = start.lines[0].strip() if start.lines else ""
    heads = [_HEAD.fullmatch(cell.strip()) for cell in first.split(_delimiter(first))]
    if not all(heads):
        return ()
    return tuple(TypedColumn(head[1].strip(), head[2]) for head in heads if head)


def _delimiter(first: str) -> str:
    return "\t" if "\t" in first else ","


def recognise(start: TextStart) -> bool:
    return bool(typed_header(start))


def open_layout(
    con: DuckDBPyConnection, plain: Plain, start: TextStart, target: Path, limit: int | None
) -> Source:
    header = typed_header(start)
    if not header:
        raise BadInput(
            f"{plain.name} is no RecBole file: its first line must type each column, as in "
            "user_id:token, item_id:token, rating:float"
        )
    # The header is one, whatever the cells below look like.
    asked = ReadAs(_delimiter(start.lines[0]), header_line=1)
    source = open_text(con, plain, target, asked, limit=limit)
    if len(source.columns) != len(header):
        raise BadInput(
            f"{plain.name} has a header of {len(header)} columns over {len(source.columns)} cells"
        )
    names: list[str] = []
    cells: list[str] = []
    for n, column in enumerate(header):
        for name, cell in _cells(con, source, n, column):
            names.append(name)
            cells.append(cell)
    columns = unique_names(names)
    plain_cells = tuple(cells) == tuple(f"c{n}" for n in range(len(header)))
    return replace(
        source,
        columns=columns,
        cells=() if plain_cells else tuple(cells),
        layout=_note(header),
    )


def _cells(
    con: DuckDBPyConnection, source: Source, n: int, column: TypedColumn
) -> list[tuple[str, str]]:
    """The columns that one of the file becomes: each a name, and its SQL over c0, c1."""
    words = f"list_filter(string_split(c{n}, ' '), lambda x: x <> '')"
    if column.type == "token_seq" and not TEXT_NAME.search(column.name):
        return [(column.name, f"nullif({words}, [])")]
    if column.type != "float_seq":
        return [(column.name, f"c{n}")]
    lengths = source.read(con).aggregate(
        f"max(len({words.replace(f'c{n}', quoted(source.columns[n]))}))"
    )
    length = lengths.fetchall()[0][0] or 0
    if not 0 < length <= MAX_VECTOR:
        return [(column.name, f"CAST({words} AS DOUBLE[])")]
    return [(f"{column.name}_{k}", f"{words}[{k + 1}]") for k in range(length)]


def _note(header: Sequence[TypedColumn]) -> LayoutNote:
    listed = ", ".join(f"{column.name} {column.type}" for column in header[:12])
    roles: dict[str, str | None] = {}
    evidence: dict[str, str] = {}
    tokens = [column.name for column in header if column.type == "token"]
    floats = [c.name for c in header if c.type == "float" and not _named(c, "timestamp")]
    ids = [role for role in ("user_id", "item_id") if any(_named(c, role) for c in header)]
    if not ids and len(tokens) > 1:
        roles["user_id"], roles["item_id"] = tokens[:2]
        evidence["user_id"] = "the first column of type token"
        evidence["item_id"] = "the second column of type token"
    if len(ids) != 1 and len(floats) == 1 and not any(_named(c, r) for c in header for r in VALUES):
        roles["value"] = floats[0]
        evidence["value"] = "the only column of type float beside the time"
    return LayoutNote(
        NAME,
        f"RecBole atomic file: its header types each column ({listed}); the types are no part of "
        "the names (a plain table instead: layout=table)",
        roles,
        evidence,
    )


def _named(column: TypedColumn, role: str) -> bool:
    return plain_name(column.name) in NAMES[role]
