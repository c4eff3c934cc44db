"""The only st.cache_*: answers that stay true, keyed by immutable ids, and bounded."""

from __future__ import annotations

import hashlib
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from core import artifact, progress
from core.artifact import Run
from core.data import quality, queries
from core.data.store import DatasetInfo, Workspace
from core.data.verdicts import Verdict
from core.errors import NotFound
from core.types import Array, Queries
from dashboard.refining import Refining, Surveying

if TYPE_CHECKING:
    from core.embed import Finding
    from core.embed.clusters import Term
    from core.evaluate.comparison import Comparison
    from core.explain.counterfactual import Counterfactual
    from core.explain.overview import Overview
    from core.explain.parts import Parts
    from core.explain.what_if import Move
    from core.pipeline import Ready
    from core.rerank import Rerank
    from dashboard.background import Background
    from dashboard.charts.points import Colouring
    from dashboard.maps import Placed
    from dashboard.pairs import Likeness, Moved, Pair

MOST_USERS = 500  # in a select box; any other id can be written into it
MOST_ITEMS = 1000  # the same
MOST_EVENTS = 500  # of a history shown


def fingerprint(query: Queries) -> str:
    """What was done and when, as a hash; of whom it is plays no part."""
    found = hashlib.sha256()
    for part in ("offsets", "items", "weights", "times", "values", "events", "platforms", "now"):
        array = getattr(query, part)
        found.update(f"{part} {None if array is None else array.dtype} ".encode())
        found.update(b"" if array is None else array.tobytes())
    return found.hexdigest()


# What never changes is known by its id.
_BY_ID: dict[Any, Any] = {
    Queries: fingerprint,
    DatasetInfo: lambda info: info.id,
    Run: lambda run: (run.id, run.artifact_hash),
    Workspace: lambda workspace: str(workspace.path),
    "dashboard.maps.Placed": lambda placed: placed.identity,
    "dashboard.pairs.Pair": lambda pair: pair.identity,
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


@st.cache_data(max_entries=16, show_spinner=False, hash_funcs=_BY_ID)
def popular_items(info: DatasetInfo) -> dict[str, str]:
    """The ids of the most popular items and what they are called, the most popular first."""
    found = queries.top_items(info, n=MOST_ITEMS)
    return dict(zip(found["item_id"].astype(str), found["label"].astype(str), strict=True))


@st.cache_data(max_entries=500, show_spinner=False, hash_funcs=_BY_ID)
def find_item(info: DatasetInfo, text: str) -> str | None:
    """The id that this text is, or of the most popular item with it in its name."""
    found = queries.search_items(info, text, n=1)
    return None if found.empty else str(found["item_id"].iloc[0])


@st.cache_data(max_entries=200, show_spinner=False, hash_funcs=_BY_ID)
def past(workspace: Workspace, run: Run, user: str) -> Queries:
    """What this user of the log did, as a stranger's history: what explanations are of."""
    from core import pipeline

    return pipeline.history_of(loaded(workspace, run), user)


@st.cache_data(max_entries=500, show_spinner=False, hash_funcs=_BY_ID)
def first(workspace: Workspace, run: Run, query: Queries, k: int) -> Array:
    """The codes of the k best items for this history, at most, without its own."""
    from core.recommend import recommend

    ready = loaded(workspace, run)
    found: Array = recommend(ready.model, query, k, n_items=len(ready.items)).items[0]
    return found[found >= 0]


@st.cache_data(max_entries=500, show_spinner=False, hash_funcs=_BY_ID)
def rank(workspace: Workspace, run: Run, query: Queries, item: int) -> int:
    """The place of this item, from 1, among itself and all that the history does not have."""
    from core.explain.standing import Standings

    ready = loaded(workspace, run)
    standing = Standings(ready.model, query, item, len(ready.items))
    return int(standing(np.ones((1, len(query.items)), bool)).ranks[0])


@st.cache_resource(max_entries=100, show_spinner=False, hash_funcs=_BY_ID)
def refining(
    workspace: Workspace, run: Run, query: Queries, items: tuple[int, ...], against: int | None
) -> Refining:
    """Why these items, for this history, under way; with `against` why rather than that one."""
    from core.explain import refined

    ready = loaded(workspace, run)
    codes = np.array(items, np.int64)
    return Refining(refined(ready.model, query, codes, n_items=len(ready.items), against=against))


@st.cache_data(max_entries=500, show_spinner=False, hash_funcs=_BY_ID)
def counterfactual(
    workspace: Workspace, run: Run, query: Queries, item: int, k: int, _order: Array
) -> Counterfactual:
    """What would take the item out of the first k; `_order` follows from the rest."""
    from core.explain.counterfactual import counterfactual as search

    ready = loaded(workspace, run)
    return search(ready.model, query, item, n_items=len(ready.items), k=k, order=_order)


@st.cache_data(max_entries=500, show_spinner=False, hash_funcs=_BY_ID)
def moves(
    workspace: Workspace,
    run: Run,
    query: Queries,
    k: int,
    drop: tuple[int, ...],
    add: tuple[int, ...],
    order: tuple[int, ...] | None,
) -> tuple[Move, ...]:
    """Where items go in the list once the history is edited so; see core.explain.what_if."""
    from core.explain import what_if

    ready = loaded(workspace, run)
    after = what_if.edited(query, drop=drop, add=add, order=order)
    return what_if.moves(ready.model, query, after, n_items=len(ready.items), k=k)


@st.cache_data(max_entries=500, show_spinner=False, hash_funcs=_BY_ID)
def parts(workspace: Workspace, run: Run, query: Queries, item: int) -> Parts | None:
    """Why this item, by what it is made of; None where the model knows items as wholes."""
    from core.explain.parts import explain_parts, heard

    ready = loaded(workspace, run)
    features = ready.dataset.item_features
    if not heard(ready.model, features):
        return None
    return explain_parts(ready.model, query, item, features, n_items=len(ready.items))


@st.cache_data(max_entries=500, show_spinner=False, hash_funcs=_BY_ID)
def known_by(workspace: Workspace, run: Run, item: int) -> str:
    """By what the run knows this item: "events", else its "content", or "nothing"."""
    from core.pipeline.telling import Names

    found = Names(loaded(workspace, run)).known_by(np.array([item]))
    return "events" if found is None else found[0]


@st.cache_data(max_entries=500, show_spinner=False, hash_funcs=_BY_ID)
def ways(workspace: Workspace, run: Run, query: Queries) -> tuple[str, ...]:
    """How this history's events can be grouped; see core.explain.groups."""
    from core.explain import groups

    return groups.ways(query, loaded(workspace, run).dataset.item_features)


@st.cache_data(max_entries=500, show_spinner=False, hash_funcs=_BY_ID)
def groups(
    workspace: Workspace, run: Run, query: Queries, item: int, how: str
) -> tuple[tuple[str, ...], Array, Array]:
    """The groups' names, how many events each has, and what it adds to the item's score."""
    from core.explain.groups import explain_groups, group_labels

    ready = loaded(workspace, run)
    data = ready.dataset
    labels, names = group_labels(query, how, data.item_features, event_names=data.event_names)
    found = explain_groups(ready.model, query, np.array([item]), labels, n_items=len(ready.items))
    return names, np.bincount(labels, minlength=len(names)), found.values[:, 0]


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs=_BY_ID)
def survey(workspace: Workspace, run: Run) -> Surveying[Overview]:
    """What the run goes by over many users, under way; see core.explain.overview."""
    from core.explain.overview import overview

    ready = loaded(workspace, run)
    data = ready.dataset
    return Surveying(
        lambda progress: overview(
            ready.model,
            data.interactions.queries(),
            n_items=len(ready.items),
            features=data.item_features,
            event_names=data.event_names,
            on_progress=progress,
        )
    )


def _sound(making: Background[Any]) -> bool:
    return making.error is None  # what went wrong is tried again


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs=_BY_ID, validate=_sound)
def placing(workspace: Workspace, run: Run, component: str) -> Background[Placed]:
    """The run's items on their principal axes; begins to work it out on the first call."""
    from dashboard.background import Background
    from dashboard.maps import place

    return Background(lambda report: place(loaded(workspace, run), component, report))


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs=_BY_ID, validate=_sound)
def arranging(placed: Placed) -> Background[Placed]:
    """The same on the map that keeps neighbours."""
    from dashboard.background import Background
    from dashboard.maps import arrange

    return Background(lambda report: arrange(placed, report))


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs=_BY_ID)
def beside(first: Placed, second: Placed) -> Pair | None:
    """The second map laid on the first; None if they share too few items."""
    from dashboard.pairs import laid

    return laid(first, second)


@st.cache_resource(max_entries=4, show_spinner=False, hash_funcs=_BY_ID, validate=_sound)
def likeness(pair: Pair) -> Background[Likeness]:
    """How far two spaces agree; begins to work it out on the first call."""
    from dashboard import pairs
    from dashboard.background import Background

    return Background(lambda report: pairs.likeness(pair, report))


@st.cache_data(max_entries=16, show_spinner=False, hash_funcs=_BY_ID)
def moved(pair: Pair, rows: bytes, _found: Likeness) -> Moved | None:
    """Where a selection went, by the pair's likeness; `rows` as in selection_numbers."""
    from dashboard import pairs

    return pairs.moved(pair, _found, _chosen(pair.first, rows))


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=_BY_ID)
def colouring(placed: Placed, by: str) -> Colouring:
    """The points coloured by one of `colourings`."""
    from core.attributes import attributes, categories
    from dashboard.charts.points import by_category, by_group, by_number

    features = placed.ready.dataset.item_features
    kind, _, name = by.partition(":")
    if kind == "cluster" and placed.groups:
        return by_group(placed.groups.codes, placed.groups.names)
    if kind == "attribute" and (block := categories(features)):
        columns = attributes(block.names)[name]
        values = [block.names[column].partition("=")[2] for column in columns]
        return by_category(block.matrix[:, columns][placed.codes], values)
    if kind == "number" and features and features.numeric:
        column = features.numeric.names.index(name)
        return by_number(features.numeric.matrix[placed.codes, column])
    return by_number(placed.events, log=True)


def colourings(placed: Placed) -> list[str]:
    """What the points can be coloured by, such as "cluster", "attribute:genres", "number:price"."""
    from core.attributes import attributes, categories

    features = placed.ready.dataset.item_features
    block = categories(features)
    named = [f"attribute:{name}" for name in (attributes(block.names) if block else ())]
    if features and features.numeric:
        named += [f"number:{name}" for name in features.numeric.names]
    return [*(["cluster"] if placed.groups else []), *named, "popularity"]


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=_BY_ID)
def neighbours(placed: Placed, item_id: str, k: int) -> dict[str, Any]:
    """What is near this item: core.pipeline.Near."""
    return placed.near.of(item_id, k)


@st.cache_data(max_entries=16, show_spinner=False, hash_funcs=_BY_ID)
def told(placed: Placed) -> list[dict[str, Any]]:
    """How well each attribute is told from neighbours."""
    from core.pipeline.embedding import attributes_told

    return attributes_told(placed.ready, placed.near.vectors.values)


@st.cache_data(max_entries=16, show_spinner=False, hash_funcs=_BY_ID)
def diagnosed(placed: Placed) -> list[Finding]:
    """Whether the vectors are sound, the gravest first."""
    from core.embed import diagnosis
    from core.pipeline.telling import Names

    found = diagnosis(placed.near.vectors.values, Names(placed.ready).taken)
    return sorted(found, key=lambda one: -("ok", "warn", "bad").index(one.severity))


@st.cache_data(max_entries=16, show_spinner=False, hash_funcs=_BY_ID)
def standing_out(placed: Placed, rows: bytes) -> list[Term]:
    """What the selected items have more of than all; `rows` as in selection_numbers."""
    from core.embed import over_represented

    known = placed.known
    return [] if known is None else over_represented(_chosen(placed, rows), known)


@st.cache_data(max_entries=16, show_spinner=False, hash_funcs=_BY_ID)
def for_set(placed: Placed, rows: bytes, most: int, k: int) -> list[int]:
    """The rows of what goes best with the most popular of the selected, at most so many of them.

    They are heard as the history of somebody who took each once; `rows` as in selection_numbers.
    """
    from core.recommend import recommend as best
    from core.types import PAD

    codes = placed.codes[np.flatnonzero(_chosen(placed, rows))[:most][::-1]]
    history = Queries(
        users=np.array([PAD]),
        offsets=np.array([0, len(codes)]),
        items=codes,
        weights=np.ones(len(codes), np.float32),
    )
    found = best(placed.ready.model, history, k, n_items=len(placed.codes)).items[0]
    return [int(placed.rows[code]) for code in found if code != PAD]


def _chosen(placed: Placed, rows: bytes) -> Array:
    """The mask (N,) that these bits are."""
    return np.unpackbits(np.frombuffer(rows, np.uint8), count=len(placed.codes)).astype(bool)


@st.cache_data(max_entries=64, show_spinner=False, hash_funcs=_BY_ID)
def found_items(info: DatasetInfo, text: str, n: int) -> pd.DataFrame:
    return queries.search_items(info, text, n)


@st.cache_data(max_entries=16, show_spinner=False, hash_funcs=_BY_ID)
def selection_numbers(placed: Placed, rows: bytes) -> pd.DataFrame:
    """The selected items' events and users beside the rest's; `rows` is a mask, a bit a row."""
    ids = placed.ids(np.flatnonzero(_chosen(placed, rows)))
    return queries.held_against_rest(placed.ready.dataset.info, ids)
