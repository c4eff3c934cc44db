"""A dataset → a run: load, split, fit, save."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import numpy as np

from core.data import dataset
from core.data.dataset import Dataset
from core.data.durable import read_json, utc_now
from core.data.features.embeddings import EmbeddedItems, embed_items
from core.data.read_only import TRAIN, check_writable
from core.data.refs import checked_name
from core.data.split import TimeCut, split_log, visit_gap_of
from core.data.store import Workspace
from core.errors import Corrupt
from core.runs import artifact, checkpoints, weights
from core.runs.artifact import Run
from core.runs.config import model_class, model_config, run_id
from core.runs.request import RunRequest
from core.types import (
    Array,
    Budgeted,
    Features,
    Interactions,
    KeepsSnapshots,
    OnEpoch,
    Progress,
    Recommender,
    ReportsFindings,
    Resumable,
    RunConfig,
    Split,
    TrainData,
    silent,
)


def train(
    workspace: Workspace,
    request: RunRequest,
    *,
    on_stage: Progress | None = None,
    on_epoch: OnEpoch | None = None,
) -> Run:
    """Fits a model to a dataset and stores it; the same again returns what is stored.

    Raises:
        BadInput: an unknown dataset, model or parameter, or a log that the model cannot learn from.
    """
    config = request.resolve(workspace)
    return fit(workspace, config, name=request.name, on_stage=on_stage, on_epoch=on_epoch)


def fit(
    workspace: Workspace,
    config: RunConfig,
    *,
    name: str | None = None,
    on_stage: Progress | None = None,
    on_epoch: OnEpoch | None = None,
    began: float | None = None,
) -> Run:
    """The run of this config, fitted unless it is already there and whole.

    Its seconds, and the minutes that auto may take, count from `began`, a moment of
    time.perf_counter(), else from now.
    """
    say = on_stage or silent
    name = None if name is None else checked_name(name)
    if found := finished_run(workspace, config, name):
        return found
    check_writable(workspace.path, TRAIN)
    began = time.perf_counter() if began is None else began
    info = workspace.dataset(config.dataset)
    kind = model_class(config.model)
    say("load", None)
    data = dataset.load(info)
    say("split", None)
    parts = split_as(data, config)
    items, users, embeddings = features_of(workspace, data, config, say)
    components = weights.load_components(workspace, config, data.items)
    say("fit", None)
    model = kind(model_config(config.model, config.params))
    if isinstance(model, Resumable):
        model.resume_at(checkpoints.Checkpoints(workspace, run_id(config)))
    if isinstance(model, Budgeted):
        model.began_at(began)
    model.fit(
        TrainData(
            parts.train, items, users, parts.validation, parts.train_and_validation, components
        ),
        rng=np.random.default_rng(config.seed),
        device=config.device,
        on_epoch=on_epoch,
    )
    state = model.state()
    snapshots, epochs = dict[int, Array](), dict[str, Any]()
    if isinstance(model, KeepsSnapshots) and (snapshots := dict(model.snapshots)):
        epochs = {"kept": [*snapshots], "own": model.best_epoch}
    say("save", None)
    return weights.save_run(
        workspace,
        run_id(config),
        config,
        state,
        data.items,
        snapshots,
        name=name or config.model,
        dataset_name=info.name,
        created=_created(workspace, config),
        seconds=round(time.perf_counter() - began, 3),
        split={
            "kind": parts.kind,
            "fingerprint": parts.fingerprint,
            "tie_rate": parts.tie_rate,
            "train_events": len(parts.train),
            "test_users": len(parts.test) if parts.test else 0,
        },
        embeddings=embeddings,
        machine=_machine(config.device),
        findings=model.findings().to_json() if isinstance(model, ReportsFindings) else {},
        epochs=epochs,
    )


def features_of(
    workspace: Workspace, data: Dataset, config: RunConfig, say: Progress
) -> tuple[Features | None, Features | None, Mapping[str, EmbeddedItems]]:
    """Of items and users what this model reads, and what became of texts and images."""
    if not model_class(config.model).needs_features:
        return None, None, {}
    if config.features:
        say("embed", None)
    items, embedded = embed_items(
        workspace, data, config.features, config.device, lambda share: say("embed", share)
    )
    return items, data.user_features, embedded


def finished_run(workspace: Workspace, config: RunConfig, name: str | None) -> Run | None:
    """The finished run of this config, under the name asked for; None if damaged or not there."""
    found = artifact.open_run(workspace, run_id(config))
    if found is None:
        return None
    try:
        artifact.verify(found)
    except Corrupt:
        return None
    return artifact.rename_run(workspace, found.id, name) if name is not None else found


def split_as(data: Dataset, config: RunConfig, *, validation: bool | None = None) -> Split:
    """The split of this run, the same every time; with validation where its model needs it."""
    if validation is None:
        validation = model_class(config.model).needs_validation
    cut = TimeCut.parse(config.cut, data.info.time_kind) if config.cut else None
    return split_log(
        data.interactions,
        config.split,
        validation=validation,
        validate_on=config.validate_on,
        cut=cut,
        visit_gap=visit_gap_of(data.info.time_kind),
    )


def learnt_from(data: Dataset, config: RunConfig, model: Recommender) -> Interactions:
    """The events that this run's model learnt from, validation's where it was refitted to them."""
    return learnt_part(split_as(data, config), model)


def learnt_part(log: Split, model: Recommender) -> Interactions:
    """The same of a run whose split is at hand."""
    return log.train_and_validation if getattr(model.config, "refit", True) else log.train


def _created(workspace: Workspace, config: RunConfig) -> str:
    """When a job asked for this run, or now."""
    spec = read_json(workspace.runs_folder / run_id(config) / "run.json") or {}
    return str(spec.get("created") or utc_now())


def _machine(device: str) -> dict[str, str | int | None]:
    torch = sys.modules.get("torch")  # not loaded by what only counts, on one thread
    on_gpu = torch is not None and device == "cuda"
    return {
        "device": device,
        "device_name": torch.cuda.get_device_name() if torch and on_gpu else platform.machine(),
        "threads": torch.get_num_threads() if torch else None,
        "torch": metadata.version("torch"),
        "python": platform.python_version(),
    }
