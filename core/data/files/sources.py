"""An opened file as a table of records: a CSV as it lies, all else as Parquet in the scratch.

Whatever the format, a source gives its records in file order, under unique column names; those of a
text are all text. Reading is strict: what is no record was set aside when the file was opened.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.files.encodings import MAX_LINE_BYTES
from core.data.files.scan import Form
from core.data.store import literal, quoted
from core.errors import BadInput

MAX_COLUMNS = 2_000
LINE = "line"  # the column of a converted file that holds the line of each record


@dataclass(frozen=True)
class LayoutNote:
    """How a file is laid out where it is no plain table, and what that says about its columns."""

    layout: str  # its name in core.data.layouts.registry.LAYOUTS
    evidence: str  # one sentence: what was seen, and what was made of it
    roles: Mapping[str, str | None] = field(default_factory=dict)  # what the layout itself says
    role_evidence: Mapping[str, str] = field(default_factory=dict)
    numbered_users: bool = False  # a user is the number of a line, so another one in each file


@dataclass(frozen=True)
class Source:
    """One table of records. `path` has a plain name, so that nothing in it is a pattern."""

    name: str
    path: Path
    columns: tuple[str, ...]
    form: Form | None = None  # of a text that lies as it is; None: a Parquet file
    inner: tuple[str, ...] = ()  # the columns' names inside of a Parquet file
    line: str | None = None  # the column inside of it that holds the line number, if any
    cells: tuple[str, ...] = ()  # SQL over c0, c1 … for each column of a text that has other cells
    counted: Mapping[str, int] | None = None  # its lines by what they are, where it was scanned
    unit: str = "rows"  # what is counted: "lines" of a text, or rows of anything else
    note: str = ""  # how it is read, where a person should know it
    layout: LayoutNote | None = None  # None: a plain table

    def read(self, con: DuckDBPyConnection, numbers: Collection[str] = ()) -> DuckDBPyRelation:
        """The records in file order.

        Args:
            con: The connection that reads.
            numbers: Columns of a CSV to read as DOUBLE, which is quicker than text.
        """
        if self.form is None:
            records = con.from_parquet(str(self.path))
            kinds = dict(zip(records.columns, map(str, records.types), strict=True))
            cells = self.cells or tuple(_text_of(inner, kinds) for inner in self.inner)
        else:
            raw = [f"c{n}" for n in range(self.form.width)]
            cells = self.cells or tuple(raw)
            exact = {c for c, name in zip(cells, self.columns, strict=True) if name in numbers}
            types = ", ".join(f"'{c}': '{'DOUBLE' if c in exact else 'VARCHAR'}'" for c in raw)
            dialect = self.form.dialect
            quote = literal(dialect.quote)
            records = con.sql(
                f"FROM read_csv({literal(str(self.path))}, auto_detect = false,"
                f" delim = {literal(dialect.delimiter)}, quote = {quote}, escape = {quote},"
                f" header = false, skip = {self.form.first}, comment = '',"
                f" max_line_size = {MAX_LINE_BYTES}, columns = {{{types}}})"
            )
        named = zip(cells, self.columns, strict=True)
        return records.project(", ".join(f"{cell} AS {quoted(name)}" for cell, name in named))


def _text_of(column: str, types: Mapping[str, str]) -> str:
    """SQL for a column of a Parquet file; plain bytes are a text, or else its hex digits."""
    name = quoted(column)
    if types[column] != "BLOB":
        return name
    return f"coalesce(TRY(decode({name})), lower(hex({name})))"


def parquet_source(con: DuckDBPyConnection, name: str, path: Path) -> Source:
    """The Parquet file at this path.

    Raises:
        BadInput: it is damaged, or has no rows or too many columns.
    """
    try:
        table = con.from_parquet(str(path))
        columns, rows = table.columns, table.limit(1).fetchall()
    except duckdb.Error:
        raise BadInput(
            f"{name} is a damaged Parquet file: it cannot be read to its end; copy it again"
        ) from None
    check_width(name, len(columns))
    if not rows:
        raise BadInput(f"{name} has no rows: it needs one for each event")
    return Source(name, path, unique_names(columns), inner=tuple(columns))


def check_width(name: str, width: int) -> None:
    """Raises BadInput where a table has more columns than a log can have."""
    if width > MAX_COLUMNS:
        raise BadInput(
            f"{name} has {width:,} columns, at most {MAX_COLUMNS:,} are read: "
            "is it one line for each event?"
        )


def raw_lines(con: DuckDBPyConnection, path: Path) -> DuckDBPyRelation:
    """The lines of a text as they lie: `text` (NULL for a blank one) and `line`, from 1."""
    never = literal("\x01\x02\x03\x04")  # a delimiter that no text has
    return con.sql(
        f"FROM read_csv({literal(str(path))}, auto_detect = false, delim = {never}, quote = '',"
        f" escape = '', comment = '', header = false, max_line_size = {MAX_LINE_BYTES},"
        " columns = {'text': 'VARCHAR'})"
    ).project("text, row_number() OVER () AS line")


def unique_names(names: Iterable[str], taken: Iterable[str] = ()) -> tuple[str, ...]:
    """These names, each different also without regard to case; an empty one gets a number."""
    seen = {name.lower() for name in taken}
    result = []
    for n, name in enumerate(names):
        name = "".join(c for c in name if c.isprintable()).strip() or f"unnamed_{n + 1}"
        candidate, k = name, 1
        while candidate.lower() in seen:
            k += 1
            candidate = f"{name}_{k}"
        seen.add(candidate.lower())
        result.append(candidate)
    return tuple(result)
