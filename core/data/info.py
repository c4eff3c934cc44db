"""One dataset version: where it lies, what its dataset.json says, its tables as written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypedDict

from core.data.durable import check_entries, read_object, verify_once
from core.data.limits import writing
from core.data.read_only import ARCHIVE, check_writable
from core.errors import Corrupt

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


def is_archived(folder: Path) -> bool:
    """Whether the dataset, run or search in this folder is kept, but left out of lists."""
    return (folder / ARCHIVED).exists()


def archive(folder: Path, *, undo: bool = False) -> None:
    """Leaves what is in this folder out of lists, or lists it again; it stays as it is."""
    check_writable(folder, ARCHIVE)
    with writing(folder):
        if undo:
            (folder / ARCHIVED).unlink(missing_ok=True)
        else:
            (folder / ARCHIVED).touch()
