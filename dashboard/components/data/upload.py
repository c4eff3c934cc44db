"""Files on their way in, spooled to disk in blocks."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import IO

from core.data.store import Workspace
from core.errors import BadInput
from dashboard.uploads import check_uploads, folder_of, received

BLOCK = 1 << 20  # bytes held in memory at once while a file is spooled
KEEP_S = 86_400  # an upload that nobody imported is removed after a day


def spool(workspace: Workspace, file_id: str, name: str, source: IO[bytes]) -> Path:
    """The file on disk, under its own name in a folder of its own; written once.

    Args:
        workspace: Where it is kept until it is imported.
        file_id: What sets this upload apart from others of the same name.
        name: As the browser says; only its last part is used, so it cannot leave the folder.
        source: Read in blocks from its beginning, or the receipt of what lies there already.

    Raises:
        BadInput: the name is none, or the upload is gone.
        ReadOnly: the workspace may only be looked at.
    """
    check_uploads(workspace)
    safe = Path(name.replace("\\", "/")).name
    if not safe or safe in (".", "..") or not safe.isprintable() or len(safe.encode()) > 200:
        raise BadInput(f"a file needs a plain name of at most 200 bytes, not {name[:60]!r}")
    folder = folder_of(workspace, file_id)
    path = folder / safe
    if path.exists():
        return path
    if came := received(workspace, source):
        if not came.exists():
            raise BadInput(f"{safe} was uploaded more than a day ago: upload it again")
        came.replace(path)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        source.seek(0)
        part = path.with_name(f".{safe}.part")
        with part.open("wb") as file:
            shutil.copyfileobj(source, file, BLOCK)
        part.replace(path)
    return path


def forget_old(workspace: Workspace) -> None:
    """Removes uploads that nobody imported within a day."""
    for folder in _folder(workspace).glob("*"):
        if time.time() - folder.stat().st_mtime > KEEP_S:
            shutil.rmtree(folder, ignore_errors=True)


def forget(workspace: Workspace, paths: list[Path]) -> None:
    """Removes spooled files after their import; files elsewhere are a person's own and stay."""
    for path in paths:
        if path.is_relative_to(_folder(workspace)):
            shutil.rmtree(path.parent, ignore_errors=True)


def _folder(workspace: Workspace) -> Path:
    check_uploads(workspace)
    folder = workspace.path / "tmp" / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
