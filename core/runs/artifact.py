"""A Run on disk: run.json + safetensors + sha256, never a pickle. Listing runs does not load torch.

run.json is written last: a run without `artifact_hash` in it is not finished, and not listed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from core.data.durable import check_entries, read_object, verify_once, write_json_atomically
from core.data.info import is_archived
from core.data.read_only import RENAME_RUN, check_writable
from core.data.refs import checked_name, meant_by
from core.data.store import Workspace
from core.data.unreadable import Unreadable, read_all
from core.errors import BadInput, Corrupt, NotFound
from core.runs.faithfulness import RunFaithfulness
from core.runs.metrics import RunMetrics
from core.runs.notes import RunNotes
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
FAITHFULNESS = "faithfulness.json"
NOTES = "notes.json"
PER_USER_ANY = "per_user*.parquet"  # named by what is in it, so that the old one holds until then


def per_user_name(digest: str) -> str:
    """What the table per user of this sha256 is called; that of 0.1.0 was PER_USER."""
    return f"per_user-{digest[:12]}.parquet"


AGAIN = "train it again, which mends it"
EVALUATE = "evaluate the run again"
MEASURE = "measure again how faithful its explanations are"
WRITE = "write its note and tags again"

T = TypeVar("T")

_ASKED = {"name": str, "dataset_name": str, "created": str, "config": dict}
_CONFIG = {"dataset": str, "model": str, "params": dict, "split": str, "device": str}
_SAID = {  # what run.json says of a finished run besides, at least
    **{"seconds": (int, float), "split": dict, "sha256": dict, "artifact_hash": str},
    **{"parameters": int, "code_version": str, "machine": dict},
}


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
    def archived(self) -> bool:
        """Whether it is kept, but left out of lists."""
        return is_archived(self.folder)

    @property
    def metrics(self) -> RunMetrics | None:
        """What `evaluate` last stored; None before, and where `check_metrics` says why."""
        try:
            return self.check_metrics()
        except Corrupt:  # told by unreadable_runs
            return None

    def check_metrics(self) -> RunMetrics | None:
        """What `evaluate` last stored; None before.

        Raises:
            Corrupt: it is not what was written; the sentence says what to do.
        """
        path = self.folder / METRICS
        metrics = _read_beside(path, RunMetrics.from_json, "figures", EVALUATE)
        if metrics is None and any(self.folder.glob(PER_USER_ANY)):
            raise Corrupt(f"{path} is missing: {EVALUATE}")
        return metrics

    @property
    def faithfulness(self) -> RunFaithfulness | None:
        """How faithful its explanations were when that was last measured; None before.

        None too where `check_faithfulness` says why.
        """
        try:
            return self.check_faithfulness()
        except Corrupt:  # told by unreadable_runs
            return None

    def check_faithfulness(self) -> RunFaithfulness | None:
        """How faithful its explanations were when that was last measured; None before.

        Raises:
            Corrupt: it is not what was written; the sentence says what to do.
        """
        path = self.folder / FAITHFULNESS
        return _read_beside(path, RunFaithfulness.from_json, "figures", MEASURE)

    @property
    def notes(self) -> RunNotes:
        """What a person wrote on it; empty where nobody did, and where `check_notes` says why."""
        try:
            return self.check_notes()
        except Corrupt:  # told by unreadable_runs
            return RunNotes()

    def check_notes(self) -> RunNotes:
        """What a person wrote on it; empty where nobody did.

        Raises:
            Corrupt: it is not what was written; the sentence says what to do.
        """
        path = self.folder / NOTES
        return _read_beside(path, RunNotes.from_json, "notes", WRITE) or RunNotes()

    def per_user(self) -> pd.DataFrame | None:
        """A row per test query (user_id), a column per metric; None before `evaluate`.

        Raises:
            Corrupt: it is gone, or not what was written.
        """
        import pandas as pd

        said = (read_object(self.folder / METRICS) or {}).get("sha256") or {}
        name, expected = next(iter(said.items()), (PER_USER, None))
        path = self.folder / Path(name).name
        if expected:
            verify_once(path, expected, f"run {self.name} ({self.id})", EVALUATE)
        return pd.read_parquet(path) if path.exists() else None


def _read_beside(
    path: Path, from_json: Callable[[Mapping[str, Any]], T], what: str, advice: str
) -> T | None:
    """What a file beside the run says; None where there is none.

    Raises:
        Corrupt: it is not what was written; the sentence gives the advice.
    """
    try:
        content = read_object(path)
        return None if content is None else from_json(content)
    except Corrupt as error:
        raise Corrupt(f"{error}: {advice}") from None
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Corrupt(f"{path} says other things than {what}: {advice}") from None


def verify(run: Run) -> None:
    """Raises Corrupt unless each file of the run has the sha256 that run.json says."""
    for name, expected in run.meta["sha256"].items():
        verify_once(run.folder / name, expected, f"run {run.id}", AGAIN)


def list_runs(workspace: Workspace, *, archived: bool = False) -> list[Run]:
    """All finished runs that can be read, newest first; archived ones too if asked."""
    found, _ = read_all("run", workspace.runs_folder.glob("[!.]*"), read_run)
    runs = [run for run in found if archived or not run.archived]
    return sorted(runs, key=lambda r: (r.created, r.id), reverse=True)


def unreadable_runs(workspace: Workspace) -> list[Unreadable]:
    """Those that cannot be used, or not their figures: what is wrong, and what to do."""

    def read(folder: Path) -> None:
        if run := read_run(folder):
            run.check_metrics()
            run.check_faithfulness()
            run.check_notes()

    return read_all("run", sorted(workspace.runs_folder.glob("[!.]*")), read)[1]


def read_run(folder: Path) -> Run | None:
    """The finished run in this folder; None if there is none, or it is not finished.

    Raises:
        Corrupt: it cannot be used; the sentence names the file, and what to do.
    """
    path = folder / "run.json"
    try:
        meta = read_object(path, SCHEMA_VERSION)
        if meta is None and (folder.is_file() or (folder / WEIGHTS).exists()):
            raise Corrupt(f"{path} is missing")
        if meta is None:
            return None
        check_entries(path, meta, _ASKED)
        if "artifact_hash" not in meta:
            return None
        check_entries(path, meta, _SAID)
        check_entries(path, meta["config"], _CONFIG)
        RunConfig(**meta["config"])
    except Corrupt as error:
        newer = "newer Recscope" in str(error)
        raise Corrupt(str(error) if newer else f"{error}: {AGAIN}") from None
    except TypeError:
        raise Corrupt(f"{path} has a config of other entries than this Recscope knows") from None
    return Run(folder.name, folder, meta)


def open_run(workspace: Workspace, run_id: str) -> Run | None:
    """The finished run of exactly this id, or None."""
    try:
        return read_run(workspace.runs_folder / run_id)
    except Corrupt:
        return None


def find_run(workspace: Workspace, ref: str) -> Run:
    """The run of this id, name (the newest that bears it) or unique beginning of an id.

    Those that are listed go before those that are archived.

    Raises:
        NotFound: there is none; the sentence names what there is.
        BadInput: several ids begin so.
        Corrupt: the one with this id cannot be used; the sentence says why.
    """
    everything = list_runs(workspace, archived=True)
    runs = [run for run in everything if not run.archived]
    fitting = meant_by(ref, runs) or meant_by(ref, everything)
    if len(fitting) > 1:
        raise BadInput(
            f"{ref!r} could be {' or '.join(r.id for r in fitting)}: write one more letter"
        )
    if not fitting:
        if ref.isalnum() and (workspace.runs_folder / ref).exists():
            read_run(workspace.runs_folder / ref)  # says why it cannot be used, if it cannot
        have = ", ".join(f"{r.name} ({r.id})" for r in runs[:8]) + (" …" if len(runs) > 8 else "")
        raise NotFound(
            f"there is no finished run {ref!r}: "
            + (f"there are {have}" if runs else "none is trained yet")
        )
    return fitting[0]


def rename_run(workspace: Workspace, run_id: str, name: str) -> Run:
    """The run under another name."""
    check_writable(workspace.path, RENAME_RUN)
    run = find_run(workspace, run_id)
    meta = {**run.meta, "name": checked_name(name)}
    write_json_atomically(run.folder / "run.json", meta)
    return Run(run.id, run.folder, meta)


def delete_run(workspace: Workspace, run_id: str) -> None:
    """Removes a run; it is out of sight before the first of its files goes."""
    workspace.discard(find_run(workspace, run_id).folder)
