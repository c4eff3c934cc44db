"""Files come in by their name alone and in blocks."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pytest

from core.data.store import Workspace
from core.errors import BadInput
from dashboard.components.data import upload


class Blocks(io.BytesIO):
    """A file that remembers the most that was read of it at once."""

    most = 0

    def read(self, size: int | None = -1) -> bytes:
        found = super().read(size)
        self.most = max(self.most, len(found))
        return found


def test_an_upload_is_copied_in_blocks(nothing: Workspace) -> None:
    source = Blocks(b"x" * (3 * upload.BLOCK + 1))
    path = upload.spool(nothing, "abc", "log.csv", source)
    assert path.stat().st_size == 3 * upload.BLOCK + 1
    assert source.most <= upload.BLOCK
    assert upload.spool(nothing, "abc", "log.csv", io.BytesIO(b"again")) == path
    assert path.stat().st_size == 3 * upload.BLOCK + 1


@pytest.mark.parametrize("name", ["../../evil.csv", "..\\evil.csv", "/etc/evil.csv"])
@pytest.mark.parametrize("file_id", ["id", "../..", "/"])
def test_an_upload_stays_in_its_folder(nothing: Workspace, name: str, file_id: str) -> None:
    path = upload.spool(nothing, file_id, name, io.BytesIO(b"x"))
    assert path.name == "evil.csv"
    assert path.resolve().parent.parent == (nothing.path / "tmp" / "uploads").resolve()


@pytest.mark.parametrize("name", ["", ".", "..", "a/..", "a\nb.csv", "é" * 101])
def test_a_name_that_is_none_is_refused(nothing: Workspace, name: str) -> None:
    with pytest.raises(BadInput, match="plain name"):
        upload.spool(nothing, "id", name, io.BytesIO(b"x"))


def test_uploads_are_forgotten_and_own_files_are_not(nothing: Workspace, tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_bytes(b"x")
    spooled = upload.spool(nothing, "id", "log.csv", io.BytesIO(b"x"))
    upload.forget(nothing, [own, spooled])
    assert own.exists()
    assert not spooled.exists()
    old, new = (upload.spool(nothing, name, "log.csv", io.BytesIO(b"x")) for name in ("o", "n"))
    then = time.time() - upload.KEEP_S - 60
    os.utime(old.parent, (then, then))
    upload.forget_old(nothing)
    assert not old.exists()
    assert new.exists()
