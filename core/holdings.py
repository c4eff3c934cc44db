"""What a workspace holds: size, name and notes of each thing, what goes when it is deleted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core import jobs
from core.data import info
from core.data.durable import write_json_atomically
from core.data.limits import size_in_words
from core.data.read_only import DELETE, check_writable
from core.data.refs import meant_by
from core.data.store import Workspace
from core.data.unreadable import Unreadable
from core.errors import BadInput, NotFound
from core.runs import artifact
from core.runs.notes import RunNotes
from core.tune import unreadable_results

DATASET, RUN, SEARCH = "dataset", "run", "search"


@dataclass(frozen=True)
class Holding:
    """A dataset, a run (also one that failed) or a search, as it lies in the workspace."""

    kind: str  # dataset, run or search
    id: str
    name: str
    folder: Path
    dataset: str  # id of the one that it stands on, or is
    unreadable: bool = False

    @property
    def archived(self) -> bool:
        """Whether it is kept, but left out of lists."""
        return info.is_archived(self.folder)

    @property
    def bytes(self) -> int:
        """What its files have together."""
        return folder_size(self.folder)

    @property
    def title(self) -> str:
        """What a sentence calls it."""
        return f"{self.kind} {self.name} ({self.id})" if self.name else f"{self.kind} {self.id}"

    def to_json(self) -> dict[str, object]:
        """As `recscope delete --json` says it."""
        return {"kind": self.kind, "id": self.id, "name": self.name, "bytes": self.bytes}


@dataclass(frozen=True)
class Removal:
    """What goes when something is deleted: it, and all that stands on it."""

    thing: Holding
    with_it: tuple[Holding, ...]  # runs and searches, if it is a dataset

    @property
    def bytes(self) -> int:
        """What is free afterwards."""
        return sum(one.bytes for one in (self.thing, *self.with_it))

    @property
    def sentence(self) -> str:
        """What goes, in one sentence."""
        runs, searches = (
            [one for one in self.with_it if one.kind == kind] for kind in (RUN, SEARCH)
        )
        parts = [self.thing.title]
        if runs:
            named = ", ".join(f"{run.name or '?'} ({run.id})" for run in runs[:5])
            more = f" and {len(runs) - 5} more" if len(runs) > 5 else ""
            parts.append(f"{_counted(len(runs), 'run', 'runs')} on it: {named}{more}")
        if searches:
            parts.append(f"{_counted(len(searches), 'search', 'searches')} on it")
        return f"{'; '.join(parts)}; {size_in_words(self.bytes)} ({self.bytes} bytes) in all"

    def to_json(self) -> dict[str, object]:
        """As `recscope delete --json` says it."""
        with_it = [one.to_json() for one in self.with_it]
        return {**self.thing.to_json(), "with_it": with_it, "freed": self.bytes}


def folder_size(folder: Path) -> int:
    """The bytes of all files in a folder, or of a file."""
    files = [folder] if folder.is_file() else folder.rglob("*")
    size = 0
    for path in files:
        try:
            size += path.stat().st_size if path.is_file() else 0
        except OSError:  # a job just replaced it
            continue
    return size


def unreadable(workspace: Workspace) -> list[Unreadable]:
    """All that cannot be used as it lies there, each thing once."""
    found = [
        *workspace.unreadable_datasets(),
        *artifact.unreadable_runs(workspace),
        *jobs.unreadable_jobs(workspace),
        *unreadable_results(workspace),
    ]
    return list({(one.kind, one.id): one for one in reversed(found)}.values())[::-1]


def find(workspace: Workspace, ref: str) -> Holding:
    """The dataset, run or search that this refers to, without any doubt.

    By its id, by a name that nothing else bears, or by the beginning of an id. What cannot be read
    is found by its id.

    Raises:
        NotFound: there is nothing of this id or name.
        BadInput: it could be several things.
    """
    there = everything(workspace)
    exact = [one for one in there if one.id == ref]
    namesakes = [one for one in there if one.name == ref]
    fitting = exact or namesakes or list(meant_by(ref, there))
    if len(fitting) > 1:
        raise BadInput(
            f"{ref!r} could be {' or '.join(one.title for one in fitting)}: give the id of one"
        )
    if not fitting:
        raise NotFound(
            f"there is no dataset, run or search {ref!r}: the lists of datasets and runs, with the "
            "archived ones, say what there is"
        )
    return fitting[0]


def everything(workspace: Workspace) -> list[Holding]:
    """All that there is, also what is archived, failed or cannot be read; the newest first."""
    datasets = [
        Holding(DATASET, one.id, one.name, one.folder, one.id)
        for one in workspace.datasets(archived=True)
    ]
    trained = [
        Holding(s.kind, s.run_id, "" if s.kind == SEARCH else s.name, folder, s.dataset)
        for s in jobs.statuses(workspace)
        for folder in [jobs.folder_of(workspace, s.run_id)]
    ]
    known = {one.folder for one in (*datasets, *trained)}
    broken = [
        Holding(one.kind, one.id, "", one.folder, "", unreadable=True)
        for one in unreadable(workspace)
        if one.folder not in known
    ]
    return [*datasets, *trained, *broken]


def removal(workspace: Workspace, ref: str) -> Removal:
    """What would go if this was deleted: `find` says what it may be."""
    thing = find(workspace, ref)
    others = everything(workspace) if thing.kind == DATASET else []
    return Removal(
        thing, tuple(one for one in others if one.kind != DATASET and one.dataset == thing.id)
    )


def delete(workspace: Workspace, planned: Removal) -> None:
    """Removes what was planned; each thing is out of sight before the first of its files goes.

    Raises:
        BadInput: a job that waits or works needs it, or more stands on it by now than was planned.
    """
    check_writable(workspace.path, DELETE)
    with jobs.starting(workspace):
        now = removal(workspace, planned.thing.id)
        if {one.folder for one in now.with_it} - {one.folder for one in planned.with_it}:
            raise BadInput(f"more stands on {planned.thing.title} by now: look at it again")
        _check_unused(workspace, now)
        for one in (*now.with_it, now.thing):
            if one.folder.exists():
                workspace.discard(one.folder)


def _check_unused(workspace: Workspace, planned: Removal) -> None:
    going = {one.id for one in (planned.thing, *planned.with_it)}
    for status in jobs.active(workspace):
        config = (jobs.read_spec(jobs.folder_of(workspace, status.run_id)) or {}).get("config", {})
        components = str(config.get("params", {}).get("components", "")).split(",")
        if going & {status.run_id, status.dataset, *components}:
            raise BadInput(
                f"{planned.thing.title} is in use: {status.kind} {status.name} ({status.run_id}) "
                "is under way; wait for it, or cancel it"
            )


def rename(workspace: Workspace, ref: str, name: str) -> Holding:
    """The dataset or run under another name; `find` says what it may be.

    Raises:
        BadInput: the name is not one printable line of 1 to 200 characters, or of a run that is not
            finished.
    """
    thing = find(workspace, ref)
    if thing.unreadable:
        raise BadInput(f"{thing.title} cannot be read, and so not be renamed")
    if thing.kind == SEARCH:
        raise BadInput(f"{thing.title} has no name of its own: rename a dataset or a run")
    if thing.kind == DATASET:
        workspace.rename(thing.id, name)
    else:
        artifact.rename_run(workspace, thing.id, name)
    return find(workspace, thing.id)


def archive(workspace: Workspace, ref: str, *, undo: bool = False) -> Holding:
    """Leaves it out of lists, or lists it again; it stays as it is and can be used by its id."""
    thing = find(workspace, ref)
    info.archive(thing.folder, undo=undo)
    return thing


def annotate(
    workspace: Workspace,
    ref: str,
    note: str | None = None,
    *,
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
) -> RunNotes:
    """Writes on a run, beside it: its id stays, and what is not given stays as it was.

    Args:
        workspace: Where the run is.
        ref: Of a finished run: its id, its name or the beginning of its id.
        note: In the place of the last one; "" takes that away.
        add: Tags that it is to have besides.
        remove: Tags that it is to have no more.

    Returns:
        What stands there now.

    Raises:
        BadInput: too long, too many, unprintable, or a tag to remove that is not there.
        NotFound: there is no such run.
        ReadOnly: the workspace may only be looked at.
    """
    run = artifact.find_run(workspace, ref)
    notes = run.notes.changed(note, add, remove)
    write_json_atomically(run.folder / artifact.NOTES, notes.to_json())
    return notes


def _counted(n: int, one: str, several: str) -> str:
    return f"{n} {one if n == 1 else several}"
