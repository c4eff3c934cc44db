"""What a sample of a table says about each of its columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from duckdb import DuckDBPyRelation

from core.data.roles.missing import missing_sql, trimmed
from core.data.roles.names import plain
from core.data.roles.numbers import COMMA, POINT, either_sql
from core.data.roles.worded import worded_sql
from core.data.store import quoted


@dataclass(frozen=True)
class Profile:
    """What a sample says about one column."""

    name: str
    type: str
    rows: int
    filled: int
    numbers: int
    whole: int
    distinct: int
    low: float | None
    high: float | None
    either: int  # cells that are another number with a comma than with a point before decimals
    words: tuple[str, ...]  # its most frequent values, at most 50
    worded: int = (
        0  # cells that are no numbers, but ratings in words or signs: 4/5, ★★★, four stars
    )

    @cached_property
    def key(self) -> str:
        return plain(self.name)

    @property
    def is_number(self) -> bool:
        return self.filled > 0 and self.numbers >= 0.95 * self.filled

    @property
    def is_worded(self) -> bool:
        """Whether it holds ratings, some or all of them in words or signs."""
        return self.worded > 0 and self.numbers + self.worded >= 0.95 * self.filled

    @property
    def is_text(self) -> bool:
        return self.filled > 0 and self.type == "VARCHAR" and self.numbers < 0.5 * self.filled

    @property
    def is_whole(self) -> bool:
        return self.filled > 0 and self.whole >= 0.99 * self.filled


def unpivoted(rows: DuckDBPyRelation, columns: Sequence[str], also: str = "") -> DuckDBPyRelation:
    """A row for each cell: the number of its column, `c`, its text, `x`, and the columns of `also`.

    Wide tables are looked at in this form: thousands of aggregates at once take gigabytes.
    """
    cells = ", ".join(
        f"{{'c': {n}, 'x': CAST({quoted(name)} AS VARCHAR)}}" for n, name in enumerate(columns)
    )
    return rows.project(f"{also} unnest([{cells}]) AS cell").project(
        f"{also} cell.c AS c, cell.x AS x"
    )


def profiles(sample: DuckDBPyRelation) -> list[Profile]:
    """A profile of each column of a sample, in order."""
    texts = unpivoted(sample, sample.columns).project(
        f"c, CASE WHEN NOT ({missing_sql('x')}) THEN {trimmed('x')} END AS x"
    )
    values = texts.aggregate("c, x, count(*) AS n", "c, x").project(
        f"c, x, n, {either_sql('x', POINT)} AS number, TRY_CAST(x AS DOUBLE) AS exact,"
        f" CASE WHEN regexp_matches(x, '[.,]') THEN {either_sql('x', COMMA)} END AS comma,"
        f" {worded_sql('x')} AS worded, count(x) OVER (PARTITION BY c) AS different"
    )
    facts = {c: row for c, *row in values.aggregate(f"c, {_FACTS}", "c").fetchall()}
    words: dict[int, list[str]] = {}
    few = values.filter(f"different <= {FEW} AND length(x) <= 40").order("c, n DESC, x")
    for c, word in few.project("c, x").fetchall():
        words.setdefault(c, []).append(word)
    return [
        Profile(
            name=name,
            type=str(type),
            words=tuple(words.get(n, [])[:50]),
            **dict(zip(_NAMES, facts.get(n, _EMPTY), strict=True)),
        )
        for n, (name, type) in enumerate(zip(sample.columns, sample.types, strict=True))
    ]


_NAMES = ("rows", "filled", "numbers", "whole", "distinct", "low", "high", "either", "worded")
_EMPTY: tuple[Any, ...] = (0, 0, 0, 0, 0, None, None, 0, 0)
FEW = 60  # different values, of which the words are noted
_FACTS = (
    "sum(n), sum(CASE WHEN x IS NOT NULL THEN n ELSE 0 END),"
    " sum(CASE WHEN number IS NOT NULL THEN n ELSE 0 END),"
    " sum(CASE WHEN exact = trunc(exact) THEN n ELSE 0 END),"
    " count(x), min(number), max(number),"
    " sum(CASE WHEN number <> comma OR (number IS NOT NULL AND contains(x, ','))"
    " THEN n ELSE 0 END),"
    " sum(CASE WHEN number IS NULL AND worded IS NOT NULL THEN n ELSE 0 END)"
)
