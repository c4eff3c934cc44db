"""What the pages ask a dataset."""

from __future__ import annotations

import random
from typing import Any

import pandas as pd

from core.data import queries
from core.data.profile import columns
from core.data.profile.behaviour import Behaviour
from core.data.profile.behaviour import behaviour as of_people
from core.data.profile.coded import CodedLog, open_coded
from core.data.profile.columns import TableProfile
from core.data.profile.figures import Left, LogProfile, log_profile
from core.data.profile.filters import Filter
from core.data.quality import report as quality
from core.data.quality.verdict import Verdict
from core.data.store import DatasetInfo
from dashboard.background import Background
from dashboard.cache.keeping import MEDIUM, SMALL, cached_background, cached_copy

WAIT_S = 600.0  # for verdicts that are under way
MOST_USERS = 500  # in a select box; any other id can be written into it
MOST_ITEMS = 1000  # the same


@cached_background(MEDIUM)
def checking(info: DatasetInfo, created: str) -> Background[list[Verdict]]:
    """Is this log fit to train on, under way; `created` tells a version that was mended apart."""
    return Background(lambda report: quality.quality_report(info))


@cached_copy(MEDIUM)
def verdicts(info: DatasetInfo) -> list[Verdict]:
    """Is this log fit to train on?"""
    found = checking(info, info.created).get(WAIT_S)
    return quality.quality_report(info) if found is None else found


@cached_background(MEDIUM)
def coding(info: DatasetInfo, created: str) -> Background[CodedLog]:
    """What filters are answered from, under way; `created` as above."""
    return Background(lambda report: open_coded(info, report))


@cached_copy(SMALL)
def log_figures(coded: CodedLog, wanted: Filter) -> LogProfile:
    return log_profile(coded, wanted)


@cached_copy(MEDIUM)
def behaviour(coded: CodedLog, wanted: Filter, n_events: int) -> Behaviour:
    return of_people(coded, wanted, n_events)


@cached_copy(MEDIUM)
def table_profile(coded: CodedLog, wanted: Filter, table: str, left: Left) -> TableProfile:
    return columns.table_profile(coded, wanted, table, left)


@cached_copy(SMALL)
def last_events(info: DatasetInfo) -> queries.LastEvents:
    return queries.last_events(info)


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
