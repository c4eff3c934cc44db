"""One file of an upload, opened: its records, a sample of them, a profile of each column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from core.data.files.encodings import Plain, find_fault, reencode
from core.data.files.sources import Source
from core.data.layouts import nested, sheet
from core.data.layouts.lines_of_items import FILE, with_file
from core.data.layouts.registry import TABLE, TABLE_LAYOUTS, lay_out, open_laid_out
from core.data.layouts.tables.table import Table
from core.data.roles import mapping as roles
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
    beside: tuple[str, ...] = ()  # other files that went into it

    @property
    def layout(self) -> str:
        """Its name in LAYOUTS; TABLE for a plain table."""
        return self.source.layout.layout if self.source.layout else TABLE

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


def open_one(
    con: DuckDBPyConnection,
    plain: Plain,
    scratch: Path,
    limit: int | None = None,
    layout: str | None = None,
    mapped: Mapping[str, str | None] | None = None,
) -> Opened:
    """One plain file, opened and looked at; a mended copy of it if it cannot be read as it lies.

    Args:
        con: The connection that reads.
        plain: The file.
        scratch: Where files are converted and mended.
        limit: Read only so many records, for a preview.
        layout: How it is laid out, a name of LAYOUTS or TABLE; by what it holds if not given.
        mapped: What a person says of the roles of its columns.
    """
    try:
        source = open_laid_out(con, plain, scratch, limit=limit, layout=layout, mapped=mapped)
        return look_at(con, plain, source)
    except duckdb.Error:
        again = readable_copy(plain, scratch)
        if again is plain:
            raise BadInput(
                f"{plain.name} cannot be cut into rows and columns: it must be a table with one "
                "line for each event and the same delimiter throughout"
            ) from None
        return open_one(con, again, scratch, limit, layout, mapped)


def reopen(con: DuckDBPyConnection, file: Opened, plain: Plain, scratch: Path) -> Opened:
    """A mended copy of an opened file, read in the same way."""
    opened = open_one(con, plain, scratch, layout=file.layout)
    note = file.source.layout
    if note and note.layout in TABLE_LAYOUTS:
        opened = laid_out(con, opened, scratch, note.roles, layout=note.layout)
    if FILE in file.columns and FILE not in opened.columns:
        return look_at(con, plain, with_file(opened.source))
    return opened


def laid_out(
    con: DuckDBPyConnection,
    file: Opened,
    scratch: Path,
    mapped: Mapping[str, str | None],
    limit: int | None = None,
    layout: str | None = None,
) -> Opened:
    """A table as a log: its records where its rows are no events, as lists in cells are none.

    Args:
        con: The connection that reads.
        file: The table.
        scratch: Where files are converted and mended.
        mapped: What a person says of its roles.
        limit: Read only so many records, for a preview.
        layout: A name of TABLE_LAYOUTS; by what it holds if not given.
    """
    before = file.source.layout
    if before and before.layout not in (nested.NAME, sheet.NAME):
        return file
    table = Table(file.plain, file.source, con.table(file.sample), file.profiles, mapped)
    try:
        source = lay_out(con, table, scratch, limit=limit, layout=layout)
    except duckdb.Error:
        again = readable_copy(file.plain, scratch)
        if again is file.plain:
            raise BadInput(
                f"{file.name} cannot be read to the end: the file is damaged; save or copy it again"
            ) from None
        mended = open_one(con, again, scratch, limit, mapped=mapped)
        return laid_out(con, mended, scratch, mapped, limit, layout)
    if source is file.source:
        return file
    note = source.layout
    if before and note:  # a list in a sheet: both are told
        roles = {**before.roles, **note.roles}
        evidence = f"{before.evidence}; {note.evidence}"
        why = {**before.role_evidence, **note.role_evidence}
        note = replace(note, evidence=evidence, roles=roles, role_evidence=why)
        source = replace(source, layout=note)
    return look_at(con, file.plain, source)


def look_at(con: DuckDBPyConnection, plain: Plain, source: Source) -> Opened:
    """A source with a sample of its records and a profile of each column.

    Raises:
        BadInput: it has a header, but no records.
    """
    sample = quoted(f" sample {plain.path.name}")  # no table of a person's begins with a space
    rows = 20_000_000 // max(1000, 10 * len(source.columns))
    con.execute(f"DROP TABLE IF EXISTS {sample}")
    source.read(con, "skip").limit(min(rows, SAMPLE_ROWS)).to_table(sample)
    columns = profiles(con.table(sample))
    if not any(column.rows for column in columns):
        raise BadInput(
            f"{plain.name} has a header ({', '.join(source.columns[:8])}) but no row below it: "
            "it needs a line for each event"
        )
    return Opened(plain, source, sample, columns)


def steady(con: DuckDBPyConnection, file: Opened, scratch: Path) -> Opened:
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
        return reopen(con, file, again, scratch)
    return file


def readable_copy(plain: Plain, scratch: Path) -> Plain:
    """A copy that can be read, if the trouble is in the encoding or the line ends; else `plain`."""
    if plain.kind != "text":
        return plain
    fault = find_fault(plain)
    if fault.encoding is None and not fault.mixed_newlines:
        return plain
    return reencode(plain, fault.encoding or "utf-8", scratch)
