"""Which files of an upload are the log, and what the others describe."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from duckdb import DuckDBPyConnection

from core.data.ingest.keys import likeliest
from core.data.ingest.opened import Opened
from core.data.ingest.side_tables import Side
from core.data.roles import mapping as roles
from core.data.roles.mapping import Guess
from core.data.roles.names import ID_ENDINGS
from core.data.roles.profiles import Profile
from core.data.roles.times import LOW
from core.errors import BadInput

# What people write about items, a row each; a log with any other columns more is a log.
TEXT = re.compile(r"tag|review|text|comment|summary|title|headline|descri|opinion|caption|keyword")


def find_log(
    files: Sequence[Opened], mapping: Mapping[str, str | None]
) -> tuple[list[Opened], list[Opened]]:
    """The log (one file, or several with the same columns) and the other files."""
    columns = {c for role, c in mapping.items() if c and role != roles.TIME_FORMAT}
    logs = [f for f in files if columns and _has(f, columns)] or [f for f in files if is_log(f)]
    logs = logs or [f for f in files if is_log(f, words=True)]
    if not logs:
        largest = max(files, key=lambda f: (f.source.path.stat().st_size, f.name))
        logs = [f for f in files if f is largest or _is_part(f, largest)]
    main = max(logs, key=lambda f: (*_log_rank(f), f.name))  # whatever their order
    same = [f for f in files if f in logs and set(f.columns) == set(main.columns)]
    return same, [f for f in files if f not in same]


def _is_part(file: Opened, largest: Opened) -> bool:
    """Whether a file without names is a part of the same log: its columns hold the same kinds.

    A table of items has a column in which each row is another, which a log's ids are not.
    """
    if file.columns != largest.columns or not all(map(roles.is_nameless, file.profiles)):
        return False
    return all(
        (a.is_whole, a.is_number, _is_key(a)) == (b.is_whole, b.is_number, _is_key(b))
        for a, b in zip(file.profiles, largest.profiles, strict=True)
    )


def _is_key(column: Profile) -> bool:
    """Whether each row says something else, and no time, which often does."""
    small = column.high is None or column.high < LOW
    return small and column.distinct >= 0.95 * column.filled


def _has(file: Opened, columns: set[str]) -> bool:
    return all(part in file.columns for c in columns for part in roles.columns_of(c, file.columns))


def is_log(file: Opened, *, words: bool = False) -> bool:
    """Whether it says who and what; `words`: also by the last words of a name ("Book-ISBN")."""
    said = file.source.layout.roles if file.source.layout else {}
    if words:
        named = [roles.column_for(r, file.profiles, words=True) for r in ("user_id", "item_id")]
        return all(named) and named[0] is not named[1]
    user = file.named("user_id") or roles.user_features(file.profiles) or said.get("user_id")
    return bool(user and (file.named("item_id") or said.get("item_id")))


def _log_rank(file: Opened) -> tuple[bool, int]:
    """A log with values or event types comes before one without (ratings before tags)."""
    telling = any(file.named(role) for role in ("event", *roles.VALUE_KINDS))
    return telling, file.source.path.stat().st_size


def part_of(con: DuckDBPyConnection, file: Opened, main: Opened, found: Guess) -> tuple[str, Side]:
    """What a file beside the log describes: items, users, or items in the words of users."""
    if is_log(file):
        return "item_id", _texts(file, main)
    if all(re.fullmatch(r"column\d+", column) for column in file.columns):
        return _nameless(con, file, main, found)
    for role in ("item_id", "user_id"):
        if file.named(role) or found.mapping[role] in file.columns:
            return role, side_of(file, main, found, role)
    ids = [p.name for p in file.profiles if p.key.endswith(ID_ENDINGS)]
    if ids and (like := _like(con, file, ids, main, found)):
        return like[0], Side(file.source, like[1], tuple(c for c in file.columns if c != like[1]))
    raise BadInput(
        f"{file.name} has neither the item ({found.mapping['item_id']}) nor the user "
        f"({found.mapping['user_id']}) of {main.name} among its columns: "
        f"{', '.join(file.columns[:50])}"
    )


def _nameless(
    con: DuckDBPyConnection, file: Opened, main: Opened, found: Guess
) -> tuple[str, Side]:
    """A file without names describes what it has most values in common with."""
    like = _like(con, file, file.columns, main, found)
    if like is None:
        raise BadInput(
            f"{file.name} names no columns, and none of them holds the ids of {main.name}: "
            "give it a first line with the names, such as item_id"
        )
    role, key = like
    return role, Side(file.source, key, tuple(c for c in file.columns if c != key))


def _like(
    con: DuckDBPyConnection, file: Opened, columns: Sequence[str], main: Opened, found: Guess
) -> tuple[str, str] | None:
    """The role, and the one of these columns, whose values are most like the log's."""
    roles_of = {role: str(found.mapping[role]) for role in ("item_id", "user_id")}
    ours = {role: (main.sample, c) for role, c in roles_of.items() if c in main.columns}
    return likeliest(con, ours, file.sample, columns)


def _texts(file: Opened, main: Opened) -> Side:
    key = file.named("item_id")
    taken = {key, file.named("user_id"), file.named("timestamp")}
    texts = [
        p.name for p in file.profiles if p.name not in taken and p.is_text and TEXT.search(p.key)
    ]
    if not texts or key is None:
        raise BadInput(
            f"{file.name} is a log with other columns ({', '.join(file.columns[:20])}) than "
            f"{main.name} ({', '.join(main.columns[:20])}): several logs need the same columns"
        )
    return Side(file.source, key, tuple(texts), many=True)


def side_of(file: Opened, main: Opened, found: Guess, role: str) -> Side:
    same = found.mapping[role] if found.mapping[role] in file.columns else None
    key = same or file.named(role) or file.columns[0]
    return Side(file.source, key, tuple(c for c in file.columns if c != key))
