"""The files of one upload, opened: which is the log, which describe items or users, and by what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from core.data.files.archives import unpack
from core.data.files.encodings import Plain, find_fault, reencode
from core.data.files.records import open_source
from core.data.files.sources import Source
from core.data.ingest.side_tables import Side
from core.data.roles import mapping as roles
from core.data.roles.mapping import Guess
from core.data.roles.profiles import Profile, profiles
from core.data.store import quoted
from core.errors import BadInput

SAMPLE_ROWS = 20_000


@dataclass(frozen=True)
class Opened:
    """One file with its records, a sample of them (a table), and a profile of each column."""

    plain: Plain
    source: Source
    sample: str
    profiles: list[Profile]

    @property
    def name(self) -> str:
        return self.plain.name

    @property
    def columns(self) -> tuple[str, ...]:
        return self.source.columns

    def named(self, role: str) -> str | None:
        """The column that has this role by its name."""
        column = roles.column_for(role, self.profiles)
        return column.name if column else None


@dataclass(frozen=True)
class Inputs:
    """All files of an upload, each with its part."""

    log: list[Opened]  # same columns, one after the other
    guess: Guess
    items: list[Side]
    users: list[Side]
    parts: dict[str, str]  # file → "events", "items" or "users"

    @property
    def main(self) -> Opened:
        return self.log[0]


def open_inputs(
    con: DuckDBPyConnection,
    scratch: Path,
    paths: Sequence[Path],
    items: Sequence[Path],
    users: Sequence[Path],
    mapping: Mapping[str, str | None],
    *,
    limit: int | None = None,
) -> Inputs:
    """Opens everything that was given and tells the log from what describes items and users.

    Args:
        con: The connection that reads.
        scratch: Where files are unpacked and converted.
        paths: Files of any part.
        items: Files known to describe items.
        users: Files known to describe users.
        mapping: Role → column, as a person says.
        limit: Read only so many records of each file, for a preview.

    Raises:
        BadInput: a file cannot be read, or nothing in it can be told for user and item.
    """
    labels = iter(_labels([*paths, *items, *users]))
    given = [
        [
            open_one(con, plain, scratch, limit)
            for path in group
            for plain in unpack(path, scratch, next(labels))
        ]
        for group in (paths, items, users)
    ]
    if not given[0]:
        raise BadInput("no file was given: name at least one with a log of who did what")
    log, others = _find_log(given[0], mapping)
    roles.check(mapping, log[0].columns, log[0].name)
    found = roles.guess(con.table(log[0].sample), log[0].profiles, mapping)
    _check_ids(log[0], found)
    item_sides = [_side(_steady(con, f, scratch), log[0], found, "item_id") for f in given[1]]
    user_sides = [_side(_steady(con, f, scratch), log[0], found, "user_id") for f in given[2]]
    for file in others:
        role, side = _part(_steady(con, file, scratch), log[0], found)
        (item_sides if role == "item_id" else user_sides).append(side)
    return Inputs(
        log=log,
        guess=found,
        items=item_sides,
        users=user_sides,
        parts={
            **{f.name: "events" for f in log},
            **{s.source.name: "items" for s in item_sides},
            **{s.source.name: "users" for s in user_sides},
        },
    )


def _labels(paths: Sequence[Path]) -> list[str]:
    """A name for each file, all different: its own, with its folder's or a number if need be."""
    names = [path.name for path in paths]
    labels: list[str] = []
    for path in paths:
        label = path.name if names.count(path.name) == 1 else f"{path.parent.name}/{path.name}"
        labels.append(label if label not in labels else f"{label} ({labels.count(label) + 1})")
    return labels


def open_one(
    con: DuckDBPyConnection, plain: Plain, scratch: Path, limit: int | None = None
) -> Opened:
    """One plain file, opened and looked at; a mended copy of it if it cannot be read as it lies."""
    source = open_source(con, plain, scratch, limit=limit)
    sample = f" sample {plain.path.name}"  # no table of a person's begins with a space
    try:
        _sample(con, source, sample)
    except duckdb.Error:
        again = readable_copy(plain, scratch)
        if again is plain:
            raise BadInput(
                f"{plain.name} cannot be cut into rows and columns: it must be a table with one "
                "line for each event and the same delimiter throughout"
            ) from None
        return open_one(con, again, scratch, limit)
    found = profiles(con.table(quoted(sample)))
    if not any(p.rows for p in found):
        raise BadInput(
            f"{plain.name} has a header ({', '.join(source.columns[:8])}) but no row below it: "
            "it needs a line for each event"
        )
    return Opened(plain, source, quoted(sample), found)


def _steady(con: DuckDBPyConnection, file: Opened, scratch: Path) -> Opened:
    """A file beside the log that can be read to its end, mended if need be."""
    try:
        cells = ", ".join(f"count({quoted(c)})" for c in file.columns)
        file.source.read(con, "skip").aggregate(cells).fetchall()
    except duckdb.Error:
        again = readable_copy(file.plain, scratch)
        if again is file.plain:
            raise BadInput(
                f"{file.name} cannot be read to the end: the file is damaged; save or copy it again"
            ) from None
        return open_one(con, again, scratch)
    return file


def _sample(con: DuckDBPyConnection, source: Source, name: str) -> None:
    rows = 20_000_000 // max(1000, 10 * len(source.columns))
    con.execute(f"DROP TABLE IF EXISTS {quoted(name)}")
    source.read(con, "skip").limit(min(rows, SAMPLE_ROWS)).to_table(quoted(name))


def readable_copy(plain: Plain, scratch: Path) -> Plain:
    """A copy that can be read, if the trouble is in the encoding or the line ends; else `plain`."""
    if plain.kind != "text":
        return plain
    fault = find_fault(plain)
    if fault.encoding is None and not fault.mixed_newlines:
        return plain
    return reencode(plain, fault.encoding or "utf-8", scratch)


def _find_log(
    files: Sequence[Opened], mapping: Mapping[str, str | None]
) -> tuple[list[Opened], list[Opened]]:
    """The log (one file, or several with the same columns) and the other files."""
    said = {c for c in mapping.values() if c}
    logs = [f for f in files if said and _has(f, said)] or [f for f in files if _is_log(f)]
    if not logs:
        logs = [max(files, key=lambda f: f.source.path.stat().st_size)]
    main = max(logs, key=_log_rank)
    same = [f for f in files if f in logs and set(f.columns) == set(main.columns)]
    return same, [f for f in files if f not in same]


def _has(file: Opened, columns: set[str]) -> bool:
    return all(part in file.columns for c in columns for part in roles.columns_of(c, file.columns))


def _is_log(file: Opened) -> bool:
    user = file.named("user_id") or roles.user_features(file.profiles)
    return bool(user and file.named("item_id"))


def _log_rank(file: Opened) -> tuple[bool, int]:
    """A log with values or event types comes before one without (ratings before tags)."""
    telling = any(file.named(role) for role in ("event", *roles.VALUE_KINDS))
    return telling, file.source.path.stat().st_size


def _check_ids(file: Opened, found: Guess) -> None:
    listed = ", ".join(file.columns[:50])
    for role, noun in (("user_id", "user"), ("item_id", "item")):
        if found.mapping[role] is None:
            raise BadInput(
                f"{file.name}: no column looks like the {noun}; its columns are {listed}: "
                f"say which with --map {role}=<column>"
            )
    if found.mapping["user_id"] == found.mapping["item_id"]:
        raise BadInput(
            f"user_id and item_id are both {found.mapping['user_id']!r}: they must be two columns "
            f"of {listed}"
        )


def _part(file: Opened, main: Opened, found: Guess) -> tuple[str, Side]:
    """What a file beside the log describes: items, users, or items in the words of users."""
    if _is_log(file):
        return "item_id", _texts(file, main)
    for role in ("item_id", "user_id"):
        if file.named(role) or found.mapping[role] in file.columns:
            return role, _side(file, main, found, role)
    raise BadInput(
        f"{file.name} has neither the item ({found.mapping['item_id']}) nor the user "
        f"({found.mapping['user_id']}) of {main.name} among its columns: "
        f"{', '.join(file.columns[:50])}"
    )


def _texts(file: Opened, main: Opened) -> Side:
    key = file.named("item_id")
    taken = {key, file.named("user_id"), file.named("timestamp")}
    texts = [p.name for p in file.profiles if p.name not in taken and p.is_text]
    if not texts or key is None:
        raise BadInput(
            f"{file.name} is a log with other columns ({', '.join(file.columns[:20])}) than "
            f"{main.name} ({', '.join(main.columns[:20])}): several logs need the same columns"
        )
    return Side(file.source, key, tuple(texts), many=True)


def _side(file: Opened, main: Opened, found: Guess, role: str) -> Side:
    same = found.mapping[role] if found.mapping[role] in file.columns else None
    key = same or file.named(role) or file.columns[0]
    return Side(file.source, key, tuple(c for c in file.columns if c != key))
