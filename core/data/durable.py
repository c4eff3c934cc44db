"""Files that are written whole or not at all, and last: text, JSON, folders; and their hashes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from core.data.limits import writing
from core.errors import Corrupt

CHECKSUM = "checksum"  # the entry of a JSON file that tells whether the others are as written
_PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # nothing is wrong with the file itself


def write_text_atomically(path: Path, text: str) -> None:
    """Replaces the file in one step: a reader sees the old text or the new, also after a crash.

    Raises:
        BadInput: there is no room for it, or it may not be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid4().hex[:8]}")
    content = text.encode()
    with writing(path, len(content)):
        try:
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        sync_folder(path.parent)


def write_json_atomically(path: Path, obj: Mapping[str, Any], *, sealed: bool = True) -> None:
    """Replaces the file by this object as JSON (indented, UTF-8; NaN is refused).

    Args:
        path: The file.
        obj: What it is to say.
        sealed: Add a checksum, by which `read_object` knows a changed byte. Without, it is for
            others to read.
    """
    content: Mapping[str, Any] = obj
    if sealed:
        kept = json.loads(json.dumps({k: v for k, v in obj.items() if k != CHECKSUM}))
        content = {**kept, CHECKSUM: _checksum(kept)}  # of what JSON keeps, as it is read again
    write_text_atomically(path, json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False))


def publish(temporary: Path, final: Path) -> bool:
    """Makes a finished folder visible under its final name, durably.

    Returns:
        False if the name is taken: another process published it first. Since the name is a content
        hash, that folder holds the same, and `temporary` is left for the caller to remove.
    """
    with writing(final):
        for path in sorted(temporary.rglob("*"), reverse=True):
            if path.is_dir():
                sync_folder(path)
            else:
                sync_file(path)
        sync_folder(temporary)
        try:
            temporary.rename(final)
        except OSError:
            if not final.exists():
                raise
            return False
        sync_folder(final.parent)
    return True


def sync_file(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


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


def read_object(path: Path, newest: int = 1) -> dict[str, Any] | None:
    """The object in a JSON file of ours, without its checksum; None where there is no file.

    Args:
        path: The file.
        newest: The latest schema_version that is understood.

    Raises:
        Corrupt: what is there is not what was written, or a newer Recscope wrote it.
    """
    try:
        content = json.loads(path.read_bytes() or "null")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError:
        raise Corrupt(f"{path} is a folder where a file should be") from None
    except OSError as error:
        if error.errno in _PASSING:
            raise
        raise Corrupt(f"{path} cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise Corrupt(f"{path} is damaged or cut short: it is no JSON") from None
    if content is None:
        raise Corrupt(f"{path} is empty")
    if not isinstance(content, dict):
        raise Corrupt(f"{path} holds a {type(content).__name__} where an object should be")
    version = content.get("schema_version", 1)
    if isinstance(version, int) and version > newest:
        raise Corrupt(
            f"{path} was made by a newer Recscope (schema version {version}, this one reads up to "
            f"{newest}): install that one"
        )
    if content.pop(CHECKSUM, None) not in (None, _checksum(content)):
        raise Corrupt(f"{path} is not what was written: its checksum differs")
    return content


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in the file; None where there is no file, or something else in it."""
    try:
        return read_object(path)
    except Corrupt:  # none of ours
        return None


def check_entries(path: Path, content: Mapping[str, Any], kinds: Mapping[str, Any]) -> None:
    """Raises Corrupt unless these entries of a JSON file are there, and of these kinds."""
    for name, kind in kinds.items():
        if name not in content:
            raise Corrupt(f"{path} says no {name}")
        if not isinstance(content[name], kind):
            raise Corrupt(f"{path} says {str(content[name])[:40]!r} as its {name}")


def known_entries(kind: Any, content: Mapping[str, Any]) -> dict[str, Any]:
    """The entries that this dataclass has; others are of a later version of it."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in content.items() if name in names}


def _checksum(content: Mapping[str, Any]) -> str:
    """16 hex digits of all other entries as JSON has them, in whatever order."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


_as_written: dict[tuple[str, str], tuple[int, ...]] = {}


def verify_once(path: Path, expected: str, of: str, advice: str) -> None:
    """Checks a file against its SHA-256; again in this process only if the file changed since.

    Args:
        path: The file.
        expected: The SHA-256 of what was written, in hex.
        of: What it is a file of, such as "dataset shop (1f…)".
        advice: What to do if it is not what was written.

    Raises:
        Corrupt: it is gone, or not what was written.
    """
    try:
        stat = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise Corrupt(f"{of} has lost its {path.name}: {advice}") from None
    now = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    if _as_written.get((str(path), expected)) == now:
        return
    if path.is_dir():
        raise Corrupt(f"{path} is a folder where a file should be: {advice}")
    found = sha256_file(path)
    if found != expected:
        raise Corrupt(
            f"{path} is not what was written (sha256 {found[:12]}…, not {expected[:12]}…): {advice}"
        )
    _as_written[str(path), expected] = now


def utc_now() -> str:
    """ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
