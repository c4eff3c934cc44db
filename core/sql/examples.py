"""Statements to begin with, which work on any dataset that has what they ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.data.store import quoted
from core.sql.tables import TableColumns

TITLES = ("title", "name", "标题", "名称")  # in what a column is called that says what an item is


@dataclass(frozen=True)
class Example:
    """A statement and the name by which a page says what it tells."""

    name: str
    statement: str
    needs: tuple[str, ...] = ()  # "table" or "table.column" of the schema, "run" or "clock"


_EXAMPLES = (
    Example(
        "popular",
        "SELECT item_id,{title} count(*) AS events, count(DISTINCT user_id) AS users\n"
        "FROM events t\nGROUP BY item_id\nORDER BY events DESC, item_id\nLIMIT 20",
    ),
    Example(
        "months",
        "SELECT date_trunc('month', timestamp) AS month, count(*) AS events\n"
        "FROM events\nGROUP BY month\nORDER BY month",
        ("events.timestamp", "clock"),
    ),
    Example(
        "activity",
        "SELECT n AS events, count(*) AS users\n"
        "FROM (SELECT user_id, count(*) AS n FROM events GROUP BY user_id)\n"
        "GROUP BY n\nORDER BY n",
    ),
    Example("person", "SELECT *\nFROM events\nWHERE user_id = $user\nORDER BY source_row"),
    Example(
        "together",
        "SELECT item_id,{title} count(DISTINCT user_id) AS users\n"
        "FROM events t\nWHERE user_id IN (SELECT user_id FROM events WHERE item_id = $item)\n"
        "  AND item_id <> $item\nGROUP BY item_id\nORDER BY users DESC, item_id\nLIMIT 20",
    ),
    Example(
        "list",
        "SELECT rank, item_id,{title} score\n"
        "FROM recommendations t\nWHERE user_id = $user\nORDER BY rank",
        ("run",),
    ),
    Example(
        "recommended",
        "SELECT item_id,{title} count(*) AS lists, avg(rank) AS mean_rank\n"
        "FROM recommendations t\nGROUP BY item_id\nORDER BY lists DESC, item_id\nLIMIT 20",
        ("run",),
    ),
    Example(
        "metrics",
        "SELECT name, model, mean, low, high\n"
        "FROM metrics\nWHERE metric = 'ndcg@10'\nORDER BY mean DESC",
        ("run",),
    ),
    Example(
        "reasons",
        "SELECT because_item_id, sum(value) AS adds\n"
        "FROM explanations\nWHERE user_id = $user AND rank = 1\n"
        "GROUP BY because_item_id\nORDER BY adds DESC",
        ("run",),
    ),
    Example(
        "near",
        "SELECT t.item_id,{title} list_cosine_similarity(own.vector, t.vector) AS near\n"
        "FROM embeddings t, embeddings own\n"
        "WHERE own.item_id = $item AND t.item_id <> $item AND NOT isnan(near)\n"
        "ORDER BY near DESC, t.item_id\nLIMIT 20",
        ("run",),
    ),
)


def examples(tables: Sequence[TableColumns], *, clock: bool, run: bool) -> tuple[Example, ...]:
    """Those that this dataset has the columns for.

    Args:
        tables: Its schema.
        clock: Whether its times are moments.
        run: Whether it has a finished run.
    """
    there = {f"{table.name}.{column.name}" for table in tables for column in table.columns}
    there |= {table.name for table in tables}
    there |= {name for name, is_there in (("clock", clock), ("run", run)) if is_there}
    title = _title(tables)
    return tuple(
        replace(example, statement=example.statement.replace("{title}", title))
        for example in _EXAMPLES
        if there.issuperset(example.needs)
    )


def _title(tables: Sequence[TableColumns]) -> str:
    """SQL for what the item of `t` is called; "" where no column of the items says it."""
    items = next((table for table in tables if table.name == "items"), None)
    for wanted in TITLES:
        for column in items.columns if items else ():
            if wanted in column.name.lower() and column.type == "VARCHAR":
                parts = ("\n  (SELECT any_value(", quoted(column.name), ") FROM items i ")
                return "".join((*parts, "WHERE i.item_id = t.item_id) AS title,\n "))
    return ""
