"""The workspace on disk: immutable dataset versions as Parquet, read by an in-memory DuckDB.

A version is built in `<workspace>/tmp`, synced to disk and renamed into place, so that a reader, or
a crash at any point, sees the whole version or nothing. Any number of processes read at once.
"""

from __future__ import annotations

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

from core.data.durable import (
    check_entries,
    publish,
    read_object,
    sync_folder,
    verify_once,
    write_json_atomically,
)
from core.data.limits import writing
from core.data.processes import is_alive
from core.data.refs import checked_name, meant_by
from core.data.unreadable import Unreadable, read_all
from core.errors import BadInput, Corrupt, NotFound

SCHEMA_VERSION = 1
TABLES = ("events", "items", "users", "rejected")
ARCHIVED = "archived"  # an empty file in the folder of what is kept, but not listed
AGAIN = "ingest its files again, which mends it"

_OPTIONAL = (str, type(None))
_SAID = {  # what dataset.json says, at least
    **{"id": str, "name": str, "created": str, "parent": _OPTIONAL, "time_kind": str},
    **{"value_kind": _OPTIONAL, "counts": dict, "mapping": dict, "weights": dict},
    **{"evidence": dict, "cleaning": list, "item_columns": list, "user_columns": list},
    "sha256": dict,
}
_COUNTED = dict.fromkeys(("rows_read", "rows_kept", "rows_rejected", "users", "items"), int)


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
        """The version in this folder.

        Raises:
            Corrupt: it is not a whole one; the sentence names the file, and what to do.
        """
        path = folder / "dataset.json"
        try:
            meta = read_object(path, SCHEMA_VERSION)
            if meta is None:
                raise Corrupt(f"{path} is missing")
            check_entries(path, meta, _SAID)
            check_entries(path, meta["counts"], {**_COUNTED, "rejected": dict})
        except Corrupt as error:
            newer = "newer Recscope" in str(error)
            raise Corrupt(str(error) if newer else f"{error}: {AGAIN}") from None
        return cls(id=meta["id"], name=meta["name"], folder=folder, meta=meta)

    @property
    def archived(self) -> bool:
        """Whether it is kept, but left out of lists."""
        return is_archived(self.folder)

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
        """The Parquet file of "events", "items", "users" or "rejected"; None if there is none.

        Raises:
            Corrupt: it is gone, or not what was written; looked at once in a process.
        """
        path = self.folder / f"{table}.parquet"
        if expected := self.meta["sha256"].get(path.name):
            verify_once(path, expected, f"dataset {self.name} ({self.id})", AGAIN)
            return path
        return path if path.exists() else None

    def verify(self) -> None:
        """Raises Corrupt unless each of its files is what was written."""
        for table in TABLES:
            self.path(table)


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
        except OSError as error:
            raise BadInput(
                f"the data folder {workspace.path} cannot be made ({error.strerror}): "
                "choose one that you may write to with --data-dir or RECSCOPE_HOME"
            ) from None
        return workspace

    def datasets(self, *, archived: bool = False) -> list[DatasetInfo]:
        """All dataset versions that can be read, newest first; archived ones too if asked."""
        found, _ = self._read()
        return [info for info in found if archived or not info.archived]

    def unreadable_datasets(self) -> list[Unreadable]:
        """Those that cannot be used, each with what is wrong and what to do."""
        return self._read()[1]

    def _read(self) -> tuple[list[DatasetInfo], list[Unreadable]]:
        folders = sorted(self.datasets_folder.glob("[!.]*"))
        found, unreadable = read_all("dataset", folders, DatasetInfo.read)
        return sorted(found, key=lambda d: (d.created, d.id), reverse=True), unreadable

    def dataset(self, ref: str) -> DatasetInfo:
        """The dataset with this id, the newest of this name, or the only id that starts with this.

        Those that are listed go before those that are archived.

        Raises:
            NotFound: no such dataset; the sentence lists those that exist.
            BadInput: several ids start with this.
            Corrupt: the one with this id cannot be used; the sentence says why.
        """
        found, unreadable = self._read()
        listed = [info for info in found if not info.archived]
        fitting = meant_by(ref, listed) or meant_by(ref, found)
        if len(fitting) > 1:
            ids = ", ".join(f"{d.id} ({d.name})" for d in fitting)
            raise BadInput(f"{ref!r} fits {len(fitting)} datasets: {ids}; write one more letter")
        if fitting:
            return fitting[0]
        for one in unreadable:
            if one.id == ref:
                raise Corrupt(f"dataset {ref} cannot be used: {one.problem}")
        names = ", ".join(f"{d.id} ({d.name})" for d in listed[:20]) or "none yet"
        raise NotFound(f"there is no dataset {ref!r}; there are: {names}")

    def whole_dataset(self, ident: str) -> DatasetInfo | None:
        """The version of exactly this id if every file of it is what was written, else None."""
        try:
            info = DatasetInfo.read(self.datasets_folder / ident)
            info.verify()
        except Corrupt:
            return None
        return info

    def publish_dataset(self, folder: Path, ident: str) -> bool:
        """Makes a finished version visible; in place of one of this id that is damaged.

        Returns:
            False if another process published it first: see `core.data.durable.publish`.
        """
        final = self.datasets_folder / ident
        if final.exists() and self.whole_dataset(ident) is None:
            self.discard(final)
        return publish(folder, final)

    def rename(self, ref: str, name: str) -> DatasetInfo:
        """The dataset under its new name; nothing else about it ever changes."""
        info, name = self.dataset(ref), checked_name(name)
        write_json_atomically(info.folder / "dataset.json", {**info.meta, "name": name})
        return DatasetInfo.read(info.folder)

    def delete_dataset(self, ref: str) -> None:
        """Takes the dataset out of sight at once, then frees its space."""
        self.discard(self.dataset(ref).folder)

    def discard(self, folder: Path) -> None:
        """Takes a folder out of sight in one step, also on a full disk, then frees its space."""
        self.sweep()
        aside = self.tmp_folder / _temporary_name()
        with writing(folder):
            folder.rename(aside)
            sync_folder(folder.parent)
        if aside.is_dir():
            shutil.rmtree(aside, ignore_errors=True)
        else:  # a file that does not belong here
            aside.unlink(missing_ok=True)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A new folder under tmp/, removed at the end, or by `sweep` if this process is killed."""
        self.sweep()
        folder = self.tmp_folder / _temporary_name()
        with writing(folder):
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


def _temporary_name() -> str:
    """By which `sweep` knows whose it is."""
    started = int(psutil.Process().create_time() * 1000)
    return f"{os.getpid()}-{started}-{uuid4().hex[:8]}"


def is_archived(folder: Path) -> bool:
    """Whether the dataset, run or search in this folder is kept, but left out of lists."""
    return (folder / ARCHIVED).exists()


def archive(folder: Path, *, undo: bool = False) -> None:
    """Leaves what is in this folder out of lists, or lists it again; it stays as it is."""
    with writing(folder):
        if undo:
            (folder / ARCHIVED).unlink(missing_ok=True)
        else:
            (folder / ARCHIVED).touch()


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
