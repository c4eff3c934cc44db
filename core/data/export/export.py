"""A dataset version → a folder that another library reads: RecBole, LensKit, plain Parquet.

Tables are streamed by DuckDB; the folder is built beside its place and renamed into it, so that it
is whole or not there. What a format cannot say is told in `notes`; a value that had to be written
in another way is counted, never changed in silence.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from duckdb import DuckDBPyRelation

from core.data.durable import write_json_atomically
from core.data.export.folder import (
    DatasetExport,
    Export,
    ExportedFile,
    event_columns,
    new_folder,
    tell_what_is_lost,
)
from core.data.export.recbole import write_recbole
from core.data.store import DatasetInfo, connect, quoted
from core.errors import BadInput

MEMORY = "2500MB"  # what DuckDB may take; beyond it, it spills beside the folder
TABLES = ("events", "items", "users")


def export_dataset(info: DatasetInfo, to: str, out: Path) -> DatasetExport:
    """Writes a dataset version as a folder of files in another library's format.

    Args:
        info: The dataset version.
        to: A name of FORMATS.
        out: The folder to be made; it must not be there, or be empty.

    Raises:
        BadInput: there is no such format, or the folder cannot be made.
    """
    if to not in FORMATS:
        raise BadInput(f"to is {to!r}; it must be one of {', '.join(FORMATS)}")
    out = out.absolute()
    with new_folder(out) as temporary:
        spill = temporary.with_name(f"{temporary.name}.spill")
        try:
            with connect(memory_limit=MEMORY, temp_directory=spill) as con:
                export = Export(con, info, temporary, out)
                FORMATS[to](export)
        finally:
            shutil.rmtree(spill, ignore_errors=True)
    return DatasetExport(
        dataset=info.id,
        name=info.name,
        to=to,
        out=out,
        files=tuple(export.files),
        notes=tuple(export.notes),
        quoted_values=export.quoted_values,
        altered_values=export.altered_values,
    )


def write_parquet(export: Export) -> None:
    """The tables as they lie, and dataset.json: what their columns are and how they are read."""
    info = export.info
    for name in TABLES:
        path, table = info.path(name), export.table(name)
        if path and table is not None:
            shutil.copyfile(path, export.folder / path.name)
            export.add(path.name, table)
    roles = {role: role if column else None for role, column in info.mapping.items()}
    if info.time_kind == "none":
        roles["timestamp"] = None
    kept = ("time_kind", "value_kind", "weights", "counts", "item_columns", "user_columns")
    mapping = ",".join(f"{role}={column or ''}" for role, column in roles.items())
    about = {
        "name": info.name,
        "id": info.id,
        "roles": roles,
        "read_again": f"recscope ingest events.parquet --map {mapping}",
        **{key: info.meta[key] for key in kept},
    }
    write_json_atomically(export.folder / "dataset.json", about)
    export.files.append(ExportedFile("dataset.json", 1))
    export.notes.append("dataset.json says which column has which role, and how to read them again")


def write_lenskit(export: Export) -> None:
    """LensKit's frames: user_id, item_id, rating, timestamp; items and users beside them."""
    events = event_columns(export)
    columns = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in events)
    name = "ratings" if any(column == "rating" for column, _ in events) else "interactions"
    table = export.table("events")
    assert table is not None
    _write_parquet(export, table.project(columns), f"{name}.parquet")
    for attributes in TABLES[1:]:
        if (described := export.table(attributes)) is not None:
            _write_parquet(export, described, f"{attributes}.parquet")
    tell_what_is_lost(export)


def _write_parquet(export: Export, table: DuckDBPyRelation, name: str) -> None:
    table.write_parquet(str(export.folder / name), compression="zstd")
    export.add(name, table)


FORMATS: dict[str, Callable[[Export], None]] = {
    "recbole": write_recbole,
    "lenskit": write_lenskit,
    "parquet": write_parquet,
}
