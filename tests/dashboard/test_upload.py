"""Files come in by their name alone, in blocks, and only from where they may."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pytest

from core.data.store import Workspace
from core.errors import BadInput, NotFound
from dashboard.components import upload


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


def test_only_allowed_folders_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder in (root, outside):
        folder.mkdir()
        (folder / "log.csv").write_text("x")
    (root / "link.csv").symlink_to(outside / "log.csv")
    monkeypatch.delenv("RECSCOPE_DATA_ROOT", raising=False)
    sample = upload.SAMPLES / "movielens-latest-small" / "ratings.csv"
    assert upload.server_path("movielens-latest-small/ratings.csv") == sample
    with pytest.raises(NotFound, match="RECSCOPE_DATA_ROOT"):
        upload.server_path(str(root / "log.csv"))
    monkeypatch.setenv("RECSCOPE_DATA_ROOT", str(root))
    assert upload.server_path(str(root / "log.csv")) == (root / "log.csv").resolve()
    assert upload.server_path(" log.csv ") == (root / "log.csv").resolve()
    for written in ("../outside/log.csv", str(outside / "log.csv"), "link.csv", "none.csv", "."):
        with pytest.raises(NotFound):
            upload.server_path(written)
