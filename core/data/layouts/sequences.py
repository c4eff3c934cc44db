"""`user item item …`: a user a line and their items in order, as SASRec, S3-Rec and LightGCN."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection, DuckDBPyRelation

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
    head = line_head(start)
    items = f"words[{head.width + 1}:]"
    lines = filled_texts(con, plain, limit).project(f"text, line, {WORDS} AS words")
    lines = _below_header(con, plain, start, lines)
    empty = f"len(words) < {head.width + 1}"
    set_aside(con, plain, lines.filter(empty), "'there is no item after the user'")
    user = f"rtrim(words[1], '{head.mark}')" if head.mark else "words[1]"
    if head.width > 1:  # a count that is wrong is an item, or the file is cut off
        wrong = f"TRY_CAST(words[2] AS BIGINT) IS DISTINCT FROM len({items})"
        why = "'the second word is not how many items follow, as it is in other lines'"
        set_aside(con, plain, lines.filter(f"NOT ({empty}) AND {wrong}"), why)
        empty = f"{empty} OR {wrong}"
    events = lines.filter(f"NOT ({empty})").project(
        f"line, {user} AS {USER}, unnest({items}) AS {ITEM},"
        f" unnest(range(1, len({items}) + 1)) AS {POSITION}"
    )
    return event_source(con, plain, events, target, _note(start, head))


def _below_header(
    con: DuckDBPyConnection, plain: Plain, start: TextStart, lines: DuckDBPyRelation
) -> DuckDBPyRelation:
    """The lines but the first, where it alone holds no id: it names the columns."""
    ids = [any(map(_ITEM.fullmatch, line.split())) for line in start.lines]
    if len(ids) < 3 or ids[0] or not all(ids[1:]):
        return lines
    first = int(lines.aggregate("min(line)").fetchall()[0][0])
    set_aside(con, plain, lines.filter(f"line = {first}"), "'this line names the columns'")
    return lines.filter(f"line > {first}")


@dataclass(frozen=True)
class LineHead:
    """What stands before the items of a line: the user, a mark behind it, their count."""

    width: int  # words: 1, or 2 where the second says how many items follow
    mark: str  # ":" behind the user, or ""


def line_head(start: TextStart) -> LineHead:
    """How the lines of a sequence file begin.

    >>> line_head(TextStart(("7: 2 30 41", "9: 1 5", "4: 3 1 2 3")))
    LineHead(width=2, mark=':')
    >>> line_head(TextStart(("7 0", "9 0", "4 0")))
    LineHead(width=1, mark='')
    """
    lines = [words for line in start.lines if len(words := line.split()) > 1]
    marked = bool(lines) and all(words[0].endswith(":") for words in lines)
    counts = {words[1] for words in lines}  # one that is the same everywhere may be an item
    fits = all(words[1] == str(len(words) - 2) for words in lines)
    counted = len(lines) > 2 and len(counts) > 1 and fits
    return LineHead(2 if counted else 1, ":" if marked else "")


def _note(start: TextStart, head: LineHead) -> LayoutNote:
    order = "the item's place in its line, as sequence files (SASRec, S3-Rec) mean it"
    if _ascends(start):
        order += (
            "; but the items of each line only ascend, so it may be a set of neighbours (LightGCN)"
        )
    return LayoutNote(
        NAME,
        "lines of unequal length, a user of their own at the start of each: every other word is an "
        "item of that user, one event each"
        + ("; the second says how many follow" if head.width > 1 else "")
        + " (a plain table instead: layout=table)",
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
