"""What a run learnt, written and read again: safetensors and Parquet, each file with its sha256."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import load_file, save_file

from core.data.durable import sha256_file, sync_file, sync_folder, write_json_atomically
from core.data.limits import writing
from core.data.store import Workspace
from core.errors import BadInput, Corrupt
from core.runs.artifact import (
    EPOCHS,
    FAITHFULNESS,
    METRICS,
    PER_USER,
    PER_USER_ANY,
    SCHEMA_VERSION,
    VOCAB,
    WEIGHTS,
    Run,
    find_run,
    per_user_name,
    verify,
)
from core.runs.checkpoints import CHECKPOINTS, written_whole
from core.runs.config import model_class, model_config
from core.runs.faithfulness import RunFaithfulness
from core.runs.identity import code_version
from core.runs.metrics import RunMetrics
from core.types import Array, Recommender, RunConfig, Vocab

if TYPE_CHECKING:
    import pandas as pd


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
    folder = workspace.runs_folder / run_id
    arrays = {name: np.asarray(array, order="C") for name, array in state.items()}
    size = sum(array.nbytes for array in arrays.values())
    ids = pa.array(items.ids, pa.int64() if items.ids.dtype.kind == "i" else pa.string())
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        kept = (folder / name for name in (METRICS, EPOCHS, FAITHFULNESS))
        for stale in (*kept, *folder.glob(PER_USER_ANY)):
            stale.unlink(missing_ok=True)
    with written_whole(workspace, folder / WEIGHTS, size) as path:
        save_file(arrays, path)
    with written_whole(workspace, folder / VOCAB) as path:
        pq.write_table(pa.table({"item_id": ids}), path)
    written = [WEIGHTS, VOCAB]
    if snapshots:
        with written_whole(workspace, folder / EPOCHS) as path:
            save_file({str(at): np.asarray(v, order="C") for at, v in snapshots.items()}, path)
        written.append(EPOCHS)
    hashes = {name: sha256_file(folder / name) for name in written}
    meta = {
        "schema_version": SCHEMA_VERSION,
        "id": run_id,
        **facts,
        "config": config.to_json(),
        "code_version": code_version(),
        "parameters": sum(array.size for array in arrays.values()),
        "bytes": size,
        "sha256": hashes,
        "artifact_hash": hashes[WEIGHTS],
    }
    write_json_atomically(folder / "run.json", meta)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    return Run(run_id, folder, meta)


def save_metrics(
    workspace: Workspace, run: Run, metrics: RunMetrics, per_user: pd.DataFrame
) -> None:
    """Stores what an evaluation found, in place of the last one; metrics.json comes last."""
    with writing(run.folder), workspace.scratch() as scratch:
        per_user.to_parquet(scratch / PER_USER, index=False)
        digest = sha256_file(scratch / PER_USER)
        name = per_user_name(digest)
        content = {**metrics.to_json(), "sha256": {name: digest}}
        write_json_atomically(scratch / METRICS, content)
        sync_file(scratch / PER_USER)
        (scratch / PER_USER).replace(run.folder / name)
        (scratch / METRICS).replace(run.folder / METRICS)  # from here on the new one holds
        sync_folder(run.folder)
        for old in run.folder.glob(PER_USER_ANY):
            if old.name != name:
                old.unlink(missing_ok=True)


def save_faithfulness(run: Run, faithfulness: RunFaithfulness) -> None:
    """Stores how faithful a run's explanations are, in place of what was stored last."""
    write_json_atomically(run.folder / FAITHFULNESS, faithfulness.to_json())


def load_model(run: Run, *, device: str = "cpu") -> tuple[Recommender, Vocab]:
    """The model as it was after fit, and the item ids in code order; every file is checked first.

    Raises:
        Corrupt: a file is not what was written.
        BadInput: the run was made by another version of Recscope.
    """
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
    if not run.epochs:
        return {}
    verify(run)
    held = load_file(run.folder / EPOCHS)
    return {epoch: held[str(epoch)] for epoch in run.epochs}


def load_components(workspace: Workspace, made: RunConfig, items: Vocab) -> dict[str, Recommender]:
    """The fitted models of the runs that a fusion of this config consists of, by run id."""
    found = {}
    for ident in filter(None, str(made.params.get("components", "")).split(",")):
        found[ident], own = load_model(find_run(workspace, ident), device=made.device)
        if not np.array_equal(own.ids, items.ids):
            raise Corrupt(f"run {ident} knows other items than its dataset has: train it again")
    return found
