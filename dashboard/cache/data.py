"""What the pages ask a dataset."""

from __future__ import annotations

import random
from typing import Any

import pandas as pd

from core.data import queries
from core.data.quality import report as quality
from core.data.quality.verdict import Verdict
from core.data.store import DatasetInfo
from dashboard.cache.keeping import MEDIUM, SMALL, cached_copy

MOST_USERS = 500  # in a select box; any other id can be written into it
MOST_ITEMS = 1000  # the same


@cached_copy(MEDIUM)
def verdicts(info: DatasetInfo) -> list[Verdict]:
    """Is this log fit to train on?"""
    return quality.quality_report(info)


@cached_copy(MEDIUM)
def overview(info: DatasetInfo) -> queries.LogOverview:
    return queries.overview(info)


@cached_copy(SMALL)
def last_events(info: DatasetInfo) -> queries.LastEvents:
    return queries.last_events(info)


@cached_copy(MEDIUM)
def activity(info: DatasetInfo) -> pd.DataFrame:
    return queries.activity(info)


@cached_copy(MEDIUM)
def long_tail(info: DatasetInfo) -> pd.DataFrame:
    return queries.long_tail(info)


@cached_copy(MEDIUM)
def top_items(info: DatasetInfo) -> pd.DataFrame:
    return queries.top_items(info)


@cached_copy(MEDIUM)
def top_users(info: DatasetInfo) -> pd.DataFrame:
    return queries.top_users(info)


@cached_copy(MEDIUM)
def event_types(info: DatasetInfo) -> pd.DataFrame:
    return queries.event_types(info)


@cached_copy(MEDIUM)
def columns(info: DatasetInfo, table: str) -> pd.DataFrame:
    return queries.column_profile(info, table)


@cached_copy(MEDIUM)
def rejected(info: DatasetInfo, reason: str | None) -> pd.DataFrame:
    return queries.rejected_sample(info, reason)


@cached_copy(MEDIUM)
def users(info: DatasetInfo) -> list[str]:
    """The ids of the busiest users, busiest first."""
    return [str(user) for user in queries.search_users(info, n=MOST_USERS)["user_id"]]


def default_user(info: DatasetInfo) -> str:
    """A user to begin with, the same each time: the last of the busiest, an ordinary history."""
    return users(info)[-1]


def random_user(info: DatasetInfo) -> str:
    """Any of the busiest users."""
    return random.choice(users(info))


@cached_copy(SMALL)
def has_user(info: DatasetInfo, user: str) -> bool:
    return user in {str(ident) for ident in queries.search_users(info, user, n=1)["user_id"]}


@cached_copy(SMALL)
def history(info: DatasetInfo, user: str) -> pd.DataFrame:
    return queries.user_history(info, user)


@cached_copy(SMALL)
def labels(info: DatasetInfo, ids: tuple[Any, ...]) -> dict[str, str]:
    """str(item id) → what the item is called."""
    names = queries.item_labels(info, ids)
    return {str(item): str(label) for item, label in names.items()}


@cached_copy(MEDIUM)
def popular_items(info: DatasetInfo) -> dict[str, str]:
    """The ids of the most popular items and what they are called, the most popular first."""
    top = queries.top_items(info, n=MOST_ITEMS)
    return dict(zip(top["item_id"].astype(str), top["label"].astype(str), strict=True))


@cached_copy(SMALL)
def find_item(info: DatasetInfo, text: str) -> str | None:
    """The id that this text is, or of the most popular item with it in its name."""
    matches = queries.search_items(info, text, n=1)
    return None if matches.empty else str(matches["item_id"].iloc[0])


@cached_copy(SMALL)
def described_item(info: DatasetInfo, text: str) -> str | None:
    """The id that this text is, if an item of the table of items has it, taken or not."""
    return next(map(str, queries.described_ids(info, [text])), None)


@cached_copy(MEDIUM)
def search_items(info: DatasetInfo, text: str, n: int) -> pd.DataFrame:
    return queries.search_items(info, text, n)
