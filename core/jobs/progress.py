"""How a job is doing: written by its own process, read by everybody, from any process.

A job is a training or a search; what it is to do stands in its folder, in run.json or search.json.
status.json is replaced whole, epochs.jsonl appended. What a dead process could not say is worked
out when read: "running" without a process is "killed", or "cancelled" if a person asked for that.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.data.durable import (
    check_entries,
    read_json,
    read_object,
    utc_now,
    write_json_atomically,
)
from core.data.limits import writing
from core.data.processes import is_alive, started_at
from core.data.store import Workspace
from core.data.unreadable import Unreadable, read_all
from core.errors import Corrupt, NotFound
from core.types import EpochReport

RUN, SEARCH = "run", "search"

_ACTIVE = ("queued", "running")
_STATES = (*_ACTIVE, "done", "failed", "cancelled", "killed")
_MAYBE = type(None)
_SAID = {  # what run.json and search.json say of what is asked for, at least
    **{"name": str, "dataset_name": str, "created": str, "config": dict, "code_version": str},
}
_CONFIG = {"dataset": str, "model": str, "device": str}
_RECORD = {  # what status.json says
    **{"state": str, "queued": str, "seconds": (int, float), "started": (str, _MAYBE)},
    **{"pid": (int, _MAYBE), "process_started": (int, float, _MAYBE)},
}
_SELDOM_S = 0.2  # between two writes of mere progress

KILLED = (
    "the process was killed from outside, most often because the machine ran out of memory: "
    "try a smaller model or dataset, or close what else needs memory"
)


@dataclass(frozen=True)
class Status:
    """How a job is doing, as worked out now."""

    run_id: str  # the run's, or the search's
    kind: str  # run or search
    name: str
    dataset: str  # id
    dataset_name: str
    model: str
    device: str
    state: str  # queued, running, done, failed, cancelled or killed
    stage: str  # load, split, tune, fit, save, evaluate; empty before and after
    progress: float | None  # of the stage, 0 … 1, where it is known
    message: str  # one sentence, if it went wrong
    queued: str  # when it was asked for, ISO 8601, UTC
    seconds: float  # since it got the device, or how long it took
    queue_position: int | None  # jobs that go first; None unless queued
    pid: int | None

    @property
    def active(self) -> bool:
        """Whether it waits or works."""
        return self.state in _ACTIVE


def status(workspace: Workspace, run_id: str) -> Status:
    """How this job is doing now.

    Raises:
        NotFound: there is none of this id.
        Corrupt: what it says of itself cannot be used.
    """
    found = read_status(folder_of(workspace, run_id)) or _missing(run_id)
    if found.state != "queued":
        return found
    position = ahead([*active(workspace), found], run_id, found.device)
    return replace(found, queue_position=position)


def _missing(run_id: str) -> Status:
    raise NotFound(f"there is no job {run_id!r}: recscope runs lists those that there are")


def folder_of(workspace: Workspace, ident: str) -> Path:
    """Where this job's files lie: a search among the searches, else a run among the runs."""
    search = workspace.searches_folder / ident
    return search if search.is_dir() else workspace.runs_folder / ident


def read_spec(folder: Path) -> dict[str, Any] | None:
    """What the job of this folder is to do, or None where nothing is asked for."""
    return read_json(folder / f"{_kind(folder)}.json")


def _kind(folder: Path) -> str:
    return SEARCH if folder.parent.name == "searches" else RUN


def statuses(workspace: Workspace) -> list[Status]:
    """All jobs that can be read, also those that ended, newest first.

    Their queue positions are not worked out.
    """
    found = [status for place in _places(workspace) for status in read_all(*place, read_status)[0]]
    return sorted(found, key=lambda s: (s.queued, s.run_id), reverse=True)


def unreadable_jobs(workspace: Workspace) -> list[Unreadable]:
    """What jobs say of themselves and cannot be used: which file, what is wrong, what to do."""

    def read(folder: Path) -> None:
        read_status(folder)
        _read_record(folder)  # a finished run is one without it, too

    return [one for place in _places(workspace) for one in read_all(*place, read)[1]]


def _places(workspace: Workspace) -> list[tuple[str, list[Path]]]:
    """What lies in which folders."""
    return [
        (RUN, sorted(workspace.runs_folder.glob("[!.]*"))),
        (SEARCH, sorted(workspace.searches_folder.glob("[!.]*"))),
    ]


def active(workspace: Workspace) -> list[Status]:
    """The jobs that wait or work, in the order in which they get the device."""
    waiting = [s for s in reversed(statuses(workspace)) if s.active]
    return [
        replace(s, queue_position=ahead(waiting, s.run_id, s.device)) if s.state == "queued" else s
        for s in waiting
    ]


def epochs(workspace: Workspace, run_id: str) -> list[dict[str, Any]]:
    """What the job has reported of each epoch or trial so far; empty for a model without a loop."""
    path = folder_of(workspace, run_id) / "epochs.jsonl"
    try:
        text = path.read_text("utf-8", errors="replace")
        lines = text.split("\n")[:-1]  # what has no end is still being written
    except OSError:  # a new fit takes the last curve away at any moment
        lines = []
    told = (_figures(line) for line in lines)
    return [figures for figures in told if figures]


def _figures(line: str) -> dict[str, Any] | None:
    """What one line says; None for a damaged one: the curve has a point less."""
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def log(workspace: Workspace, run_id: str, lines: int = 100) -> str:
    """The last lines of what the job's process printed."""
    path = folder_of(workspace, run_id) / "log.txt"
    text = path.read_text("utf-8", errors="replace") if path.is_file() else ""
    return "\n".join(text.splitlines()[-lines:])


def ahead(everything: Iterable[Status], ident: str, device: str) -> int:
    """Jobs for this device that go before this one."""
    queue = sorted((s.queued, s.run_id) for s in everything if s.active and s.device == device)
    names = [name for _, name in queue]
    return names.index(ident) if ident in names else 0  # its folder was deleted meanwhile


def enqueue(folder: Path, pid: int, *, group: bool) -> None:
    """The first word of a job, said for it: it waits. `group`: it leads a process group."""
    record = {
        "state": "queued",
        "stage": "",
        "progress": None,
        "message": "",
        "queued": utc_now(),
        "started": None,
        "seconds": 0.0,
        "pid": pid,
        "process_started": started_at(pid),
        "group": group,
    }
    write_json_atomically(folder / "status.json", record)


class Report:
    """What a working process says of itself; only that process writes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._record = read_json(folder / "status.json") or {}
        self._began = self._written = time.monotonic()

    def began(self) -> None:
        """The device is ours."""
        self._began = time.monotonic()
        self._write(state="running", started=utc_now())

    def stage(self, name: str, progress: float | None = None) -> None:
        """What is being done, and how much of it is (0 … 1) if that is known."""
        fresh = name != self._record["stage"]
        if fresh and name == "fit":  # a new fit, a new curve
            (self.folder / "epochs.jsonl").unlink(missing_ok=True)
        self._record.update(stage=name, progress=progress)
        if fresh or time.monotonic() - self._written > _SELDOM_S:
            self._write()

    def epoch(self, report: EpochReport) -> None:
        """How a fit is doing: a line for epochs.jsonl, and the progress."""
        self.line(report.to_json())
        self.stage("fit", report.share)

    def line(self, figures: Mapping[str, Any]) -> None:
        """One line for epochs.jsonl."""
        path = self.folder / "epochs.jsonl"
        with writing(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(figures)) + "\n")

    def ended(self, state: str, message: str = "") -> None:
        """The last word."""
        self._write(state=state, message=message, stage="", progress=None)

    def _write(self, **changes: Any) -> None:
        self._written = time.monotonic()
        self._record.update(changes, seconds=round(self._written - self._began, 3))
        write_json_atomically(self.folder / "status.json", self._record)


def read_status(folder: Path) -> Status | None:
    """What this job's folder says, checked against the processes that there are; None if nothing.

    Raises:
        Corrupt: what it says cannot be used; the sentence names the file, and what to do.
    """
    path = folder / f"{_kind(folder)}.json"
    try:
        spec = read_object(path)
        if spec is None:
            if not folder.is_dir() or (folder / "status.json").exists():
                raise Corrupt(f"{path} is missing")
            return None
        finished = "artifact_hash" in spec
        try:
            record = _read_record(folder)
        except Corrupt:
            if not finished:
                raise
            record = None
        if record is None and not finished:
            return None
        check_entries(path, spec, _SAID)
        check_entries(path, spec["config"], _CONFIG)
    except Corrupt as error:
        raise Corrupt(_with_advice(str(error), folder)) from None
    if record is None:  # trained by a program, without a job
        record = {"state": "done", "seconds": spec["seconds"], "queued": spec["created"]}
    return _status(folder, spec, record)


def _with_advice(problem: str, folder: Path) -> str:
    if "newer Recscope" in problem:
        return problem
    return f"{problem}: start it again, or recscope delete {folder.name}"


def _read_record(folder: Path) -> dict[str, Any] | None:
    """What status.json says; None where there is none."""
    path = folder / "status.json"
    record = read_object(path)
    if record is None:
        return None
    check_entries(path, record, _RECORD)
    try:
        if record["state"] not in _STATES:
            raise ValueError
        for time_of in ("queued", "started"):
            if record[time_of] is not None and not datetime.fromisoformat(record[time_of]).tzinfo:
                raise ValueError
        if record["state"] == "running" and record["started"] is None:
            raise ValueError
    except ValueError:
        raise Corrupt(f"{path} says what no job says of itself") from None
    return record


def _status(folder: Path, spec: Mapping[str, Any], record: Mapping[str, Any]) -> Status:
    state, message = record["state"], record.get("message", "")
    if state in _ACTIVE and not is_alive(record["pid"], record["process_started"]):
        cancelled = (folder / "cancel").exists()
        state, message = ("cancelled", "") if cancelled else ("killed", KILLED)
    seconds = float(record["seconds"])
    if state == "running":
        since = datetime.now(UTC) - datetime.fromisoformat(record["started"])
        seconds = max(0.0, since.total_seconds())
    config = spec["config"]
    return Status(
        run_id=folder.name,
        kind=_kind(folder),
        name=spec["name"],
        dataset=config["dataset"],
        dataset_name=spec["dataset_name"],
        model=config["model"],
        device=config["device"],
        state=state,
        stage=record.get("stage", "") if state in _ACTIVE else "",
        progress=record.get("progress") if state in _ACTIVE else None,
        message=message,
        queued=record["queued"],
        seconds=round(seconds, 3),
        queue_position=None,
        pid=record.get("pid") if state in _ACTIVE else None,
    )
