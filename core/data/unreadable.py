"""What lies in a workspace and cannot be used: told, and never in the way of the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from core.errors import Corrupt

T = TypeVar("T")


@dataclass(frozen=True)
class Unreadable:
    """A dataset, run or search that cannot be used as it lies there."""

    kind: str  # dataset, run or search
    id: str  # the name of its folder
    folder: Path
    problem: str  # a sentence: which file, what is wrong with it, what to do

    def to_json(self) -> dict[str, str]:
        """As `recscope datasets --json` and `recscope runs --json` say it."""
        return {
            "kind": self.kind,
            "id": self.id,
            "folder": str(self.folder),
            "problem": self.problem,
        }


def read_all(
    kind: str, folders: Iterable[Path], read: Callable[[Path], T | None]
) -> tuple[list[T], list[Unreadable]]:
    """What can be read of these folders, and what cannot.

    Args:
        kind: What lies in them: dataset, run or search.
        folders: Where.
        read: Reads one; None if there is nothing in it, Corrupt if it cannot be used.
    """
    readable, unreadable = [], []
    for folder in folders:
        try:
            if (one := read(folder)) is not None:
                readable.append(one)
        except Corrupt as error:
            if folder.exists():  # else it was deleted just now
                unreadable.append(Unreadable(kind, folder.name, folder, str(error)))
    return readable, unreadable
