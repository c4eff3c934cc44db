"""The workspace on disk: immutable dataset versions as Parquet, read by an in-memory DuckDB.

A version is built in `<workspace>/tmp`, synced to disk and renamed into place, so that a reader, or
a crash at any point, sees the whole version or nothing. Any number of processes read at once.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self
from uuid import uuid4

import platformdirs
import psutil

from core.data.durable import publish, sync_folder, write_json_atomically
from core.data.info import SCHEMA_VERSION as SCHEMA_VERSION
from core.data.info import TABLES as TABLES
from core.data.info import DatasetCounts as DatasetCounts
from core.data.info import DatasetInfo as DatasetInfo
from core.data.limits import writing
from core.data.processes import is_alive
from core.data.read_only import (
    DELETE,
    RENAME_DATASET,
    check_there,
    check_writable,
    is_read_only,
)
from core.data.refs import checked_name, meant_by
from core.data.unreadable import Unreadable, read_all
from core.errors import BadInput, Corrupt, NotFound

if TYPE_CHECKING:
    import duckdb


class Workspace:
    """A folder with datasets/, runs/, searches/ and tmp/; `open` makes what is missing.

    One that may only be looked at (core.data.read_only) stays as it is to the last byte.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.datasets_folder = self.path / "datasets"
        self.runs_folder = self.path / "runs"
        self.searches_folder = self.path / "searches"
        self.tmp_folder = self.path / "tmp"

    @classmethod
    def at(cls, path: Path | str | None = None) -> Self:
        """The workspace at this path, else at RECSCOPE_HOME, else in the user's data folder."""
        chosen = path or os.environ.get("RECSCOPE_HOME") or platformdirs.user_data_dir("recscope")
        return cls(Path(chosen).expanduser().absolute())

    @classmethod
    def open(cls, path: Path | str | None = None) -> Self:
        """The same, made where it is missing, without what killed processes left.

        Raises:
            BadInput: it cannot be made; or it is not there, and may only be looked at.
        """
        workspace = cls.at(path)
        check_there()
        if workspace.read_only:
            return workspace
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
        workspace._sweep_tmp()
        return workspace

    @property
    def read_only(self) -> bool:
        """Whether this process may only look at it."""
        return is_read_only(self.path)

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
        check_writable(self.path, RENAME_DATASET)
        info, name = self.dataset(ref), checked_name(name)
        write_json_atomically(info.folder / "dataset.json", {**info.meta, "name": name})
        return DatasetInfo.read(info.folder)

    def delete_dataset(self, ref: str) -> None:
        """Takes the dataset out of sight at once, then frees its space."""
        self.discard(self.dataset(ref).folder)

    def discard(self, folder: Path) -> None:
        """Takes a folder out of sight in one step, also on a full disk, then frees its space."""
        check_writable(self.path, DELETE)
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
        """A new folder under tmp/, removed at the end, or by `sweep` if this process is killed.

        In the system's folder for such, if the workspace may only be looked at.
        """
        if self.read_only:
            with tempfile.TemporaryDirectory(prefix="recscope-") as elsewhere:
                yield Path(elsewhere)
            return
        self.sweep()
        folder = self.tmp_folder / _temporary_name()
        with writing(folder):
            folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def sweep(self) -> None:
        """Removes what killed processes left half written; what is of living ones stays."""
        self._sweep_tmp()
        for kept in (self.datasets_folder, self.runs_folder, self.searches_folder):
            for half in kept.glob("*/.*.*.*"):  # of core.data.durable
                pid = half.name.split(".")[-2]
                if pid.isdigit() and not psutil.pid_exists(int(pid)):
                    if half.is_dir():  # of core.data.profile.coded
                        shutil.rmtree(half, ignore_errors=True)
                        continue
                    with suppress(OSError):
                        half.unlink()

    def _sweep_tmp(self) -> None:
        for folder in self.tmp_folder.glob("*-*-*"):
            pid, started, _ = folder.name.split("-", 2)
            if pid.isdigit() and started.isdigit() and not is_alive(int(pid), int(started) / 1000):
                shutil.rmtree(folder, ignore_errors=True)


def _temporary_name() -> str:
    """By which `sweep` knows whose it is."""
    started = int(psutil.Process().create_time() * 1000)
    return f"{os.getpid()}-{started}-{uuid4().hex[:8]}"


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
    import duckdb  # a tenth of a second, which a list of runs need not await

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
    # A long list after IN would become a join, and rows come out of a join in no order, while files
    # are read in theirs: DuckDB 2.0.1 gave 2 million rows of a Parquet file in another order.
    con.execute("SET disabled_optimizers = 'in_clause'")
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
    """Makes the views events, items, users and rejected over one dataset; those that it has.

    Without what was rejected, where that is damaged: whoever asks `info.path` for it is told so.
    """
    made = []
    for table in TABLES:
        try:
            path = info.path(table)
        except Corrupt:
            if table != "rejected":
                raise
            continue
        if path:
            con.from_parquet(str(path)).create_view(table, replace=True)
            made.append(table)
    return made
