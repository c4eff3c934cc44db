"""Texts about items, users and events → numbers, where all cells of a column are such."""

from __future__ import annotations

from collections.abc import Sequence

from duckdb import DuckDBPyRelation

from core.data.ingest.ids import types_of
from core.data.roles.missing import missing_sql
from core.data.roles.numbers import COMMA, POINT, Marks, number_sql
from core.data.roles.profiles import unpivoted
from core.data.store import quoted

LOOK = 1_000  # rows by which a column is left out that holds words


def column_types(
    rows: DuckDBPyRelation, columns: Sequence[str], mark: str | None = None
) -> dict[str, str]:
    """SQL for each of these columns in the type that all its cells have; a type stays as it is.

    A text becomes BIGINT or DOUBLE where every filled cell is a number as numbers are written:
    "007" and "1e3" are texts. What stands for "no value" is NULL.

    Args:
        rows: The records.
        columns: Those of their columns that are asked for.
        mark: The decimal mark, as a person says; by the cells of each column if not given.
    """
    types = types_of(rows)
    texts = [c for c in columns if types[c] == "VARCHAR"]
    found = {c: quoted(c) for c in columns}
    for c, (whole, number, gaps) in zip(texts, _facts(rows, texts), strict=False):
        cell = quoted(c)
        if gaps:
            cell = f"CASE WHEN NOT ({missing_sql(cell)}) THEN {cell} END"
            (whole, number, _), *_ = _facts(rows.project(f"{cell} AS {quoted(c)}"), [c])
        if whole:
            found[c] = f"CAST({cell} AS BIGINT)"
        elif number:
            found[c] = f"CAST({cell} AS DOUBLE)"
        elif written := _mark_of(rows, cell, mark):
            found[c] = number_sql(cell, written)
        else:
            found[c] = cell
    return found


Fact = tuple[bool | None, bool | None, bool | None]


def _facts(rows: DuckDBPyRelation, texts: Sequence[str]) -> list[Fact]:
    """Whether all cells are whole numbers, all numbers, some say nothing; nothing of no rows."""
    if len(texts) > 100:
        tests = ", ".join(_tests("x"))
        by_column = unpivoted(rows, texts).aggregate(f"c, {tests}", "c").order("c").fetchall()
        return [(whole, number, gaps) for _, whole, number, gaps in by_column]
    if not texts:
        return []
    row = rows.aggregate(", ".join(test for c in texts for test in _tests(quoted(c)))).fetchall()[0]
    return list(zip(row[::3], row[1::3], row[2::3], strict=True))


def _tests(name: str) -> tuple[str, str, str]:
    whole = f"CAST(TRY_CAST({name} AS BIGINT) AS VARCHAR) IS NOT DISTINCT FROM {name}"
    number = f"regexp_full_match({name}, '-?(0|[1-9][0-9]{{0,14}})(\\.[0-9]*)?(e-?[0-9]{{1,3}})?')"
    gap = f"{name} IS NOT NULL AND strlen({name}) < 20 AND {missing_sql(name)}"
    return f"bool_and({whole})", f"bool_and({number} OR {name} IS NULL)", f"bool_or({gap})"


def _mark_of(rows: DuckDBPyRelation, cell: str, mark: str | None) -> str | None:
    """The decimal mark with which all cells are numbers; None where they are none, or lists of two.

    A comma between two numbers is a decimal mark only if two digits follow it throughout, or if
    a person says so: "4,12" may also be two genres.
    """
    texts = rows.project(f"{cell} AS x").filter("x IS NOT NULL")
    look = texts.limit(LOOK)
    either = f"{number_sql('x', POINT)} IS NOT NULL OR {number_sql('x', COMMA)} IS NOT NULL"
    if not look.aggregate(f"bool_and({either})").fetchall()[0][0]:
        return None
    chosen = mark or Marks.of([(texts, "x")]).mark()
    steady = "NOT contains(x, ',') OR regexp_matches(x, ',[0-9]{2}[^0-9]*$')"
    test = f"({number_sql('x', chosen)}) IS NOT NULL AND NOT regexp_matches(x, '^[+-]?0[0-9]')"
    if chosen == COMMA and mark is None:
        test += f" AND ({steady})"
    return chosen if texts.aggregate(f"bool_and({test})").fetchall()[0][0] else None
