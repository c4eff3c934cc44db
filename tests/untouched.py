"""A folder that must stay as it is to the last byte, and in which nothing may even be tried."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# The events of Python's that change files, and which of their arguments are paths.
CHANGES = {
    **dict.fromkeys(("os.mkdir", "os.remove", "os.rmdir", "os.truncate"), (0,)),
    **dict.fromkeys(("os.chmod", "os.chown", "os.utime", "os.setxattr"), (0,)),
    **{"os.rename": (0, 1), "os.link": (0, 1), "os.symlink": (1,), "shutil.rmtree": (0,)},
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_watched: list[tuple[str, list[str]]] = []  # folders that are watched now, and what was tried there


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watched or (event != "open" and event not in CHANGES):
        return
    if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & _WRITES):
        return
    paths = [arguments[n] for n in CHANGES.get(event, (0,))]
    for folder, tried in _watched:
        for path in paths:
            if not isinstance(path, int) and _inside(os.fsdecode(path), folder):
                tried.append(f"{event} {os.fsdecode(path)}")


def _inside(path: str, folder: str) -> bool:
    return Path(path).absolute().is_relative_to(folder)


sys.addaudithook(_hook)  # none can be taken away again, so there is one for all tests


def tree(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Each path in the folder → its mode, its time of change, the SHA-256 of what it holds."""
    return {
        str(path): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in (folder, *sorted(folder.rglob("*")))
    }


@contextmanager
def untouched(folder: Path) -> Iterator[None]:
    """Fails if anything in the folder is another afterwards, or Python opened it to be written.

    What DuckDB, Arrow and safetensors write by themselves no hook sees: the files show it.
    """
    before, tried = tree(folder), list[str]()
    _watched.append((str(folder.absolute()), tried))
    try:
        yield
    finally:
        _watched.pop()
    assert not tried, tried
    assert tree(folder) == before
