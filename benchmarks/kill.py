"""kill -9, N times: is anything lost, half done or left over? `python benchmarks/kill.py [--n 10]`.

Killed are `recscope ingest` and `recscope train` at any moment, and the server in the middle of
jobs that were started on its page, together with the job at work or alone. After each the workspace
is looked at, and the same is asked again. Printed is, for each, how often it was killed before its
end, and how often something that had been there was lost, was half done, or was left behind.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from core import jobs, pipeline
from core.data import dataset
from core.data.store import Workspace
from core.runs import artifact

ROOT = Path(__file__).resolve().parents[1]
PATIENCE_S = 180.0
WORDS = {
    "ingest": ["ingest", "{folder}/new.csv", "--name", "new"],
    "train": ["train", "log", "--model", "item_knn", "--device", "cpu", "--evaluate"],
}


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def recscope(home: Path, words: list[str], kill_after_s: float | None = None) -> int:
    """The command's exit code; -9 if it was killed."""
    command = [sys.executable, "-m", "core.cli", *words, "--data-dir", str(home)]
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            return process.wait(PATIENCE_S if kill_after_s is None else kill_after_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def prepare(folder: Path) -> Path:
    """A workspace with a dataset and a run, and a file that is not in it yet."""
    for name, users in (("log", 300), ("new", 400)):
        rows = [
            f"{user},{(user * 7 + step * step) % 50},{1_600_000_000 + 1000 * step + user}"
            for user in range(users)
            for step in range(4 + user % 9)
        ]
        (folder / f"{name}.csv").write_text("user_id,item_id,timestamp\n" + "\n".join(rows) + "\n")
    home = folder / "home"
    assert recscope(home, ["ingest", str(folder / "log.csv")]) == 0
    assert recscope(home, ["train", "log", "--model", "transitions", "--device", "cpu"]) == 0
    return home


def seen(workspace: Workspace) -> set[str]:
    """All that can be seen; every bit of it is whole, or this fails."""
    for info in workspace.datasets():
        assert len(dataset.load(info).interactions) == info.counts["rows_kept"]
    for run in artifact.list_runs(workspace):
        assert len(pipeline.recommend(workspace, run, users=[1], k=2)) == 2
    infos, runs = workspace.datasets(), artifact.list_runs(workspace)
    return {info.id for info in infos} | {run.id for run in runs}


def left_over(workspace: Workspace) -> int:
    """What a killed process left and the next command does not remove."""
    workspace.sweep()
    return len([*workspace.tmp_folder.iterdir(), *workspace.path.glob("*/*/.*.*.*")])


def kill_command(folder: Path, home: Path, what: str, n: int, rng: random.Random) -> Counter[str]:
    """The command, killed n times, each time in a workspace in which it has something to do."""
    words = [word.replace("{folder}", str(folder)) for word in WORDS[what]]
    workspace, counts = Workspace.open(home), Counter[str](killed=0, lost=0, half=0, left=0)
    before = seen(workspace)
    began = time.perf_counter()
    assert recscope(home, words) == 0
    seconds = time.perf_counter() - began
    complete = seen(workspace)
    for _ in range(n):
        for info in workspace.datasets():
            if info.id not in before:
                workspace.delete_dataset(info.id)
        for run in artifact.list_runs(workspace):
            if run.id not in before:
                artifact.delete_run(workspace, run.id)
        code = recscope(home, words, seconds * rng.uniform(0.3, 1.0))
        counts["killed"] += code == -signal.SIGKILL
        _judge(workspace, before, complete, counts)
        assert recscope(home, words) == 0
        counts["lost"] += not complete <= seen(workspace)
    return counts


def _judge(
    workspace: Workspace, before: set[str], complete: set[str], counts: Counter[str]
) -> None:
    try:
        now = seen(workspace)
    except Exception:  # whatever it is, something that can be seen cannot be used
        counts["half"] += 1
        return
    counts["lost"] += not before <= now
    counts["half"] += not now <= complete
    counts["left"] += left_over(workspace)


@contextmanager
def server(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The workbench as `recscope serve` runs it, once it answers; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "dashboard", "--port", str(port), "--data-dir", str(home)]
    env = {**environment(), "RECSCOPE_HOME": str(home)}
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=env, stdout=quiet, stderr=quiet) as process:
        try:
            deadline = time.monotonic() + PATIENCE_S
            while True:
                assert process.poll() is None, "the server ended"
                assert time.monotonic() < deadline, "the server does not answer"
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield process, port
        finally:
            process.kill()


async def press(port: int, page: str, label: str | None = None) -> list[str]:
    """Opens a page as a browser does, presses a button of it; the texts that it showed."""
    connection = await websocket_connect(
        HTTPRequest(f"ws://127.0.0.1:{port}/_stcore/stream"), subprotocols=["streamlit"]
    )
    texts, buttons, page_hash = await _run(connection, BackMsg(), page, "")
    if label is not None:
        ident = next(i for name, i in buttons.items() if name.startswith(label))
        again = BackMsg()
        state = again.rerun_script.widget_states.widgets.add()
        state.id, state.trigger_value = ident, True
        texts, _, _ = await _run(connection, again, page, page_hash)
    connection.close()
    while await connection.read_message() is not None:
        continue
    return texts


async def _run(
    connection: Any, message: BackMsg, page: str, page_hash: str
) -> tuple[list[str], dict[str, str], str]:
    """One run of the script: the texts, the buttons' ids by their labels, the page."""
    message.rerun_script.query_string = ""
    message.rerun_script.page_name = page
    message.rerun_script.page_script_hash = page_hash
    await connection.write_message(message.SerializeToString(), binary=True)
    texts: list[str] = []
    buttons: dict[str, str] = {}
    while True:
        raw = await asyncio.wait_for(connection.read_message(), PATIENCE_S)
        forward = ForwardMsg()
        forward.ParseFromString(raw)
        kind = forward.WhichOneof("type")
        if kind == "navigation":
            page_hash = forward.navigation.page_script_hash
        elif kind == "delta":
            element = forward.delta.new_element
            shown = element.WhichOneof("type")
            if shown == "button":
                buttons[element.button.label] = element.button.id
            elif shown == "heading" or shown == "markdown":
                texts.append(getattr(element, shown).body)
        elif kind == "script_finished":
            return texts, buttons, page_hash


def kill_server(folder: Path, home: Path, n: int, rng: random.Random) -> Counter[str]:
    """The server, killed n times in the middle of jobs that were started on its Train page."""
    workspace = Workspace.open(home)
    counts = Counter[str](killed=0, jobs=0, lost=0, half=0, left=0, went_on=0, job_killed=0)
    for run in artifact.list_runs(workspace):
        if run.config.model != "transitions":
            artifact.delete_run(workspace, run.id)
    before = seen(workspace)
    for place in range(n):
        with server(home) as (process, port):
            asyncio.run(press(port, "train", "Train "))
            started = {status.run_id for status in jobs.active(workspace)}
            counts["jobs"] += len(started)
            time.sleep(rng.uniform(0.0, 2.0))
            process.kill()
            counts["killed"] += process.wait() == -signal.SIGKILL
            if place % 2:
                counts["job_killed"] += _kill_a_job(workspace)
        _wait(workspace)
        states = {status.run_id: status.state for status in jobs.statuses(workspace)}
        counts["lost"] += len(started - set(states))
        counts["went_on"] += sum(states.get(one) == "done" for one in started)
        with server(home) as (_, port):  # what was killed is started again on the page
            texts = asyncio.run(press(port, "train", "Train "))
            counts["half"] += not texts
            _wait(workspace)
        ended = {status.state for status in jobs.statuses(workspace)}
        counts["half"] += ended != {"done"}
        _judge(workspace, before, seen(workspace), counts)
        for run in artifact.list_runs(workspace):
            if run.id not in before:
                artifact.delete_run(workspace, run.id)
    return counts


def _kill_a_job(workspace: Workspace) -> int:
    for status in jobs.active(workspace):
        if status.pid is not None and psutil.pid_exists(status.pid):
            os.kill(status.pid, signal.SIGKILL)
            return 1
    return 0


def _wait(workspace: Workspace) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while jobs.active(workspace):
        assert time.monotonic() < deadline, "a job does not end"
        time.sleep(0.1)


def explore(n: int, what: tuple[str, ...], seed: int = 0) -> dict[str, dict[str, int]]:
    """The counts of each kind of kill."""
    rng, counts = random.Random(seed), {}
    for one in what:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            home = prepare(folder)
            if one == "server":
                counts[one] = dict(kill_server(folder, home, n, rng))
            else:
                counts[one] = dict(kill_command(folder, home, one, n, rng))
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=10, help="times each")
    parser.add_argument("--what", nargs="+", default=["ingest", "train", "server"])
    options = parser.parse_args()
    counts = explore(options.n, tuple(options.what))
    for one, figures in counts.items():
        print(one, json.dumps(figures))
    return int(any(c[bad] for c in counts.values() for bad in ("lost", "half", "left")))


if __name__ == "__main__":
    sys.exit(main())
