"""Tables → arrays: ids become codes here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow.compute as pc

from core.data.features.encode import features
from core.data.histories import histories
from core.data.log import open_log
from core.data.store import DatasetInfo
from core.types import Array, Features, Interactions, Ints, Vocab

__all__ = ["Dataset", "histories", "kinds", "load"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """One dataset version as arrays.

    The vocabularies hold every id of the log in sorted order; `with_items` adds more. Events of
    weight 0 (returns, impressions) are left out of the interactions: they are in the log, but not
    learnt from.
    """

    info: DatasetInfo
    interactions: Interactions
    users: Vocab
    items: Vocab
    event_names: tuple[str, ...]  # name of each event code; () if the log has no events
    platform_names: tuple[str, ...]
    described: int = 0  # of the items the last so many stand only in the table of items

    @property
    def n_taken(self) -> int:
        """How many of the items, the first, are of the log."""
        return len(self.items) - self.described

    def with_items(self, ids: Sequence[Any]) -> Dataset:
        """The same with these items of the table, which are not of the log, at the end.

        Their features are made by the columns, values and scales of those of the log.
        """
        own = self.items.ids
        items = Vocab(np.concatenate([own, np.array(list(ids), own.dtype)]))
        interactions = replace(self.interactions, n_items=len(items))
        more = self.described + len(ids)
        return replace(self, interactions=interactions, items=items, described=more)

    @property
    def fingerprint(self) -> str:
        """The dataset's id, a hash of its content."""
        return self.info.id

    @property
    def item_features(self) -> Features | None:
        """What is known of each item, rows in code order; None without a table of items."""
        return self._items_described[0]

    @property
    def user_features(self) -> Features | None:
        """What is known of each user, rows in code order; None without a table of users."""
        return self._users_described[0]

    @property
    def left_out(self) -> dict[str, dict[str, str]]:
        """The attribute columns that say nothing: {"items" or "users": {column: why}}."""
        return {"items": self._items_described[1], "users": self._users_described[1]}

    def item_table(self) -> pd.DataFrame:
        """The items' attributes, a row per item in code order, all missing where none is known."""
        return _table(self.info, "items", "item_id", self.items)

    def user_table(self) -> pd.DataFrame:
        """The users' attributes, a row per user in code order, all missing where none is known."""
        return _table(self.info, "users", "user_id", self.users)

    @cached_property
    def _items_described(self) -> tuple[Features | None, dict[str, str]]:
        known = self.info.path("items")
        return features(self.item_table(), "item_id", self.n_taken) if known else (None, {})

    @cached_property
    def _users_described(self) -> tuple[Features | None, dict[str, str]]:
        known = self.info.path("users")
        return features(self.user_table(), "user_id") if known else (None, {})


def load(info: DatasetInfo) -> Dataset:
    """The dataset's arrays: codes and times int64, weights and values float32.

    Times are Unix seconds, or order numbers, or absent; events without a type weigh 1. A tenth of a
    microsecond per event, and at most about 150 bytes of memory.
    """
    con = open_log(info)
    users = _ids(con, "SELECT DISTINCT user_id FROM log ORDER BY user_id")
    items = _ids(con, "SELECT DISTINCT item_id FROM log ORDER BY item_id")
    events, platforms = _kinds(con)
    weights = np.array([*(info.weights.get(name, 1.0) for name in events), 1.0], np.float32)
    has_values = info.mapping.get("value") is not None
    table = con.sql(
        """
        SELECT user_id, item_id, time,
               coalesce(value, 'nan')::FLOAT AS value,
               coalesce(list_position($events, event), 0)::BIGINT - 1 AS event,
               coalesce(list_position($platforms, platform), 0)::BIGINT - 1 AS platform
        FROM log
        WHERE event IS NULL OR NOT list_contains($unlearnt, event)
        """,
        params={
            "events": events,
            "platforms": platforms,
            "unlearnt": [name for name in events if info.weights.get(name, 1.0) <= 0],
        },
    ).to_arrow_table()

    def take(name: str) -> Array:
        return np.require(table[name].to_numpy(), requirements="W")  # torch warns otherwise

    codes = take("event")
    interactions = Interactions(
        users=_codes(table["user_id"], users),
        items=_codes(table["item_id"], items),
        weights=weights[codes],  # code -1, no type, is the last: 1
        n_users=len(users),
        n_items=len(items),
        times=None if info.time_kind == "none" else take("time"),
        values=take("value") if has_values else None,
        events=codes if events else None,
        platforms=take("platform") if platforms else None,
    )
    return Dataset(
        info=info,
        interactions=interactions,
        users=Vocab(users.to_numpy(zero_copy_only=False)),
        items=Vocab(items.to_numpy(zero_copy_only=False)),
        event_names=tuple(events),
        platform_names=tuple(platforms),
    )


def kinds(info: DatasetInfo) -> tuple[list[str], list[str]]:
    """The names of the event types and of the platforms, each in the order of its codes."""
    return _kinds(open_log(info))


def _kinds(con: duckdb.DuckDBPyConnection) -> tuple[list[str], list[str]]:
    return (
        _names(con, "SELECT DISTINCT event FROM log WHERE event IS NOT NULL ORDER BY event"),
        _names(con, "SELECT DISTINCT platform FROM log WHERE platform IS NOT NULL ORDER BY 1"),
    )


def _ids(con: duckdb.DuckDBPyConnection, question: str) -> Any:
    """One Arrow array of ids, in order."""
    return con.sql(question).to_arrow_table().column(0).combine_chunks()


def _names(con: duckdb.DuckDBPyConnection, question: str) -> list[str]:
    return [str(name) for (name,) in con.sql(question).fetchall()]


def _codes(ids: Any, known: Any) -> Ints:
    """The code of each id (E,); every one is known."""
    return np.asarray(pc.index_in(ids, value_set=known).to_numpy(), np.int64)


def _table(info: DatasetInfo, name: str, key: str, vocab: Vocab) -> pd.DataFrame:
    if info.path(name) is None:
        return pd.DataFrame({key: vocab.ids})
    frame = open_log(info).table(name).df().drop_duplicates(key, keep="last").set_index(key)
    table: pd.DataFrame = frame.reindex(pd.Index(vocab.ids, name=key)).reset_index()
    return table
