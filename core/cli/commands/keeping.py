"""What becomes of a dataset or a run: another name, a note, out of the lists, gone."""

from __future__ import annotations

import sys
from typing import Any

from core import holdings
from core.cli.terminal import Result
from core.data.limits import size_in_words
from core.data.store import Workspace
from core.errors import BadInput, Cancelled
from core.runs import artifact
from core.runs.notes import RunNotes


def delete(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    planned = holdings.removal(workspace, options.thing)
    content, deleted = planned.to_json(), f"deleted {planned.sentence}"  # while it is there
    if not options.yes:
        _ask(planned)
    holdings.delete(workspace, planned)
    return content, deleted


def _ask(planned: holdings.Removal) -> None:
    """Says what goes, and waits for a yes, where there is somebody to give it."""
    if not sys.stdin.isatty():
        raise BadInput(f"this would delete {planned.sentence}: add --yes to do it")
    print(
        f"this deletes {planned.sentence}\ndelete it? [y/N] ", end="", file=sys.stderr, flush=True
    )
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Cancelled("nothing was deleted")


def rename(options: Any) -> Result:
    found = holdings.rename(Workspace.open(options.data_dir), options.thing, options.name)
    return found.to_json(), f"{found.kind} {found.id} is called {found.name}"


def archive(options: Any) -> Result:
    found = holdings.archive(Workspace.open(options.data_dir), options.thing, undo=options.undo)
    where = "listed again" if options.undo else "kept, and listed only with --all"
    text = f"{found.title} is {where}; {size_in_words(found.bytes)}"
    return {**found.to_json(), "archived": not options.undo}, text


def note(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    run = artifact.find_run(workspace, options.run)
    notes = run.check_notes() if _only_asks(options) else _annotate(workspace, run.id, options)
    tags = f"tags: {', '.join(notes.tags)}" if notes.tags else "no tags"
    text = f"{run.name} ({run.id}); {tags}\n{notes.note or 'no note'}"
    return {"run": run.id, "name": run.name, **notes.to_json()}, text


def _only_asks(options: Any) -> bool:
    return options.text is None and not options.tag and not options.untag


def _annotate(workspace: Workspace, run_id: str, options: Any) -> RunNotes:
    return holdings.annotate(workspace, run_id, options.text, add=options.tag, remove=options.untag)
