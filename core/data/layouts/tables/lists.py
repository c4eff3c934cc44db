"""Lists of items in cells, `7,"107 139 12"` or `[107, 139]`: one event an item, in its order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection

from core.data.files.sources import LayoutNote, Source
from core.data.layouts.lines_of_items import POSITION
from core.data.layouts.tables.table import (
    LINE,
    LOOK,
    Table,
    is_nameless,
    numbered_rows,
    table_source,
)
from core.data.roles.guess import VALUE_KINDS
from core.data.roles.names import NAMES, plain
from core.data.store import literal, quoted
from core.errors import BadInput

NAME = "lists"
PLACE, ORDER = '" place"', '" order"'  # no column of a person's begins with a space
SEPARATORS = ("|", ";", ",", " ")
_BRACKETS = re.compile(r"\s*([\[({])(.*)[\])}]\s*", re.S)
_ID = re.compile(r"[\w.:/-]*\d[\w.:/-]*")  # a number, or a word with one in it
_SEVERAL = re.compile(r"(s|lists?|seq|sequences?|history|histories|array|set)$")
HISTORIES = ("history", "sequence", "basket", "cart", "clicks", "purchases", "interactions")


@dataclass(frozen=True)
class Lists:
    """A column whose cells are lists, and what stands between their items ("" in a list type)."""

    column: str
    separator: str


def recognise(table: Table) -> bool:
    return bool(_candidates(table))


def open_table(con: DuckDBPyConnection, table: Table, target: Path, limit: int | None) -> Source:
    found = _candidates(table)
    name = table.plain.name
    if len(found) > 1:
        listed = " and ".join(repr(lists.column) for lists in found)
        raise BadInput(
            f"{name} has lists in {listed}: say which holds the items, "
            f"item_id={found[0].column}, or layout=table to take a list as one item"
        )
    if not found:
        raise BadInput(
            f'{name} has no column whose cells hold several items, as in "107 139" or [107, 139]'
        )
    items = found[0]
    _refuse_nested(con, table, items)
    along = [items, *_parallel(table, items)]
    columns = [lists.column for lists in along]
    times = [c for c in columns[1:] if _is_time(c)]
    time = times[0] if times else table.time_column(columns)
    single = [quoted(c) for c in table.source.columns if c not in columns]
    cells = [f"{cell_sql(lists)} AS {quoted(lists.column)}" for lists in along]
    rows = numbered_rows(con, table, limit).project(", ".join([LINE, *single, *cells]))
    # A row without an item stays one event without an item, so that it is rejected and counted.
    filled = f"coalesce(nullif({quoted(items.column)}, []), [NULL])"
    unnested = [f"unnest({x}) AS {quoted(c)}" for x, c in zip(
        [filled, *map(quoted, columns[1:])], columns, strict=True)]  # fmt: skip
    place = f"unnest(range(1, len({filled}) + 1)) AS {PLACE}"
    events = rows.project(", ".join([LINE, *single, *unnested, place]))
    user = table.named("user_id")
    if user and time is None:  # several lists of one user: on from one to the next
        numbered = events.project(f"*, row_number() OVER () AS {ORDER}")
        placed = f"row_number() OVER (PARTITION BY {quoted(user.name)} ORDER BY {ORDER})"
        events = numbered.project(f"* REPLACE ({placed} AS {PLACE})").order(ORDER)
        events = events.project(f"* EXCLUDE ({ORDER})")
    names = [*(c for c in table.source.columns if c not in columns), *columns, POSITION]
    return table_source(con, table, events, names, target, _note(along, time))


def _refuse_nested(con: DuckDBPyConnection, table: Table, items: Lists) -> None:
    """Raises BadInput where the items of the lists are lists or objects themselves."""
    cells = table.sample.limit(LOOK).project(f"unnest({cell_sql(items)}) AS x")
    nested = cells.filter(r"regexp_matches(x, '^\s*(\[|\{.*:)')").limit(1).fetchall()
    if nested:
        raise BadInput(
            f"{table.plain.name}: the items in {items.column!r} are no ids, but lists or objects "
            f"such as {nested[0][0][:60]!r}, and nothing says which part of them is the item: "
            'write objects with names, such as {"item_id": 112, "timestamp": 1700000000}'
        )


def _candidates(table: Table) -> list[Lists]:
    """The columns that may hold the items: the one that is said, or named so, or those unnamed."""
    said = table.mapped.get("item_id")
    if said:
        columns = [p for p in table.profiles if p.name == said]
    else:
        columns = [p for p in table.profiles if _names_items(p.key)]
        named = table.named("item_id")
        # A filled column of single items is the item, whatever lists stand beside it.
        if named and _lists(table, named.name, strict=True) is None:
            return []
        if not columns and named is None:
            nameless = [p for p in table.profiles if is_nameless(p)]
            return [x for p in nameless if (x := _lists(table, p.name, strict=True, ragged=True))]
    for profile in columns:
        # A title may have a comma in it: words are lists only under a name that says several.
        strict = profile.key in NAMES["item_id"] or not _names_items(profile.key)
        if found := _lists(table, profile.name, strict=strict, ragged=is_nameless(profile)):
            return [found]
    return []


def _names_items(key: str) -> bool:
    """Whether a name says items, one or several: itemid, item_ids, product_list, history.

    >>> [_names_items(plain(x)) for x in ("item_ids", "Products", "movie_seq", "genres", "tags")]
    [True, True, True, False, False]
    """
    if key in HISTORIES or key in NAMES["item_id"]:
        return True
    while (shorter := _SEVERAL.sub("", key)) != key:
        key = shorter
        if key in NAMES["item_id"]:
            return True
    return False


def _lists(
    table: Table, column: str, *, strict: bool = False, ragged: bool = False
) -> Lists | None:
    """The lists in a column; `strict`: texts must be ids; `ragged`: of several lengths."""
    type = next(p.type for p in table.profiles if p.name == column)
    if type.endswith("[]") and not type.startswith("STRUCT"):
        return Lists(column, "")
    cells = table.cells(column) if type == "VARCHAR" else []
    bracketed = [m for m in map(_BRACKETS.fullmatch, cells) if m]
    if len(bracketed) >= 0.9 * len(cells) > 0:
        commas = any("," in m[2] for m in bracketed)
        blanks = any(" " in m[2].strip() for m in bracketed)  # as numpy writes an array
        return Lists(column, " " if blanks and not commas else ",")
    for separator in SEPARATORS:
        rows = [[x.strip() for x in cell.split(separator)] for cell in map(str.strip, cells)]
        rows = [[x for x in row if x] for row in rows]
        if sum(len(row) > 1 for row in rows) < 0.5 * len(rows) or not rows:
            continue
        exact = strict or ragged or separator == " "
        good = [row for row in rows if all(map(_ID.fullmatch if exact else _is_word, row))]
        if len(good) < 0.9 * len(rows) or (ragged and len({len(row) for row in rows}) < 3):
            continue
        return Lists(column, separator)
    return None


def _is_word(text: str) -> bool:
    return len(text) <= 60


def _parallel(table: Table, items: Lists) -> list[Lists]:
    """Other lists, as long as that of the items in nearly every row: their times, their values."""
    found = []
    for profile in table.profiles:
        if profile.name == items.column:
            continue
        other = _lists(table, profile.name)
        if other is None or (other.separator and other.separator != items.separator):
            continue
        lengths = table.sample.project(f"len({cell_sql(items)}) = len({cell_sql(other)}) AS same")
        same, n = lengths.aggregate("count(CASE WHEN same THEN 1 END), count(*)").fetchall()[0]
        if same >= 0.95 * n:
            found.append(other)
    return found


def _is_time(column: str) -> bool:
    key = plain(column)
    return any(_SEVERAL.sub("", key) == name or key == name for name in NAMES["timestamp"])


def _is_value(column: str) -> bool:
    key = plain(column)
    names = [name for kind in VALUE_KINDS for name in NAMES[kind]]
    return key in names or _SEVERAL.sub("", key) in names


def cell_sql(lists: Lists) -> str:
    """SQL for the items of a cell, a list of texts: [NULL] of one that is empty."""
    name = quoted(lists.column)
    if not lists.separator:
        return f"CAST({name} AS VARCHAR[])"
    inner = rf"regexp_replace(trim({name}), '^[\[({{](.*)[\])}}]$', '\1', 's')"
    pieces = f"string_split({inner}, {literal(lists.separator)})"
    if lists.separator == " ":
        blanks = f"regexp_replace({inner}, '\\s+', ' ', 'g')"
        pieces = f"list_filter(string_split({blanks}, ' '), lambda x: trim(x) <> '')"
    marks = literal(" \t\r\n\"'")
    texts = f"list_transform({pieces}, lambda x: trim(x, {marks}))"
    as_json = f"starts_with({name}, '[') AND contains({name}, '\"') AND json_valid({name})"
    return f"CASE WHEN {as_json} THEN from_json({name}, '[\"VARCHAR\"]') ELSE {texts} END"


def _note(along: Sequence[Lists], time: str | None) -> LayoutNote:
    items, others = along[0], [lists.column for lists in along[1:]]
    between = {"": "", " ": " between blanks"}.get(items.separator, f" between {items.separator!r}")
    beside = f"; {', '.join(others)} beside it, as long, give one cell each" if others else ""
    roles: dict[str, str | None] = {"item_id": items.column}
    evidence = {"item_id": "every item of a list"}
    if time is None:
        roles |= {"timestamp": POSITION, "time_format": "order"}
        evidence["timestamp"] = "an item's place in its list (none if lists have no order)"
    elif time in others:
        roles["timestamp"] = time
        evidence["timestamp"] = "the list of times beside the items"
    if values := [c for c in others if c != time and _is_value(c)]:
        roles["value"] = values[0]
        evidence["value"] = "the list of values beside the items"
    return LayoutNote(
        NAME,
        f"each cell of {items.column!r} is a list of items{between}: one event an item{beside} "
        "(a list as one item instead: layout=table)",
        roles,
        evidence,
    )
