"""What the files of a job's folder say, as they lie there: what it is to do, how it is doing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.data.durable import check_entries, read_json, read_object
from core.data.processes import is_alive
from core.data.store import Workspace
from core.errors import Corrupt
from core.jobs.stopped import Stop, read_stop

RUN, SEARCH = "run", "search"

_ACTIVE = ("queued", "running")
UNFINISHED = ("failed", "cancelled", "killed")
_STATES = (*_ACTIVE, "done", *UNFINISHED)
_MAYBE = type(None)
_SAID = {  # what run.json and search.json say of what is asked for, at least
    **{"name": str, "dataset_name": str, "created": str, "config": dict},
}
_CONFIG = {"dataset": str, "model": str, "device": str}
_RECORD = {  # what status.json says
    **{"state": str, "queued": str, "seconds": (int, float), "started": (str, _MAYBE)},
    **{"pid": (int, _MAYBE), "process_started": (int, float, _MAYBE)},
}

QUICK = (
    "popularity",
    "recent_popularity",
    "transitions",
)  # they only count: seconds, little memory


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
    stop: Stop | None = None  # what stopped its process, if that did not end by itself

    @property
    def active(self) -> bool:
        """Whether it waits or works."""
        return self.state in _ACTIVE

    @property
    def lane(self) -> str:
        """What it waits for: the device, or the place beside it for what only counts."""
        return f"{self.device}-quick" if self.kind == RUN and self.model in QUICK else self.device


def folder_of(workspace: Workspace, ident: str) -> Path:
    """Where this job's files lie: a search among the searches, else a run among the runs."""
    search = workspace.searches_folder / ident
    return search if search.is_dir() else workspace.runs_folder / ident


def read_spec(folder: Path) -> dict[str, Any] | None:
    """What the job of this folder is to do, or None where nothing is asked for."""
    return read_json(folder / f"{_kind(folder)}.json")


def _kind(folder: Path) -> str:
    return SEARCH if folder.parent.name == "searches" else RUN


def read_status(folder: Path) -> Status | None:
    """What this job's folder says, checked against the processes that there are; None if nothing.

    Raises:
        Corrupt: what it says cannot be used; the sentence names the file, and what to do.
    """
    path = folder / f"{_kind(folder)}.json"
    try:
        spec = read_object(path)
        if spec is None:
            if folder.is_file() or (folder / "status.json").exists():
                raise Corrupt(f"{path} is missing")
            return None
        finished = "artifact_hash" in spec
        try:
            record = read_record(folder)
        except Corrupt:
            if not finished:
                raise
            record = None
        check_entries(path, spec, _SAID)
        check_entries(path, spec["config"], _CONFIG)
        if record is None and not finished:
            return None
    except Corrupt as error:
        raise Corrupt(_with_advice(str(error), folder)) from None
    if record is None:  # trained by a program, without a job
        record = {"state": "done", "seconds": spec["seconds"], "queued": spec["created"]}
    return _status(folder, spec, record)


def _with_advice(problem: str, folder: Path) -> str:
    if "newer Recscope" in problem:
        return problem
    return f"{problem}: start it again, or recscope delete {folder.name}"


def read_record(folder: Path) -> dict[str, Any] | None:
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
    pid, started = record.get("pid"), record.get("process_started")
    stop = None
    if state in _ACTIVE and (pid is None or started is None or not is_alive(pid, started)):
        if (folder / "cancel").exists():
            state, message = "cancelled", ""
        else:
            stop = read_stop(folder, pid)
            state = "cancelled" if stop.signal == "SIGINT" else "killed"
            message = f"the process {stop.sentence()}"
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
        stop=stop,
    )
