"""A matrix of people × items, an item a column: one event for each cell that is filled."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from core.data.files.sources import LayoutNote, Source
from core.data.layouts.lines_of_items import ITEM, USER
from core.data.layouts.tables.table import LINE, LOOK, Table, numbered_rows, table_source
from core.data.roles.names import NAMES, plain
from core.data.store import literal, quoted
from core.errors import BadInput

NAME = "wide"
LEAST = 5  # items
BLANK = 0.2  # the share of cells without an event, at least
_NUMBERED = re.compile(r"(.*?)[ _.-]?(\d+)")
_FEATURES = re.compile(r"(feature|feat|attr|dim|emb|embedding|vec|factor|pc|var|x|f|v|col|column)")
_YEAR = re.compile(r"(19|20)\d\d")


@dataclass(frozen=True)
class Matrix:
    """Which columns are items, and whether a 0 says that there was no event."""

    items: tuple[str, ...]
    user: str
    about: tuple[str, ...]  # columns of what is known of the people, which stand beside the items
    zero_is_none: bool
    steps: int  # different values


def recognise(table: Table) -> bool:
    return matrix(table) is not None


def open_table(con: DuckDBPyConnection, table: Table, target: Path, limit: int | None) -> Source:
    found = matrix(table, sure=False)
    if found is None:
        raise BadInput(
            f"{table.plain.name} is no matrix of people × items: its first column must name the "
            f"people, and {LEAST} columns or more the items, with a number or nothing in each cell"
        )
    rows = numbered_rows(con, table, limit)
    cut = len(_path(table, found.items))
    cells = ", ".join(
        f"{{'i': {literal(name[cut:])}, 'v': trim(CAST({quoted(name)} AS VARCHAR))}}"
        for name in found.items
    )
    none = "('', '0', '0.0')" if found.zero_is_none else "('')"
    taken = f"list_filter([{cells}], lambda x: coalesce(x.v, '') NOT IN {none})"
    known = [quoted(f" {n}") for n in range(len(found.about))]  # no column begins with a blank
    about = [f"{quoted(name)} AS {cell}" for name, cell in zip(found.about, known, strict=True)]
    head = f"{LINE}, {quoted(found.user)} AS {USER}, {taken} AS taken"
    whole = rows.project(", ".join([head, *about]))
    empty = whole.filter("len(taken) = 0")
    empty.project(
        f"{literal(table.plain.name)}, {LINE}, 'no item of this line has a value',"
        f" CAST({USER} AS VARCHAR), 'no_item'"
    ).insert_into("malformed")
    events = whole.project(", ".join([f"{LINE}, {USER}, unnest(taken) AS cell", *known])).project(
        ", ".join([f"{LINE}, {USER}, cell.i, cell.v", *known])
    )
    names = (USER, ITEM, "value", *found.about)
    return table_source(con, table, events, names, target, _note(found))


def _path(table: Table, items: Sequence[str]) -> str:
    """The key path of the object whose keys are the items, with its point; "" where none is."""
    path = items[0].rpartition(".")[0] + "."
    same = path != "." and all(name.startswith(path) for name in items)
    return path if same and table.source.layout is not None else ""


def matrix(table: Table, *, sure: bool = True) -> Matrix | None:
    """The people and items of a table that is a matrix; None for any other.

    Args:
        table: The table.
        sure: Ask for what sets a matrix apart from a table of what is known of people.
    """
    names = table.source.columns
    found = table.sample.limit(LOOK).fetchall()
    rows = [["" if cell is None else str(cell).strip() for cell in row] for row in found]
    if len(names) < LEAST + 1 or not rows:
        return None
    user, items = names[0], _numbered(names[1:]) or names[1:]
    about = tuple(name for name in names[1:] if name not in items)
    people = [row[0] for row in rows]
    rows = [[row[0], *(row[n] for n, name in enumerate(names) if name in items)] for row in rows]
    if not sure:
        return Matrix(items, user, about, _zero_is_none(rows), 2)
    known = plain(user) in NAMES["user_id"] or user.startswith("unnamed_")
    if not known or len(set(people)) < len(people) or "" in people:
        return None
    cells = [cell for row in rows for cell in row[1:]]
    filled = Counter(cell for cell in cells if cell)
    values = {cell: _number(cell) for cell in filled}
    if not filled or any(x is None for x in values.values()) or len(filled) > 101:
        return None
    numbers = [x for x in values.values() if x is not None]
    none = _zero_is_none(rows)
    blank = sum(not cell or (none and values[cell] == 0) for cell in cells)
    scale = min(numbers) >= 0 and all(2 * x == int(2 * x) for x in numbers)
    if not scale or blank < BLANK * len(cells):
        return None
    if not (_are_numbered(items) or _are_titles(items, max(numbers), rows)):
        return None
    return Matrix(items, user, about, none, len({x for x in numbers if not (none and x == 0)}))


def _numbered(names: Sequence[str]) -> tuple[str, ...]:
    """The columns with a number after the same word, where they are most; () where none are."""
    parts = {name: m[1].lower() for name in names if (m := _NUMBERED.fullmatch(name))}
    words = Counter(parts.values()).most_common(1)
    if not words or words[0][1] < max(LEAST, 0.5 * len(names)):
        return ()
    return tuple(name for name in names if parts.get(name) == words[0][0])


def _number(cell: str) -> float | None:
    try:
        return float(cell.replace(",", "."))
    except ValueError:
        return None


def _zero_is_none(rows: Sequence[Sequence[str]]) -> bool:
    """Whether 0 says that nothing was: no cell is empty, and none is more frequent than 0."""
    cells = Counter(cell for row in rows for cell in row[1:])
    zeros = cells["0"] + cells["0.0"]
    return not cells[""] and zeros > 0 and zeros >= max(cells.values())


def _are_numbered(items: Sequence[str]) -> bool:
    """Whether all names are a number, after the same word or none, as ids of items are."""
    parts = [_NUMBERED.fullmatch(name) for name in items]
    words = {m[1].lower().strip(" _.-") for m in parts if m}
    if not all(parts) or len(words) != 1:
        return False
    word = words.pop()
    years = all(m and _YEAR.fullmatch(m[2]) for m in parts) and word not in NAMES["item_id"]
    return not years and not _FEATURES.fullmatch(word) and not word.startswith("user")


def _are_titles(items: Sequence[str], high: float, rows: Sequence[Sequence[str]]) -> bool:
    """Whether columns with names of their own all hold one scale of ratings, as features do not.

    Flags (0 and 1) under names may as well say what is known of a person: they are left alone.
    """
    roles = {name for names in NAMES.values() for name in names}
    if high > 10 or any(plain(name) in roles for name in items):
        return False
    by_column: list[set[Any]] = [{row[n] for row in rows} for n in range(1, len(items) + 1)]
    wide = sum(len(values - {"", "0"}) > 2 for values in by_column)
    return wide >= 0.8 * len(items)


def _note(found: Matrix) -> LayoutNote:
    zero = "an empty cell or a 0 is none" if found.zero_is_none else "an empty cell is none"
    valued = found.steps > 1
    return LayoutNote(
        NAME,
        f"a matrix: a row for each {found.user!r}, a column for each of {len(found.items):,} items "
        f"({found.items[0]!r} to {found.items[-1]!r}): one event a cell, {zero} "
        "(a plain table instead: layout=table)",
        roles={
            "user_id": USER,
            "item_id": ITEM,
            "value": "value" if valued else None,
            "timestamp": None,
        },
        role_evidence={
            "user_id": f"the column {found.user!r}",
            "item_id": "the name of the column",
            "value": "the number in the cell"
            if valued
            else "none: the filled cells all say the same",
            "timestamp": "none: a matrix has no times",
        },
    )
