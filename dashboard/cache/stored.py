"""What the pages read of the workspace as it lies on disk: runs and jobs. Nothing loads torch."""

from __future__ import annotations

from core.data.store import Workspace
from core.errors import Corrupt, NotFound
from core.jobs import progress
from core.runs import artifact
from core.runs.artifact import Run

LONGEST_ID = 64  # letters; a longer one is no file's name


def workspace() -> Workspace:
    """The workspace that the server was started on (RECSCOPE_HOME)."""
    return Workspace.open()


def finished_runs(workspace: Workspace) -> list[Run]:
    """All finished runs, newest first; read afresh, since jobs add to them."""
    return artifact.list_runs(workspace)


def job(workspace: Workspace, run_id: str | None) -> progress.Status | None:
    """How this job is doing, or None if there is none of this id that can be read."""
    if not run_id or not run_id.isalnum() or len(run_id) > LONGEST_ID:
        return None
    try:
        return progress.status(workspace, run_id)
    except (NotFound, Corrupt):
        return None
