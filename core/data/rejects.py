"""Why a row was rejected, where it stands in its file, and what it said."""

from __future__ import annotations

from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.mapping import parts
from core.data.sources import Source, raw_lines
from core.data.staging import K, Plan, missing_sql, value_sql
from core.data.store import literal, quoted
from core.data.times import FIRST, LAST, time_sql


def reject(con: DuckDBPyConnection, source: Source, plan: Plan, first: int, malformed: str) -> None:
    """Adds to `rejected` the rows of one source that are not good, as they were written.

    Args:
        con: The connection with `bad`: the rowids (`place`) in `stage` of this source's bad rows.
        source: Where the rows came from.
        plan: How they were read.
        first: The rowid in `stage` of the source's first record.
        malformed: How malformed records are passed over when reading it again: "fail" or "skip".
    """
    bad = con.table("bad").project(f"place - {first} AS {K}")
    cells = ", ".join(f"{literal(c)}: {quoted(c)}" for c in source.columns)
    reason, detail = _reason(plan)
    record = f"CAST(to_json({{{cells}}}) AS VARCHAR) AS record"
    numbered = source.read(con, malformed).project(f"*, row_number() OVER () - 1 AS {K}")
    numbered.join(bad, K, how="semi").project(
        f"{K}, {reason} AS reason, {detail} AS detail, {record}"
    ).to_table("bad_records")
    lines = _lines(con, source, malformed).set_alias("lines")
    con.table("bad_records").join(lines, K, how="left").order(K).project(
        f"{literal(source.name)}, line, reason, detail, record"
    ).insert_into("rejected")
    con.execute("DROP TABLE bad_records")
    con.execute("DROP TABLE IF EXISTS filled")


def _reason(plan: Plan) -> tuple[str, str]:
    """SQL for the reason's code and for its detail; the first that applies."""
    cases: list[tuple[str, str, str]] = []
    for role, code in (("user_id", "no_user"), ("item_id", "no_item")):
        column = str(plan.mapping[role])
        pieces = parts(column, plan.columns)
        missing = " AND ".join(f"({missing_sql(c)})" for c in pieces)
        cases.append((missing, code, literal(f"{column} is empty")))
    if plan.time:
        column = str(plan.mapping["timestamp"])
        said = f"CAST({quoted(column)} AS VARCHAR)"
        way = literal(
            f" in {column} is no time: it must be written as {plan.time.way}, {FIRST} to {LAST}"
        )
        cases.append((missing_sql(column), "no_time", literal(f"{column} is empty")))
        unread = f"({time_sql(column, plan.time.way)}) IS NULL"
        cases.append((unread, "bad_time", f"left({said}, 100) || {way}"))
    if plan.mapping["value"]:
        column = plan.mapping["value"]
        said = f"left(CAST({quoted(column)} AS VARCHAR), 100)"
        unread = f"isnan({value_sql(column, plan.decimal_comma)})"
        number = literal(f" in {column} is no finite number")
        cases.append((unread, "bad_value", f"{said} || {number}"))
    event = plan.mapping["event"] or plan.columns[0]
    said = f"coalesce(left(CAST({quoted(event)} AS VARCHAR), 100), 'nothing')"
    ending = literal(f" in {event}: it must be 0 or 1")
    whens = " ".join(f"WHEN {test} THEN {literal(code)}" for test, code, _ in cases)
    details = " ".join(f"WHEN {test} THEN {text}" for test, _, text in cases)
    return (
        f"CASE {whens} ELSE 'bad_event' END",
        f"CASE {details} ELSE {said} || {ending} END",
    )


def _lines(con: DuckDBPyConnection, source: Source, malformed: str) -> DuckDBPyRelation:
    """The line on which each record begins: `k` from 0, `line` from 1."""
    if source.line:
        inner = con.from_parquet(str(source.path))
        return inner.project(f"{quoted(source.line)} AS line, row_number() OVER () - 1 AS {K}")
    if source.dialect is None or not source.has_lines:
        return con.table("bad_records").project(f"{K}, {K} + 1 AS line")
    _fill_lines(con, source)
    records = source.read(con, malformed)
    count = records.aggregate("count(*)").fetchall()[0][0]
    filled = con.table("filled")
    if filled.aggregate("count(*)").fetchall()[0][0] == count:  # each record is one line
        return filled.project(f"n AS {K}, line")
    cells = " + ".join(map(_inner_lines, source.columns))
    starts = records.project(f"{cells} AS more, row_number() OVER () - 1 AS {K}").project(
        f"{K}, {K} + sum(more) OVER (ORDER BY {K} ROWS UNBOUNDED PRECEDING) - more AS n"
    )
    return starts.join(filled, "n").project(f"{K}, line")


def _inner_lines(column: str) -> str:
    """SQL for how many filled lines a cell adds to its record: those after its first line end."""
    cell = f"replace({quoted(column)}, chr(13), '')"
    inner = f"string_split({cell}, chr(10))[2:-2]"
    return (
        f"CASE WHEN contains({quoted(column)}, chr(10))"
        f" THEN 1 + len(list_filter({inner}, lambda x: x <> '')) ELSE 0 END"
    )


def _fill_lines(con: DuckDBPyConnection, source: Source) -> None:
    """Makes `filled`: the lines that are not blank, header or malformed, numbered from 0."""
    assert source.dialect is not None
    pieces = "string_split(replace(record, chr(13), ''), chr(10))"
    spans = (
        con.table("malformed")
        .filter(f"file = {literal(source.name)}")
        .project(
            f"line AS start, greatest(1, len(list_filter({pieces}, lambda x: x <> ''))) AS span"
        )
    )
    con.execute("DROP TABLE IF EXISTS filled")
    lines = raw_lines(con, source.path).filter(f"text IS NOT NULL AND line > {source.dialect.skip}")
    numbered = lines.project("line, row_number() OVER (ORDER BY line) AS o")
    numbered.filter(f"o > {source.dialect.header_lines}").to_table("filled_lines")
    taken = (
        con.table("filled_lines")
        .join(spans, "line = start")
        .project("unnest(generate_series(o, o + span - 1)) AS o")
    )
    con.table("filled_lines").join(taken, "o", how="anti").project(
        "line, row_number() OVER (ORDER BY o) - 1 AS n"
    ).to_table("filled")
    con.execute("DROP TABLE filled_lines")
