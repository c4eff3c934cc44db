"""A search as it is asked for and kept: its folder holds search.json and the trials."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from core import jobs
from core.data.durable import read_json, read_object, utc_now, write_json_atomically
from core.data.info import is_archived
from core.data.refs import checked_name
from core.data.store import Workspace
from core.data.unreadable import Unreadable, read_all
from core.errors import BadInput, Corrupt
from core.runs.config import parse_params
from core.runs.identity import code_version, runs_digest
from core.runs.request import RunRequest
from core.tune.result import SearchResult
from core.tune.space import INSTEAD, default_space, domain
from core.types import Params, RunConfig

SCHEMA_VERSION = 1
USUAL_TRIALS, MOST_TRIALS = 20, 1000


@dataclass(frozen=True)
class Search:
    """Which settings of a model rank held-out validation events best?"""

    config: RunConfig  # params: those of the first trial, and those that no trial changes
    space: Mapping[str, str]  # setting → where it is searched, as written
    trials: int = USUAL_TRIALS  # at most
    minutes: float | None = None  # after which no trial is begun
    name: str | None = None  # of the run with the best settings
    evaluate: bool = False

    @property
    def id(self) -> str:
        """12 hex characters: what is asked on which data by which code; not for how long."""
        spec = json.dumps([self.config.to_json(), dict(self.space), runs_digest()], sort_keys=True)
        return hashlib.sha256(spec.encode()).hexdigest()[:12]

    @classmethod
    def read(cls, folder: Path) -> Search:
        """The search that the search.json of this folder is about."""
        spec = read_json(folder / "search.json") or {}
        bounds = {key: spec[key] for key in ("space", "trials", "minutes", "evaluate")}
        return cls(RunConfig(**spec["config"]), name=spec["run_name"], **bounds)


def plan_search(
    workspace: Workspace,
    request: RunRequest,
    *,
    space: Mapping[str, str] | None = None,
    trials: int | None = None,
    minutes: float | None = None,
    evaluate: bool = False,
) -> Search:
    """The whole, checked search.

    Args:
        workspace: Where the dataset is.
        request: The dataset, the model, what no trial changes (params, where they differ from the
            defaults; split, seed, encoders), and the name of the run with the best settings.
        space: What is searched, instead of what is usual for this model.
        trials: At most; without, 20, or as many as the minutes allow.
        minutes: After these no trial is begun.
        evaluate: Whether that run is evaluated.

    Raises:
        BadInput: an unknown name, a value out of range, or nothing to search.
    """
    if request.model in INSTEAD:
        raise BadInput(INSTEAD[request.model])
    params = parse_params(request.params)
    config = replace(request, params=params).resolve(workspace)
    if both := [key for key in space or () if key in params]:
        raise BadInput(f"{both[0]} is both set and searched: one of them is right")
    chosen = space or {k: v for k, v in default_space(request.model).items() if k not in params}
    for key, text in chosen.items():
        domain(request.model, key, text)
    if not chosen:
        raise BadInput(
            f"all that is searched of {request.model} is set: leave one out, or name another"
        )
    if trials is not None and not 1 <= trials <= MOST_TRIALS:
        raise BadInput(f"a search has 1 to {MOST_TRIALS} trials, not {trials}")
    if minutes is not None and not (minutes > 0 and math.isfinite(minutes)):
        raise BadInput(f"a search takes more than 0 minutes, not {minutes:g}")
    if trials is None:
        trials = USUAL_TRIALS if minutes is None else MOST_TRIALS
    name = None if request.name is None else checked_name(request.name)
    return Search(config, dict(chosen), trials, minutes, name, evaluate)


def prepare_search(workspace: Workspace, search: Search) -> None:
    """Makes the search's folder ready; trials that it has stay."""
    folder = jobs.reset_folder(workspace.searches_folder / search.id)
    (folder / "epochs.jsonl").unlink(missing_ok=True)
    info = workspace.dataset(search.config.dataset)
    spec = {
        "schema_version": SCHEMA_VERSION,
        "id": search.id,
        "name": search.config.model,
        "dataset_name": info.name,
        "created": utc_now(),
        "code_version": code_version(),
        "run_name": search.name,
        **{k: v for k, v in asdict(search).items() if k != "name"},
    }
    write_json_atomically(folder / "search.json", spec)


def start_search(workspace: Workspace, search: Search) -> str:
    """Starts the search in a process of its own, or carries it on; returns its id at once."""
    words = ["tune", search.config.dataset, "--model", search.config.model]
    folder = workspace.searches_folder / search.id
    jobs.start_child(workspace, folder, words, lambda: prepare_search(workspace, search))
    return search.id


def finish(folder: Path, result: SearchResult) -> None:
    """Keeps what the search found."""
    spec = read_json(folder / "search.json") or {}
    write_json_atomically(folder / "search.json", {**spec, "result": result.to_json()})


def finished_searches(workspace: Workspace, dataset: str) -> list[SearchResult]:
    """What each finished search on the dataset of this id found, newest first."""
    found = _results(workspace)[0]
    results = [r for r in found if r.dataset == dataset]
    return sorted(results, key=lambda result: (result.created, result.search), reverse=True)


def unreadable_results(workspace: Workspace) -> list[Unreadable]:
    """The searches whose result cannot be used: what is wrong, and what to do."""
    return _results(workspace)[1]


def _results(workspace: Workspace) -> tuple[list[SearchResult], list[Unreadable]]:
    folders = sorted(workspace.searches_folder.glob("[!.]*"))
    found, unreadable = read_all("search", folders, _read_result)
    listed = [r for r in found if not is_archived(workspace.searches_folder / r.search)]
    return listed, unreadable


def _read_result(folder: Path) -> SearchResult | None:
    path = folder / "search.json"
    try:
        spec = read_object(path, SCHEMA_VERSION)
        if spec is None or "result" not in spec:
            return None
        return SearchResult.from_json(spec["result"], created=str(spec["created"]))
    except (AttributeError, KeyError, TypeError):
        raise Corrupt(
            f"{path} says other things than what a search found: search again, or recscope delete "
            f"{folder.name}"
        ) from None


def with_params(search: Search, params: Params) -> RunConfig:
    """The config of a run with these settings."""
    return replace(search.config, params={**search.config.params, **params})
