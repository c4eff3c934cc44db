"""kill -9 of commands, of the server with jobs under way, and of a job: nothing is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # together too many for `make quick`

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "kill.py"


def killed(what: str) -> dict[str, int]:
    """The counts of two kills."""
    command = [sys.executable, str(SCRIPT), "--n", "2", "--what", what]
    env = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    name, _, figures = done.stdout.splitlines()[-1].partition(" ")
    assert name == what
    return json.loads(figures)


@pytest.mark.timeout(900)
def test_the_server_is_killed_with_jobs_under_way():
    counts = killed("server")
    assert counts["killed"] == 2
    assert counts["jobs"] >= 2, "nothing was under way"
    assert counts["went_on"] + counts["job_killed"] == counts["jobs"]
    assert (counts["lost"], counts["half"], counts["left"]) == (0, 0, 0)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("command", ["ingest", "train"])
def test_a_command_is_killed(command):
    counts = killed(command)
    assert (counts["lost"], counts["half"], counts["left"]) == (0, 0, 0)
