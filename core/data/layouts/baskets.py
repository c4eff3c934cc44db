"""Baskets, one a line: `milk,bread,beer`; or with a name before: `17: milk,bread`, `17,milk`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection

from core.data.files.encodings import Plain
from core.data.files.sources import LayoutNote, Source
from core.data.layouts.layout import TextStart, is_ragged
from core.data.layouts.lines_of_items import (
    ITEM,
    POSITION,
    USER,
    event_source,
    filled_texts,
    set_aside,
)
from core.data.store import literal

NAME = "baskets"
DELIMITERS = (",", ";", "\t", "|", " ")
_WORD = re.compile(r"\w[\w.-]*")


@dataclass(frozen=True)
class BasketFormat:
    """How a line of a basket file is cut: what stands between items, and where its user is."""

    delimiter: str
    user: str  # "line" its number, "colon" the name before a colon, "first" the first cell


def recognise(start: TextStart) -> bool:
    form = basket_format(start)
    return form is not None and (form.user == "colon" or not start.is_table())


def basket_format(start: TextStart) -> BasketFormat | None:
    """How these lines are cut into baskets; None where they do not look like any.

    Lines of a table have as many cells as the others, and each column has its own values; lines of
    baskets are as long as they happen to be, and an item stands now here and now there.
    """
    lines = [line.strip() for line in start.lines][:2000]
    if len(lines) < 3:
        return None
    named = [line.partition(":") for line in lines]
    if all(name.strip() and sign for name, sign, _ in named):
        names = {name.strip() for name, _, _ in named}
        texts = [text for _, _, text in named]
        if len(names) < len(lines) or any(":" in text for text in texts):
            return None
        for delimiter in DELIMITERS:
            if _are_baskets([_cells(text, delimiter) for text in texts], delimiter):
                return BasketFormat(delimiter, "colon")
        return None
    for delimiter in DELIMITERS:
        if not any(delimiter in line for line in lines):
            continue
        rows = [_cells(line, delimiter) for line in lines]
        if _begin_with_names(rows):
            if delimiter != " " and _are_baskets([row[1:] for row in rows], delimiter):
                return BasketFormat(delimiter, "first")
        elif _are_baskets(rows, delimiter):
            return BasketFormat(delimiter, "line")
    return None


def _cells(line: str, delimiter: str) -> list[str]:
    """The cells of a line; empty ones at its end only pad it."""
    cells = [cell.strip().strip('"') for cell in line.split(delimiter)]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _begin_with_names(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first cell of each line stands nowhere else, or counts up from line to line."""
    first = [row[0] for row in rows if row]
    if len(set(first)) < len(first):
        return False
    if all(cell.isdecimal() and cell.isascii() and len(cell) < 19 for cell in first):
        numbers = [int(cell) for cell in first]
        if numbers == sorted(numbers):
            return True
    return not {cell for row in rows for cell in row[1:]} & set(first)


def _are_baskets(rows: Sequence[Sequence[str]], delimiter: str) -> bool:
    if not is_ragged([len(row) for row in rows]):
        return False
    if sum("" in row for row in rows) > 0.05 * len(rows):  # a matrix with holes
        return False
    cells = [cell for row in rows for cell in row]
    if max(map(len, cells), default=0) > 100:
        return False
    lines_with = Counter(cell for row in rows for cell in set(row))
    places: dict[str, set[int]] = {}
    for row in rows:
        for n, cell in enumerate(row):
            places.setdefault(cell, set()).add(n)
    again = [cell for cell in cells if lines_with[cell] > 1]
    moving = sum(len(places[cell]) > 1 for cell in again)
    least = 0.5
    if delimiter == " ":  # so are the words of a text
        least = 0.8
        if not all(_WORD.fullmatch(cell) for cell in cells):
            return False
    return len(again) >= least * len(cells) and moving >= 0.5 * len(again)


def open_layout(
    con: DuckDBPyConnection, plain: Plain, start: TextStart, target: Path, limit: int | None
) -> Source:
    form = basket_format(start) or BasketFormat(_most_frequent(start), "line")
    lines = filled_texts(con, plain, limit)
    if form.user == "colon":
        split = r"regexp_extract(text, '^\s*([^:]*?)\s*:\s*(.*)$', ['user', 'items'])"
        items = _items_sql("cut.items", form.delimiter)
        cells = lines.project(f"text, line, {split} AS cut").project(
            f"text, line, cut.user AS {USER}, {items} AS items"
        )
    elif form.user == "first":
        cells = lines.project(f"text, line, {_items_sql('text', form.delimiter)} AS cells").project(
            f"text, line, cells[1] AS {USER}, cells[2:] AS items"
        )
    else:
        cells = lines.project(
            f"text, line, line AS {USER}, {_items_sql('text', form.delimiter)} AS items"
        )
    empty = "coalesce(len(list_filter(items, lambda x: x <> '')), 0) = 0"
    set_aside(con, plain, cells.filter(empty), "'there is no item in this line'")
    events = cells.filter(f"NOT ({empty})").project(
        f"line, {USER}, unnest(items) AS {ITEM}, unnest(range(1, len(items) + 1)) AS {POSITION}"
    )
    return event_source(con, plain, events, target, _note(form))


def _most_frequent(start: TextStart) -> str:
    text = "\n".join(start.lines)
    return max(DELIMITERS[:4], key=text.count) if any(d in text for d in DELIMITERS[:4]) else " "


def _items_sql(text: str, delimiter: str) -> str:
    """SQL for the cells of a text, trimmed and without their quotes; those that pad its end go."""
    mark, inner = literal(delimiter), re.escape(delimiter)
    cell = literal(rf'\s*("(?:[^"]|"")*"|[^{inner}]*)\s*{inner}')
    padded = literal(rf"(\s*{inner})+\s*$")
    trimmed = f"regexp_replace({text}, {padded}, '')"
    quoted_cells = f"regexp_extract_all({trimmed} || {mark}, {cell}, 1)"
    unquoted = (
        "CASE WHEN starts_with(x, '\"') AND ends_with(x, '\"') AND length(x) > 1"
        " THEN replace(x[2:-2], '\"\"', '\"') ELSE x END"
    )
    return (
        f"CASE WHEN contains({text}, '\"')"
        f" THEN list_transform({quoted_cells}, lambda x: trim({unquoted.replace('x', 'trim(x)')}))"
        f" ELSE list_transform(string_split({trimmed}, {mark}), lambda x: trim(x)) END"
    )


def _note(form: BasketFormat) -> LayoutNote:
    user = {
        "line": "the number of the line: the lines name no user, so each is one",
        "colon": "the name before the colon",
        "first": "the first cell of each line, another one in each",
    }[form.user]
    between = {"\t": "tabs", " ": "blanks"}.get(form.delimiter, repr(form.delimiter))
    return LayoutNote(
        NAME,
        f"lines of unequal length in which the same things stand in different cells, between "
        f"{between}: one basket a line, one event an item (a plain table instead: layout=table)",
        roles={"user_id": USER, "item_id": ITEM, "timestamp": None},
        role_evidence={
            "user_id": user,
            "item_id": "every item of a line",
            "timestamp": "none: the items of a basket have no order (if they have: "
            f"timestamp={POSITION}, an item's place in its line)",
        },
        numbered_users=form.user == "line",
    )
