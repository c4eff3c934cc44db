"""An opened file as a table of records: CSV as it lies, everything else as Parquet in the scratch.

Whatever the format, a source gives its records in file order, under unique column names; those of a
CSV are all text. Where a CSV has malformed records, `repaired` sets them aside with their lines.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.store import literal, quoted
from core.errors import BadInput

SAMPLE_BYTES = 256 * 1024
MAX_COLUMNS = 2_000
MAX_LINE_BYTES = 2_000_000
DELIMITERS = (",", "\t", ";", "|", "::", "^", "~", "\x01", " ")


@dataclass(frozen=True)
class Dialect:
    """How a delimited text is cut into cells."""

    delimiter: str
    quote: str  # "" if the text has no quoting
    header: bool
    skip: int = 0  # lines before the header
    header_lines: int = 0  # lines that the header fills, blank ones not counted


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
    dialect: Dialect | None = None  # None: a Parquet file
    inner: tuple[str, ...] = ()  # the columns' names inside of a Parquet file
    line: str | None = None  # the column inside of it that holds the line number, if any
    has_lines: bool = True  # False: made from a workbook, whose records are counted instead
    cells: tuple[str, ...] = ()  # SQL over c0, c1 … for each column of a CSV that has other cells
    width: int = 0  # the cells of a record of such a CSV
    counted: Mapping[str, int] | None = None  # its lines by what they are, where it was counted
    unit: str = "rows"  # what is counted: "lines" of a text, or rows of anything else
    layout: LayoutNote | None = None  # None: a plain table

    def as_it_lies(self) -> Source:
        """The same records of a CSV, each cell a text as it is written."""
        if not self.cells:
            return self
        columns = tuple(f"c{n}" for n in range(self.width))
        return replace(self, columns=columns, cells=(), width=0)

    def read(
        self, con: DuckDBPyConnection, malformed: str = "fail", numbers: Collection[str] = ()
    ) -> DuckDBPyRelation:
        """The records in file order.

        Args:
            con: The connection that reads.
            malformed: What becomes of a record of a CSV that cannot be cut into its cells: "fail",
                "skip", or "store" it in DuckDB's table reject_errors.
            numbers: Columns of a CSV to read as DOUBLE, which is quicker than text.
        """
        if self.dialect is None:
            names = zip(self.inner, self.columns, strict=True)
            return con.from_parquet(str(self.path)).project(
                ", ".join(f"{quoted(inner)} AS {quoted(name)}" for inner, name in names)
            )
        rejects = {
            "fail": "",
            "skip": "ignore_errors = true,",
            "store": "store_rejects = true, rejects_limit = 0,",
        }[malformed]
        cells = self.cells or tuple(f"c{n}" for n in range(len(self.columns)))
        exact = {cell for cell, name in zip(cells, self.columns, strict=True) if name in numbers}
        types = [
            "DOUBLE" if f"c{n}" in exact else "VARCHAR" for n in range(self.width or len(cells))
        ]
        columns = ", ".join(f"'c{n}': '{type}'" for n, type in enumerate(types))
        named = zip(cells, self.columns, strict=True)
        aliases = ", ".join(f"{cell} AS {quoted(name)}" for cell, name in named)
        quote = literal(self.dialect.quote)
        return con.sql(
            f"FROM read_csv({literal(str(self.path))}, auto_detect = false, {rejects}"
            f" delim = {literal(self.dialect.delimiter)}, quote = {quote}, escape = {quote},"
            f" header = {self.dialect.header}, skip = {self.dialect.skip}, comment = '',"
            f" max_line_size = {MAX_LINE_BYTES}, columns = {{{columns}}})"
        ).project(aliases)


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


def csv_source(name: str, path: Path, delimiters: Sequence[str] = DELIMITERS) -> Source:
    """The delimited UTF-8 text at this path; delimiter, quote and header are read off its start.

    Args:
        name: What the person calls it.
        path: Where it lies.
        delimiters: What may stand between cells.

    Raises:
        BadInput: it is empty, or has more columns than a log can have.
    """
    with path.open("rb") as file:
        start = file.read(SAMPLE_BYTES)
    whole = len(start) < SAMPLE_BYTES
    text = start.decode("utf-8-sig", errors="replace")
    skip = 0
    dialect_line = text.split("\n", 1)[0].strip().lower()
    if dialect_line.startswith("sep=") and len(dialect_line) <= 6:  # Excel's own first line
        text, skip = text.split("\n", 1)[1] if "\n" in text else "", 1
    if not text.strip():
        raise BadInput(f"{name} is empty: it needs a line for each event, with a user and an item")
    delimiter, quote, _ = best_delimiter(text, whole, delimiters)
    rows = _rows(text, delimiter, quote, whole)
    first = rows[0] if rows else []
    width = Counter(map(len, rows[1:] or rows)).most_common(1)[0][0]
    width = max(width, len(first)) if len(rows) < 3 else width
    check_width(name, max(width, len(first)))
    header = _is_header(rows)
    if header:
        width = len(first)
    names = [cell.strip() for cell in first] if header else [f"column{n}" for n in range(width)]
    dialect = Dialect(delimiter, quote, header, skip, _filled_lines(first) if header else 0)
    return Source(name, path, unique_names(names), dialect)


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


def best_delimiter(
    text: str, whole: bool, delimiters: Sequence[str] = DELIMITERS
) -> tuple[str, str, float]:
    """The delimiter and quote under which most lines have the same number (> 1) of cells.

    Args:
        text: The start of a file.
        whole: Whether it is all of it; else its last record may be cut off.
        delimiters: Those that may be.

    Returns:
        The delimiter, the quote ("" for none), and the share of such lines, 0 to 1, a little lower
        where blanks or stray quotes speak against it.
    """
    best, best_score = (delimiters[0], '"'), 0.0
    for delimiter in delimiters:
        if delimiter not in text:
            continue
        for quote in ('"', "'", ""):
            if quote == "'" and not _quotes_fields(text, quote, delimiter):
                continue
            rows = _rows(text, delimiter, quote, whole)
            if not rows:
                continue
            width, n = Counter(map(len, rows)).most_common(1)[0]
            score = n / len(rows) * (1 if width > 1 else 0)
            if delimiter == " ":
                score *= 0.9  # a space is also just a space
            if quote == "" and '"' in text:
                score *= 0.95
            if score > best_score + 1e-9:
                best, best_score = (delimiter, quote), score
    return *best, best_score


def _filled_lines(record: list[str]) -> int:
    """How many lines that are not blank a record fills: more than 1 if a cell holds line ends."""
    inner = sum(len([x for x in cell.splitlines()[1:-1] if x]) for cell in record)
    return 1 + inner + sum(len(cell.splitlines()) > 1 for cell in record)


def _quotes_fields(text: str, quote: str, delimiter: str) -> bool:
    """Whether this quote stands around cells, rather than in words."""
    lines = text.splitlines()[:100]
    pairs = sum((delimiter + quote) in line and (quote + delimiter) in line for line in lines)
    return '"' not in text and pairs > len(lines) / 2


def _rows(text: str, delimiter: str, quote: str, whole: bool) -> list[list[str]]:
    """The first records as Python's csv module cuts them; blank lines are left out."""
    mark = delimiter
    if len(delimiter) > 1:
        mark = "\x1f"
        text = text.replace(delimiter, mark)
    lines = io.StringIO(text, newline="")
    if quote:
        reader = csv.reader(lines, delimiter=mark, quotechar=quote)
    else:
        reader = csv.reader(lines, delimiter=mark, quoting=csv.QUOTE_NONE)
    rows: list[list[str]] = []
    try:
        for row in reader:
            if row and len(rows) < 1000:
                rows.append(row)
    except csv.Error:  # a cell longer than the module's limit
        pass
    return rows if whole or len(rows) < 2 or len(rows) == 1000 else rows[:-1]


def _is_header(rows: list[list[str]]) -> bool:
    """Whether the first row names the columns: no cell of it is a number, and all differ."""
    first = [cell.strip() for cell in rows[0]]
    if any(_is_number(cell) for cell in first):
        return False
    filled = [cell.lower() for cell in first if cell]
    if not filled:
        return False
    below = rows[1:200]
    if not below:
        return True
    numeric_below = any(
        sum(_is_number(row[n]) for row in below if n < len(row)) > len(below) / 2
        for n in range(len(first))
    )
    again = sum(row[n] == rows[0][n] for row in below for n in range(min(len(row), len(first))))
    return numeric_below or not again


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.strip().lower() not in ("nan", "inf", "infinity", "-inf")
