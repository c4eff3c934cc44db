"""Records as they were written → a typed table `stage` in DuckDB, one row a record, in file order.

A cell that cannot be read becomes NULL (a value: NaN) and marks its row as rejected; nothing is
dropped here. The row's `rowid` counts the records from 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import duckdb
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.files.sources import Source
from core.data.ingest.ids import ID_KINDS, id_sql, text_cell, types_of
from core.data.ingest.plan import Plan
from core.data.roles.guess import columns_of
from core.data.roles.moments import cell_of
from core.data.roles.numbers import POINT, Marks
from core.data.roles.time_study import Cells, needs_all, settle
from core.data.roles.times import double_time_sql
from core.data.roles.worded import scale_sql
from core.data.store import quoted


def stage(
    con: DuckDBPyConnection, sources: Sequence[Source], plan: Plan, *, numbers: bool = False
) -> tuple[Plan, list[int]]:
    """Fills `stage` from all these sources in turn.

    An id column that turns out not to be whole numbers throughout is read again, as text; times
    that a sample's way of writing does not read, in all the ways that the column has.

    Args:
        con: The connection that reads.
        sources: The log's files.
        plan: How to read them.
        numbers: Fail where the cell of a number in a text holds none, which is the quickest.

    Returns:
        The plan as it was in the end, and the rows of `stage` after each source.

    Raises:
        duckdb.Error: a text has records that are none.
    """
    if plan.time and needs_all(plan.time):
        plan = settle_time(con, sources, plan)
    if not numbers or plan.mark != POINT or _any_other(sources):
        plan = settle_value(con, sources, plan)
    while True:
        try:
            ends = _fill(con, sources, plan, numbers=numbers)
        except duckdb.Error as error:
            role = next((r for r in plan.kinds if f"not whole: {r}" in str(error)), None)
            if role is None:
                raise
            worse = ID_KINDS[ID_KINDS.index(plan.kinds[role]) + 1]
            plan = replace(plan, kinds={**plan.kinds, role: worse})
            continue
        unread = con.table("stage").filter("timestamp IS NULL") if plan.time else None
        if unread is None or not unread.limit(1).fetchall():
            return plan, ends
        again = settle_time(con, sources, plan)
        if again.time == plan.time:
            return again, ends
        plan = again


def _any_other(sources: Sequence[Source]) -> bool:
    return any(source.form is None for source in sources)


def _fill(
    con: DuckDBPyConnection, sources: Sequence[Source], plan: Plan, *, numbers: bool
) -> list[int]:
    con.execute("DROP TABLE IF EXISTS stage")
    ends: list[int] = []
    common = _common_types(con, sources, plan)
    for source in sources:
        quick = numbers and source.form is not None
        records = source.read(con, plan.numbers if quick else ())
        typed = records.project(", ".join(_columns(plan, records, source.name, common, quick)))
        if ends:
            typed.insert_into("stage")
        else:
            typed.to_table("stage")
        ends.append(int(con.table("stage").aggregate("count(*)").fetchall()[0][0]))
    return ends


def _common_types(con: DuckDBPyConnection, sources: Sequence[Source], plan: Plan) -> dict[str, str]:
    """The type that holds the cells of all files, of columns whose types differ among them."""
    if len(sources) == 1:
        return {}
    types = [types_of(source.read(con)) for source in sources]
    found = {}
    for column in plan.context:
        different = {by_column[column] for by_column in types}
        if len(different) > 1:
            whole = all(type.endswith("INT") or type.endswith("INTEGER") for type in different)
            exact = all(type in ("FLOAT", "DOUBLE", "BIGINT", "INTEGER") for type in different)
            found[column] = "HUGEINT" if whole else "DOUBLE" if exact else "VARCHAR"
    return found


def _columns(
    plan: Plan,
    records: DuckDBPyRelation,
    file: str,
    common: Mapping[str, str],
    quick: bool = False,
) -> list[str]:
    """SQL for each column of `stage`; `quick` where `plan.numbers` were read as DOUBLE."""
    mapping, types = plan.mapping, types_of(records)
    found = [f"{_id_sql(plan, role, types)} AS {role}" for role in ("user_id", "item_id")]
    if mapping["timestamp"] and plan.time:
        if quick and mapping["timestamp"] in plan.numbers:
            way = plan.time.way_of(file)
            moment = double_time_sql(mapping["timestamp"], way, said=plan.time.said)
        else:
            moment = plan.moment(types, file)
        found.append(f"{moment} AS timestamp")
    if mapping["event"]:
        found.append(f"{_event_sql(mapping['event'], plan.binary_click)} AS event")
    if mapping["value"]:
        found.append(f"{plan.value(types)} AS value")
    if mapping["platform"]:
        found.append(f"{text_cell(mapping['platform'])} AS platform")
    casts = {c: f"CAST({quoted(c)} AS {common[c]})" for c in common}
    return found + [
        f"{casts.get(c, quoted(c))} AS {quoted(name)}" for c, name in plan.context.items()
    ]


def _id_sql(plan: Plan, role: str, types: Mapping[str, str]) -> str:
    column = plan.mapping[role]
    assert column is not None
    if column not in plan.columns:  # several together
        names = columns_of(column, plan.columns)
        pieces = [f"coalesce({text_cell(c, types[c])}, '')" for c in names]
        joined = " || '+' || ".join(pieces)
        return f"nullif({joined}, '{'+' * (len(pieces) - 1)}')"
    return id_sql(column, types[column], plan.kinds[role], f"error('not whole: {role}')")


def settle_time(con: DuckDBPyConnection, sources: Sequence[Source], plan: Plan) -> Plan:
    """The plan with the way of writing times that fits all cells of the log, not only a sample."""
    if plan.time is None or "timestamp" not in plan.open or plan.time.said:
        return plan
    column = str(plan.mapping["timestamp"])
    cells = []
    for n, source in enumerate(sources):  # its cells alone: they are looked at several times
        rows = source.read(con)
        cell, type = cell_of(column, types_of(rows))
        table = quoted(f" times {n}")
        rows.project(f"{cell} AS x").to_table(table)
        cells.append(Cells(source.name, con.table(table), "x", type))
    time = settle(cells, column, plan.time)
    for n in range(len(sources)):
        con.execute(f"DROP TABLE {quoted(f' times {n}')}")
    said = "as you said" if plan.evidence.get("timestamp", "").find("as you said") > 0 else ""
    told = ": ".join(filter(None, (repr(column), said, time.evidence)))
    plan = replace(plan, open=plan.open - {"timestamp"})
    if time == plan.time:
        return plan
    return replace(plan, time=time, evidence={**plan.evidence, "timestamp": told})


def settle_value(con: DuckDBPyConnection, sources: Sequence[Source], plan: Plan) -> Plan:
    """The plan with the decimal mark that fits all values of the log."""
    column = plan.mapping["value"]
    if column is None or "value" not in plan.open:
        return plan
    plan = replace(plan, open=plan.open - {"value"})
    rows = [source.read(con) for source in sources]
    texts = [r for r in rows if types_of(r)[column] == "VARCHAR"]
    plan = _on_one_scale(texts, column, plan)
    if plan.mark_said:
        return plan
    found = Marks.of([(r, quoted(column)) for r in texts])
    semicolons = all(s.form is not None and s.form.dialect.delimiter == ";" for s in sources)
    told = found.evidence(semicolons=semicolons)
    evidence = dict(plan.evidence)
    if told:
        evidence["value"] = f"{evidence.get('value', repr(column))}; {told}"
    return replace(plan, mark=found.mark(semicolons=semicolons), evidence=evidence)


def _on_one_scale(texts: Sequence[DuckDBPyRelation], column: str, plan: Plan) -> Plan:
    """The plan with the highest of the scales that ratings such as 4/5 and 8/10 name."""
    scales: set[float] = set()
    for rows in texts:
        said = rows.project(f"{scale_sql(quoted(column))} AS scale").filter("scale IS NOT NULL")
        scales |= {float(scale) for (scale,) in said.distinct().fetchall()}
    if not scales:
        return plan
    listed = " and ".join(f"{scale:g}" for scale in sorted(scales))
    told = f"ratings out of {listed}"
    if len(scales) > 1:
        told += f", all brought to the scale that ends at {max(scales):g}"
    evidence = {**plan.evidence, "value": f"{plan.evidence.get('value', repr(column))}; {told}"}
    return replace(plan, scale=max(scales) if len(scales) > 1 else None, evidence=evidence)


def _event_sql(column: str, binary_click: bool) -> str:
    if not binary_click:
        return f"coalesce({text_cell(column)}, 'unknown')"
    number = f"TRY_CAST({quoted(column)} AS DOUBLE)"
    return f"CASE {number} WHEN 1 THEN 'click' WHEN 0 THEN 'impression' END"
