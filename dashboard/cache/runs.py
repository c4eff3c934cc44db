"""What the pages ask the workspace and its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from core.data.store import Workspace
from core.errors import NotFound
from core.jobs import progress
from core.runs import artifact
from core.runs.artifact import Run
from core.types import Array, Queries
from dashboard.cache.keeping import MEDIUM, RUNS, SMALL, cached_copy, cached_shared

if TYPE_CHECKING:
    from core.evaluate.comparison import Comparison
    from core.pipeline import LoadedRun
    from core.recommend.rerank import Rerank


def workspace() -> Workspace:
    """The workspace that the server was started on (RECSCOPE_HOME)."""
    return Workspace.open()


def finished_runs(workspace: Workspace) -> list[Run]:
    """All finished runs, newest first; read afresh, since jobs add to them."""
    return artifact.list_runs(workspace)


def job(workspace: Workspace, run_id: str | None) -> progress.Status | None:
    """How this job is doing, or None if there is none of this id."""
    if not run_id or not run_id.isalnum():
        return None
    try:
        return progress.status(workspace, run_id)
    except NotFound:
        return None


def model_names() -> list[str]:
    """All models, simplest first. Imports torch, so the home page does not ask."""
    from core.models import MODELS

    return list(MODELS)


@cached_shared(RUNS)
def loaded(workspace: Workspace, run: Run) -> LoadedRun:
    """A run ready to be asked; shared by all sessions, only read."""
    from core import pipeline

    return pipeline.load_run(workspace, run)


@cached_copy(SMALL)
def recommendations(
    workspace: Workspace,
    run: Run,
    user: str,
    k: int,
    hide_seen: bool,
    rerank: Rerank | None = None,
) -> pd.DataFrame:
    """item_id, rank, score: the k best items for one user of the log, by their whole history.

    And model_rank, the item's place in the model's own order, where the list is re-ranked.
    """
    from core import pipeline

    ready = loaded(workspace, run)
    people, asked = pipeline.queries_for(ready, users=[user])
    reranker = ready.reranker(rerank) if rerank else None
    blocks = pipeline.recommendations(
        ready, people, asked, k=k, hide_seen=hide_seen, reranker=reranker
    )
    return pd.concat(list(blocks), ignore_index=True).drop(columns="user_id")


@cached_copy(MEDIUM)
def paired(
    _runs: list[Run], key: tuple[str, ...], baseline: str, metrics: tuple[str, ...]
) -> list[Comparison]:
    """The other runs against the baseline, user by user.

    Args:
        _runs: The runs, evaluated on the same questions.
        key: What tells these evaluations apart from others of the same runs.
        baseline: The id of the run that the others are held against.
        metrics: What is compared; each counts in the correction.
    """
    from core.evaluate.comparison import compare

    per_user = {}
    for run in _runs:
        frame = run.per_user()
        if frame is not None:
            per_user[run.id] = {m: frame[m].to_numpy() for m in metrics if m in frame}
    shared = [m for m in metrics if all(m in values for values in per_user.values())]
    return compare(per_user, baseline, metrics=shared) if shared else []


@cached_copy(SMALL)
def history_query(workspace: Workspace, run: Run, user: str) -> Queries:
    """What this user of the log did, as a stranger's history: what explanations are of."""
    from core import pipeline

    return pipeline.history_of(loaded(workspace, run), user)


@cached_copy(SMALL)
def first_items(workspace: Workspace, run: Run, query: Queries, k: int) -> Array:
    """The codes of the k best items for this history, at most, without its own."""
    from core.recommend.top_k import recommend

    ready = loaded(workspace, run)
    found: Array = recommend(ready.model, query, k, n_items=len(ready.items)).items[0]
    return found[found >= 0]
