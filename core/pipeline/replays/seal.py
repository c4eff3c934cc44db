"""Who vouches for an exported explanation: a seal under a key that never leaves the workspace.

A checksum can be made anew by whoever changes a file, so it tells of damage alone. The HMAC of a
file can only be made with the key of the workspace that wrote it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from core.data.durable import sync_folder, write_text_atomically
from core.data.store import Workspace
from core.errors import BadInput, Corrupt
from core.runs.artifact import Run

KEY_FILE = "seal.key"  # in the workspace
SEALED_BY = "sealed_by"  # in a run: the name of the key of the workspace that first sealed for it
KEY_BYTES = 32
HMAC, SHA256 = "hmac-sha256", "sha256"  # kinds of seals
_NAME, _DIGEST = re.compile("[0-9a-f]{16}"), re.compile("[0-9a-f]{64}")


class Verdict(StrEnum):
    """What a seal says of a file."""

    SEALED = "sealed"  # by this workspace: nothing in it was changed
    CHECKSUM = "checksum"  # whole, but anybody could have made the seal
    UNKNOWN_KEY = "key not here"  # by a workspace whose key is not here: it says nothing
    FOREIGN = "not of this workspace"  # which has a key, but did not seal this
    CHANGED = "changed"  # since it was sealed


@dataclass(frozen=True)
class SealKey:
    """The key of a workspace."""

    secret: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """What tells it from others and gives nothing of it away: 16 hex of its sha256."""
        return hashlib.sha256(self.secret).hexdigest()[:16]

    def value(self, text: bytes) -> str:
        """The HMAC-SHA256 of what a document says (`canonical`), in hex."""
        return hmac.new(self.secret, text, hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Seal:
    """The seal of a document, of all else that it says."""

    kind: str  # HMAC or SHA256
    key: str | None  # the name of the key; None for a checksum
    value: str  # hex

    @classmethod
    def of(cls, text: bytes, key: SealKey | None) -> Seal:
        """Of what a document says (`canonical`), by this key; a checksum where there is none."""
        if key is None:
            return cls(SHA256, None, checksum(text))
        return cls(HMAC, key.name, key.value(text))

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Seal:
        """Raises ValueError, TypeError or KeyError where a seal is not written so."""
        if set(said) != {"kind", "key", "value"} or not _DIGEST.fullmatch(said["value"]):
            raise ValueError
        named = said["kind"] == HMAC and _NAME.fullmatch(said["key"])
        if not named and (said["kind"], said["key"]) != (SHA256, None):
            raise ValueError
        return cls(**said)

    def to_json(self) -> dict[str, str | None]:
        return {"kind": self.kind, "key": self.key, "value": self.value}

    def verdict(self, text: bytes, key: SealKey | None) -> Verdict:
        """What it says of a document (`canonical`) in a workspace with this key, or without any."""
        if self.kind == SHA256:
            if not hmac.compare_digest(self.value, checksum(text)):
                return Verdict.CHANGED
            return Verdict.CHECKSUM if key is None else Verdict.FOREIGN
        if key is None:
            return Verdict.UNKNOWN_KEY
        if self.key != key.name:
            return Verdict.FOREIGN
        same = hmac.compare_digest(self.value, key.value(text))
        return Verdict.SEALED if same else Verdict.CHANGED


def canonical(content: Mapping[str, Any]) -> bytes:
    """What a document says, however it is laid out: JSON, names sorted, no blanks, UTF-8."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def checksum(text: bytes) -> str:
    """The sha256 of what a document says (`canonical`), in hex."""
    return hashlib.sha256(text).hexdigest()


def workspace_key(workspace: Workspace) -> SealKey | None:
    """The workspace's key, or None before its first export.

    Raises:
        Corrupt: what lies there is no key, or cannot be read.
    """
    path = workspace.path / KEY_FILE
    try:
        with path.open("rb") as file:
            secret = file.read(KEY_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Corrupt(
            f"{path} cannot be read ({error.strerror}): it is the key that seals what is exported "
            "here, so make it a file that you may read"
        ) from None
    if len(secret) != KEY_BYTES:
        size = f"{len(secret)}" if len(secret) < KEY_BYTES else f"more than {KEY_BYTES}"
        raise Corrupt(
            f"{path} has {size} bytes where a key has {KEY_BYTES}: put back what was there, or "
            "delete it, and what it sealed is no longer known as this workspace's"
        )
    return SealKey(secret)


def key_to_seal_with(workspace: Workspace) -> SealKey | None:
    """The workspace's key, made if there is none; None where it may not be written.

    Raises:
        Corrupt: what lies there is no key.
    """
    key = workspace_key(workspace)
    if key is None and not workspace.read_only:
        with suppress(BadInput, OSError):  # no room, no permission, no links: a checksum then
            _make_key(workspace)
        key = workspace_key(workspace)
    return key


def _make_key(workspace: Workspace) -> None:
    """Whole or not there, for the owner's eyes alone; of several makers at once the first wins."""
    final = workspace.path / KEY_FILE
    with workspace.scratch() as folder:
        path = folder / KEY_FILE
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            final.hardlink_to(path)
        sync_folder(final.parent)


def remember_sealing(run: Run, key: SealKey) -> None:
    """Leaves in the run which key seals its explanations, so that a copy elsewhere says so."""
    path = run.folder / SEALED_BY
    with suppress(BadInput, OSError):
        if not path.exists():
            write_text_atomically(path, key.name)


def is_own(run: Run, key: SealKey) -> bool:
    """Whether explanations of this run are sealed here; not if it came from another workspace."""
    path: Path = run.folder / SEALED_BY
    try:
        return path.read_text("utf-8").strip() == key.name
    except (OSError, ValueError):  # none was sealed yet
        return True
