"""Lines that hold many items each → one event an item, which knows the line that it came from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.files.encodings import Plain
from core.data.files.malformed import NO_RECORD
from core.data.files.sources import LayoutNote, Source, parquet_source, raw_lines
from core.data.store import literal
from core.errors import BadInput

USER, ITEM, POSITION, FILE = "user", "item", "position", "file"
_BLANKS = "replace(replace(text, chr(9), ' '), chr(13), ' ')"  # translate() takes 4 times as long
WORDS = f"list_filter(string_split({_BLANKS}, ' '), lambda x: x <> '')"  # SQL: a line's words


def filled_texts(con: DuckDBPyConnection, plain: Plain, limit: int | None) -> DuckDBPyRelation:
    """`text` and `line`, from 1, of the lines that are not blank."""
    lines = raw_lines(con, plain.path).filter("trim(text) <> ''")
    lines = lines.project(
        f"CASE WHEN line = 1 THEN ltrim(text, {literal(chr(0xFEFF))}) ELSE text END AS text, line"
    )
    return lines.limit(limit) if limit else lines


def set_aside(
    con: DuckDBPyConnection,
    plain: Plain,
    rows: DuckDBPyRelation,
    detail: str,
    reason: str = NO_RECORD,
) -> None:
    """Adds these rows (`text`, `line`) to `malformed`; `detail` is SQL that says why."""
    cells = f"{literal(plain.name)}, line, {detail}, text, {literal(reason)}"
    rows.project(cells).insert_into("malformed")


def event_source(
    con: DuckDBPyConnection,
    plain: Plain,
    events: DuckDBPyRelation,
    target: Path,
    note: LayoutNote,
) -> Source:
    """The source of these events: `line`, `file` and the columns that the log is to have.

    Raises:
        BadInput: there are none.
    """
    events.project(f"line, {literal(plain.name)} AS {FILE}, * EXCLUDE (line)").write_parquet(
        str(target)
    )
    try:
        source = parquet_source(con, plain.name, target)
    except BadInput:
        raise BadInput(
            f"{plain.name} is read as {note.layout}, but no line of it holds a user and an item: "
            "say layout=table if it is a table"
        ) from None
    columns = source.inner[2:]
    return Source(plain.name, target, columns, inner=columns, line="line", layout=note)


def sum_of(con: DuckDBPyConnection, plain: Plain, test: str) -> int:
    """How many lines of a text pass this test, which is SQL over `text`."""
    return int(raw_lines(con, plain.path).filter(test).aggregate("count(*)").fetchall()[0][0])


def with_line_counts(
    con: DuckDBPyConnection, plain: Plain, source: Source, limit: int | None, **kinds: int
) -> Source:
    """The source of a text of which a line is one event, with its lines by what they are.

    Args:
        con: The connection with the table `malformed`.
        plain: The text.
        source: Its events.
        limit: Of a preview, which counts nothing.
        kinds: Lines that hold no event: header, comment.
    """
    if limit:
        return source
    kept = int(con.from_parquet(str(source.path)).aggregate("count(*)").fetchall()[0][0])
    bad = con.table("malformed").filter(f"file = {literal(plain.name)}").aggregate("count(*)")
    blank = sum_of(con, plain, "trim(coalesce(text, '')) = ''")
    rejected = int(bad.fetchall()[0][0])
    counted = {"kept": kept, "rejected": rejected, "blank": blank, **kinds}
    return replace(source, counted=counted, unit="lines")


def with_file(source: Source) -> Source:
    """The same source with the file's name as a column more, which tells its users apart."""
    return replace(source, columns=(*source.columns, FILE), inner=(*source.inner, FILE))
