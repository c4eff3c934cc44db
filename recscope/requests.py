"""What was asked of a run → the people, items and numbers that core takes."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import TypeAlias, cast

import numpy as np
import pandas as pd

from core import pipeline
from core.errors import BadInput
from core.recommend.rules import Rules
from core.types import Array, Ints, Queries
from recscope.tables import check_columns, whole_ids, write

USUAL_K = 10

Users: TypeAlias = "Iterable[object] | str | int"
Histories: TypeAlias = "pd.DataFrame | str | os.PathLike[str]"
# What one person did: a table as `Run.recommend` takes it, or item ids, the oldest first.
History: TypeAlias = "pd.DataFrame | os.PathLike[str] | Sequence[object]"


def brief(value: object) -> str:
    """What something is, and its beginning, as a sentence that refuses it says."""
    return f"{type(value).__name__} {str(value)[:40]!r}"


def text(name: str, value: object) -> str:
    """The value, a text.

    Raises:
        BadInput: it is none.
    """
    if not isinstance(value, str):
        raise BadInput(f"{name} must be a text, not {brief(value)}")
    return value


def texts(name: str, given: object) -> list[str]:
    """One text or several, as several.

    Raises:
        BadInput: something else.
    """
    several = [given] if isinstance(given, str) or not isinstance(given, Iterable) else given
    return [text(name, each) for each in several]


def reference(noun: str, value: object) -> str:
    """An id or a name, also where it is written as a number.

    Raises:
        BadInput: it is neither.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadInput(f"a {noun} is given itself, or by its id or name, not as {brief(value)}")
    return str(value)


def options(name: str, given: object, kinds: type | UnionType, what: str) -> None:
    """Checks what is given as name → value.

    Raises:
        BadInput: it is no dict, or a value is of none of these kinds.
    """
    if given is None:
        return
    if not isinstance(given, Mapping):
        raise BadInput(f"{name} must be a dict of {what}, not {brief(given)}")
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(key, str) or not isinstance(value, kinds):
            raise BadInput(f"{name} must be a dict of {what}, not of {key!r}: {value!r}")


def rules(given: Rules | Iterable[str]) -> Rules:
    """Rules, also where they are given as texts.

    Raises:
        BadInput: a text says none.
    """
    if isinstance(given, Rules):
        return given
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise BadInput(f"rules must be a list of texts, not {brief(given)}")
    return Rules.parse(text("a rule", rule) for rule in given)


def whole(name: str, value: object, least: int = 1) -> int:
    """The value as a whole number of at least this.

    Raises:
        BadInput: it is none.
    """
    try:
        number = -1 if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if number < least:
        raise BadInput(f"{name} must be a whole number of at least {least}, not {value!r}")
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
        return pipeline.queries_for(loaded, users=_ids(users))
    if isinstance(histories, pd.DataFrame):
        with loaded.workspace.scratch() as scratch:
            path = scratch / "histories"
            check_columns(histories, "table of histories")
            if len(histories.columns) and not len(histories):  # nobody has no list
                return pipeline.queries_for(loaded, users=[])
            write(whole_ids(histories), path, "table of histories")
            return pipeline.queries_for(loaded, histories=path)
    if not isinstance(histories, str | os.PathLike):
        raise BadInput(
            "histories are a DataFrame or a path to a table with user_id and item_id, not "
            f"{brief(histories)}"
        )
    return pipeline.queries_for(loaded, histories=Path(histories).expanduser())


def _ids(users: Users | None) -> list[object] | None:
    if users is None:
        return None
    if isinstance(users, str | int | np.integer):
        return [users]
    # Going through a DataFrame or a dict gives its columns, through bytes their numbers.
    if isinstance(users, pd.DataFrame | Mapping | bytes) or not isinstance(users, Iterable):
        raise BadInput(f"users must be one id or a list of ids, not {brief(users)}")
    return list(users)


def ids(name: str, given: object) -> list[object]:
    """One id or several, as a list.

    Raises:
        BadInput: it is neither.
    """
    if isinstance(given, str | int | np.integer) and not isinstance(given, bool):
        return [given]
    wrong = isinstance(given, pd.DataFrame | Mapping | bytes) or not isinstance(given, Iterable)
    if wrong:
        raise BadInput(f"{name} must be an item's id or a list of ids, not {brief(given)}")
    return list(cast("Iterable[object]", given))


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
                f"{brief(history)}"
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
