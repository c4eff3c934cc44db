"""A Run on disk: run.json + safetensors + sha256, never a pickle. Listing runs does not load torch.

run.json is written last: a run without `artifact_hash` in it is not finished, and not listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.data.durable import read_json, sha256_file, write_json_atomically
from core.data.refs import meant_by
from core.data.store import Workspace
from core.errors import BadInput, Corrupt, NotFound
from core.runs.metrics import RunMetrics
from core.types import RunConfig

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
WEIGHTS, VOCAB, EPOCHS, METRICS, PER_USER = (
    "weights.safetensors",
    "vocab.parquet",
    "epochs.safetensors",
    "metrics.json",
    "per_user.parquet",
)


@dataclass(frozen=True)
class Run:
    """A finished run: what was trained, on what, and what came out (`meta` is its run.json)."""

    id: str
    folder: Path
    meta: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What a person calls it; the model's name if they did not say."""
        return str(self.meta["name"])

    @property
    def config(self) -> RunConfig:
        """What was trained, on what, how."""
        return RunConfig(**self.meta["config"])

    @property
    def dataset_name(self) -> str:
        """What the dataset was called when the run was made."""
        return str(self.meta["dataset_name"])

    @property
    def created(self) -> str:
        """When the run was asked for, ISO 8601, UTC."""
        return str(self.meta["created"])

    @property
    def seconds(self) -> float:
        """Reading, splitting and fitting together."""
        return float(self.meta["seconds"])

    @property
    def artifact_hash(self) -> str:
        """The sha256 of the weights: equal seed, data and device give an equal hash."""
        return str(self.meta["artifact_hash"])

    @property
    def epochs(self) -> tuple[int, ...]:
        """Those after which the items' vectors were kept, rising; none in most runs."""
        return tuple((self.meta.get("epochs") or {}).get("kept", ()))

    @property
    def own_epoch(self) -> int | None:
        """The one that the run's weights are of, where epochs were kept."""
        return (self.meta.get("epochs") or {}).get("own")

    @property
    def metrics(self) -> RunMetrics | None:
        """What `evaluate` last stored; None before, or where the file does not say it."""
        content = read_json(self.folder / METRICS)
        try:
            return None if content is None else RunMetrics.from_json(content)
        except (AttributeError, KeyError, TypeError):  # damaged: to be evaluated again
            return None

    def per_user(self) -> pd.DataFrame | None:
        """A row per test query (user_id), a column per metric; None before `evaluate`."""
        import pandas as pd

        path = self.folder / PER_USER
        return pd.read_parquet(path) if path.exists() else None


def verify(run: Run) -> None:
    """Raises Corrupt unless each file of the run has the sha256 that run.json says."""
    for name, expected in run.meta["sha256"].items():
        path = run.folder / name
        if not path.exists():
            raise Corrupt(f"run {run.id} has lost its {name}: train it again")
        found = sha256_file(path)
        if found != expected:
            raise Corrupt(
                f"{path} is not what was written (sha256 {found[:12]}…, not {expected[:12]}…): "
                "train the run again"
            )


def list_runs(workspace: Workspace) -> list[Run]:
    """All finished runs, newest first."""
    found = (open_run(workspace, folder.name) for folder in workspace.runs_folder.glob("[!.]*"))
    return sorted((r for r in found if r), key=lambda r: (r.created, r.id), reverse=True)


def open_run(workspace: Workspace, run_id: str) -> Run | None:
    """The finished run of exactly this id, or None."""
    folder = workspace.runs_folder / run_id
    meta = read_json(folder / "run.json")
    return Run(run_id, folder, meta) if meta and "artifact_hash" in meta else None


def find_run(workspace: Workspace, ref: str) -> Run:
    """The run of this id, name (the newest that bears it) or unique beginning of an id.

    Raises:
        NotFound: there is none; the sentence names what there is.
        BadInput: several ids begin so.
    """
    runs = list_runs(workspace)
    fitting = meant_by(ref, runs)
    if len(fitting) > 1:
        raise BadInput(
            f"{ref!r} could be {' or '.join(r.id for r in fitting)}: write one more letter"
        )
    if not fitting:
        have = ", ".join(f"{r.name} ({r.id})" for r in runs[:8]) + (" …" if len(runs) > 8 else "")
        raise NotFound(
            f"there is no finished run {ref!r}: "
            + (f"there are {have}" if runs else "none is trained yet")
        )
    return fitting[0]


def rename_run(workspace: Workspace, run_id: str, name: str) -> Run:
    """The run under another name."""
    run = find_run(workspace, run_id)
    meta = {**run.meta, "name": checked_name(name)}
    write_json_atomically(run.folder / "run.json", meta)
    return Run(run.id, run.folder, meta)


def checked_name(name: str) -> str:
    """The name without blanks around it; BadInput if empty, long or with control characters."""
    name = name.strip()
    if not 0 < len(name) <= 100 or not name.isprintable():
        raise BadInput(f"a name has 1 to 100 printable characters, not {name[:40]!r}")
    return name


def delete_run(workspace: Workspace, run_id: str) -> None:
    """Removes a run; it is out of sight before the first of its files goes."""
    folder = find_run(workspace, run_id).folder
    with workspace.scratch() as scratch:
        folder.rename(scratch / folder.name)
