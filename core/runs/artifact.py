"""A Run on disk: run.json + safetensors + sha256, never a pickle. Listing runs does not load torch.

run.json is written last: a run without `artifact_hash` in it is not finished, and not listed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.data.durable import sha256_file, write_json_atomically
from core.data.store import Workspace
from core.errors import BadInput, Corrupt, NotFound
from core.runs import config
from core.runs.config import model_class, model_config
from core.runs.identity import code_version
from core.types import Array, Recommender, RunConfig, Vocab

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
CHECKPOINTS = "checkpoints"  # the folder inside a run's, until the run is finished
WEIGHTS, VOCAB, EPOCHS, METRICS, PER_USER = (
    "weights.safetensors",
    "vocab.parquet",
    "epochs.safetensors",
    "metrics.json",
    "per_user.parquet",
)


def plan(
    workspace: Workspace,
    dataset_ref: str,
    model: str,
    params: Mapping[str, Any] | Iterable[str] = (),
    *,
    split: str = "leave-last-out",
    seed: int = 0,
    device: str = "auto",
    features: Mapping[str, str] | None = None,
) -> RunConfig:
    """config.plan, for which dataset, components and encoders go by name or path.

    Raises:
        BadInput: an unknown name or a value out of range, or components of other data.
    """
    from core.data.features.embeddings import resolve_encoders

    info = workspace.dataset(dataset_ref)
    chosen = resolve_encoders(features or {}, info.meta["item_columns"])
    made = config.checked_config(
        info.id, model, params, split=split, seed=seed, device=device, features=chosen
    )
    if "components" not in made.params:
        return made
    refs = [ref.strip() for ref in made.params["components"].split(",") if ref.strip()]
    parts = {part.id: part for part in (find_run(workspace, ref) for ref in refs)}
    for part in parts.values():
        if (part.config.dataset, part.config.split) != (info.id, split):
            raise BadInput(
                f"run {part.name} ({part.id}) learnt from {part.dataset_name} "
                f"({part.config.dataset}, {part.config.split}), not from {info.name} ({info.id}, "
                f"{split}): components are runs of one dataset and split"
            )
    return replace(
        made,
        params={**made.params, "components": ",".join(parts)},
        features=_shared_features(made, parts.values()),
    )


def _shared_features(made: RunConfig, parts: Iterable[Run]) -> Mapping[str, str]:
    """What all components that read features were given, which a fusion may fit anew."""
    read = [p for p in parts if model_class(p.config.model).needs_features]
    given = {p.name: dict(p.config.features) for p in read}
    if made.features:
        given["this fusion"] = dict(made.features)
    for name, features in given.items():
        (first, shared), *_ = given.items()
        if features != shared:
            raise BadInput(
                f"{name} has {_told(features)} and {first} has {_told(shared)}: "
                "components that read texts and images need the same of them"
            )
    return next(iter(given.values()), {})


def _told(features: Mapping[str, str]) -> str:
    said = [f"{name} {value}" for name, value in features.items() if not name.endswith("_hash")]
    return ", ".join(said) or "no encoder"


def load_components(workspace: Workspace, made: RunConfig, items: Vocab) -> dict[str, Recommender]:
    """The fitted models of the runs that a fusion of this config consists of, by run id."""
    found = {}
    for ident in filter(None, made.params.get("components", "").split(",")):
        found[ident], own = load_model(find_run(workspace, ident), device=made.device)
        if not np.array_equal(own.ids, items.ids):
            raise Corrupt(f"run {ident} knows other items than its dataset has: train it again")
    return found


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
    def metrics(self) -> dict[str, Any] | None:
        """What `evaluate` last stored, or None."""
        return _read_json(self.folder / METRICS)

    def per_user(self) -> pd.DataFrame | None:
        """A row per test query (user_id), a column per metric; None before `evaluate`."""
        import pandas as pd

        path = self.folder / PER_USER
        return pd.read_parquet(path) if path.exists() else None


def save_run(
    workspace: Workspace,
    run_id: str,
    config: RunConfig,
    state: Mapping[str, Array],
    items: Vocab,
    snapshots: Mapping[int, Array] | None = None,
    **facts: Any,
) -> Run:
    """Writes what a model learnt; the run exists from the moment this returns, and not before.

    Args:
        workspace: Where.
        run_id: The id of this config (config.run_id).
        config: What was trained.
        state: The model's whole state.
        items: The catalogue: item ids in code order.
        snapshots: The items' vectors (I, D) after a few epochs, by epoch.
        facts: What else run.json says: name, dataset_name, created, seconds, tie rate, …
    """
    import pyarrow as pa
    import pyarrow.parquet as pq
    from safetensors.numpy import save_file

    folder = workspace.runs_folder / run_id
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.asarray(array, order="C") for name, array in state.items()}
    ids = pa.array(items.ids, pa.int64() if items.ids.dtype.kind == "i" else pa.string())
    for stale in (METRICS, PER_USER, EPOCHS):
        (folder / stale).unlink(missing_ok=True)
    with _written_whole(workspace, folder / WEIGHTS) as path:
        save_file(arrays, path)
    with _written_whole(workspace, folder / VOCAB) as path:
        pq.write_table(pa.table({"item_id": ids}), path)
    written = [WEIGHTS, VOCAB]
    if snapshots:
        with _written_whole(workspace, folder / EPOCHS) as path:
            save_file({str(at): np.asarray(v, order="C") for at, v in snapshots.items()}, path)
        written.append(EPOCHS)
    hashes = {name: sha256_file(folder / name) for name in written}
    meta = {
        "schema_version": SCHEMA_VERSION,
        "id": run_id,
        **facts,
        "config": asdict(config),
        "code_version": code_version(),
        "parameters": sum(array.size for array in arrays.values()),
        "bytes": sum(array.nbytes for array in arrays.values()),
        "sha256": hashes,
        "artifact_hash": hashes[WEIGHTS],
    }
    write_json_atomically(folder / "run.json", meta)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    return Run(run_id, folder, meta)


@contextmanager
def _written_whole(workspace: Workspace, path: Path) -> Iterator[Path]:
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
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            return dict(load_file(self._path))
        except (FileNotFoundError, SafetensorError):  # nothing, or of no use
            return None

    def write(self, state: Mapping[str, Array]) -> None:
        """Leaves this instead; what is read is always whole."""
        from safetensors.numpy import save_file

        self._path.parent.mkdir(parents=True, exist_ok=True)
        with _written_whole(self._workspace, self._path) as path:
            save_file({name: np.asarray(array, order="C") for name, array in state.items()}, path)

    def part(self, name: str) -> Checkpoints:
        """Another file beside this one."""
        return Checkpoints(self._workspace, self._run_id, f"{self._name}.{name}")


def save_metrics(
    workspace: Workspace, run: Run, metrics: Mapping[str, Any], per_user: pd.DataFrame
) -> None:
    """Stores what an evaluation found, in place of the last one; metrics.json comes last."""
    with _written_whole(workspace, run.folder / PER_USER) as path:
        per_user.to_parquet(path, index=False)
    write_json_atomically(run.folder / METRICS, dict(metrics))


def load_model(run: Run, *, device: str = "cpu") -> tuple[Recommender, Vocab]:
    """The model as it was after fit, and the item ids in code order; every file is checked first.

    Raises:
        Corrupt: a file is not what was written.
        BadInput: the run was made by another version of Recscope.
    """
    import pyarrow.parquet as pq
    from safetensors.numpy import load_file

    if run.meta["schema_version"] > SCHEMA_VERSION:
        raise BadInput(
            f"run {run.id} was written by a newer Recscope (format {run.meta['schema_version']}, "
            f"this one reads up to {SCHEMA_VERSION}): update Recscope, or train again"
        )
    verify(run)
    config = run.config
    model = model_class(config.model)(model_config(config.model, config.params))
    model.load(load_file(run.folder / WEIGHTS), device=device)
    ids = pq.read_table(run.folder / VOCAB)["item_id"].to_pandas().to_numpy()
    return model, Vocab(ids)


def load_snapshots(run: Run) -> dict[int, Array]:
    """The items' vectors (I, D) after each of the run's epochs that were kept, rising; or none."""
    from safetensors.numpy import load_file

    if not run.epochs:
        return {}
    held = load_file(run.folder / EPOCHS)
    return {epoch: held[str(epoch)] for epoch in run.epochs}


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
    meta = _read_json(folder / "run.json")
    return Run(run_id, folder, meta) if meta and "artifact_hash" in meta else None


def find_run(workspace: Workspace, ref: str) -> Run:
    """The run of this id, name (the newest that bears it) or unique beginning of an id.

    Raises:
        NotFound: there is none; the sentence names what there is.
        BadInput: several ids begin so.
    """
    known = list_runs(workspace)
    for found in known:
        if found.id == ref:
            return found
    for found in known:
        if found.name == ref:
            return found
    matches = [found for found in known if ref and found.id.startswith(ref)]
    if len(matches) > 1:
        raise BadInput(
            f"{ref!r} could be {' or '.join(r.id for r in matches)}: write one more letter"
        )
    if not matches:
        have = ", ".join(f"{r.name} ({r.id})" for r in known[:8]) + (" …" if len(known) > 8 else "")
        raise NotFound(
            f"there is no finished run {ref!r}: "
            + (f"there are {have}" if known else "train one with recscope train")
        )
    return matches[0]


def rename_run(workspace: Workspace, run_id: str, name: str) -> Run:
    """The run under another name."""
    found = find_run(workspace, run_id)
    meta = {**found.meta, "name": checked_name(name)}
    write_json_atomically(found.folder / "run.json", meta)
    return Run(found.id, found.folder, meta)


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


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):  # not there (yet), or no run of ours
        return None
    return content if isinstance(content, dict) else None
