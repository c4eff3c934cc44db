"""kill -9 at every file operation and at many moments; a reader beside a writer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core import jobs, pipeline
from core.data import dataset
from core.data.durable import sha256_file
from core.data.store import Workspace
from core.runs import artifact

pytestmark = pytest.mark.slow  # together too many for `make quick`

SCRIPT = Path(__file__).parent / "crash_points.py"
ROOT = SCRIPT.parent.parent


@pytest.mark.slow
@pytest.mark.timeout(900)  # about a minute each on two idle cores
@pytest.mark.parametrize("action", ["ingest", "train"])
def test_kill_9_anywhere_loses_nothing_and_shows_nothing_half_done(action, tmp_path):
    command = [sys.executable, str(SCRIPT), str(tmp_path), action]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    known, *points = [json.loads(line) for line in done.stdout.splitlines()]
    killed = [point for point in points if point["status"] == -9]
    assert len(killed) >= 40
    assert known["before"].items() < known["made"].items()
    for point in points:
        at = (point["point"], point["name"])
        assert point["intact"], at  # every byte of what was there before
        assert point["after"] in (known["before"], known["made"]), at  # all of it or nothing
        assert point["again"] == known["made"], at  # the same command then succeeds
        assert point["left"] == [], at  # and clears up
        assert not {"running", "queued"} & set(point["states"]), at
    seen_half_way = [point["after"] == known["before"] for point in killed]
    assert any(seen_half_way)
    if action == "train":
        assert any("killed" in point["states"] for point in killed)


WRITER = """
import sys
from pathlib import Path
from core import cli
home, folder = sys.argv[1], Path(sys.argv[2])
for n in range(6):
    log = folder / f"log{n}.csv"
    rows = [
        f"{user},{(user * 7 + step * step + n) % 13},{1600000000 + 50 * step}"
        for user in range(40)
        for step in range(6)
    ]
    log.write_text("user_id,item_id,timestamp\\n" + "\\n".join(rows))
    for words in (
        ["ingest", str(log), "--name", f"log{n}"],
        ["train", f"log{n}", "--model", "item_knn", "--device", "cpu", "--evaluate"],
    ):
        assert cli.main([*words, "--data-dir", home]) == 0
"""


def test_one_process_reads_while_another_writes(tmp_path):
    workspace = Workspace.open(tmp_path / "home")
    command = [sys.executable, "-c", WRITER, str(workspace.path), str(tmp_path)]
    log = tmp_path / "writer.txt"
    rounds, seen = 0, {read_newest(workspace)}
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as writer:
        while writer.poll() is None:
            seen.add(read_newest(workspace))
            rounds += 1
    assert writer.returncode == 0, log.read_text()
    assert read_newest(workspace) == (6, 6)
    assert rounds > 10
    assert len(seen) > 4  # it was read half way


def read_newest(workspace: Workspace) -> tuple[int, int]:
    """How many datasets and runs there are; the newest are whole and can be used."""
    infos, runs = workspace.datasets(), artifact.list_runs(workspace)
    for info in infos[:2]:
        assert len(dataset.load(info).interactions) == 240
        assert sha256_file(info.folder / "events.parquet") == info.meta["sha256"]["events.parquet"]
    for run in runs[:2]:
        assert len(pipeline.recommend(workspace, run, users=[1, 2], k=3)) == 6
        assert run.metrics is None or run.metrics.users == 40
    for status in jobs.statuses(workspace):
        assert status.state in ("queued", "running", "done")
    return len(infos), len(runs)
