"""`user item item …`: a user a line and their items in order, as SASRec, S3-Rec and LightGCN."""

from __future__ import annotations

import re
from pathlib import Path

from duckdb import DuckDBPyConnection

from core.data.files.encodings import Plain
from core.data.files.sources import LayoutNote, Source
from core.data.layouts.layout import TextStart, is_ragged
from core.data.layouts.lines_of_items import (
    ITEM,
    POSITION,
    USER,
    WORDS,
    event_source,
    filled_texts,
    set_aside,
)

NAME = "sequences"
_ITEM = re.compile(r"[\w.:/-]*\d[\w.:/-]*")  # an id: a number, or a word with one in it


def recognise(start: TextStart) -> bool:
    """Lines of unequal length, words between single blanks or tabs, no first word twice."""
    lines = [line.rstrip() for line in start.lines]
    if not any(len({sep} & set(line)) for line in lines for sep in " \t"):
        return False
    separator = "\t" if any("\t" in line for line in lines) else " "
    cut = [line.split(separator) for line in lines]
    good = [words for words in cut if words[0] and all(_ITEM.fullmatch(word) for word in words[1:])]
    users = {words[0] for words in good}
    return (
        len(good) >= 3
        and len(cut) - len(good) <= max(1, 0.05 * len(cut))
        and len(users) == len(good)
        and is_ragged([len(words) for words in good])
        and not start.is_table()
    )


def open_layout(
    con: DuckDBPyConnection, plain: Plain, start: TextStart, target: Path, limit: int | None
) -> Source:
    lines = filled_texts(con, plain, limit).project(f"text, line, {WORDS} AS words")
    set_aside(con, plain, lines.filter("len(words) < 2"), "'there is no item after the user'")
    events = lines.filter("len(words) > 1").project(
        f"line, words[1] AS {USER}, unnest(words[2:]) AS {ITEM},"
        f" unnest(range(1, len(words))) AS {POSITION}"
    )
    return event_source(con, plain, events, target, _note(start))


def _note(start: TextStart) -> LayoutNote:
    order = "the item's place in its line, as sequence files (SASRec, S3-Rec) mean it"
    if _ascends(start):
        order += (
            "; but the items of each line only ascend, so it may be a set of neighbours (LightGCN)"
        )
    return LayoutNote(
        NAME,
        "lines of unequal length, a user of their own at the start of each: every other word is an "
        "item of that user, one event each (a plain table instead: layout=table)",
        roles={
            "user_id": USER,
            "item_id": ITEM,
            "timestamp": POSITION,
            "time_format": "order",
        },
        role_evidence={
            "user_id": "the first word of each line",
            "item_id": "every word of a line after the first",
            "timestamp": f"{order}; none if the lines have no order: timestamp=",
        },
    )


def _ascends(start: TextStart) -> bool:
    """Whether the items of every line are whole numbers that only grow."""
    items = [line.split()[1:] for line in start.lines]
    if not all(word.isdecimal() and word.isascii() for words in items for word in words):
        return False
    numbers = [[int(word) for word in words] for words in items if len(words) > 2]
    return len(numbers) > 2 and all(row == sorted(row) for row in numbers)
