"""Whatever a file does to its reader, whoever asked lives on and gets one sentence."""

from __future__ import annotations

import threading
from pathlib import Path

import psutil
import pytest

from core.data.ingest.apart import Limits, ingest_apart, preview_apart
from core.data.ingest.ingest import ingest
from core.data.ingest.preview import preview
from core.data.store import Workspace
from core.errors import BadInput, TooLarge, UnknownRole


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "ws")


def log(path: Path, rows: int) -> Path:
    with path.open("w") as file:
        file.write("user_id,item_id,timestamp\n")
        file.writelines(f"u{n % 97},{n % 31},2024-01-{n % 28 + 1:02} 10:00\n" for n in range(rows))
    return path


def test_a_child_says_what_one_would_say_oneself(workspace, tmp_path):
    path = log(tmp_path / "log.csv", 50)
    here = preview(path, workspace=workspace)
    apart = preview_apart(workspace, {"events": [path]}, mapping={})
    assert (apart.mapping, apart.evidence, apart.columns, apart.lines) == (
        *(here.mapping, here.evidence, here.columns, here.lines),
    )
    assert [list(row) for row in apart.rows] == [list(row) for row in here.rows]
    told = []
    info = ingest_apart(
        workspace,
        {"events": [path], "items": []},
        mapping={},
        name="mine",
        progress=lambda *stage: told.append(stage),
    )
    assert info.id == ingest(workspace, path).id
    assert (info.name, info.counts["rows_kept"]) == ("mine", 50)
    assert told[0][0] == "reading"


def test_its_sentences_are_raised_as_they_were(workspace, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("a,b\nx,1\ny,2\n")
    with pytest.raises(UnknownRole, match="no column looks like the user"):
        preview_apart(workspace, {"events": [path]}, mapping={})
    path.write_text("")
    with pytest.raises(BadInput, match="is empty"):
        ingest_apart(workspace, {"events": [path]}, mapping={})


def test_one_that_takes_too_long_is_stopped(workspace, tmp_path):
    path = log(tmp_path / "log.csv", 50)
    with pytest.raises(TooLarge, match=r"log\.csv took longer than 0 s"):
        preview_apart(workspace, {"events": [path]}, mapping={}, limits=Limits(seconds=0.01))


def test_one_that_takes_too_much_memory_ends_in_a_sentence(workspace, tmp_path):
    path = log(tmp_path / "log.csv", 400_000)
    with pytest.raises(BadInput, match=r"log|memory"):
        ingest_apart(workspace, {"events": [path]}, mapping={}, limits=Limits(memory=700 << 20))
    assert not workspace.datasets()
    assert ingest_apart(workspace, {"events": [path]}, mapping={}).counts["rows_kept"] == 400_000


def test_one_that_crashes_ends_in_a_sentence(workspace, tmp_path):
    path = log(tmp_path / "log.csv", 1_000_000)
    stop = threading.Event()

    def crash() -> None:
        while not stop.is_set():
            for child in psutil.Process().children():
                if "core.data.ingest.apart" in " ".join(child.cmdline()):
                    child.send_signal(11)
                    return

    killer = threading.Thread(target=crash)
    killer.start()
    try:
        with pytest.raises(BadInput, match=r"log\.csv cannot be read: .* \(SIGSEGV\)"):
            ingest_apart(workspace, {"events": [path]}, mapping={})
    finally:
        stop.set()
        killer.join()


def test_who_asks_can_stop_it(workspace, tmp_path):
    def cancel(stage: str, share: float | None = None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest_apart(
            workspace, {"events": [log(tmp_path / "log.csv", 50)]}, mapping={}, progress=cancel
        )
    left = [c for c in psutil.Process().children() if "core.data.ingest.apart" in c.cmdline()]
    assert not left
