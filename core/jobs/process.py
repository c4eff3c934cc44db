"""A process that does a job: started, seen, waited for, stopped.

One job at a time has the device, the oldest first, and beside it one of the models that only count:
they need seconds, and so do not wait for one that needs hours. A lock on a file holds the place,
which the system frees when its holder dies.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from core.data.durable import read_json
from core.data.limits import in_words, writing
from core.data.processes import child_environment, started_at
from core.data.read_only import CANCEL_JOB, START_JOB, check_writable
from core.data.store import Workspace
from core.errors import BadInput, Cancelled, CoreError, Corrupt, NotFound
from core.jobs.progress import Report, ahead, enqueue, status, statuses
from core.jobs.stopped import STOPPED, killed_for_memory, record_stop
from core.jobs.stored import Status, folder_of, read_spec, read_status
from core.runs.identity import code_version

PATIENCE_S = 8.0  # between asking a process to stop and stopping it
_POLL_S = 0.2


def start_child(
    workspace: Workspace, folder: Path, words: list[str], prepare: Callable[[], object]
) -> None:
    """Starts this command as a job in a process of its own, unless it is under way.

    Args:
        workspace: Where.
        folder: The job's, which tells what is to be done once `prepare` was called.
        words: What `recscope` is called with, but for the folder's name and the workspace.
        prepare: Writes run.json or search.json.
    """
    with starting(workspace):
        if not _under_way(folder):
            prepare()
            child = _spawn(workspace, folder, words)
            enqueue(folder, child.pid, group=True)
            threading.Thread(target=_wait_for, args=(child, folder), daemon=True).start()


@contextmanager
def run_inline(
    workspace: Workspace, folder: Path, prepare: Callable[[], object]
) -> Iterator[Report]:
    """A job in this very process; waits for the device. `prepare`: see start_child.

    Raises:
        BadInput: the same job is under way in another process.
    """
    with starting(workspace):
        if other := _under_way(folder):
            raise BadInput(
                f"{other.kind} {folder.name} is under way in process {other.pid}: "
                "wait for it, or cancel it"
            )
        prepare()
        enqueue(folder, os.getpid(), group=False)
    with _reported(Report(folder), workspace) as report:
        yield report


@contextmanager
def adopt(workspace: Workspace, ident: str) -> Iterator[Report]:
    """In the child of `start_child`: its report, in whose folder stands what it is to do."""
    folder = folder_of(workspace, ident)
    deadline = time.monotonic() + 10
    while (read_json(folder / "status.json") or {}).get("pid") != os.getpid():
        if time.monotonic() > deadline:  # who started it died before it could say so
            raise NotFound(f"no job {ident} waits for this process")
        time.sleep(0.02)
    spec = read_spec(folder) or {}
    with _reported(Report(folder), workspace) as report:
        if spec.get("code_version") != code_version():
            raise CoreError(
                "Recscope was changed since this was asked for: restart the server, and start again"
            )
        yield report


def _under_way(folder: Path) -> Status | None:
    try:
        found = read_status(folder)
    except Corrupt:  # it is begun anew, which mends it
        return None
    return found if found and found.active else None


@contextmanager
def starting(workspace: Workspace) -> Iterator[None]:
    """Inside, no other job is started: the same one not twice, none on what is being deleted."""
    check_writable(workspace.path, START_JOB)
    path = workspace.runs_folder / ".starting"
    with writing(path), path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def reset_folder(folder: Path) -> Path:
    """The job's folder, without what the last try said."""
    with writing(folder):
        folder.mkdir(exist_ok=True)
        for stale in ("log.txt", "cancel", STOPPED):
            (folder / stale).unlink(missing_ok=True)
    return folder


def _spawn(workspace: Workspace, folder: Path, words: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "core.cli", *words]
    command += ["--data-dir", str(workspace.path), "--job", folder.name]
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # it outlives the server, and can be stopped as one group
        )


def _wait_for(child: subprocess.Popen[bytes], folder: Path) -> None:
    """Leaves no zombie, and says which signal ended the child, where it could not itself."""
    began = time.time()
    code = child.wait()
    if code < 0:
        memory = code == -signal.SIGKILL and killed_for_memory(child.pid, began)
        record_stop(folder, child.pid, -code, out_of_memory=memory)


@contextmanager
def _reported(report: Report, workspace: Workspace) -> Iterator[Report]:
    """Holds the device for the body, and says how it ended."""
    try:
        with _turn(workspace, report.folder.name):
            report.began()
            yield report
    except KeyboardInterrupt:
        report.ended("cancelled", "stopped by hand")
        raise Cancelled(f"job {report.folder.name} was cancelled") from None
    except Exception as error:
        if told := in_words(error):
            with suppress(CoreError):  # on a full disk not even this; it then counts as killed
                report.ended("failed", str(told))
            if told is error:
                raise
            raise told from error
        with (report.folder / "log.txt").open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)
        sentence = f"a bug: {type(error).__name__}: {error} (see {log.name})"
        report.ended("failed", sentence)
        raise CoreError(sentence) from error
    report.ended("done")


@contextmanager
def _turn(workspace: Workspace, ident: str) -> Iterator[None]:
    """Waits until no older job waits for its place and nobody holds it, then holds it."""
    lane = status(workspace, ident).lane
    path = workspace.runs_folder / f".device-{lane}"
    with writing(path), path.open("w") as lock:
        while True:
            if ahead(statuses(workspace), ident, lane) == 0:
                with suppress(BlockingIOError):
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
            time.sleep(_POLL_S)
        yield


def cancel(workspace: Workspace, run_id: str) -> Status:
    """Stops a job that waits or works, and returns when its processes are gone (≤ 10 s).

    SIGTERM ends a job at once, also inside a long call: nothing is caught, since a run is either
    whole or not there, and a search goes on after its last whole trial. What survives it for 8 s
    is killed.
    """
    check_writable(workspace.path, CANCEL_JOB)
    found = status(workspace, run_id)
    if not found.active or found.pid is None:
        return found
    folder = folder_of(workspace, run_id)
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
    return started_at(process.pid) is not None and process.is_running()
