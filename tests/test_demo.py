from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request

import psutil
import pytest

from core import demo, jobs, pipeline
from core.data.store import Workspace
from core.runs import artifact

pytestmark = pytest.mark.slow  # together too many for `make quick`

SHOWS_WITHIN_S = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5) as page:
            return bool(page.status == 200)
    except OSError:
        return False


@pytest.mark.slow
def test_the_demo_shows_real_content_soon(tmp_path):
    """Data, a model and one person's recommendations; what takes longer is seen to be under way."""
    port, workspace = free_port(), Workspace.open(tmp_path)
    command = [sys.executable, "-m", "core.cli", "demo", "--port", str(port)]
    env = {**os.environ, "RECSCOPE_HOME": str(tmp_path)}
    env.pop("DISPLAY", None)  # opens no browser
    began = time.monotonic()
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        try:
            while not (answers(port) and artifact.list_runs(workspace)):
                assert server.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() - began < 5 * SHOWS_WITHIN_S  # a busy machine is slower
                time.sleep(0.1)
            run = artifact.list_runs(workspace)[-1]
            assert run.dataset_name == "movielens"
            assert len(pipeline.recommend(workspace, run, users=[1], k=5)) == 5
            while not any(s.model not in demo.AT_ONCE for s in jobs.active(workspace)):
                assert time.monotonic() - began < 120
                time.sleep(0.1)
        finally:
            server.terminate()
            server.wait()
            stop_everything(workspace)


def stop_everything(workspace: Workspace) -> None:
    """Who prepares ends with the server; the jobs do not."""
    began = time.monotonic()
    while preparing(workspace):
        assert time.monotonic() - began < 10
        time.sleep(0.1)
    for status in jobs.active(workspace):
        jobs.cancel(workspace, status.run_id)
    assert not jobs.active(workspace)


def preparing(workspace: Workspace) -> bool:
    commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return any("core.demo" in words and str(workspace.path) in words for words in commands)


def test_a_second_start_does_nothing_new(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "AS_JOBS", {"movielens": ("recent_popularity",), "online-retail": ()})
    monkeypatch.setattr(demo, "SLOW", ())
    workspace = Workspace.open(tmp_path)
    demo.prepare(workspace)
    while not all(ended(status) for status in jobs.statuses(workspace)):
        time.sleep(0.1)
    assert {info.name for info in workspace.datasets()} == {"movielens", "online-retail"}
    runs = artifact.list_runs(workspace)
    assert {run.config.model for run in runs} == {"popularity", "transitions", "recent_popularity"}
    assert all(run.metrics for run in runs)
    before = times(workspace)
    demo.prepare(workspace)
    assert jobs.active(workspace) == []
    assert times(workspace) == before


def ended(status: jobs.Status) -> bool:
    """Also the process, which still prints its table to the log after it has said so."""
    return not status.active and not (status.pid and psutil.pid_exists(status.pid))


def times(workspace: Workspace) -> dict[str, int]:
    files = (path for path in workspace.path.rglob("*") if path.is_file())
    return {str(path): path.stat().st_mtime_ns for path in files if not path.name.startswith(".")}
