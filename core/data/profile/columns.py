"""Every column of the log, the items and the users, in the rows that a filter leaves."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from duckdb import DuckDBPyRelation

from core.data.log import Connection, open_log
from core.data.profile.coded import CodedLog, cut_labels
from core.data.profile.figures import Left, rows_left
from core.data.profile.filters import ITEM, USER, Filter
from core.data.store import quoted
from core.errors import NotFound

MOST_ROWS = 200_000  # that are looked at; of more so many are drawn
BINS = 20  # of a histogram
TOP = 5  # values that are named
SIDES = {"items": ITEM, "users": USER}


@dataclass(frozen=True)
class ColumnProfile:
    """One column in the rows that were looked at."""

    column: str
    kind: str  # number, time, text, list, boolean, or DuckDB's own name
    missing: float  # share of the rows
    distinct: int  # values, of a list those in it
    least: str | float | None  # of numbers and times, times as ISO texts
    most: str | float | None
    bars: tuple[int, ...]  # numbers and times: rows in BINS ranges, see _histogram; () of others
    top: tuple[tuple[str, int], ...]  # the most frequent values and how often; () where all differ

    def to_json(self) -> dict[str, Any]:
        """As `recscope profile --json` says it."""
        return asdict(self)


@dataclass(frozen=True)
class TableProfile:
    """The columns of a table of a dataset."""

    rows: int  # that were looked at
    of: int  # every so many-th row was drawn; 1: all
    columns: tuple[ColumnProfile, ...]


def table_profile(coded: CodedLog, wanted: Filter, table: str, left: Left) -> TableProfile:
    """The columns of "events", "items" or "users", in what the filter leaves.

    Args:
        coded: The log.
        wanted: Which of its events; of items and users, those of these events.
        table: The table.
        left: How many events, users and items these are.

    Raises:
        NotFound: the dataset has no such table.
    """
    info = coded.info
    if table not in ("events", *SIDES) or info.path(table) is None:
        raise NotFound(f"{info.name} has no table of {table}")
    con = open_log(info)
    coded_con = coded.connect()
    rows, of = con.table("numbered" if table == "events" else table), 1
    if table == "events":
        of = max(1, math.ceil(left.events / MOST_ROWS))
        if wanted or of > 1:
            chosen = rows_left(coded_con, coded, wanted)
            chosen = chosen.filter(f"hash(file_row_number) % {of} = 0") if of > 1 else chosen
            con.register("chosen", chosen.project("file_row_number").to_arrow_table())
            rows = con.sql("FROM numbered SEMI JOIN chosen USING (file_row_number)")
    elif wanted:
        side = SIDES[table]
        there = rows_left(coded_con, coded, wanted).project(f"{side}_code AS member").distinct()
        members = coded_con.table(f"{side}_members").set_alias("members")
        ids = members.join(there.set_alias("there"), "members.member = there.member", "semi")
        con.register("chosen", ids.project(f"id AS {side}_id").to_arrow_table())
        rows = rows.set_alias("rows").join(
            con.table("chosen").set_alias("chosen"), f"rows.{side}_id = chosen.{side}_id", "semi"
        )
    rows.create("looked_at")
    looked_at = con.table("looked_at")
    n_rows = int(looked_at.aggregate("count(*)").fetchall()[0][0])
    exact = {"user_id": left.users, "item_id": left.items} if table == "events" else {}
    columns = [
        _column(con, looked_at, name, str(kind), n_rows, exact.get(name))
        for name, kind in zip(looked_at.columns, looked_at.types, strict=True)
        if name not in ("source_row", "file_row_number")
    ]
    return TableProfile(n_rows, of, tuple(columns))


_KINDS = {  # how DuckDB's types begin → what people call them
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), "number"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), "number"),
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL"), "number"),
    **dict.fromkeys(("TIMESTAMP", "DATE"), "time"),
    **{"VARCHAR": "text", "BOOLEAN": "boolean"},
}


def kind_of(type_name: str) -> str:
    """What a type of DuckDB's is called: number, text, time, list, boolean; else its own name.

    >>> kind_of("VARCHAR[]"), kind_of("TIMESTAMP WITH TIME ZONE")
    ('list', 'time')
    """
    if type_name.endswith("[]"):
        return "list"
    return next((kind for begin, kind in _KINDS.items() if type_name.startswith(begin)), type_name)


def _column(
    con: Connection,
    rows: DuckDBPyRelation,
    name: str,
    type_name: str,
    n_rows: int,
    distinct: int | None,
) -> ColumnProfile:
    """The column; `distinct` where that is known of more rows than were looked at."""
    kind = kind_of(type_name)
    value = f"unnest({quoted(name)})" if kind == "list" else quoted(name)
    filled = int(rows.aggregate(f"count({quoted(name)})").fetchall()[0][0])
    rows.project(f"{value} AS value").create_view("one_column", replace=True)
    if kind == "text" and cut_labels(con, "one_column"):
        kind = "list"
        con.execute("CREATE OR REPLACE TEMP TABLE labels_of_column AS FROM cut_labels")
        con.table("labels_of_column").create_view("one_column", replace=True)
    if distinct is None:
        distinct = con.execute("SELECT count(DISTINCT value) FROM one_column").fetchall()[0][0]
    least = most = None
    bars: tuple[int, ...] = ()
    if kind in ("number", "time"):
        least, most, bars = _histogram(con, kind)
    top = con.execute(
        """
        SELECT value::VARCHAR, count(*) AS n FROM one_column WHERE value IS NOT NULL
        GROUP BY value HAVING n > 1 ORDER BY n DESC, value LIMIT $top
        """,
        {"top": TOP},
    ).fetchall()
    missing = 1 - filled / max(1, n_rows)
    return ColumnProfile(name, kind, missing, int(distinct), least, most, bars, tuple(top))


def _histogram(con: Connection, kind: str) -> tuple[Any, Any, tuple[int, ...]]:
    """Least, most, and how many values lie in each of BINS ranges of equal width.

    These reach over all but the lowest and the highest hundredth of the values, which count in the
    first and the last: a single price of a million would leave the others in one.
    """
    number = "epoch(value::TIMESTAMP)" if kind == "time" else "value::DOUBLE"
    numbers = con.table("one_column").project(f"value, {number} AS number")
    numbers.create_view("as_numbers", replace=True)
    least, most, first, last, inner = con.execute(
        """
        SELECT min(value), max(value), min(number), max(number),
               quantile_disc(number, [0.01, 0.99])
        FROM as_numbers WHERE isfinite(number)
        """
    ).fetchall()[0]
    if least is None:
        return None, None, ()
    low, high = inner if inner[0] < inner[1] else (first, last)
    counted = con.execute(
        """
        SELECT greatest(0, least($bins - 1, floor((number - $low) / $width)))::INTEGER AS bin,
               count(*)
        FROM as_numbers WHERE isfinite(number) GROUP BY bin
        """,
        {"bins": BINS, "low": low, "width": (high - low) / BINS or 1.0},
    ).fetchall()
    found = dict(counted)
    ends = (str(least), str(most)) if kind == "time" else (float(least), float(most))
    return *ends, tuple(found.get(bin_, 0) for bin_ in range(BINS))
