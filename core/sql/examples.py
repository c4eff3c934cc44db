"""Statements to begin with, which work on any dataset that has what they ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.sql.tables import TableColumns


@dataclass(frozen=True)
class Example:
    """A statement and the name by which a page says what it tells."""

    name: str
    statement: str
    needs: tuple[str, ...] = ()  # "table" or "table.column" of the schema, "run" or "clock"


_EXAMPLES = (
    Example(
        "popular",
        "SELECT item_id, count(*) AS events, count(DISTINCT user_id) AS users\n"
        "FROM events\nGROUP BY item_id\nORDER BY events DESC, item_id\nLIMIT 20",
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
        "SELECT item_id, count(DISTINCT user_id) AS users\n"
        "FROM events\nWHERE user_id IN (SELECT user_id FROM events WHERE item_id = $item)\n"
        "  AND item_id <> $item\nGROUP BY item_id\nORDER BY users DESC, item_id\nLIMIT 20",
    ),
    Example(
        "list",
        "SELECT r.rank, r.item_id, r.score, count(e.item_id) AS events\n"
        "FROM recommendations r LEFT JOIN events e ON e.item_id = r.item_id\n"
        "WHERE r.user_id = $user\nGROUP BY ALL\nORDER BY r.rank",
        ("run",),
    ),
    Example(
        "recommended",
        "SELECT item_id, count(*) AS lists, avg(rank) AS mean_rank\n"
        "FROM recommendations\nGROUP BY item_id\nORDER BY lists DESC, item_id\nLIMIT 20",
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
        "SELECT other.item_id, list_cosine_similarity(own.vector, other.vector) AS near\n"
        "FROM embeddings own, embeddings other\n"
        "WHERE own.item_id = $item AND other.item_id <> $item AND NOT isnan(near)\n"
        "ORDER BY near DESC, other.item_id\nLIMIT 20",
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
    return tuple(example for example in _EXAMPLES if there.issuperset(example.needs))
