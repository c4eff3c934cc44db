"""Files that are written whole or not at all, and last: text, JSON, folders; and their hashes."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4


def write_text_atomically(path: Path, text: str) -> None:
    """Replaces the file in one step: a reader sees the old text or the new, also after a crash."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid4().hex[:8]}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_json_atomically(path: Path, obj: Any) -> None:
    """Replaces the file by this object as JSON (indented, UTF-8; NaN is refused)."""
    write_text_atomically(path, json.dumps(obj, ensure_ascii=False, indent=1, allow_nan=False))


def publish(temporary: Path, final: Path) -> bool:
    """Makes a finished folder visible under its final name, durably.

    Returns:
        False if the name is taken: another process published it first. Since the name is a content
        hash, that folder holds the same, and `temporary` is left for the caller to remove.
    """
    for path in sorted(temporary.rglob("*"), reverse=True):
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())
    sync_folder(temporary)
    try:
        temporary.rename(final)
    except OSError:
        if not final.exists():
            raise
        return False
    sync_folder(final.parent)
    return True


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file, in hex; read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in the file; None where there is no file, or something else in it."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):  # not there (yet), or none of ours
        return None
    return content if isinstance(content, dict) else None


def utc_now() -> str:
    """ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
