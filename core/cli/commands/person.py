"""Whose history a command is about."""

from __future__ import annotations

from typing import Any

from core import pipeline
from core.errors import BadInput
from core.types import Queries


def one_person(loaded: pipeline.LoadedRun, options: Any) -> tuple[Any, Queries]:
    """Who `--user` or `--histories` says it is, and what they did, as a stranger's.

    Raises:
        NotFound: an id that the dataset does not have.
        BadInput: the file is not of one person.
    """
    if options.histories is None:
        query, users = pipeline.history_of(loaded, options.user), loaded.load_dataset().users
        return users.decode(users.encode([options.user]))[0], query
    people, queries = pipeline.queries_for(loaded, histories=options.histories)
    if len(people) != 1:
        raise BadInput(
            f"{options.histories.name} has {len(people)} people: one history is asked about at a "
            "time, so leave one of them in"
        )
    return people[0], queries
