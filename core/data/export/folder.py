"""What every export format writes into: a folder under way, its files, what had to be told."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.durable import publish
from core.data.files.sources import unique_names
from core.data.read_only import check_writable
from core.data.store import DatasetInfo, quoted
from core.errors import BadInput


@dataclass(frozen=True)
class ExportedFile:
    """One file of an export and how many records it holds."""

    name: str
    rows: int


@dataclass(frozen=True)
class DatasetExport:
    """What was written, and what of the dataset the format could not say as it is."""

    dataset: str
    name: str
    to: str
    out: Path
    files: tuple[ExportedFile, ...]
    notes: tuple[str, ...]
    quoted_values: Mapping[str, int]  # column → values with a tab, line end or quote, in quotes
    altered_values: Mapping[str, int]  # column → values that are written otherwise; why: in notes

    def to_json(self) -> dict[str, Any]:
        """As `recscope export-dataset --json` says it."""
        return {
            "dataset": self.dataset,
            "name": self.name,
            "to": self.to,
            "out": str(self.out),
            "files": [{"name": file.name, "rows": file.rows} for file in self.files],
            "notes": list(self.notes),
            "quoted_values": dict(self.quoted_values),
            "altered_values": dict(self.altered_values),
        }


@dataclass
class Export:
    """An export under way."""

    con: DuckDBPyConnection
    info: DatasetInfo
    folder: Path  # a temporary one
    out: Path  # what it is called in the end
    files: list[ExportedFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    quoted_values: dict[str, int] = field(default_factory=dict)
    altered_values: dict[str, int] = field(default_factory=dict)

    def table(self, name: str) -> DuckDBPyRelation | None:
        """The table "events", "items" or "users"; None where there is none."""
        path = self.info.path(name)
        return self.con.from_parquet(str(path)) if path else None

    def add(self, name: str, rows: DuckDBPyRelation) -> None:
        """Notes that a file of this name holds these rows."""
        count = int(rows.aggregate("count(*)").fetchall()[0][0])
        self.files.append(ExportedFile(name, count))


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to write into, which bears the name `out` at the end: it is whole or not there.

    Raises:
        BadInput: there is something of this name, or it cannot be made.
        ReadOnly: it would lie in a workspace that may only be looked at.
    """
    out = out.absolute()
    check_writable(out)
    _check_free(out)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.{uuid4().hex[:8]}")
    try:
        temporary.mkdir()
        yield temporary
        if not publish(temporary, out):
            raise BadInput(f"{out} was made by something else meanwhile: choose another folder")
    except (OSError, duckdb.IOException) as error:
        reason = error.strerror if isinstance(error, OSError) else "it cannot be written to"
        raise BadInput(f"{out} cannot be made ({reason}): choose another folder") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _check_free(out: Path) -> None:
    if out.is_dir():
        if any(out.iterdir()):
            raise BadInput(f"{out} is not empty: give a folder that is not there yet")
    elif out.exists():
        raise BadInput(f"{out} is a file: give a folder that is not there yet")
    if not out.parent.is_dir():
        raise BadInput(f"the folder {out.parent} is not there: make it, or choose another")


def event_columns(export: Export) -> list[tuple[str, str]]:
    """The columns of the log in the order that others expect: a name, and its SQL."""
    events = export.table("events")
    assert events is not None
    value = export.info.value_kind or "rating"
    named = {"value": value}
    usual = ["user_id", "item_id", "value", "timestamp", "event", "platform"]
    first = [column for column in usual if column in events.columns]
    rest = [c for c in events.columns if c not in (*usual, "source_row")]
    names = unique_names([named.get(column, column) for column in (*first, *rest)])
    return [(name, quoted(c)) for name, c in zip(names, (*first, *rest), strict=True)]


def tell_what_is_lost(export: Export) -> None:
    """What neither RecBole nor LensKit can say."""
    info = export.info
    if info.time_kind == "order":
        export.notes.append("timestamp holds order numbers, not times: the log has no clock")
    elif info.time_kind == "none":
        export.notes.append("the log has no times: there is no column timestamp")
    if info.weights:
        listed = ", ".join(f"{event}={weight:g}" for event, weight in info.weights.items())
        export.notes.append(f"the weights of events are not in these files: {listed}")
