"""How a job is doing: written by its own process, read by everybody, from any process.

A job is a training or a search; what it is to do stands in its folder, in run.json or search.json.
status.json is replaced whole, epochs.jsonl appended. What a dead process could not say is worked
out when read: "running" without a process is "killed", or "cancelled" if a person asked for that.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.data.durable import read_json, utc_now, write_json_atomically
from core.data.limits import writing
from core.data.processes import started_at
from core.data.store import Workspace
from core.data.unreadable import Unreadable, read_all
from core.errors import NotFound
from core.jobs.stored import RUN, SEARCH, folder_of, read_record, read_status
from core.jobs.stored import Status as Status
from core.types import EpochReport

_SELDOM_S = 0.2  # between two writes of mere progress


def status(workspace: Workspace, run_id: str) -> Status:
    """How this job is doing now.

    Raises:
        NotFound: there is none of this id.
        Corrupt: what it says of itself cannot be used.
    """
    found = read_status(folder_of(workspace, run_id)) or _missing(run_id)
    if found.state != "queued":
        return found
    position = ahead([*active(workspace), found], run_id, found.lane)
    return replace(found, queue_position=position)


def _missing(run_id: str) -> Status:
    raise NotFound(f"there is no job {run_id!r}: the list of runs has those that there are")


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
        read_record(folder)  # a finished run is one without it, too

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
        replace(s, queue_position=ahead(waiting, s.run_id, s.lane)) if s.state == "queued" else s
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


def best_epoch(workspace: Workspace, run_id: str) -> int | None:
    """After which epoch a model's validation was best; None of one that was learnt without any."""
    told = [line.get("best_epoch") for line in epochs(workspace, run_id) if "component" not in line]
    return next((best for best in reversed(told) if isinstance(best, int)), None)


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


def ahead(everything: Iterable[Status], ident: str, lane: str) -> int:
    """Jobs that wait for the same and go before this one."""
    queue = sorted((s.queued, s.run_id) for s in everything if s.active and s.lane == lane)
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
