"""Records as they were written → a typed table `stage` in DuckDB, one row a record, in file order.

A cell that cannot be read becomes NULL (a value: NaN) and marks its row as rejected; nothing is
dropped here. The row's `rowid` counts the records from 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.files.sources import Source, unique_names
from core.data.roles.guess import Guess, columns_of
from core.data.roles.missing import missing_sql, trimmed
from core.data.roles.moments import cell_of
from core.data.roles.numbers import COMMA, POINT, Marks, value_sql
from core.data.roles.profiles import Profile, unpivoted
from core.data.roles.time_study import Cells, needs_all, settle
from core.data.roles.times import TimeFormat, double_time_sql, moment_sql, text_sql
from core.data.store import quoted

RESERVED = (
    *("user_id", "item_id", "timestamp", "event", "value", "platform", "source_row"),
    *("rowid", "file_row_number"),  # DuckDB's own
)
K = '" k"'  # the number of a record; no column has this name, since names are stripped
ID_KINDS = ("whole", "decimal", "text")  # 17850 as it is; 17850.0 too; anything


@dataclass(frozen=True)
class Plan:
    """How each role is read: the columns, and the way in which they are written."""

    mapping: dict[str, str | None]
    evidence: dict[str, str]
    columns: tuple[str, ...]  # of the log, in order
    time: TimeFormat | None
    value_kind: str | None
    binary_click: bool
    mark: str  # of decimals
    mark_said: bool  # by a person
    kinds: dict[str, str]  # "user_id" and "item_id" → one of ID_KINDS
    open: frozenset[str]  # of "timestamp" and "value": whether all cells are still to be looked at

    @property
    def context(self) -> dict[str, str]:
        """The columns without a role, and their names in events.parquet."""
        single = {v for v in self.mapping.values() if v in self.columns}
        rest = [c for c in self.columns if c not in single]
        return dict(zip(rest, unique_names(rest, RESERVED), strict=True))

    @property
    def numbers(self) -> set[str]:
        """The columns that a CSV may hold as DOUBLE without loss: values, Unix times."""
        value = self.mapping["value"] if self.mark == POINT else None
        unix = self.time is not None and self.time.way in ("s", "ms", "us")
        time = self.mapping["timestamp"] if unix else None
        return {column for column in (value, time) if column in self.columns}

    @property
    def good(self) -> str:
        """SQL that is true for the rows of `stage` that are kept."""
        needed = ["user_id", "item_id"]
        needed += ["timestamp"] if self.time else []
        needed += ["event"] if self.mapping["event"] else []
        tests = [f"{name} IS NOT NULL" for name in needed]
        tests += ["(value IS NULL OR NOT isnan(value))"] if self.mapping["value"] else []
        return " AND ".join(tests)

    def moment(self, types: Mapping[str, str], file: str) -> str:
        """SQL for the time of a record of this file, whose columns have these types."""
        assert self.time is not None
        cell, type = cell_of(str(self.mapping["timestamp"]), types)
        return moment_sql(cell, type, self.time.way_of(file), said=self.time.said)

    def value(self, types: Mapping[str, str]) -> str:
        """SQL for the value of a record."""
        column = str(self.mapping["value"])
        return value_sql(quoted(column), types[column], self.mark, said=self.mark_said)


def plan(guess: Guess, columns: Sequence[Profile]) -> Plan:
    """How to read a log whose roles are known, by what a sample of it looks like."""
    by_name = {c.name: c for c in columns}
    value = by_name.get(guess.mapping["value"] or "")
    kinds = {role: _id_kind(guess.mapping[role], by_name) for role in ("user_id", "item_id")}
    doubtful = value is not None and value.either > 0 and guess.decimal is None
    return Plan(
        mapping=guess.mapping,
        evidence=dict(guess.evidence),
        columns=tuple(by_name),
        time=guess.time,
        value_kind=guess.value_kind if value else None,
        binary_click=guess.binary_click,
        mark=guess.decimal or (COMMA if doubtful else POINT),
        mark_said=guess.decimal is not None,
        kinds=kinds,
        open=frozenset({"timestamp", "value"}),
    )


def _id_kind(column: str | None, columns: dict[str, Profile]) -> str:
    profile = columns.get(column or "")
    if profile is None or not profile.is_whole:
        return "text"
    if profile.type == "VARCHAR":
        return "decimal" if any("." in word for word in profile.words) else "whole"
    return "decimal" if profile.type in ("DOUBLE", "FLOAT") else "whole"


def settle_time(con: DuckDBPyConnection, sources: Sequence[Source], plan: Plan) -> Plan:
    """The plan with the way of writing times that fits all cells of the log, not only a sample."""
    if plan.time is None or "timestamp" not in plan.open or plan.time.said:
        return plan
    column = str(plan.mapping["timestamp"])
    cells = []
    for source in sources:
        rows = source.read(con)
        cells.append(Cells(source.name, rows, *cell_of(column, types_of(rows))))
    time = settle(cells, column, plan.time)
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
    if plan.mark_said:
        return plan
    rows = [source.read(con) for source in sources]
    texts = [r for r in rows if types_of(r)[column] == "VARCHAR"]
    found = Marks.of([(r, quoted(column)) for r in texts])
    semicolons = all(s.form is not None and s.form.dialect.delimiter == ";" for s in sources)
    told = found.evidence(semicolons=semicolons)
    evidence = dict(plan.evidence)
    if told:
        evidence["value"] = f"{evidence.get('value', repr(column))}; {told}"
    return replace(plan, mark=found.mark(semicolons=semicolons), evidence=evidence)


def types_of(rows: DuckDBPyRelation) -> dict[str, str]:
    """The type of each column."""
    return dict(zip(rows.columns, map(str, rows.types), strict=True))


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
        found.append(f"{_text_sql(mapping['platform'])} AS platform")
    casts = {c: f"CAST({quoted(c)} AS {common[c]})" for c in common}
    return found + [
        f"{casts.get(c, quoted(c))} AS {quoted(name)}" for c, name in plan.context.items()
    ]


def missing_cell(column: str) -> str:
    """SQL that is true where the cell of this column says nothing."""
    return missing_sql(f"CAST({quoted(column)} AS VARCHAR)")


def _text_sql(column: str, type: str = "") -> str:
    text = text_sql(quoted(column), type)
    return f"CASE WHEN NOT ({missing_sql(text)}) THEN {trimmed(text)} END"


def _id_sql(plan: Plan, role: str, types: Mapping[str, str]) -> str:
    column = plan.mapping[role]
    assert column is not None
    if column not in plan.columns:  # several together
        names = columns_of(column, plan.columns)
        pieces = [f"coalesce({_text_sql(c, types[c])}, '')" for c in names]
        joined = " || '+' || ".join(pieces)
        return f"nullif({joined}, '{'+' * (len(pieces) - 1)}')"
    return id_sql(column, types[column], plan.kinds[role], f"error('not whole: {role}')")


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
        return _text_sql(column, type)
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


def _event_sql(column: str, binary_click: bool) -> str:
    if not binary_click:
        return f"coalesce({_text_sql(column)}, 'unknown')"
    number = f"TRY_CAST({quoted(column)} AS DOUBLE)"
    return f"CASE {number} WHEN 1 THEN 'click' WHEN 0 THEN 'impression' END"


def column_types(rows: DuckDBPyRelation, columns: Sequence[str]) -> dict[str, str]:
    """SQL for each of these columns in the type that all its cells have; a type stays as it is.

    A text becomes BIGINT or DOUBLE where every filled cell is a number as numbers are written:
    "007" and "1e3" are texts.
    """
    types = dict(zip(rows.columns, map(str, rows.types), strict=True))
    texts = [c for c in columns if types[c] == "VARCHAR"]
    found = {c: quoted(c) for c in columns}
    facts: list[bool | None] = []
    if len(texts) > 100:
        tests = ", ".join(f"bool_and({test})" for test in _number_tests("x"))
        by_column = unpivoted(rows, texts).aggregate(f"c, {tests}", "c").order("c").fetchall()
        facts = [fact for _, *pair in by_column for fact in pair]
    elif texts:
        cells = [f"bool_and({test})" for c in texts for test in _number_tests(quoted(c))]
        facts = list(rows.aggregate(", ".join(cells)).fetchall()[0])
    for c, whole, number in zip(texts, facts[::2], facts[1::2], strict=False):  # of no rows: none
        if whole:
            found[c] = f"CAST({quoted(c)} AS BIGINT)"
        elif number:
            found[c] = f"CAST({quoted(c)} AS DOUBLE)"
    return found


def _number_tests(name: str) -> tuple[str, str]:
    """SQL that is true where a text is a whole number, and where it is a number, as written."""
    return (
        f"CAST(TRY_CAST({name} AS BIGINT) AS VARCHAR) IS NOT DISTINCT FROM {name}",
        f"regexp_full_match({name}, '-?(0|[1-9][0-9]{{0,14}})(\\.[0-9]*)?(e-?[0-9]{{1,3}})?')"
        f" OR {name} IS NULL",
    )
