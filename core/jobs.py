"""A training job: a process of its own that survives the page, waits its turn, can be stopped.

One job at a time has the device, the oldest first; a lock on a file holds it, which the system
frees when its holder dies. How a job is doing: progress.py.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil

from core import artifact
from core.config import run_id
from core.data.store import Workspace, write_json_atomically
from core.errors import BadInput, Cancelled, CoreError, NotFound, TooLarge
from core.progress import (
    Report,
    Status,
    active,
    ahead,
    enqueue,
    epochs,
    log,
    now,
    read_json,
    read_status,
    status,
    statuses,
)
from core.types import RunConfig

__all__ = [
    "Report",
    "Status",
    "active",
    "cancel",
    "epochs",
    "log",
    "resumed",
    "start",
    "status",
    "statuses",
    "stopped_by_ctrl_c",
    "working",
]

PATIENCE_S = 8.0  # between asking a process to stop and stopping it
_POLL_S = 0.2


def start(
    workspace: Workspace,
    dataset_ref: str,
    model: str,
    params: Mapping[str, Any] | Iterable[str] = (),
    split: str = "leave-last-out",
    seed: int = 0,
    device: str = "auto",
    name: str | None = None,
    evaluate: bool = True,
) -> str:
    """Starts a training in a process of its own and returns the run's id at once.

    A run that is finished (and evaluated, if asked) or under way is not started again.

    Raises:
        BadInput: an unknown dataset, model or parameter.
    """
    config = artifact.plan(
        workspace, dataset_ref, model, params, split=split, seed=seed, device=device
    )
    info = workspace.dataset(config.dataset)
    ident = run_id(config)
    with _starting(workspace):
        if _under_way(workspace, ident):
            return ident
        run = artifact.open_run(workspace, ident)
        if run is None or (evaluate and split != "none" and run.metrics is None):
            folder = _prepare(workspace, config, info.name, name)
            child = _spawn(workspace, config, folder, evaluate)
            enqueue(folder, child.pid, group=True)
            return ident
    if name is not None:
        artifact.rename(workspace, ident, name)
    return ident


@contextmanager
def working(
    workspace: Workspace, config: RunConfig, dataset_name: str, name: str | None = None
) -> Iterator[Report]:
    """A training in this very process, seen by others like any job; waits for the device.

    Raises:
        BadInput: the same run is under way in another process.
    """
    ident = run_id(config)
    with _starting(workspace):
        if other := _under_way(workspace, ident):
            raise BadInput(
                f"run {ident} is being trained by process {other.pid}: wait for it, or cancel it"
            )
        folder = _prepare(workspace, config, dataset_name, name)
        enqueue(folder, os.getpid(), group=False)
    with _reported(Report(folder), workspace) as report:
        yield report


@contextmanager
def stopped_by_ctrl_c(report: Report) -> Iterator[None]:
    """Ctrl-C ends this process at once, also inside a long call; the job is then cancelled.

    Python itself would wait for the call to return. Only in the main thread of a command.
    """
    heard, told = os.pipe()
    os.set_blocking(told, False)

    def listen() -> None:
        while said := os.read(heard, 1):
            if said[0] == signal.SIGINT:
                (report.folder / "cancel").touch()
                sys.stderr.write("\nrecscope: stopped\n")
                os._exit(130)
        os.close(heard)

    threading.Thread(target=listen, daemon=True).start()
    before = signal.set_wakeup_fd(told)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(told)


@contextmanager
def resumed(workspace: Workspace, ident: str) -> Iterator[tuple[RunConfig, str, Report]]:
    """In the child of `start`: the config and name that it was started with, and its report."""
    folder = workspace.runs_folder / ident
    deadline = time.monotonic() + 10
    while (read_json(folder / "status.json") or {}).get("pid") != os.getpid():
        if time.monotonic() > deadline:  # who started it died before it could say so
            raise NotFound(f"no job {ident} waits for this process")
        time.sleep(0.02)
    spec = read_json(folder / "run.json") or {}
    config = RunConfig(**spec["config"])
    with _reported(Report(folder), workspace) as report:
        if run_id(config) != ident:
            raise CoreError(
                "Recscope was changed since this was asked for: restart the server, and train again"
            )
        yield config, spec["name"], report


def _under_way(workspace: Workspace, ident: str) -> Status | None:
    found = read_status(workspace.runs_folder / ident)
    return found if found and found.active else None


@contextmanager
def _starting(workspace: Workspace) -> Iterator[None]:
    """One job is started at a time, so that the same one is not started twice."""
    with (workspace.runs_folder / ".starting").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _prepare(workspace: Workspace, config: RunConfig, dataset_name: str, name: str | None) -> Path:
    """The folder of the run, ready for another try."""
    name = None if name is None else artifact.checked_name(name)
    folder = workspace.runs_folder / run_id(config)
    folder.mkdir(exist_ok=True)
    for stale in ("log.txt", "cancel"):
        (folder / stale).unlink(missing_ok=True)
    if artifact.open_run(workspace, folder.name) is None:
        spec = {
            "schema_version": artifact.SCHEMA_VERSION,
            "id": folder.name,
            "name": name or config.model,
            "dataset_name": dataset_name,
            "created": now(),
            "config": asdict(config),
        }
        write_json_atomically(folder / "run.json", spec)
    elif name:
        artifact.rename(workspace, folder.name, name)
    return folder


def _spawn(
    workspace: Workspace, config: RunConfig, folder: Path, evaluate: bool
) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "core.cli", "train", config.dataset, "--model", config.model]
    command += ["--data-dir", str(workspace.path), "--job", folder.name]
    command += ["--evaluate"] if evaluate else []
    root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    with (folder / "log.txt").open("ab") as log:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # it outlives the server, and can be stopped as one group
        )
    threading.Thread(target=child.wait, daemon=True).start()  # leaves no zombie
    return child


@contextmanager
def _reported(report: Report, workspace: Workspace) -> Iterator[Report]:
    """Holds the device for the body, and says how it ended."""
    try:
        with _turn(workspace, report.folder.name):
            report.began()
            yield report
    except KeyboardInterrupt:
        report.ended("cancelled", "stopped by hand")
        raise Cancelled(f"run {report.folder.name} was cancelled") from None
    except CoreError as error:
        report.ended("failed", str(error))
        raise
    except Exception as error:
        if _is_out_of_memory(error):
            sentence = f"memory ran out ({error}): try a smaller model or dataset"
            report.ended("failed", sentence)
            raise TooLarge(sentence) from error
        with (report.folder / "log.txt").open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)
        sentence = f"a bug: {type(error).__name__}: {error} (see {log.name})"
        report.ended("failed", sentence)
        raise CoreError(sentence) from error
    report.ended("done")


def _is_out_of_memory(error: Exception) -> bool:
    text = str(error).lower()  # torch raises plain RuntimeErrors for it on the CPU
    return isinstance(error, MemoryError) or "out of memory" in text or "allocate memory" in text


@contextmanager
def _turn(workspace: Workspace, ident: str) -> Iterator[None]:
    """Waits until no older job waits for the device and nobody holds it, then holds it."""
    device = status(workspace, ident).device
    with (workspace.runs_folder / f".device-{device}").open("w") as lock:
        while True:
            if ahead(statuses(workspace), ident, device) == 0:
                with suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
            time.sleep(_POLL_S)
        yield


def cancel(workspace: Workspace, run_id: str) -> Status:
    """Stops a job that waits or works, and returns when its processes are gone (≤ 10 s).

    SIGTERM ends a training at once, also inside a long call: nothing is caught, since a run is
    either whole or not there. What survives it for 8 s is killed.
    """
    found = status(workspace, run_id)
    if not found.active or found.pid is None:
        return found
    folder = workspace.runs_folder / run_id
    (folder / "cancel").touch()
    record = read_json(folder / "status.json") or {}
    with suppress(psutil.NoSuchProcess):
        _stop(psutil.Process(found.pid), group=bool(record.get("group")))
    return status(workspace, run_id)


def _stop(process: psutil.Process, *, group: bool) -> None:
    everyone = [process, *process.children(recursive=True)]
    for sign, patience_s in ((signal.SIGTERM, PATIENCE_S), (signal.SIGKILL, 1.5)):
        for one in everyone:
            with suppress(psutil.NoSuchProcess):
                one.send_signal(sign)
        if group:  # also those whose parent is gone
            with suppress(ProcessLookupError):
                os.killpg(process.pid, sign)
        deadline = time.monotonic() + patience_s
        while any(map(_lives, everyone)) and time.monotonic() < deadline:
            time.sleep(0.02)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
