"""All layouts, and which one a file is in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from duckdb import DuckDBPyConnection

from core.data.files.dialects import ReadAs
from core.data.files.encodings import Plain
from core.data.files.json_texts import is_json
from core.data.files.records import open_source
from core.data.files.sources import Source
from core.data.layouts import (
    baskets,
    blocks,
    edges,
    item_headers,
    libsvm,
    nested,
    recbole,
    sequences,
    sparse_matrix,
)
from core.data.layouts.layout import Layout, TextStart
from core.data.layouts.tables import continued, lists, wide
from core.data.layouts.tables.table import Table, TableLayout
from core.errors import BadInput

LAYOUT = "layout"  # may be given beside the roles: how a file is laid out
TABLE = "table"  # no layout: a table, as most files are
# In the order in which they are tried: what is told apart most surely comes first.
TEXT_LAYOUTS: dict[str, Layout] = {
    module.NAME: module
    for module in (
        *(sparse_matrix, recbole, edges, item_headers),
        *(libsvm, blocks, sequences, baskets),
    )
}
# Of a file that was opened as a table, by its columns and cells.
TABLE_LAYOUTS: dict[str, TableLayout] = {module.NAME: module for module in (lists, wide, continued)}
JOINED, PROPERTIES = "joined", "properties"  # of several files together, or beside the log
LAYOUTS = (*TEXT_LAYOUTS, *TABLE_LAYOUTS, nested.NAME, JOINED)


def check_layout(name: str | None) -> None:
    """Raises BadInput where this is not the name of a layout, or None for "as it looks"."""
    if name not in (None, TABLE, *LAYOUTS):
        raise BadInput(f"layout is {name!r}; it must be one of {', '.join([TABLE, *LAYOUTS])}")


def open_laid_out(
    con: DuckDBPyConnection,
    plain: Plain,
    scratch: Path,
    *,
    limit: int | None = None,
    layout: str | None = None,
    asked: ReadAs | None = None,
    mapped: Mapping[str, str | None] | None = None,
) -> Source:
    """The records of one plain file, whatever its layout.

    Args:
        con: The connection that reads.
        plain: The file.
        scratch: Where converted files go.
        limit: Convert only so many lines, for a preview.
        layout: A name of LAYOUTS, or TABLE; by what the file holds if not given.
        asked: How a person says that a table is to be read.
        mapped: What a person says of the roles.

    Raises:
        BadInput: it cannot be read as what it looks like.
    """
    target = scratch / f"{plain.path.name}-events"
    if plain.kind == sparse_matrix.NAME:
        return sparse_matrix.open_layout(con, plain, TextStart(()), target, limit)
    if plain.kind == "parquet" and layout != TABLE and nested.has_structs(con, plain):
        return nested.open_nested(con, plain, scratch, limit, mapped or {})
    is_table = asked and (asked.of_text or asked.header_line is not None)
    if plain.kind != "text" or layout in (TABLE, *TABLE_LAYOUTS) or (is_table and layout is None):
        as_it_lies = layout == TABLE
        return open_source(con, plain, scratch, asked, limit=limit, as_it_lies=as_it_lies)
    start = TextStart.read(plain.path)
    if start.lines and is_json(start.lines[0].lstrip()) and layout not in TEXT_LAYOUTS:
        return nested.open_nested(con, plain, scratch, limit, mapped or {})
    if layout == nested.NAME:
        raise BadInput(
            f"{plain.name} is no JSON, which begins with {{ or [{{: layout={layout} reads "
            "nothing else"
        )
    name = layout or next((n for n, known in TEXT_LAYOUTS.items() if known.recognise(start)), None)
    if name is None:
        return open_source(con, plain, scratch, limit=limit)
    return TEXT_LAYOUTS[name].open_layout(con, plain, start, target, limit)


def lay_out(
    con: DuckDBPyConnection,
    table: Table,
    scratch: Path,
    *,
    limit: int | None = None,
    layout: str | None = None,
) -> Source:
    """The records of an opened table whose rows are no events; its own source if they are.

    Args:
        con: The connection that reads.
        table: The file.
        scratch: Where converted files go.
        limit: Convert only so many rows, for a preview.
        layout: A name of TABLE_LAYOUTS; by what the table holds if not given.

    Raises:
        BadInput: it cannot be read as what it looks like.
        duckdb.Error: it cannot be read as it lies.
        NotPlain: what was read does not account for its lines.
    """
    name = layout or next((n for n, known in TABLE_LAYOUTS.items() if known.recognise(table)), None)
    if name is None:
        return table.source
    target = scratch / f"{table.plain.path.name}-{name}"
    return TABLE_LAYOUTS[name].open_table(con, table, target, limit)
