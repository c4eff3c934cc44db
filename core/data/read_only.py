"""A workspace that is only looked at: which acts write in one, and the sentence that refuses them.

RECSCOPE_READ_ONLY names the folder of the workspace that this process, and each that it starts, may
only look at; `recscope serve --read-only` sets it. An act is refused before any work is done for
it; what belongs to no act is refused by `core.data.limits.writing`, which every write goes through.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from core.errors import NotFound, ReadOnly

VARIABLE = "RECSCOPE_READ_ONLY"


@dataclass(frozen=True)
class WritingAct:
    """Something that a person does, and that writes in the workspace."""

    name: str  # as the sentence says it
    where: str  # the function that refuses it, by its full name


IMPORT = WritingAct("importing data", "core.data.ingest.ingest.ingest")
ADD_PICTURES = WritingAct("adding pictures", "core.data.pictures.add_pictures")
CLEAN = WritingAct("cleaning a dataset", "core.data.quality.cleaning.clean")
RENAME_DATASET = WritingAct("renaming a dataset", "core.data.store.Workspace.rename")
RENAME_RUN = WritingAct("renaming a run", "core.runs.artifact.rename_run")
ARCHIVE = WritingAct("archiving or listing again", "core.data.info.archive")
DELETE = WritingAct("deleting", "core.data.store.Workspace.discard")
TRAIN = WritingAct("training", "core.pipeline.training.fit")
EVALUATE = WritingAct("storing an evaluation", "core.pipeline.evaluation.evaluate")
START_JOB = WritingAct("starting a job", "core.jobs.process.starting")
CANCEL_JOB = WritingAct("cancelling a job", "core.jobs.process.cancel")
UPLOAD = WritingAct("uploading a file", "dashboard.uploads.check_uploads")

WRITING_ACTS = (
    *(IMPORT, ADD_PICTURES, CLEAN, RENAME_DATASET, RENAME_RUN, ARCHIVE, DELETE),
    *(TRAIN, EVALUATE, START_JOB, CANCEL_JOB, UPLOAD),
)


def is_read_only(path: Path) -> bool:
    """Whether this path is, or lies in, the workspace that may only be looked at."""
    root = os.environ.get(VARIABLE, "")
    return root != "" and path.resolve().is_relative_to(Path(root).resolve())


def check_there() -> None:
    """Raises NotFound where the variable names no folder, so that nothing is protected by it."""
    root = os.environ.get(VARIABLE, "")
    if root and not Path(root).is_dir():
        raise NotFound(
            f"there is no workspace {root!r}, and one that may only be looked at must be there: "
            f"give its folder (now in {VARIABLE})"
        )


def check_writable(path: Path, act: WritingAct | None = None) -> None:
    """Passes where the path may be written.

    Args:
        path: Of the workspace, or of what lies in it.
        act: What is about to be done; else the sentence names the path.

    Raises:
        ReadOnly: the workspace may only be looked at.
    """
    if is_read_only(path):
        raise ReadOnly(_sentence(f"writing {path}" if act is None else act.name))


def _sentence(refused: str) -> str:
    root = os.environ[VARIABLE]
    if not os.access(root, os.W_OK):
        return (
            f"{refused} is refused: the workspace {root} may not be written to by this server; "
            "change its permissions or its disk's, then start the server again"
        )
    return (
        f"{refused} is refused: the workspace {root} is only looked at here ({VARIABLE}, or "
        "recscope serve --read-only); do it by a command, or start the server without that"
    )
