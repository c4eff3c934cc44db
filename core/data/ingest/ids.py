"""Ids as they are written → the same id in one form: SQL for the cells of a log."""

from __future__ import annotations

from duckdb import DuckDBPyRelation

from core.data.roles.missing import missing_sql, trimmed
from core.data.roles.times import text_sql
from core.data.store import quoted

ID_KINDS = ("whole", "decimal", "text")  # 17850 as it is; 17850.0 too; anything


def types_of(rows: DuckDBPyRelation) -> dict[str, str]:
    """The type of each column."""
    return dict(zip(rows.columns, map(str, rows.types), strict=True))


def missing_cell(column: str) -> str:
    """SQL that is true where the cell of this column says nothing."""
    return missing_sql(f"CAST({quoted(column)} AS VARCHAR)")


def text_cell(column: str, type: str = "") -> str:
    """SQL for the text of a cell, NULL where it says nothing."""
    text = text_sql(quoted(column), type)
    return f"CASE WHEN NOT ({missing_sql(text)}) THEN {trimmed(text)} END"


def id_sql(column: str, type: str, kind: str, otherwise: str) -> str:
    """SQL that gives an id: BIGINT for "whole" and "decimal", text for "text"; NULL if missing.

    Args:
        column: The column's name.
        type: Its DuckDB type.
        kind: One of ID_KINDS.
        otherwise: SQL for a cell that holds something, but no whole number.
    """
    name, missing = quoted(column), missing_cell(column)
    if kind == "text":
        return text_cell(column, type)
    if type != "VARCHAR":
        whole = f"TRY_CAST({name} AS BIGINT)"
        return (
            f"CASE WHEN {name} = {whole} THEN {whole} WHEN {missing} THEN NULL ELSE {otherwise} END"
        )
    if kind == "whole":
        whole = f"TRY_CAST({name} AS BIGINT)"
        return (
            f"CASE WHEN CAST({whole} AS VARCHAR) = {name} THEN {whole}"
            f" WHEN {missing} THEN NULL ELSE {otherwise} END"
        )
    text = trimmed(name)
    test = rf"regexp_full_match({text}, '(-?[1-9][0-9]{{0,17}}|0)(\.0*)?')"
    whole = f"CAST(split_part({text}, '.', 1) AS BIGINT)"
    return f"CASE WHEN {test} THEN {whole} WHEN {missing} THEN NULL ELSE {otherwise} END"
