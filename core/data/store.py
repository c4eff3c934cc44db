"""The workspace on disk: immutable dataset versions as Parquet, read by an in-memory DuckDB.

A version is built in `<workspace>/tmp`, synced to disk and renamed into place, so that a reader, or
a crash at any point, sees the whole version or nothing. Any number of processes read at once.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypedDict
from uuid import uuid4

import duckdb
import platformdirs
import psutil

from core.data.durable import sync_folder, write_json_atomically
from core.data.processes import is_alive
from core.data.refs import meant_by
from core.errors import BadInput, Corrupt, NotFound

SCHEMA_VERSION = 1
TABLES = ("events", "items", "users", "rejected")


class DatasetCounts(TypedDict):
    """How much of the files was read and kept, as dataset.json and --json say it."""

    rows_read: int
    rows_kept: int
    rows_rejected: int
    users: int
    items: int
    rejected: dict[str, int]  # reason → rows


@dataclass(frozen=True)
class DatasetInfo:
    """One dataset version: where it lies and what its dataset.json says."""

    id: str
    name: str
    folder: Path
    meta: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The version in this folder. OSError, ValueError or KeyError if it is not a whole one."""
        meta = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        if meta["schema_version"] > SCHEMA_VERSION:
            raise Corrupt(
                f"dataset {folder.name} has schema version {meta['schema_version']}, this Recscope "
                f"reads up to {SCHEMA_VERSION}: install a newer one"
            )
        return cls(id=meta["id"], name=meta["name"], folder=folder, meta=meta)

    @property
    def counts(self) -> DatasetCounts:
        counts: DatasetCounts = self.meta["counts"]
        return counts.copy()

    @property
    def mapping(self) -> dict[str, str | None]:
        return dict(self.meta["mapping"])

    @property
    def weights(self) -> dict[str, float]:
        return dict(self.meta["weights"])

    @property
    def time_kind(self) -> str:
        """One of "clock" (UTC), "order" (a plain order number) and "none"."""
        return str(self.meta["time_kind"])

    @property
    def value_kind(self) -> str | None:
        """One of "rating", "quantity", "price" and "duration", or None without values."""
        kind = self.meta["value_kind"]
        return None if kind is None else str(kind)

    @property
    def created(self) -> str:
        """When it was made, ISO 8601, UTC."""
        return str(self.meta["created"])

    @property
    def parent(self) -> str | None:
        """The id of the version that this one was cleaned from."""
        return None if self.meta["parent"] is None else str(self.meta["parent"])

    def path(self, table: str) -> Path | None:
        """The Parquet file of "events", "items", "users" or "rejected"; None if there is none."""
        path = self.folder / f"{table}.parquet"
        return path if path.exists() else None


class Workspace:
    """A folder with datasets/, runs/, searches/ and tmp/; `open` makes what is missing."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.datasets_folder = self.path / "datasets"
        self.runs_folder = self.path / "runs"
        self.searches_folder = self.path / "searches"
        self.tmp_folder = self.path / "tmp"

    @classmethod
    def open(cls, path: Path | str | None = None) -> Self:
        """The workspace at this path, else at RECSCOPE_HOME, else in the user's data folder."""
        chosen = path or os.environ.get("RECSCOPE_HOME") or platformdirs.user_data_dir("recscope")
        workspace = cls(Path(chosen).expanduser().absolute())
        try:
            for folder in (
                workspace.datasets_folder,
                workspace.runs_folder,
                workspace.searches_folder,
                workspace.tmp_folder,
            ):
                folder.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            reason = error.strerror if isinstance(error, OSError) else error
            raise BadInput(
                f"the data folder {str(workspace.path)!r} cannot be made ({reason}): "
                "choose one that you may write to, here or as RECSCOPE_HOME"
            ) from None
        return workspace

    def datasets(self) -> list[DatasetInfo]:
        """All dataset versions, newest first."""
        found = []
        for folder in self.datasets_folder.iterdir():
            with suppress(OSError, ValueError, KeyError, TypeError):
                found.append(DatasetInfo.read(folder))
        return sorted(found, key=lambda d: (d.created, d.id), reverse=True)

    def dataset(self, ref: str) -> DatasetInfo:
        """The dataset with this id, the newest of this name, or the only id that starts with this.

        Raises:
            NotFound: no such dataset; the sentence lists those that exist.
            BadInput: several ids start with this.
        """
        everything = self.datasets()
        fitting = meant_by(ref, everything)
        if len(fitting) > 1:
            ids = ", ".join(f"{d.id} ({d.name})" for d in fitting)
            raise BadInput(f"{ref!r} fits {len(fitting)} datasets: {ids}; write one more letter")
        if fitting:
            return fitting[0]
        names = ", ".join(f"{d.id} ({d.name})" for d in everything[:20]) or "none yet"
        raise NotFound(f"there is no dataset {ref!r}; there are: {names}")

    def rename(self, ref: str, name: str) -> DatasetInfo:
        """The dataset under its new name; nothing else about it ever changes."""
        info = self.dataset(ref)
        write_json_atomically(info.folder / "dataset.json", {**info.meta, "name": name})
        return DatasetInfo.read(info.folder)

    def delete_dataset(self, ref: str) -> None:
        """Takes the dataset out of sight at once, then frees its space."""
        info = self.dataset(ref)
        with self.scratch() as scratch:
            info.folder.rename(scratch / info.id)
            sync_folder(self.datasets_folder)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A new folder under tmp/, removed at the end, or by `sweep` if this process is killed."""
        self.sweep()
        started = int(psutil.Process().create_time() * 1000)
        folder = self.tmp_folder / f"{os.getpid()}-{started}-{uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> None:
        """Removes what killed processes left in tmp/; folders of living ones stay."""
        for folder in self.tmp_folder.glob("*-*-*"):
            pid, started, _ = folder.name.split("-", 2)
            if pid.isdigit() and started.isdigit() and not is_alive(int(pid), int(started) / 1000):
                shutil.rmtree(folder, ignore_errors=True)


def connect(
    *,
    memory_limit: str | None = None,
    threads: int | None = None,
    temp_directory: Path | None = None,
) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB in UTC that fetches nothing from the network.

    Args:
        memory_limit: As DuckDB writes it ("2GB"); 80 % of the machine's memory if not given.
        threads: All cores if not given.
        temp_directory: Where it spills; without one it spills nowhere and leaves no file behind.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "temp_directory": str(temp_directory) if temp_directory else "",
    }
    if memory_limit:
        config["memory_limit"] = memory_limit
    if threads:
        config["threads"] = threads
    con = duckdb.connect(config=config)
    con.execute("SET TimeZone = 'UTC'")
    with suppress(duckdb.InvalidInputException):  # a notebook without ipywidgets: it has none
        con.execute("SET enable_progress_bar = false")
    return con


def quoted(name: str) -> str:
    """A name (column, table) as SQL writes it; the only way in which a name enters SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as SQL writes it, for the few places where a value cannot be bound."""
    return "'" + text.replace("'", "''") + "'"


def views(con: duckdb.DuckDBPyConnection, info: DatasetInfo) -> list[str]:
    """Makes the views events, items, users and rejected over one dataset; those that it has."""
    made = []
    for table in TABLES:
        if path := info.path(table):
            con.from_parquet(str(path)).create_view(table, replace=True)
            made.append(table)
    return made
