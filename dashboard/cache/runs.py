"""What the pages ask the models, and runs that are loaded."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core import pipeline
from core.data.store import Workspace
from core.evaluate.comparison import Comparison, compare
from core.evaluate.pareto import surely_higher as surely_higher_of
from core.models import MODELS
from core.pipeline import LoadedRun
from core.pipeline.loaded_run import NO_RULES
from core.recommend.rerank import Rerank
from core.recommend.rules import Rules
from core.runs.artifact import Run
from core.types import Array, Queries
from dashboard.cache.extended import ExtendedRun
from dashboard.cache.keeping import MEDIUM, RUNS, SMALL, cached_copy, cached_shared


def model_names() -> list[str]:
    """All models, simplest first."""
    return list(MODELS)


@cached_shared(RUNS)
def loaded(workspace: Workspace, run: Run) -> LoadedRun:
    """A run ready to be asked; shared by all sessions, only read.

    Raises:
        NotFound: it is to be asked about items that nobody took, and reads no content.
    """
    if isinstance(run, ExtendedRun):
        return pipeline.with_described(loaded(workspace, run.stored), run.described)
    return pipeline.load_run(workspace, run)


@cached_copy(SMALL)
def recommendations(
    workspace: Workspace,
    run: Run,
    user: str,
    k: int,
    hide_seen: bool,
    rerank: Rerank | None = None,
    rules: Rules = NO_RULES,
) -> pd.DataFrame:
    """item_id, rank, score: the k best items for one user of the log, by their whole history.

    And model_rank, the item's place in the model's own order, where lists are re-ranked or ruled.
    """
    loaded_run = loaded(workspace, run)
    people, queries = pipeline.queries_for(loaded_run, users=[user])
    lists = pipeline.recommendation_table(
        loaded_run, people, queries, k=k, hide_seen=hide_seen, rerank=rerank, rules=rules
    )
    return lists.drop(columns="user_id")


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
    per_user = {}
    for run in _runs:
        frame = run.per_user()
        if frame is not None:
            per_user[run.id] = {m: frame[m].to_numpy() for m in metrics if m in frame}
    shared = [m for m in metrics if all(m in values for values in per_user.values())]
    return compare(per_user, baseline, metrics=shared) if shared else []


@cached_copy(MEDIUM)
def surely_higher(_runs: list[Run], key: tuple[str, ...], metric: str) -> Array:
    """Whose mean is above whose by more than chance, person by person (R, R): row above column.

    Args:
        _runs: R runs, evaluated on the same questions.
        key: What tells these evaluations apart from others of the same runs.
        metric: Such as "ndcg@10"; nobody is above anybody where a run has no such values.
    """
    frames = [run.per_user() for run in _runs]
    columns = [frame[metric] for frame in frames if frame is not None and metric in frame]
    if len(columns) < len(_runs):
        return np.zeros((len(_runs), len(_runs)), bool)
    return surely_higher_of(np.column_stack(columns).astype(float))


@cached_copy(MEDIUM)
def by_person(_run: Run, _baseline: Run, key: tuple[str, ...], metric: str) -> pd.DataFrame:
    """Who gains and who loses by the run, as core.pipeline.by_person has it.

    Args:
        _run: A run.
        _baseline: Another, evaluated on the same questions.
        key: What tells these evaluations apart from others of the same runs.
        metric: Such as "ndcg@10".
    """
    return pipeline.by_person(_run, _baseline, metric)


@cached_copy(SMALL)
def history_query(workspace: Workspace, run: Run, user: str) -> Queries:
    """What this user of the log did, as a stranger's history: what explanations are of."""
    return pipeline.history_of(loaded(workspace, run), user)


@cached_copy(SMALL)
def first_items(workspace: Workspace, run: Run, query: Queries, k: int) -> Array:
    """The codes of the k best items for this history, at most, without its own."""
    return pipeline.ranked_items(loaded(workspace, run), query, k)
