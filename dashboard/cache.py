"""The only st.cache_*: answers that stay true, keyed by immutable ids, and bounded."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from core import artifact, progress
from core.artifact import Run
from core.data import quality, queries
from core.data.store import DatasetInfo, Workspace
from core.data.verdicts import Verdict
from core.errors import NotFound

if TYPE_CHECKING:
    from core.evaluate.comparison import Comparison
    from core.pipeline import Ready
    from core.rerank import Rerank

MOST_USERS = 500  # in a select box; any other id can be written into it
MOST_EVENTS = 500  # of a history shown

# What never changes is known by its id.
_BY_ID: dict[Any, Any] = {
    DatasetInfo: lambda info: info.id,
    Run: lambda run: (run.id, run.artifact_hash),
    Workspace: lambda workspace: str(workspace.path),
}


def workspace() -> Workspace:
    """The workspace that the server was started on (RECSCOPE_HOME)."""
    return Workspace.open()


def finished_runs(workspace: Workspace) -> list[Run]:
    """All finished runs, newest first; read afresh, since jobs add to them."""
    return artifact.runs(workspace)


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


@st.cache_data(max_entries=32, show_spinner=False, hash_funcs=_BY_ID)
def verdicts(info: DatasetInfo) -> list[Verdict]:
    """Is this log fit to train on?"""
    return quality.report(info)


@st.cache_data(max_entries=32, show_spinner=False, hash_funcs=_BY_ID)
def overview(info: DatasetInfo) -> dict[str, Any]:
    return queries.overview(info)


@st.cache_data(max_entries=32, show_spinner=False, hash_funcs=_BY_ID)
def activity(info: DatasetInfo) -> pd.DataFrame:
    return queries.activity(info)


@st.cache_data(max_entries=32, show_spinner=False, hash_funcs=_BY_ID)
def long_tail(info: DatasetInfo) -> pd.DataFrame:
    return queries.long_tail(info)


@st.cache_data(max_entries=32, show_spinner=False, hash_funcs=_BY_ID)
def top_items(info: DatasetInfo) -> pd.DataFrame:
    return queries.top_items(info)


@st.cache_data(max_entries=32, show_spinner=False, hash_funcs=_BY_ID)
def top_users(info: DatasetInfo) -> pd.DataFrame:
    return queries.top_users(info)


@st.cache_data(max_entries=32, show_spinner=False, hash_funcs=_BY_ID)
def event_types(info: DatasetInfo) -> pd.DataFrame:
    return queries.event_types(info)


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=_BY_ID)
def columns(info: DatasetInfo, table: str) -> pd.DataFrame:
    return queries.column_profile(info, table)


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=_BY_ID)
def rejected(info: DatasetInfo, reason: str | None) -> pd.DataFrame:
    return queries.rejected_sample(info, reason)


@st.cache_data(max_entries=32, show_spinner=False, hash_funcs=_BY_ID)
def users(info: DatasetInfo) -> list[str]:
    """The ids of the busiest users, busiest first."""
    return [str(user) for user in queries.search_users(info, n=MOST_USERS)["user_id"]]


def some_user(info: DatasetInfo) -> str:
    """A user to begin with, the same each time: the last of the busiest, an ordinary history."""
    return users(info)[-1]


def random_user(info: DatasetInfo) -> str:
    """Any of the busiest users."""
    return random.choice(users(info))


@st.cache_data(max_entries=500, show_spinner=False, hash_funcs=_BY_ID)
def has_user(info: DatasetInfo, user: str) -> bool:
    return user in {str(found) for found in queries.search_users(info, user, n=1)["user_id"]}


@st.cache_data(max_entries=200, show_spinner=False, hash_funcs=_BY_ID)
def history(info: DatasetInfo, user: str) -> pd.DataFrame:
    return queries.user_history(info, user, n=MOST_EVENTS)


@st.cache_data(max_entries=500, show_spinner=False, hash_funcs=_BY_ID)
def labels(info: DatasetInfo, ids: tuple[Any, ...]) -> dict[str, str]:
    """str(item id) → what the item is called."""
    found = queries.item_labels(info, ids)
    return {str(item): str(label) for item, label in found.items()}


@st.cache_resource(max_entries=6, show_spinner=False, hash_funcs=_BY_ID)
def loaded(workspace: Workspace, run: Run) -> Ready:
    """A run ready to be asked; shared by all sessions, only read."""
    from core import pipeline

    return pipeline.ready(workspace, run)


@st.cache_data(max_entries=500, show_spinner=False, hash_funcs=_BY_ID)
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
    people, asked = pipeline.whom(ready, users=[user])
    reranker = ready.reranker(rerank) if rerank else None
    blocks = pipeline.recommendations(
        ready, people, asked, k=k, hide_seen=hide_seen, reranker=reranker
    )
    return pd.concat(list(blocks), ignore_index=True).drop(columns="user_id")


@st.cache_data(max_entries=64, show_spinner=False)
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
