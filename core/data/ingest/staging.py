"""Records as they were written → a typed table `stage` in DuckDB, one row a record, in file order.

A cell that cannot be read becomes NULL (a value: NaN) and marks its row as rejected; nothing is
dropped here. The row's `rowid` counts the records from 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import duckdb
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.files.malformed import forget_malformed, store_malformed
from core.data.files.sources import Source, unique_names
from core.data.roles.mapping import Guess, columns_of
from core.data.roles.profiles import Profile, unpivoted
from core.data.roles.times import TimeFormat, double_time_sql, time_sql
from core.data.store import literal, quoted

WHITE = literal(" \t\r\n\v\f\xa0\u3000\ufeff")  # what is cut off around an id
MISSING = (
    "('', 'null', 'nan', 'none', '\\n', '<na>', 'nat')"  # what stands for "no value", in any case
)
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
    columns: tuple[str, ...]  # of the log, in order
    types: dict[str, str]
    time: TimeFormat | None
    value_kind: str | None
    binary_click: bool
    decimal_comma: bool
    kinds: dict[str, str]  # "user_id" and "item_id" → one of ID_KINDS

    @property
    def context(self) -> dict[str, str]:
        """The columns without a role, and their names in events.parquet."""
        single = {v for v in self.mapping.values() if v in self.columns}
        rest = [c for c in self.columns if c not in single]
        return dict(zip(rest, unique_names(rest, RESERVED), strict=True))

    @property
    def numbers(self) -> set[str]:
        """The columns that a CSV may hold as DOUBLE without loss: values, Unix times."""
        value = None if self.decimal_comma else self.mapping["value"]
        unix = self.time is not None and self.time.way in ("s", "ms", "us")
        time = self.mapping["timestamp"] if unix else None
        return {column for column in (value, time) if column}

    @property
    def good(self) -> str:
        """SQL that is true for the rows of `stage` that are kept."""
        needed = ["user_id", "item_id"]
        needed += ["timestamp"] if self.time else []
        needed += ["event"] if self.mapping["event"] else []
        tests = [f"{name} IS NOT NULL" for name in needed]
        tests += ["(value IS NULL OR NOT isnan(value))"] if self.mapping["value"] else []
        return " AND ".join(tests)


def plan(guess: Guess, columns: Sequence[Profile]) -> Plan:
    """How to read a log whose roles are known, by what a sample of it looks like."""
    by_name = {c.name: c for c in columns}
    value = by_name.get(guess.mapping["value"] or "")
    kinds = {role: _id_kind(guess.mapping[role], by_name) for role in ("user_id", "item_id")}
    return Plan(
        mapping=guess.mapping,
        columns=tuple(by_name),
        types={c.name: c.type for c in columns},
        time=guess.time,
        value_kind=guess.value_kind if value else None,
        binary_click=guess.binary_click,
        decimal_comma=bool(value and any("," in word for word in value.words)),
        kinds=kinds,
    )


def _id_kind(column: str | None, columns: dict[str, Profile]) -> str:
    profile = columns.get(column or "")
    if profile is None or not profile.is_whole:
        return "text"
    if profile.type == "VARCHAR":
        return "decimal" if any("." in word for word in profile.words) else "whole"
    return "decimal" if profile.type in ("DOUBLE", "FLOAT") else "whole"


def stage(
    con: DuckDBPyConnection, sources: Sequence[Source], plan: Plan, malformed: str = "fail"
) -> tuple[Plan, list[int]]:
    """Fills `stage` from all these sources in turn.

    An id column that turns out not to be whole numbers throughout is read again, as text.

    Args:
        con: The connection that reads.
        sources: The log's files.
        plan: How to read them.
        malformed: "fail", "store" to move records that cannot be cut into cells to `malformed`, or
            "numbers" to fail also where the cell of a number holds none, which is the quickest.

    Returns:
        The plan as it was in the end, and the rows of `stage` after each source.

    Raises:
        duckdb.Error: a CSV has malformed records, and they are to fail.
    """
    while True:
        try:
            return plan, _fill(con, sources, plan, malformed)
        except duckdb.Error as error:
            role = next((r for r in plan.kinds if f"not whole: {r}" in str(error)), None)
            if role is None:
                raise
            worse = ID_KINDS[ID_KINDS.index(plan.kinds[role]) + 1]
            plan = replace(plan, kinds={**plan.kinds, role: worse})


def _fill(
    con: DuckDBPyConnection, sources: Sequence[Source], plan: Plan, malformed: str
) -> list[int]:
    con.execute("DROP TABLE IF EXISTS stage")
    ends: list[int] = []
    for source in sources:
        if malformed == "store":
            forget_malformed(con, source)
        quick = malformed == "numbers" and source.dialect is not None
        if quick:
            records = source.read(con, numbers=plan.numbers)
        else:
            records = source.read(con, "store" if malformed == "store" else "fail")
        typed = records.project(", ".join(_columns(plan, quick)))
        if ends:
            typed.insert_into("stage")
        else:
            typed.to_table("stage")
        if malformed == "store":
            store_malformed(con, source)
        ends.append(int(con.table("stage").aggregate("count(*)").fetchall()[0][0]))
    return ends


def _columns(plan: Plan, quick: bool = False) -> list[str]:
    """SQL for each column of `stage`; `quick` where `plan.numbers` were read as DOUBLE."""
    mapping = plan.mapping
    found = [f"{_id_sql(plan, role)} AS {role}" for role in ("user_id", "item_id")]
    if mapping["timestamp"] and plan.time:
        exact = quick and mapping["timestamp"] in plan.numbers
        read = double_time_sql if exact else time_sql
        found.append(f"{read(mapping['timestamp'], plan.time.way)} AS timestamp")
    if mapping["event"]:
        found.append(f"{_event_sql(mapping['event'], plan.binary_click)} AS event")
    if mapping["value"]:
        found.append(f"{value_sql(mapping['value'], plan.decimal_comma)} AS value")
    if mapping["platform"]:
        found.append(f"{_text_sql(mapping['platform'])} AS platform")
    return found + [f"{quoted(c)} AS {quoted(name)}" for c, name in plan.context.items()]


def missing_sql(column: str) -> str:
    """SQL that is true where a cell says nothing: NULL, blank, or one of MISSING in any case."""
    text = trimmed(f"CAST({quoted(column)} AS VARCHAR)")
    return f"coalesce(lower({text}), '') IN {MISSING}"


def trimmed(text: str) -> str:
    """SQL for a text without white space around it."""
    return f"trim({text}, {WHITE})"


def _text_sql(column: str) -> str:
    text = trimmed(f"CAST({quoted(column)} AS VARCHAR)")
    return f"CASE WHEN NOT ({missing_sql(column)}) THEN {text} END"


def _id_sql(plan: Plan, role: str) -> str:
    column = plan.mapping[role]
    assert column is not None
    if column not in plan.columns:  # several together
        pieces = [f"coalesce({_text_sql(c)}, '')" for c in columns_of(column, plan.columns)]
        joined = " || '+' || ".join(pieces)
        return f"nullif({joined}, '{'+' * (len(pieces) - 1)}')"
    return id_sql(column, plan.types[column], plan.kinds[role], f"error('not whole: {role}')")


def id_sql(column: str, type: str, kind: str, otherwise: str) -> str:
    """SQL that gives an id: BIGINT for "whole" and "decimal", text for "text"; NULL if missing.

    Args:
        column: The column's name.
        type: Its DuckDB type.
        kind: One of ID_KINDS.
        otherwise: SQL for a cell that holds something, but no whole number.
    """
    name, missing = quoted(column), missing_sql(column)
    if kind == "text":
        return _text_sql(column)
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


def value_sql(column: str, decimal_comma: bool) -> str:
    """SQL that gives a DOUBLE: NULL where the cell is empty, NaN where it is no finite number."""
    text = f"CAST({quoted(column)} AS VARCHAR)"
    number = f"TRY_CAST({quoted(column)} AS DOUBLE)"
    if decimal_comma:
        number = f"TRY_CAST(replace({text}, ',', '.') AS DOUBLE)"
    return (
        f"CASE WHEN isfinite({number}) THEN {number} WHEN {missing_sql(column)} THEN NULL"
        " ELSE 'nan'::DOUBLE END"
    )


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
