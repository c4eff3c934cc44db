"""Why a row was rejected, where it stands in its file, and what it said."""

from __future__ import annotations

from collections.abc import Mapping

from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.files.lines import locate
from core.data.files.sources import Source
from core.data.ingest.ids import missing_cell, types_of
from core.data.ingest.plan import K, Plan
from core.data.roles.guess import columns_of
from core.data.roles.missing import missing_sql
from core.data.roles.moments import cell_of
from core.data.roles.numbers import MOST
from core.data.roles.times import FIRST, LAST, SEVERAL_ZONES, UNITS
from core.data.store import literal, quoted


def reject(con: DuckDBPyConnection, source: Source, plan: Plan, first: int) -> None:
    """Adds to `rejected` the rows of one source that are not good, as they were written.

    Args:
        con: The connection with `bad`: the rowids (K) in `stage` of this source's bad rows.
        source: Where the rows came from.
        plan: How they were read.
        first: The rowid in `stage` of the source's first record.
    """
    named = con.table("malformed").filter(f"file = {literal(source.name)}")
    if not con.table("bad").limit(1).fetchall() and not named.limit(1).fetchall():
        return
    bad = con.table("bad").project(f"{K} - {first} AS {K}")
    cells = ", ".join(f"{literal(c)}: {quoted(c)}" for c in source.columns)
    records = source.read(con)
    reason, detail = _reason(plan, types_of(records), source.name)
    record = f"CAST(to_json({{{cells}}}) AS VARCHAR) AS record"
    numbered = records.project(f"*, row_number() OVER () - 1 AS {K}")
    numbered.join(bad, K, how="semi").project(
        f"{K}, {reason} AS reason, {detail} AS detail, {record}"
    ).to_table("bad_records")
    insert(con, source, con.table("bad_records"))
    con.execute("DROP TABLE bad_records")


def insert(con: DuckDBPyConnection, source: Source, bad: DuckDBPyRelation) -> None:
    """Adds these records (K, reason, detail, record) and the malformed ones to `rejected`."""
    lines = locate(con, source, bad.project(K)).set_alias("lines")
    bad.set_alias("bad").join(lines, K, how="left").project(
        f"{literal(source.name)}, line, reason, detail, record"
    ).insert_into("rejected")
    con.table("malformed").filter(f"file = {literal(source.name)}").project(
        "file, line, reason, detail, record"
    ).insert_into("rejected")


def _reason(plan: Plan, types: Mapping[str, str], file: str) -> tuple[str, str]:
    """SQL for the reason's code and for its detail; the first that applies."""
    cases: list[tuple[str, str, str]] = []
    for role, code in (("user_id", "no_user"), ("item_id", "no_item")):
        column = str(plan.mapping[role])
        pieces = columns_of(column, plan.columns)
        missing = " AND ".join(f"({missing_cell(c)})" for c in pieces)
        cases.append((missing, code, literal(f"{column} is empty")))
    if plan.time:
        column = str(plan.mapping["timestamp"])
        said = f"CAST({cell_of(column, types)[0]} AS VARCHAR)"
        cases.append((missing_sql(said), "no_time", literal(f"{column} is empty")))
        cases.append(
            (f"({plan.moment(types, file)}) IS NULL", "bad_time", _no_time(plan, said, file))
        )
    if plan.mapping["value"]:
        column = plan.mapping["value"]
        said = f"left(CAST({quoted(column)} AS VARCHAR), 100)"
        unread = f"isnan({plan.value(types)})"
        number = literal(f" in {column} is no finite number")
        large = literal(f" in {column} is beyond {MOST:g}, the largest number of 32 bits")
        beyond = (
            f"abs(TRY_CAST({said} AS DOUBLE)) > {MOST} AND NOT isinf(TRY_CAST({said} AS DOUBLE))"
        )
        told = f"{said} || CASE WHEN {beyond} THEN {large} ELSE {number} END"
        cases.append((unread, "bad_value", told))
    event = plan.mapping["event"] or plan.columns[0]
    said = f"coalesce(left(CAST({quoted(event)} AS VARCHAR), 100), 'nothing')"
    ending = literal(f" in {event}: it must be 0 or 1")
    whens = " ".join(f"WHEN {test} THEN {literal(code)}" for test, code, _ in cases)
    details = " ".join(f"WHEN {test} THEN {text}" for test, _, text in cases)
    return (
        f"CASE {whens} ELSE 'bad_event' END",
        f"CASE {details} ELSE {said} || {ending} END",
    )


def _no_time(plan: Plan, said: str, file: str) -> str:
    """SQL for the sentence on a cell (SQL for its text) that is no time."""
    assert plan.time is not None
    column, way = plan.mapping["timestamp"], plan.time.way_of(file)
    near = not plan.time.said and set(way.split("|")) <= set(UNITS)
    first, last = ("1980", "2100") if near else (FIRST, LAST)
    must = literal(
        f" in {column} is no time: it must be written as {way.replace('|', ' or ')},"
        f" {first} to {last}"
    )
    zone = f"upper(regexp_extract({said}, '[A-Za-z]+$'))"
    names = ", ".join(map(literal, SEVERAL_ZONES))
    several = f"{zone} || ' is the name of several zones: write +05:30 or the like'"
    return (
        f"left({said}, 100) || CASE WHEN {zone} IN ({names})"
        f" THEN {literal(f' in {column} is no time: ')} || {several} ELSE {must} END"
    )
