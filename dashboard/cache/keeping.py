"""The only st.cache_*: what is kept is keyed by immutable ids and bounded by how large it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import streamlit as st

from core.data.profile.filters import Filter
from core.data.store import DatasetInfo, Workspace
from core.runs.artifact import Run
from core.types import Queries
from dashboard.background import Background
from dashboard.cache.extended import ExtendedRun

# How many are kept, by what they hold:
SMALL = 500  # an answer about one person or one item
MEDIUM = 64  # one about a dataset, a selection, many people
RUNS = 6  # loaded
MAPS = 4  # each has all items

P = ParamSpec("P")
T = TypeVar("T")


def fingerprint(query: Queries) -> str:
    """What was done and when, as a hash; of whom it is plays no part."""
    digest = hashlib.sha256()
    for name in ("offsets", "items", "weights", "times", "values", "events", "platforms", "now"):
        array = getattr(query, name)
        digest.update(f"{name} {None if array is None else array.dtype} ".encode())
        digest.update(b"" if array is None else array.tobytes())
    return digest.hexdigest()


# What never changes is known by its id.
_BY_ID: dict[Any, Any] = {
    Queries: fingerprint,
    DatasetInfo: lambda info: info.id,
    Run: lambda run: (run.id, run.artifact_hash),
    ExtendedRun: lambda run: (run.id, run.artifact_hash, run.described),
    Workspace: lambda workspace: str(workspace.path),
    Filter: repr,
    "core.data.profile.coded.CodedLog": lambda coded: (coded.info.id, coded.info.created),
    "dashboard.map.item_map.ItemMap": lambda item_map: item_map.identity,  # it needs torch
    "dashboard.map.pairs.Pair": lambda pair: pair.identity,
}


def cached_copy(most: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Keeps so many answers; each who asks gets a copy."""
    return st.cache_data(max_entries=most, show_spinner=False, hash_funcs=_BY_ID)


def cached_shared(most: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Keeps so many things that all share, and only read."""
    return st.cache_resource(max_entries=most, show_spinner=False, hash_funcs=_BY_ID)


def cached_background(
    most: int,
) -> Callable[[Callable[P, Background[T]]], Callable[P, Background[T]]]:
    """Keeps so many answers that are under way or there; what went wrong is tried again."""
    return st.cache_resource(
        max_entries=most,
        show_spinner=False,
        hash_funcs=_BY_ID,
        validate=lambda answer: answer.error is None,
    )
