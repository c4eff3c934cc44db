"""What was asked of a run → the people, items and numbers that core takes."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
import pandas as pd

from core import pipeline
from core.errors import BadInput
from core.types import Array, Ints, Queries
from recscope.tables import whole_ids, write

USUAL_K = 10

Users: TypeAlias = "Iterable[object] | str | int"
Histories: TypeAlias = "pd.DataFrame | str | os.PathLike[str]"
# What one person did: a table as `Run.recommend` takes it, or item ids, the oldest first.
History: TypeAlias = "pd.DataFrame | os.PathLike[str] | Sequence[object]"


def whole(name: str, value: object) -> int:
    """The value as a whole number of at least 1.

    Raises:
        BadInput: it is none.
    """
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if number < 1:
        raise BadInput(f"{name} must be a whole number of at least 1, not {value!r}")
    return number


def cutoff(loaded: pipeline.LoadedRun, k: object) -> int:
    """`k`, a whole number from 1 to the number of items; BadInput if it is none.

    The usual k stands for all items of a catalogue that has fewer.
    """
    most = len(loaded.items)
    if (number := whole("k", k)) > max(most, USUAL_K):
        raise BadInput(
            f"k is {number:,}, but run {loaded.run.id} knows {most:,} items: ask for less"
        )
    return number


def people(
    loaded: pipeline.LoadedRun, users: Users | None, histories: Histories | None
) -> tuple[Array, Queries]:
    """The ids (B,) of those to recommend for, and what each did."""
    if users is not None and histories is not None:
        raise BadInput("users are of the dataset, histories of others: give one of them")
    if histories is None:
        single = isinstance(users, str | int | np.integer)
        chosen = (
            [users] if single else users if users is None else list(cast("Iterable[object]", users))
        )
        return pipeline.queries_for(loaded, users=chosen)
    if isinstance(histories, pd.DataFrame):
        with loaded.workspace.scratch() as scratch:
            path = scratch / "histories"
            write(whole_ids(histories), path, "histories")
            return pipeline.queries_for(loaded, histories=path)
    if not isinstance(histories, str | os.PathLike):
        raise BadInput(
            "histories are a DataFrame or a path to a table with user_id and item_id, not "
            f"{type(histories).__name__} {str(histories)[:40]!r}"
        )
    return pipeline.queries_for(loaded, histories=Path(histories).expanduser())


def is_history(user_or_history: object) -> bool:
    """Whether this is what somebody did rather than who it was."""
    kinds = (pd.DataFrame, pd.Series, np.ndarray, os.PathLike, list, tuple)
    return isinstance(user_or_history, kinds)


def person(
    loaded: pipeline.LoadedRun, user: object, history: History | None
) -> tuple[object, Queries]:
    """Whose recommendation is to be explained, and what they did, as one query.

    Raises:
        BadInput: not one person.
        NotFound: a user whom the dataset does not have, or an item of a list that is not there.
    """
    if is_history(user):
        if history is not None:
            raise BadInput("two histories were given: one is explained at a time")
        user, history = None, cast("History", user)
    if (user is None) == (history is None):
        raise BadInput("say whose recommendation is to be explained: a user, or a history")
    if history is None:
        ids, _ = pipeline.queries_for(loaded, users=[user])
        return ids[0], pipeline.history_of(loaded, user)
    if not isinstance(history, pd.DataFrame | os.PathLike):
        if isinstance(history, str) or not isinstance(history, Iterable):
            raise BadInput(
                "a history is a DataFrame, a pathlib.Path or a list of item ids, not "
                f"{type(history).__name__} {str(history)[:40]!r}"
            )
        items = list(history)
        if not items:
            raise BadInput("the history is empty: give the items' ids, the oldest first")
        pipeline.item_codes(loaded, items)  # in a list a mistyped id must not go unnoticed
        history = pd.DataFrame({"user_id": "history", "item_id": list(map(str, items))})
    ids, queries = people(loaded, None, history)
    if len(ids) != 1:
        raise BadInput(f"the history is of {len(ids)} people: one is explained at a time")
    return ids[0], queries


def items_to_explain(
    loaded: pipeline.LoadedRun, query: Queries, item: object, k: int | None, against: object
) -> tuple[Ints, int | None]:
    """The codes of the item asked for, or of the k best; that of what they are held against."""
    if item is not None and k is not None:
        raise BadInput(f"item says what is explained, and k={k} the best: give one of them")
    best = USUAL_K if k is None else cutoff(loaded, k)
    return pipeline.items_to_explain(loaded, query, item=item, k=best, against=against)
