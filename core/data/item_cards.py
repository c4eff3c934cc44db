"""What a card says of an item in a few words: its category, and its other main attributes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pandas as pd

from core.data.log import label_sql, open_log
from core.data.store import DatasetInfo, quoted

FREQUENT = 7  # categories that are told apart at a glance; the rarer ones go together
OTHERS = 2  # attributes beside the category
VALUES = 3  # of an item with several categories
LONGEST = 40  # letters of a value, on average, of which there is room for some on a card
_TEXT, _LIST = "VARCHAR", "VARCHAR[]"
_CATEGORY = re.compile(r"categ|genre|kind|type|class|department|类|题材", re.I)
_AMOUNT = re.compile(r"price|year|价|年", re.I)
_NUMBER = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DOUBLE|FLOAT|DECIMAL.*")


@dataclass(frozen=True)
class CardColumns:
    """Which columns of the items say something in a few words; chosen once for a dataset."""

    category: str | None = None  # whose first value is an item's category
    others: tuple[str, ...] = ()
    frequent: tuple[str, ...] = ()  # the categories that most items have, the most frequent first

    @property
    def names(self) -> tuple[str, ...]:
        """All of them, the category's first."""
        return self.others if self.category is None else (self.category, *self.others)


@dataclass(frozen=True)
class ItemFacts:
    """What is known of one item, in a few words; the values are the log's own."""

    category: str = ""  # "" where none is known
    values: tuple[str, ...] = ()  # the categories first


def card_columns(info: DatasetInfo) -> CardColumns:
    """The columns of the items whose values are short and recur; none of a log without items.

    The one that is called a category or the like, else the first such, is the category. A price or
    a year counts too.
    """
    con = open_log(info)
    try:
        items = con.table("items")
    except duckdb.CatalogException:
        return CardColumns()
    types = dict(zip(items.columns, map(str, items.types), strict=True))
    title = label_sql(con)
    recurring = [
        column
        for column, kind in types.items()
        if kind in (_TEXT, _LIST)
        and column != "item_id"
        and quoted(column) != title
        and _recurs(items, column)
    ]
    named = [column for column in recurring if _CATEGORY.search(column)]
    category = next(iter([*named, *recurring]), None)
    amounts = [c for c, kind in types.items() if _AMOUNT.search(c) and _NUMBER.fullmatch(kind)]
    others = [*(column for column in recurring if column != category), *amounts][:OTHERS]
    frequent = _frequent(items, category, types[category]) if category else ()
    return CardColumns(category, tuple(others), frequent)


def _recurs(items: duckdb.DuckDBPyRelation, column: str) -> bool:
    """Whether its values are short, and so few that they tell kinds of items apart."""
    cell = quoted(column)
    filled, distinct, letters = items.aggregate(
        f"count({cell}), approx_count_distinct({cell}), avg(strlen({cell}::VARCHAR))"
    ).fetchall()[0]
    return bool(filled) and 2 <= distinct <= filled / 2 and letters <= LONGEST


def _frequent(items: duckdb.DuckDBPyRelation, column: str, kind: str) -> tuple[str, ...]:
    """The first values that most items have, the most frequent first."""
    cell = quoted(column)
    first = f"{cell}[1]" if kind == _LIST else f"split_part({cell}, '|', 1)"
    values = items.project(f"trim({first}) AS value").filter("value <> ''")
    counted = values.aggregate("value, count(*) AS n", "value").order("n DESC, value")
    return tuple(value for value, _ in counted.limit(FREQUENT).fetchall())


def item_facts(info: DatasetInfo, columns: CardColumns, ids: Iterable[Any]) -> dict[str, ItemFacts]:
    """str(item id) → what is known of it; of those of these items that the table of items has.

    Args:
        info: The dataset.
        columns: What `card_columns` gives of it.
        ids: The items'.
    """
    asked = pd.DataFrame({"item_id": list(ids)})
    if asked.empty or not columns.names:
        return {}
    con = open_log(info)
    items = con.table("items").project(", ".join(map(quoted, ("item_id", *columns.names))))
    rows = items.join(con.from_df(asked), "item_id", how="semi").fetchall()
    return {
        str(ident): _facts(columns, dict(zip(columns.names, cells, strict=True)))
        for ident, *cells in rows
    }


def _facts(columns: CardColumns, cells: Mapping[str, Any]) -> ItemFacts:
    categories = _values(cells[columns.category]) if columns.category else []
    said = categories[:VALUES]
    for column in columns.others:
        cell = cells[column]
        if isinstance(cell, str | list):
            said += _values(cell)[:1]
        elif cell is not None:  # what a number says hangs on its column
            said.append(f"{column} {f'{float(cell):.2f}'.rstrip('0').rstrip('.')}")
    return ItemFacts(next(iter(categories), ""), tuple(dict.fromkeys(said)))


def _values(cell: str | list[Any] | None) -> list[str]:
    """The values in a cell, a list or a text with bars between; none where nothing is known."""
    several = cell.split("|") if isinstance(cell, str) else cell or ()
    values = [str(value).strip() for value in several if value is not None]
    return [value for value in values if value and not value.startswith("(no ")]  # MovieLens'
