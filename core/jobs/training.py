"""A training as a job."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.data.durable import utc_now, write_json_atomically
from core.data.refs import checked_name
from core.data.store import Workspace
from core.errors import BadInput
from core.jobs.process import reset_folder, run_inline, start_child
from core.jobs.progress import Report, status
from core.jobs.stored import UNFINISHED, read_spec
from core.runs import artifact
from core.runs.config import run_id
from core.runs.identity import code_version
from core.runs.request import RunRequest
from core.types import RunConfig


def start_training(workspace: Workspace, request: RunRequest, *, evaluate: bool = True) -> str:
    """Starts a training in a process of its own and returns the run's id at once.

    A run that is finished (and evaluated, if asked) or under way is not started again.

    Raises:
        BadInput: an unknown dataset, model or parameter.
    """
    config = request.resolve(workspace)
    info = workspace.dataset(config.dataset)
    ident = run_id(config)
    run = artifact.open_run(workspace, ident)
    if run is None or (evaluate and config.split != "none" and run.metrics is None):
        words = ["train", config.dataset, "--model", config.model]
        start_child(
            workspace,
            workspace.runs_folder / ident,
            words + (["--evaluate"] if evaluate else []),
            lambda: _prepare(workspace, config, info.name, request.name),
        )
    elif request.name is not None:
        artifact.rename_run(workspace, ident, request.name)
    return ident


def resume(workspace: Workspace, ident: str) -> str:
    """Starts a training that ended unfinished once more; it goes on from what it left, if it can.

    Returns:
        The id of the run: another one if Recscope was changed since, which begins anew.

    Raises:
        BadInput: it is finished or under way, or what it stands on is gone.
        NotFound: there is none of this id.
    """
    state = status(workspace, ident).state
    if state not in UNFINISHED:
        raise BadInput(f"run {ident} is {state}: only one that ended unfinished is resumed")
    config, name = asked_for(workspace.runs_folder / ident)
    return start_training(workspace, RunRequest.again(config, name))


def asked_for(folder: Path) -> tuple[RunConfig, str]:
    """The config and the name of the run that the job of this folder is to train."""
    spec = read_spec(folder) or {}
    return RunConfig(**spec["config"]), str(spec["name"])


@contextmanager
def train_inline(
    workspace: Workspace, config: RunConfig, dataset_name: str, name: str | None = None
) -> Iterator[Report]:
    """A training in this very process, seen by others like any job; see `here`."""
    folder = workspace.runs_folder / run_id(config)
    with run_inline(
        workspace, folder, lambda: _prepare(workspace, config, dataset_name, name)
    ) as report:
        yield report


def _prepare(workspace: Workspace, config: RunConfig, dataset_name: str, name: str | None) -> None:
    """Makes the folder of the run ready for another try."""
    name = None if name is None else checked_name(name)
    folder = reset_folder(workspace.runs_folder / run_id(config))
    if artifact.open_run(workspace, folder.name) is None:
        spec = {
            "schema_version": artifact.SCHEMA_VERSION,
            "id": folder.name,
            "name": name or config.model,
            "dataset_name": dataset_name,
            "created": utc_now(),
            "config": config.to_json(),
            "code_version": code_version(),
        }
        write_json_atomically(folder / "run.json", spec)
    elif name:
        artifact.rename_run(workspace, folder.name, name)
