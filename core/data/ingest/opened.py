"""One file of an upload, opened: its records, a sample of them, a profile of each column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.files.dialects import ReadAs
from core.data.files.encodings import Plain, find_fault, reencode
from core.data.files.lines import NotPlain, count_lines
from core.data.files.sources import Source
from core.data.layouts import nested
from core.data.layouts.registry import TABLE, lay_out, open_laid_out
from core.data.layouts.tables.table import Table
from core.data.limits import in_words
from core.data.roles import mapping as roles
from core.data.roles.profiles import Profile, profiles
from core.data.store import literal, quoted
from core.errors import BadInput

SAMPLE_ROWS = 20_000
LATER_ROWS = 1_000  # in which a column is filled that is empty in all of the first


@dataclass(frozen=True)
class Opened:
    """One file with its records, a sample of them (a table), and a profile of each column."""

    plain: Plain
    source: Source
    sample: str
    profiles: list[Profile]
    beside: tuple[Source, ...] = ()  # other files that went into it, with their lines counted

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
    asked: ReadAs | None = None,
    mapped: Mapping[str, str | None] | None = None,
) -> Opened:
    """One plain file, opened and looked at.

    Args:
        con: The connection that reads.
        plain: The file.
        scratch: Where files are converted.
        limit: Read only so many records, for a preview.
        layout: How it is laid out, a name of LAYOUTS or TABLE; by what it holds if not given.
        asked: How a person says that a table is to be read.
        mapped: What a person says of the roles of its columns.

    Raises:
        BadInput: it cannot be read.
        NotPlain: it cannot be read as it lies; careful, it may be.
    """
    try:
        source = open_laid_out(
            con, plain, scratch, limit=limit, layout=layout, asked=asked, mapped=mapped
        )
        return look_at(con, plain, source)
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise not_read(error, [plain]) from None


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
        scratch: Where files are converted.
        mapped: What a person says of its roles.
        limit: Read only so many records, for a preview.
        layout: A name of TABLE_LAYOUTS; by what it holds if not given.

    Raises:
        BadInput: it cannot be read.
        NotPlain: it cannot be read as it lies; careful, it may be.
    """
    before = file.source.layout
    if before and before.layout != nested.NAME:
        return file
    table = Table(file.plain, file.source, con.table(file.sample), file.profiles, mapped)
    try:
        source = lay_out(con, table, scratch, limit=limit, layout=layout)
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise not_read(error, [file.plain]) from None
    if source is file.source:
        return file
    note = source.layout
    if before and note:  # a list in an object: both are told
        said = {**before.roles, **note.roles}
        evidence = f"{before.evidence}; {note.evidence}"
        why = {**before.role_evidence, **note.role_evidence}
        note = replace(note, evidence=evidence, roles=said, role_evidence=why)
        source = replace(source, layout=note)
    return look_at(con, file.plain, source)


def not_read(error: duckdb.Error, plains: Sequence[Plain]) -> Exception:
    """What to raise where DuckDB could not read these files: NotPlain, or a sentence at last."""
    if told := in_words(error):  # no room, no memory: no fault of the file
        return told
    if any(plain.kind == "text" and not plain.careful for plain in plains):
        return NotPlain(str(error))
    return BadInput(
        f"{', '.join(plain.name for plain in plains)} cannot be read to the end: the file is "
        "damaged; save or copy it again"
    )


def look_at(con: DuckDBPyConnection, plain: Plain, source: Source) -> Opened:
    """A source with a sample of its records and a profile of each column.

    Raises:
        BadInput: it has a header, but no records.
    """
    sample = quoted(f" sample {plain.path.name}")  # no table of a person's begins with a space
    rows = 20_000_000 // max(1000, 10 * len(source.columns))
    con.execute(f"DROP TABLE IF EXISTS {sample}")
    source.read(con).limit(min(rows, SAMPLE_ROWS)).to_table(sample)
    columns = profiles(con.table(sample))
    unseen = [c.name for c in columns if not c.filled]
    if unseen and columns[0].rows >= min(rows, SAMPLE_ROWS):  # filled further down, maybe
        later = source.read(con).filter(" OR ".join(f"{quoted(c)} IS NOT NULL" for c in unseen))
        later.limit(LATER_ROWS).insert_into(f" sample {plain.path.name}")
        columns = profiles(con.table(sample))
    if not any(column.rows for column in columns):
        header = f"{plain.name} has a header ({', '.join(source.columns[:8])}) but no row"
        bad = con.table("malformed").filter(f"file = {literal(plain.name)}").order("line").limit(1)
        for _, line, detail, *_ in bad.fetchall():
            raise BadInput(
                f"{header} that fits it: line {line} has {detail}; say which line names the "
                "columns (header_line), or none (0)"
            )
        raise BadInput(f"{header} below it: it needs a line for each event")
    return Opened(plain, source, sample, columns)


def together(
    con: DuckDBPyConnection, log: Sequence[Opened]
) -> tuple[DuckDBPyRelation, list[Profile]]:
    """A sample of all files of a log, in which each column has a type that holds all, and profiles.

    The files are taken by name, so that the order in which they are given says nothing.
    """
    if len(log) == 1:
        return con.table(log[0].sample), log[0].profiles
    by_name = sorted(log, key=lambda file: file.name)
    parts = " UNION ALL BY NAME ".join(f"FROM {file.sample}" for file in by_name)
    sample = quoted(" samples together")
    con.execute(f"CREATE OR REPLACE TABLE {sample} AS {parts}")
    return con.table(sample), profiles(con.table(sample))


def steady(con: DuckDBPyConnection, file: Opened) -> Opened:
    """A file beside the log, which can be read to its end.

    Raises:
        BadInput: it cannot.
        NotPlain: it cannot as it lies.
    """
    try:
        cells = ", ".join(f"count({quoted(c)})" for c in file.columns)
        records = file.source.read(con).aggregate(f"count(*), {cells}").fetchall()[0][0]
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise not_read(error, [file.plain]) from None
    count_lines(file.source, records)
    return file


def careful_copy(plain: Plain, scratch: Path) -> Plain:
    """The file to be read line by line; in UTF-8, if it is not, further down."""
    if plain.kind != "text":
        return plain
    fault = find_fault(plain)
    again = reencode(plain, fault.encoding, scratch) if fault.encoding else plain
    return replace(again, careful=True)
