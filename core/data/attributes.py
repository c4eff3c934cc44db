"""What is known of each item and each user: from their own files, else from the log's columns.

One row an id. A file's second row for the same id, or a row without an id, goes to `rejected`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.sources import Source, unique_names
from core.data.staging import K, Plan, id_sql, settled
from core.data.store import literal, quoted

LIKELY = 0.5  # how much better than chance a column must follow from the id, 0 … 1
SAMPLE_EVENTS = 500_000
# A basket or a session names one visit: it follows from the user, but says nothing about one.
VISITS = re.compile(r"session|invoice|order|transaction|basket|receipt|cart|visit|trip|bill")
TABLES = {"item_id": "items.parquet", "user_id": "users.parquet"}


@dataclass(frozen=True)
class Side:
    """A file beside the log: the column with the id, and the columns that describe it."""

    source: Source
    key: str
    columns: tuple[str, ...]
    many: bool = False  # many rows an id, whose texts are put together (tags, reviews)


def write_attributes(
    con: DuckDBPyConnection, role: str, sides: Sequence[Side], plan: Plan, folder: Path
) -> list[str]:
    """Writes items.parquet or users.parquet; the names of its attributes, [] if there are none.

    Args:
        con: The connection with the table `rejected`.
        role: "item_id" or "user_id".
        sides: The files that describe these ids.
        plan: How the log was read; ids are read alike.
        folder: Has events.parquet; the file is written here.
    """
    tables = [_from_file(con, side, role, plan, n) for n, side in enumerate(sides)]
    if all(side.many for side in sides):
        tables += _from_log(con, role, plan, folder / "events.parquet")
    if not tables:
        return []
    joined, columns = tables[0], [c for c in tables[0].columns if c != role]
    for table in tables[1:]:
        old = [c for c in table.columns if c != role]
        new = unique_names(old, [role, *columns])
        cells = [f"{quoted(a)} AS {quoted(b)}" for a, b in zip(old, new, strict=True)]
        joined = _outer(joined, table.project(", ".join([role, *cells])), role)
        columns += new
    cells = [role, *map(quoted, columns)]
    joined.project(", ".join(cells)).order(role).write_parquet(str(folder / TABLES[role]))
    return columns


def _outer(left: DuckDBPyRelation, right: DuckDBPyRelation, role: str) -> DuckDBPyRelation:
    return left.set_alias("a").join(right.set_alias("b"), role, how="outer")


def _from_file(
    con: DuckDBPyConnection, side: Side, role: str, plan: Plan, n: int
) -> DuckDBPyRelation:
    records = side.source.read(con, "skip")
    types = dict(zip(records.columns, map(str, records.types), strict=True))
    kind = "text" if plan.kinds[role] == "text" else "decimal"  # the same ids in either form
    key = id_sql(side.key, types[side.key], kind, "NULL")
    names = unique_names(side.columns, [role])
    cells = [f"{quoted(a)} AS {quoted(b)}" for a, b in zip(side.columns, names, strict=True)]
    table = f" side {role} {n}"  # no column or file of the person's has such a name
    records.project(
        ", ".join([f"{key} AS {role}", f"row_number() OVER () AS {K}", *cells])
    ).to_table(quoted(table))
    rows = con.table(quoted(table))
    if side.many:
        return _put_together(rows, role, names)
    return _first_rows(con, side, rows, role, names)


def _first_rows(
    con: DuckDBPyConnection, side: Side, rows: DuckDBPyRelation, role: str, names: Sequence[str]
) -> DuckDBPyRelation:
    """The first row of each id; the others go to `rejected`."""
    noun = role.removesuffix("_id")
    again = f"({role} IS NOT NULL AND row_number() OVER (PARTITION BY {role} ORDER BY {K}) > 1)"
    marked = rows.project(f'*, {again} AS " again"')
    record = ", ".join(f"{literal(c)}: {quoted(c)}" for c in (role, *names))
    marked.filter(f'" again" OR {role} IS NULL').order(K).project(
        f"{literal(side.source.name)}, {K},"
        f" CASE WHEN \" again\" THEN 'duplicate_{noun}' ELSE 'no_{noun}' END,"
        f" {literal(side.key)} || CASE WHEN \" again\" THEN ': ' || {role} || ' was there before'"
        f" ELSE ' holds no id of the kind that the log has' END,"
        f" CAST(to_json({{{record}}}) AS VARCHAR)"
    ).insert_into("rejected")
    kept = marked.filter(f'NOT " again" AND {role} IS NOT NULL')
    casts = settled(kept, names)
    return kept.project(", ".join([role, *(f"{casts[c]} AS {quoted(c)}" for c in names)]))


def _put_together(rows: DuckDBPyRelation, role: str, names: Sequence[str]) -> DuckDBPyRelation:
    """The different texts of each id in one, in the order in which they first appear."""
    found: DuckDBPyRelation | None = None
    for name in names:
        text = f"trim(CAST({quoted(name)} AS VARCHAR))"
        first = rows.filter(f"{role} IS NOT NULL AND {text} <> ''").aggregate(
            f"{role}, {text} AS text, min({K}) AS place", f"{role}, {text}"
        )
        texts = first.aggregate(
            f"{role}, string_agg(text, ', ' ORDER BY place) AS {quoted(name)}", role
        )
        found = texts if found is None else _outer(found, texts, role)
    return rows.project(role).distinct() if found is None else found


def _from_log(
    con: DuckDBPyConnection, role: str, plan: Plan, events: Path
) -> list[DuckDBPyRelation]:
    """The columns of the log that follow from the id: brand from item, country from user."""
    log = con.from_parquet(str(events))
    columns = [c for c in plan.context.values() if c in log.columns]
    few = log.limit(SAMPLE_EVENTS if len(columns) <= 100 else SAMPLE_EVENTS // 10)
    few.to_table('" few events"')
    wanted = [(c, c) for c in columns if _follows(con.table('" few events"'), role, c)]
    con.execute('DROP TABLE " few events"')
    if role == "item_id" and plan.value_kind == "price":
        wanted.append(("value", str(plan.mapping["value"])))
    names = unique_names([name for _, name in wanted], [role])
    moment = "{'t': timestamp, 's': source_row}" if plan.time else "source_row"
    found: DuckDBPyRelation | None = None
    for (column, _), name in zip(wanted, names, strict=True):
        one = _typical(log, role, column, moment).project(f"{role}, x AS {quoted(name)}")
        found = one if found is None else _outer(found, one, role)
    return [] if found is None else [found]


def _follows(log: DuckDBPyRelation, role: str, column: str) -> bool:
    """Whether two events of one id agree in this column clearly more often than any two events.

    The agreement within ids, corrected for chance (as Cohen's kappa is), at least LIKELY.
    """
    if role == "user_id" and VISITS.search(column.lower()):
        return False
    x = f"CAST({quoted(column)} AS VARCHAR)"
    filled = log.filter(f"{quoted(column)} IS NOT NULL")
    pairs = filled.aggregate(f"{role}, {x} AS x, count(*) AS n", f"{role}, {x}")
    within = (
        pairs.aggregate("sum(n * (n - 1)) / (sum(n) * (sum(n) - 1)) AS a, sum(n) AS n", role)
        .filter("n > 1")
        .aggregate("avg(a)")
        .fetchall()[0][0]
    )
    chance = (
        pairs.aggregate("x, sum(n) AS n", "x")
        .aggregate("sum(n * n) / pow(sum(n), 2)")
        .fetchall()[0][0]
    )
    return within is not None and chance < 1 and (within - chance) / (1 - chance) >= LIKELY


def _typical(log: DuckDBPyRelation, role: str, column: str, moment: str) -> DuckDBPyRelation:
    """The latest number of each id (prices change), or its most frequent text (typing errors)."""
    x = quoted(column)
    filled = log.filter(f"{x} IS NOT NULL").project(f"{role}, {x} AS x, {moment} AS moment")
    if str(filled.types[1]) in ("BIGINT", "DOUBLE", "INTEGER", "FLOAT", "SMALLINT"):
        return filled.aggregate(f"{role}, arg_max(x, moment) AS x", role)
    counted = filled.aggregate(
        f"{role}, x, {{'n': count(*), 'm': max(moment)}} AS rank", f"{role}, x"
    )
    return counted.aggregate(f"{role}, arg_max(x, rank) AS x", role)
