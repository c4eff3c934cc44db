"""All layouts, and which one a file is in."""

from __future__ import annotations

from pathlib import Path

from duckdb import DuckDBPyConnection

from core.data.files.dialects import ReadAs
from core.data.files.encodings import Plain
from core.data.files.records import open_source
from core.data.files.sources import Source
from core.data.layouts import baskets, libsvm, recbole, sequences, sparse_matrix
from core.data.layouts.layout import Layout, TextStart
from core.errors import BadInput

LAYOUT = "layout"  # may be given beside the roles: how a file is laid out
TABLE = "table"  # no layout: a table, as most files are
# In the order in which they are tried: what is told apart most surely comes first.
LAYOUTS: dict[str, Layout] = {
    module.NAME: module for module in (sparse_matrix, recbole, libsvm, sequences, baskets)
}


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
) -> Source:
    """The records of one plain file, whatever its layout.

    Args:
        con: The connection that reads.
        plain: The file.
        scratch: Where converted files go.
        limit: Convert only so many lines, for a preview.
        layout: A name of LAYOUTS, or TABLE; by what the file holds if not given.
        asked: How a person says that a table is to be read.

    Raises:
        BadInput: it cannot be read as what it looks like.
    """
    target = scratch / f"{plain.path.name}-events"
    if plain.kind == sparse_matrix.NAME:
        return sparse_matrix.open_layout(con, plain, TextStart(()), target, limit)
    is_table = asked and (asked.of_text or asked.header_line is not None)
    if plain.kind != "text" or layout == TABLE or (is_table and layout is None):
        return open_source(con, plain, scratch, asked, limit=limit)
    start = TextStart.read(plain.path)
    if layout is None and start.lines and start.lines[0].lstrip().startswith(("{", "[")):
        return open_source(con, plain, scratch, limit=limit)  # JSON
    name = layout or next((name for name, known in LAYOUTS.items() if known.recognise(start)), None)
    if name is None:
        return open_source(con, plain, scratch, limit=limit)
    return LAYOUTS[name].open_layout(con, plain, start, target, limit)
