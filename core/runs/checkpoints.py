"""Where a training leaves how far it is: files in its run's folder, until the run is finished."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from core.data.durable import sync_file
from core.data.limits import writing
from core.data.store import Workspace
from core.types import Array

CHECKPOINTS = "checkpoints"  # the folder inside a run's


@contextmanager
def written_whole(workspace: Workspace, path: Path, needed: int | None = None) -> Iterator[Path]:
    """A place to write to; afterwards the file is synced to disk and renamed to its own.

    Raises:
        BadInput: there is no room for it (`needed` bytes, if known), or it may not be written.
    """
    with writing(path, needed), workspace.scratch() as scratch:
        yield scratch / path.name
        sync_file(scratch / path.name)
        (scratch / path.name).replace(path)


class Checkpoints:
    """What a training left in its run's folder, to be gone on from: a safetensors file a part."""

    def __init__(self, workspace: Workspace, run_id: str, name: str = "fit") -> None:
        self._workspace, self._run_id, self._name = workspace, run_id, name
        folder = workspace.runs_folder / run_id / CHECKPOINTS
        self._path = folder / f"{name}.safetensors"

    def read(self) -> dict[str, Array] | None:
        """What was left last; None if there is nothing, or not what was written."""
        return read_arrays(self._path)

    def write(self, state: Mapping[str, Array]) -> None:
        """Leaves this instead; what is read is always whole."""
        write_arrays(self._workspace, self._path, state)

    def part(self, name: str) -> Checkpoints:
        """Another file beside this one."""
        return Checkpoints(self._workspace, self._run_id, f"{self._name}.{name}")


def read_arrays(path: Path) -> dict[str, Array] | None:
    """What `write_arrays` left there; None if there is nothing, or not what was written."""
    try:
        with safe_open(path, "numpy") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            written = (file.metadata() or {}).get("sha256")
    except (OSError, SafetensorError):
        return None
    return arrays if written in (None, _sha256(arrays)) else None


def write_arrays(workspace: Workspace, path: Path, state: Mapping[str, Array]) -> None:
    """Leaves these arrays in a safetensors file; what is read is always whole.

    Raises:
        BadInput: there is no room for it, or it may not be written.
    """
    arrays = {name: np.asarray(array, order="C") for name, array in state.items()}
    needed = sum(array.nbytes for array in arrays.values())
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(workspace, path, needed) as scratch:
        save_file(arrays, scratch, metadata={"sha256": _sha256(arrays)})


def _sha256(arrays: Mapping[str, Array]) -> str:
    """Of names, kinds, shapes and numbers: what a changed byte would change."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
