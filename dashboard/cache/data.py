"""What the pages ask a dataset."""

from __future__ import annotations

import random
from typing import Any

import pandas as pd

from core.data import queries
from core.data.quality import report as quality
from core.data.quality.verdict import Verdict
from core.data.store import DatasetInfo
from dashboard.cache.keeping import MEDIUM, SMALL, answers

MOST_USERS = 500  # in a select box; any other id can be written into it
MOST_ITEMS = 1000  # the same


@answers(MEDIUM)
def verdicts(info: DatasetInfo) -> list[Verdict]:
    """Is this log fit to train on?"""
    return quality.report(info)


@answers(MEDIUM)
def overview(info: DatasetInfo) -> dict[str, Any]:
    return queries.overview(info)


@answers(MEDIUM)
def activity(info: DatasetInfo) -> pd.DataFrame:
    return queries.activity(info)


@answers(MEDIUM)
def long_tail(info: DatasetInfo) -> pd.DataFrame:
    return queries.long_tail(info)


@answers(MEDIUM)
def top_items(info: DatasetInfo) -> pd.DataFrame:
    return queries.top_items(info)


@answers(MEDIUM)
def top_users(info: DatasetInfo) -> pd.DataFrame:
    return queries.top_users(info)


@answers(MEDIUM)
def event_types(info: DatasetInfo) -> pd.DataFrame:
    return queries.event_types(info)


@answers(MEDIUM)
def columns(info: DatasetInfo, table: str) -> pd.DataFrame:
    return queries.column_profile(info, table)


@answers(MEDIUM)
def rejected(info: DatasetInfo, reason: str | None) -> pd.DataFrame:
    return queries.rejected_sample(info, reason)


@answers(MEDIUM)
def users(info: DatasetInfo) -> list[str]:
    """The ids of the busiest users, busiest first."""
    return [str(user) for user in queries.search_users(info, n=MOST_USERS)["user_id"]]


def some_user(info: DatasetInfo) -> str:
    """A user to begin with, the same each time: the last of the busiest, an ordinary history."""
    return users(info)[-1]


def random_user(info: DatasetInfo) -> str:
    """Any of the busiest users."""
    return random.choice(users(info))


@answers(SMALL)
def has_user(info: DatasetInfo, user: str) -> bool:
    return user in {str(found) for found in queries.search_users(info, user, n=1)["user_id"]}


@answers(SMALL)
def history(info: DatasetInfo, user: str) -> pd.DataFrame:
    return queries.user_history(info, user)


@answers(SMALL)
def labels(info: DatasetInfo, ids: tuple[Any, ...]) -> dict[str, str]:
    """str(item id) → what the item is called."""
    found = queries.item_labels(info, ids)
    return {str(item): str(label) for item, label in found.items()}


@answers(MEDIUM)
def popular_items(info: DatasetInfo) -> dict[str, str]:
    """The ids of the most popular items and what they are called, the most popular first."""
    found = queries.top_items(info, n=MOST_ITEMS)
    return dict(zip(found["item_id"].astype(str), found["label"].astype(str), strict=True))


@answers(SMALL)
def find_item(info: DatasetInfo, text: str) -> str | None:
    """The id that this text is, or of the most popular item with it in its name."""
    found = queries.search_items(info, text, n=1)
    return None if found.empty else str(found["item_id"].iloc[0])


@answers(MEDIUM)
def found_items(info: DatasetInfo, text: str, n: int) -> pd.DataFrame:
    return queries.search_items(info, text, n)
