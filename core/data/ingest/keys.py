"""By which column a file beside the log meets it, and how much of the log it meets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.ingest.ids import id_sql, types_of
from core.data.ingest.plan import Plan
from core.data.roles.names import ID_ENDINGS, NAMES, plain
from core.data.store import quoted

ENOUGH = 0.95  # of the log's ids: then no other key is looked for
FEW = 0.1  # below it, a column of any name may be the key
HALF = 0.5
# Spreadsheets and pandas write 100 as 100.0 where a column has gaps. Where all numbers of the log
# are written so, and none of the file's, they are the same ids; and the other way round.
AS_WRITTEN, WITH_ZERO, WITHOUT_ZERO = "as written", "100 is 100.0", "100.0 is 100"
_WHOLE, _DOT_ZERO = "'-?[0-9]+'", r"'-?[0-9]+\.0'"


@dataclass(frozen=True)
class Match:
    """The key of a file beside the log, and what may be said of it."""

    key: str
    share: float  # of the log's items or users that the file describes
    form: str = AS_WRITTEN
    advice: str | None = None  # one sentence, where it meets less than half


def find_key(
    name: str,
    records: DuckDBPyRelation,
    key: str,
    role: str,
    plan: Plan,
    log: DuckDBPyRelation,
) -> Match:
    """The column of a file that meets most ids of the log; the one that its name says, if equal.

    Args:
        name: What the person calls the file.
        records: Its records.
        key: The column that is its key by its name.
        role: "item_id" or "user_id".
        plan: How the log was read; ids are read alike.
        log: The events.
    """
    known = log.project(role).distinct()
    total = int(known.aggregate("count(*)").fetchall()[0][0])
    types = types_of(records)
    best, share = key, _share(records, key, types, role, plan, known, total)
    if share < ENOUGH:
        for column in records.columns:
            likely = plain(column) in NAMES[role] or plain(column).endswith(ID_ENDINGS)
            nameless = re.fullmatch(r"column\d+", column)
            if column == key or not (likely or nameless or share < FEW) or "[" in types[column]:
                continue
            if _is_unique(records, column):
                other = _share(records, column, types, role, plan, known, total)
                best, share = (column, other) if other > share else (best, share)
    form = AS_WRITTEN
    if plan.kinds[role] == "text" and share < ENOUGH:
        theirs = records.project(f"{side_id_sql(best, types[best], role, plan)} AS {role}")
        form = _form(known, theirs, role)
        share = max(share, _share(records, best, types, role, plan, known, total, form))
    if share >= HALF:
        return Match(best, share, form)
    return Match(best, share, form, _advice(name, records, best, types, role, plan, log, share))


def side_id_sql(column: str, type: str, role: str, plan: Plan, form: str = AS_WRITTEN) -> str:
    """SQL for the id in a column of a file beside the log, in the form in which the log has it."""
    kind = "text" if plan.kinds[role] == "text" else "decimal"  # the same ids in either form
    id = id_sql(column, type, kind, "NULL")
    if form == WITH_ZERO:
        return f"CASE WHEN regexp_full_match({id}, {_WHOLE}) THEN {id} || '.0' ELSE {id} END"
    if form == WITHOUT_ZERO:
        return f"CASE WHEN regexp_full_match({id}, {_DOT_ZERO}) THEN {id}[:-3] ELSE {id} END"
    return id


def _form(ours: DuckDBPyRelation, theirs: DuckDBPyRelation, role: str) -> str:
    """How the ids of a file are to be written, so that the numbers among them are the log's."""
    counts = ", ".join(
        f"count(CASE WHEN regexp_full_match({role}, {form}) THEN 1 END)"
        for form in (_WHOLE, _DOT_ZERO)
    )
    (whole, zero), (their_whole, their_zero) = (
        rows.aggregate(counts).fetchall()[0] for rows in (ours, theirs)
    )
    if zero and not whole and their_whole and not their_zero:
        return WITH_ZERO
    return WITHOUT_ZERO if whole and not zero and their_zero and not their_whole else AS_WRITTEN


def _share(
    records: DuckDBPyRelation,
    column: str,
    types: Mapping[str, str],
    role: str,
    plan: Plan,
    known: DuckDBPyRelation,
    total: int,
    form: str = AS_WRITTEN,
) -> float:
    theirs = records.project(f"{side_id_sql(column, types[column], role, plan, form)} AS {role}")
    met = known.set_alias("a").join(theirs.set_alias("b"), role, how="semi")
    return float(met.aggregate("count(*)").fetchall()[0][0]) / max(1, total)


def _is_unique(records: DuckDBPyRelation, column: str) -> bool:
    counts = f"count({quoted(column)}), count(DISTINCT {quoted(column)})"
    filled, different = records.aggregate(counts).fetchall()[0]
    return bool(filled and different >= 0.9 * filled)


def _advice(
    name: str,
    records: DuckDBPyRelation,
    key: str,
    types: Mapping[str, str],
    role: str,
    plan: Plan,
    log: DuckDBPyRelation,
    share: float,
) -> str:
    """What was met, and which column of the log would be met better, if one would."""
    noun = {"item_id": "items", "user_id": "users"}[role]
    sentence = f"{name} meets {share:.0%} of the log's {noun} by its column {key!r}"
    texts = records.project(f"CAST({quoted(key)} AS VARCHAR) AS x").distinct()
    found: list[tuple[float, str]] = []
    for column, ours in plan.context.items():
        if ours not in log.columns or "[" in types_of(log)[ours]:
            continue
        values = log.project(f"CAST({quoted(ours)} AS VARCHAR) AS x").filter("x IS NOT NULL")
        different = values.distinct()
        met = different.set_alias("a").join(texts.set_alias("b"), "x", how="semi")
        n, of = (int(r.aggregate("count(*)").fetchall()[0][0]) for r in (met, different))
        if of > 1 and n / of > max(HALF, share):
            found.append((n / of, column))
    if not found:
        return f"{sentence}: are the ids of both written alike?"
    other, column = max(found)
    return f"{sentence}, and {other:.0%} of the log's column {column!r}: say {role}={column}"


def likeliest(
    con: DuckDBPyConnection,
    samples: Mapping[str, tuple[str, str]],
    sample: str,
    columns: Sequence[str],
) -> tuple[str, str] | None:
    """The role and the column of a file without names whose values are most like the log's.

    Args:
        con: The connection with the samples.
        samples: Role → the table with a sample of the log, and its column in it.
        sample: The table with a sample of the file.
        columns: The file's columns.

    Returns:
        The role and the column; None where no column has a third of its values in common.
    """
    best: tuple[float, str, str] = (1 / 3, "", "")
    for role, (table, ours) in samples.items():
        a = con.table(table).project(f"CAST({quoted(ours)} AS VARCHAR) AS x").distinct()
        for column in columns:
            b = con.table(sample).project(f"CAST({quoted(column)} AS VARCHAR) AS x").distinct()
            both = len(a.intersect(b))
            alike = both / max(1, len(a) + len(b) - both)
            if alike > best[0] and _is_unique(con.table(sample), column):
                best = alike, role, column
    return best[1:] if best[1] else None
