"""Where a training leaves how far it is: files in its run's folder, until the run is finished."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from core.data.store import Workspace
from core.types import Array

CHECKPOINTS = "checkpoints"  # the folder inside a run's


@contextmanager
def written_whole(workspace: Workspace, path: Path) -> Iterator[Path]:
    """A place to write to; afterwards the file is synced to disk and renamed to its own."""
    with workspace.scratch() as scratch:
        yield scratch / path.name
        with (scratch / path.name).open("rb") as file:
            os.fsync(file.fileno())
        (scratch / path.name).replace(path)


class Checkpoints:
    """What a training left in its run's folder, to be gone on from: a safetensors file a part."""

    def __init__(self, workspace: Workspace, run_id: str, name: str = "fit") -> None:
        self._workspace, self._run_id, self._name = workspace, run_id, name
        folder = workspace.runs_folder / run_id / CHECKPOINTS
        self._path = folder / f"{name}.safetensors"

    def read(self) -> dict[str, Array] | None:
        """What was left last, or None."""
        try:
            return dict(load_file(self._path))
        except (FileNotFoundError, SafetensorError):  # nothing, or of no use
            return None

    def write(self, state: Mapping[str, Array]) -> None:
        """Leaves this instead; what is read is always whole."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(self._workspace, self._path) as path:
            save_file({name: np.asarray(array, order="C") for name, array in state.items()}, path)

    def part(self, name: str) -> Checkpoints:
        """Another file beside this one."""
        return Checkpoints(self._workspace, self._run_id, f"{self._name}.{name}")
