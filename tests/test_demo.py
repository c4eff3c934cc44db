from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from core import demo, jobs, pipeline
from core.data.durable import read_json, write_json_atomically
from core.data.store import Workspace
from core.runs import artifact

pytestmark = pytest.mark.slow  # together too many for `make quick`


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


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, str]:
    """What is there at the moment the server of `recscope demo` first answers, and what it said."""
    folder = tmp_path_factory.mktemp("demo")
    workspace = Workspace.open(folder / "work")
    port = free_port()
    command = [sys.executable, "-m", "core.cli", "demo", "--port", str(port)]
    env = {**os.environ, "RECSCOPE_HOME": str(workspace.path)}
    env.pop("DISPLAY", None)  # opens no browser
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        try:
            began = time.monotonic()
            while not answers(port):
                assert server.poll() is None, (folder / "log").read_text()
                assert time.monotonic() - began < 240  # a busy machine is slower
                time.sleep(0.1)
            prepared = demo.is_prepared(workspace)
        finally:
            server.terminate()
            server.wait()
    assert prepared
    return workspace, (folder / "log").read_text()


def test_all_of_the_demo_is_there_before_the_first_page(shown: tuple[Workspace, str]) -> None:
    workspace, said = shown
    assert not jobs.active(workspace)
    runs = artifact.list_runs(workspace)
    there = {(run.dataset_name, run.config.model) for run in runs if run.metrics}
    assert there == {(name, model) for name, models in demo.STEPS for model in models}
    for run in runs:
        artifact.verify(run)
    assert runs[0].dataset_name == demo.MAPPED  # whose dataset the first page shows
    assert len(pipeline.recommend(workspace, runs[0], users=[1], k=5)) == 5
    for name, models in demo.STEPS:
        assert f"reading {name}" in said
        assert all(f"training {model} on {name}" in said for model in models)
    assert said.index("drawing the map") < said.index("http://127.0.0.1")


def test_the_run_that_the_first_page_shows_has_its_map(shown: tuple[Workspace, str]) -> None:
    from dashboard.components.comparison import leader
    from dashboard.map.layouts import made_before

    workspace, _ = shown
    runs = [run for run in artifact.list_runs(workspace) if run.dataset_name == demo.MAPPED]
    best = leader(runs)
    assert best
    assert made_before(pipeline.load_run(workspace, best)) is not None


def test_a_second_start_does_nothing_new(shown: tuple[Workspace, str]) -> None:
    workspace, _ = shown
    before = times(workspace)
    told: list[str] = []
    demo.prepare(workspace, lambda stage, share: told.append(stage))
    assert not told
    assert times(workspace) == before


def test_runs_of_other_code_do_not_count(shown: tuple[Workspace, str]) -> None:
    workspace, _ = shown
    path = artifact.list_runs(workspace)[0].folder / "run.json"
    written = read_json(path)
    assert written
    try:
        write_json_atomically(path, {**written, "code_version": "0.1.0+000000000000"})
        assert not demo.is_prepared(workspace)
    finally:
        write_json_atomically(path, written)
    assert demo.is_prepared(workspace)


def times(workspace: Workspace) -> dict[str, int]:
    files = (path for path in workspace.path.rglob("*") if path.is_file())
    return {str(path): path.stat().st_mtime_ns for path in files if not path.name.startswith(".")}
