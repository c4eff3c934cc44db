"""The files of one upload, opened: which is the log, which describe items or users, and by what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.files.archives import unpack
from core.data.files.dialects import ReadAs
from core.data.files.encodings import Plain
from core.data.files.sources import Source
from core.data.ingest.opened import (
    Opened,
    careful_copy,
    laid_out,
    look_at,
    open_one,
    steady,
    together,
)
from core.data.ingest.several.orders import join_orders
from core.data.ingest.several.parts import find_log, is_log, part_of, side_of
from core.data.ingest.several.properties import pivoted
from core.data.ingest.side_tables import Side
from core.data.layouts.layout import TextStart
from core.data.layouts.lines_of_items import FILE, with_file
from core.data.layouts.registry import (
    JOINED,
    LAYOUT,
    PROPERTIES,
    TABLE,
    TABLE_LAYOUTS,
    check_layout,
)
from core.data.layouts.tables import wide as wide_matrix
from core.data.roles import mapping as roles
from core.data.roles.mapping import Guess
from core.data.roles.names import VISITS
from core.data.roles.profiles import Profile
from core.data.store import quoted
from core.errors import BadInput, UnknownRole

READING = "reading"  # what the evidence says of how the files are read, beside the roles


@dataclass(frozen=True)
class Inputs:
    """All files of an upload, each with its part."""

    log: list[Opened]  # same columns, one after the other
    guess: Guess
    items: list[Side]
    users: list[Side]
    parts: dict[str, str]  # file → "events", "items" or "users"
    profiles: list[Profile]  # of the columns of the log, over all its files
    beside: list[Source]  # files that went into others, with their lines counted

    @property
    def main(self) -> Opened:
        return self.log[0]

    @property
    def layouts(self) -> list[str]:
        """The layouts of the files that are no plain tables, sorted."""
        sources = [f.source for f in self.log] + [s.source for s in (*self.items, *self.users)]
        return sorted({source.layout.layout for source in sources if source.layout})


def open_inputs(
    con: DuckDBPyConnection,
    scratch: Path,
    paths: Sequence[Path],
    items: Sequence[Path],
    users: Sequence[Path],
    mapping: Mapping[str, str | None],
    asked: ReadAs | None = None,
    *,
    limit: int | None = None,
    careful: bool = False,
) -> Inputs:
    """Opens everything that was given and tells the log from what describes items and users.

    Args:
        con: The connection that reads.
        scratch: Where files are unpacked and converted.
        paths: Files of any part.
        items: Files known to describe items.
        users: Files known to describe users.
        mapping: Role → column, as a person says; also "layout", for the files of `paths`.
        asked: How a person says that the tables of `paths` are to be read.
        limit: Read only so many records of each file, for a preview.
        careful: Read delimited texts line by line.

    Raises:
        BadInput: a file cannot be read, or nothing in it can be told for user and item.
        NotPlain: a text cannot be read as it lies; careful, it may be.
    """
    layout = mapping.get(LAYOUT)
    check_layout(layout)
    role_columns = {role: column for role, column in mapping.items() if role != LAYOUT}
    labels = iter(_labels([*paths, *items, *users]))
    groups = [
        [plain for path in group for plain in unpack(path, scratch, next(labels))]
        for group in (paths, items, users)
    ]
    if asked:
        _check_asked(asked, groups[0], layout)
    if careful:
        groups = [[careful_copy(plain, scratch) for plain in group] for group in groups]
    if not groups[0]:
        raise BadInput("no file was given: name at least one with a log of who did what")
    several = len(groups[0]) > 1
    files, known_items, known_users = (
        [
            open_one(con, plain, scratch, limit, laid, how, role_columns)
            for plain in group
            for laid in [_layout_of(plain, chosen, several=several)]
        ]
        for group, chosen, how in zip(
            groups, (layout, None, None), (asked, None, None), strict=True
        )
    )
    if layout in (None, JOINED):
        files = join_orders(con, files, scratch, role_columns, limit)
        if layout == JOINED and not any(f.layout == JOINED for f in files):
            raise BadInput(
                "layout=joined is for lines of orders and a file that says whose each order is: "
                f"none of {', '.join(f.name for f in files)} are such"
            )
    if layout is None or layout in TABLE_LAYOUTS:
        files = _as_logs(con, files, scratch, role_columns, limit, layout)
    log, others = find_log(files, role_columns)
    log = _tell_users_apart(con, log)
    sample, columns = together(con, log)
    guess = _guess(sample, columns, log, role_columns)
    guess.decimal = asked.decimal if asked else None
    if notes := [f"{f.name}: {f.source.note}" for f in log if f.source.note]:
        guess.evidence = {READING: "; ".join(notes), **guess.evidence}
    others, items_known, users_known = (
        pivoted(con, group, scratch, limit) for group in (others, known_items, known_users)
    )
    for file in (*others, *items_known, *users_known):
        if file.source.layout and file.layout == PROPERTIES:
            guess.evidence[file.name] = file.source.layout.evidence
    item_sides = [side_of(_ready(con, f, limit), log[0], guess, "item_id") for f in items_known]
    user_sides = [side_of(_ready(con, f, limit), log[0], guess, "user_id") for f in users_known]
    for file in others:
        role, side = part_of(con, _ready(con, file, limit), log[0], guess)
        (item_sides if role == "item_id" else user_sides).append(side)
    beside = {f.name: f.beside for f in (*log, *others, *items_known, *users_known)}
    return Inputs(
        log=log,
        guess=guess,
        items=item_sides,
        users=user_sides,
        profiles=columns,
        parts={
            **{name: "events" for f in log for name in _names(f.name, beside)},
            **{name: "items" for s in item_sides for name in _names(s.source.name, beside)},
            **{name: "users" for s in user_sides for name in _names(s.source.name, beside)},
        },
        beside=[source for sources in beside.values() for source in sources],
    )


def _names(name: str, beside: Mapping[str, Sequence[Source]]) -> list[str]:
    """A file and those that went into it."""
    return [name, *(source.name for source in beside[name])]


def _as_logs(
    con: DuckDBPyConnection,
    files: Sequence[Opened],
    scratch: Path,
    mapping: Mapping[str, str | None],
    limit: int | None,
    layout: str | None,
) -> list[Opened]:
    """The files, of which those that may be the log give their events, whatever their rows are.

    Where one is a log by its columns, the others are not, and their lists stay lists.
    """
    logs = [f for f in files if is_log(f)] or list(files)
    return [laid_out(con, f, scratch, mapping, limit, layout) if f in logs else f for f in files]


def _ready(con: DuckDBPyConnection, file: Opened, limit: int | None) -> Opened:
    return file if limit else steady(con, file)


def _check_asked(asked: ReadAs, plains: Sequence[Plain], layout: str | None) -> None:
    """Raises BadInput where what a person says of the tables fits none of these files."""
    said = asked.of_text + (["header_line"] if asked.header_line is not None else [])
    if said and layout not in (None, TABLE, *TABLE_LAYOUTS, JOINED):
        raise BadInput(
            f"{said[0]} says how a table is read, but layout is {layout!r}: give one of the two"
        )
    listed = ", ".join(f"{plain.name} ({plain.kind})" for plain in plains)
    if asked.of_text and not any(plain.kind == "text" for plain in plains):
        raise BadInput(f"{said[0]} is for delimited text, and there is none among {listed}")
    if said and not any(plain.kind in ("text", "xlsx") for plain in plains):
        raise BadInput(f"{said[0]} is for delimited text and workbooks, not for {listed}")
    for plain in plains:
        if plain.kind == "text" and said and TextStart.read(plain.path).is_json():
            raise BadInput(f"{said[0]} is for delimited text, but {plain.name} holds JSON")


def _guess(
    sample: DuckDBPyRelation,
    columns: Sequence[Profile],
    log: Sequence[Opened],
    mapping: Mapping[str, str | None],
) -> Guess:
    """The roles of the log's columns: as a person says, else by its layout, else as they look."""
    main, note = log[0], log[0].source.layout
    if note is None:
        roles.check(mapping, main.columns, main.name)
        guess = roles.guess(sample, columns, mapping)
        _check_ids(main, guess)
        _check_cells(sample, main, guess, mapping)
        _tell_visits(guess, mapping)
        return guess
    name = f"{main.name} (read as {note.layout}; {LAYOUT}={TABLE} reads it as a plain table)"
    roles.check(mapping, main.columns, name)
    by_layout = {role: column for role, column in note.roles.items() if role not in mapping}
    evidence = dict(note.role_evidence)
    if note.numbered_users and FILE in main.columns:
        by_layout["user_id"] = f"{FILE}+{by_layout['user_id']}" if "user_id" in by_layout else None
        evidence["user_id"] = f"{evidence['user_id']}; with its file, since there are several"
    if "timestamp" in mapping:
        by_layout.pop(roles.TIME_FORMAT, None)
    elif by_layout.get(roles.TIME_FORMAT) == "order" and len(log) > 1:
        by_layout = {**by_layout, "timestamp": None}
        evidence["timestamp"] = "none: the place in a line is an order within one file only"
    guess = roles.guess(sample, columns, {**by_layout, **mapping})
    for role, sentence in evidence.items():
        if role in by_layout:
            column = guess.mapping[role]
            guess.evidence[role] = f"{column!r}: {sentence}" if column else sentence
    guess.evidence = {LAYOUT: note.evidence, **guess.evidence}
    _check_ids(main, guess)
    _check_cells(sample, main, guess, mapping)
    return guess


def _check_cells(
    sample: DuckDBPyRelation, main: Opened, guess: Guess, mapping: Mapping[str, str | None]
) -> None:
    """Raises BadInput where what was guessed to be ids is mostly objects, or lists of them."""
    for role in ("user_id", "item_id"):
        column = guess.mapping[role]
        if role in mapping or column not in main.columns:
            continue
        cells = sample.project(f"CAST({quoted(str(column))} AS VARCHAR) AS x")
        inside = cells.filter(r"regexp_matches(x, '^\s*[\[{].*\{?.*:')")
        n, objects = (int(r.aggregate("count(x)").fetchall()[0][0]) for r in (cells, inside))
        if 2 * objects > n:
            example = inside.limit(1).fetchall()[0][0][:60]
            raise BadInput(
                f"{role}: {column!r} of {main.name} holds objects such as {example!r}, which are "
                f"no ids: map {role} to a column that holds them, or to a key inside of it"
            )


def _tell_visits(guess: Guess, mapping: Mapping[str, str | None]) -> None:
    """Says so where the user is an order or a session, since no column names a person."""
    user = str(guess.mapping["user_id"])
    if "user_id" not in mapping and VISITS.search(user.lower()):
        guess.evidence["user_id"] += (
            "; it is a visit and no person, so each is taken as one user (where another file says "
            "whose it is, give it beside this one)"
        )


def _layout_of(plain: Plain, layout: str | None, *, several: bool) -> str | None:
    """How a person says that a file is laid out; of several files not those that are tables."""
    if layout == JOINED:
        return None
    if layout in (None, TABLE, *TABLE_LAYOUTS) or not several or plain.kind != "text":
        return layout
    return None if TextStart.read(plain.path).is_table() else layout


def _tell_users_apart(con: DuckDBPyConnection, log: list[Opened]) -> list[Opened]:
    """Users that are numbers of lines are others in each file: there the file is a part of them."""
    notes = [file.source.layout for file in log]
    if len(log) == 1 or not any(note and note.numbered_users for note in notes):
        return log
    return [look_at(con, file.plain, with_file(file.source)) for file in log]


def _labels(paths: Sequence[Path]) -> list[str]:
    """A name for each file, all different: its own, with its folder's or a number if need be."""
    names = [path.name for path in paths]
    labels: list[str] = []
    for path in paths:
        label = path.name if names.count(path.name) == 1 else f"{path.parent.name}/{path.name}"
        labels.append(label if label not in labels else f"{label} ({labels.count(label) + 1})")
    return labels


def _check_ids(file: Opened, found: Guess) -> None:
    listed = ", ".join(file.columns[:50])
    for role, noun in (("user_id", "user"), ("item_id", "item")):
        if found.mapping[role] is None:
            rest = [p for p in file.profiles if p.name != found.mapping["user_id"]]
            numbers = sum(p.is_number or not p.filled for p in rest)
            wide = role == "item_id" and numbers >= wide_matrix.LEAST
            raise UnknownRole(
                f"{file.name}: no column looks like the {noun}; its columns are {listed}: "
                f"map {role} to one of them"
                + (f", or {LAYOUT}={wide_matrix.NAME} if each column is an item" if wide else "")
            )
    if found.mapping["user_id"] == found.mapping["item_id"]:
        raise BadInput(
            f"user_id and item_id are both {found.mapping['user_id']!r}: they must be two columns "
            f"of {listed}"
        )
