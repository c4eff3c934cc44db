"""libsvm / svmlight: `label index:value index:value …`, a line for each user."""

from __future__ import annotations

import re
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
)

NAME = "libsvm"
_NUMBER = r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?"
_LABEL = re.compile(rf"{_NUMBER}(,{_NUMBER})*")  # several, where a line has several labels
_PAIR = re.compile(rf"\d+:({_NUMBER}|[Nn]a[Nn]|[-+]?[Ii]nf)")
_QUERY = re.compile(r"qid:\d+")


def recognise(start: TextStart) -> bool:
    """Nearly all lines are pairs of a whole number and a number, after a label or without."""
    lines = [line for line in start.lines if not line.lstrip().startswith("#")]
    good = sum(map(_is_vector, lines))
    return good >= 2 and len(lines) - good <= max(1, 0.1 * len(lines))


def _is_vector(line: str) -> bool:
    words = line.split("#", 1)[0].split()
    if words and ":" not in words[0]:
        if len(words[0]) > 1000 or not _LABEL.fullmatch(words[0]):
            return False
        words = words[1:]
    if words and _QUERY.fullmatch(words[0]):
        words = words[1:]
    return bool(words) and all(map(_PAIR.fullmatch, words))


def open_layout(
    con: DuckDBPyConnection, plain: Plain, start: TextStart, target: Path, limit: int | None
) -> Source:
    lines = filled_texts(con, plain, limit).project(
        "split_part(text, '#', 1) AS text, text AS whole, line"
    )
    lines = lines.filter("trim(text) <> ''")  # a line that is a comment is no record
    words = lines.project(f"whole AS text, line, {WORDS} AS words").project(
        "text, line, CASE WHEN contains(words[1], ':') THEN NULL ELSE words[1] END AS label,"
        " list_filter(words, lambda x: starts_with(x, 'qid:'))[1] AS query,"
        " list_filter(CASE WHEN contains(words[1], ':') THEN words ELSE words[2:] END,"
        " lambda x: NOT starts_with(x, 'qid:')) AS pairs"
    )
    set_aside(con, plain, words.filter("len(pairs) = 0"), "'there is no index:value in this line'")
    cells = words.project(f"line, line AS {USER}, label, query, unnest(pairs) AS text")
    pair = r"regexp_full_match(text, '\d+:[^:]*')"
    set_aside(con, plain, cells.filter(f"NOT {pair}"), "text || ' is no index:value'")
    labels, queries = map(bool, words.aggregate("count(label), count(query)").fetchall()[0])
    extras = ", label" * labels + ", CAST(split_part(query, ':', 2) AS VARCHAR) AS qid" * queries
    events = cells.filter(pair).project(
        f"line, {USER}, split_part(text, ':', 1) AS {ITEM}, split_part(text, ':', 2) AS value"
        f"{extras}"
    )
    return event_source(con, plain, events, target, _note(labels, queries))


def _note(labels: bool, queries: bool) -> LayoutNote:
    label = (
        ", the number before them is a label and is kept as the column label"
        " (the user, if it is one: user_id=label)"
        if labels
        else ""
    )
    query = ", qid is kept as the column qid" if queries else ""
    return LayoutNote(
        NAME,
        "lines of index:value, as libsvm and svmlight write a sparse matrix: one event a pair"
        f"{label}{query}",
        roles={"user_id": USER, "item_id": ITEM, "value": "value"},
        role_evidence={
            "user_id": "the number of the line: each is one user",
            "item_id": "the index of each pair",
            "value": "the value of each pair",
        },
        numbered_users=True,
    )
