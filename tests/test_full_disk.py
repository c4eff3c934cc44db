"""No room, no permission, too many files: one sentence, nothing half done, all to be repeated."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # together too many for `make quick`

SCRIPT = Path(__file__).parent / "write_faults.py"
ROOT = SCRIPT.parent.parent
COMMANDS = (
    *("ingest", "train", "tune", "evaluate", "embed", "explain", "export-dataset"),
    *("delete", "rename", "archive"),
)
SHARES = {"train": 0.12, "tune": 0.06, "ingest": 0.3}  # of the points, that each is looked at
MAY_MOUNT = (
    sys.platform == "linux"
    and subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False
    ).returncode
    == 0
)
mounts = pytest.mark.skipif(not MAY_MOUNT, reason="no disk can be mounted here")


def points(*words: str, mounting: bool = False) -> list[dict[str, Any]]:
    command = ["unshare", "-rm"] * mounting + [sys.executable, str(SCRIPT), *words]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    known, *looked_at = [json.loads(line) for line in done.stdout.splitlines()]
    assert known["undisturbed"]["code"] == 0, known
    for point in looked_at:
        judge(known, point)
    return looked_at


def judge(known: dict[str, Any], point: dict[str, Any]) -> None:
    first, final = point["first"], known["undisturbed"]["seen"]
    assert first["code"] in (0, 2), point
    assert "a bug" not in first["err"], point
    assert "Traceback" not in first["err"], point
    if first["code"]:
        assert first["err"].splitlines()[-1].startswith("recscope: "), point
    assert point["after"] in (known["before"], final), point  # all of it or nothing
    assert point["again"]["code"] == 0 or point["after"] == final, point
    assert point["again"]["seen"] == final, point
    assert point["again"]["left"] == [], point


@pytest.mark.timeout(900)
@pytest.mark.parametrize("command", COMMANDS)
def test_any_write_may_fail(command, tmp_path):
    looked_at = points(str(tmp_path), command, str(SHARES.get(command, 0.5)))
    assert any(point["first"]["code"] == 2 for point in looked_at)


@mounts
@pytest.mark.timeout(900)
@pytest.mark.parametrize("command", ["ingest", "train", "delete"])
def test_a_disk_that_is_full(command, tmp_path):
    rooms = ("0", "4096", "16384", "65536")
    looked_at = points("room", str(tmp_path), command, *rooms, mounting=True)
    full = [point for point in looked_at if "the disk is full" in point["first"]["err"]]
    assert bool(full) is (command != "delete"), looked_at  # to delete makes room


@mounts
@pytest.mark.parametrize("command", ["ingest", "train", "evaluate", "delete", "rename"])
def test_a_folder_that_is_read_only(command, tmp_path):
    (point,) = points("read-only", str(tmp_path), command, mounting=True)
    assert point["first"]["code"] == 2
    assert "read only" in point["first"]["err"] or "cannot be made" in point["first"]["err"]
