"""The tables of one dataset version: the log staged, checked, sorted and written, rows rejected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import NotRequired, TypedDict

import duckdb
from duckdb import DuckDBPyConnection, DuckDBPyRelation

from core.data.files.sources import Source
from core.data.ingest.accounts import LineCounts, read_lines, settle
from core.data.ingest.attribute_types import column_types
from core.data.ingest.inputs import Inputs
from core.data.ingest.opened import Opened, not_read
from core.data.ingest.plan import K, Plan, plan
from core.data.ingest.rejects import reject
from core.data.ingest.side_tables import write_attributes
from core.data.ingest.staging import stage
from core.data.roles.names import weight_of
from core.data.store import DatasetCounts, literal, quoted
from core.errors import BadInput
from core.types import Progress

MAX_EVENT_TYPES = 200
# Delta encoding, and no dictionary of thousands of ids: a seventh faster, a quarter smaller.
PARQUET = "FORMAT parquet, PARQUET_VERSION v2, DICTIONARY_SIZE_LIMIT 1000"
MAX_BITS = 1 << 26  # 8 MiB a thread


class VersionFacts(TypedDict):
    """What dataset.json says of a version that was just written."""

    mapping: dict[str, str | None]
    evidence: dict[str, str]
    time_kind: str
    time_format: str | None
    value_kind: str | None
    weights: dict[str, float]
    counts: DatasetCounts
    lines: NotRequired[dict[str, LineCounts]]
    first_time: str | int | None
    last_time: str | int | None
    time_rival: str | None
    matched: NotRequired[dict[str, dict[str, float]]]
    advice: NotRequired[list[str]]
    item_columns: NotRequired[list[str]]
    user_columns: NotRequired[list[str]]


def write(
    con: DuckDBPyConnection,
    inputs: Inputs,
    weights: Mapping[str, float],
    folder: Path,
    progress: Progress,
) -> VersionFacts:
    """Writes the tables of a version; what dataset.json says about them.

    Args:
        con: A connection with the tables of `create_tables`.
        inputs: The opened files.
        weights: Event type → weight, over the defaults.
        folder: Where the Parquet files go.
        progress: Called with a stage and the share done.

    Raises:
        BadInput: nothing of the log can be kept, or it is damaged, or a weight fits no event.
        NotPlain: a text cannot be read as it lies.
    """
    made, ends = _stage(con, inputs)
    records = [end - begin for begin, end in pairwise([0, *ends])]
    lines = read_lines((f.source, n) for f, n in zip(inputs.log, records, strict=True))
    progress("checking", 0.4)
    read, bad, lost = _reject(con, inputs.log, made, ends)
    progress("sorting", 0.5)
    facts = _write_events(con, inputs, made, weights, folder)
    kept = facts["counts"]["rows_kept"]
    assert read == kept + bad, (read, kept, bad)
    by_reason = dict(con.table("rejected").aggregate("reason, count(*)", "reason").fetchall())
    facts["counts"] = {
        **facts["counts"],
        "rows_read": read,
        "rows_rejected": bad,
        "rejected": by_reason,
    }
    progress("attributes", 0.8)
    sides = {"item_id": inputs.items, "user_id": inputs.users}
    found = write_attributes(con, sides, made, folder)
    items, users = found["item_id"], found["user_id"]
    facts["item_columns"], facts["user_columns"] = items.columns, users.columns
    facts["matched"] = {"items": items.matched, "users": users.matched}
    facts["advice"] = [*items.advice, *users.advice]
    _reject_beside(con, inputs)
    facts["lines"] = _settled(con, inputs, lines, lost)
    if con.table("rejected").limit(1).fetchall():
        rejected = con.table("rejected").order("file, line")
        rejected.write_parquet(str(folder / "rejected.parquet"), compression="zstd")
    return facts


def _stage(con: DuckDBPyConnection, inputs: Inputs) -> tuple[Plan, list[int]]:
    """The log in the table `stage`, how it was read, and the rows after each of its files."""
    log = inputs.log
    sources = [f.source for f in log]
    try:
        made = plan(inputs.guess, inputs.profiles)
        try:
            return stage(con, sources, made, numbers=True)
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error:
            return stage(con, sources, made)
    except duckdb.OutOfMemoryException:
        raise
    except duckdb.Error as error:
        raise not_read(error, [f.plain for f in log]) from None


def _reject(
    con: DuckDBPyConnection, log: Sequence[Opened], made: Plan, ends: Sequence[int]
) -> tuple[int, int, dict[str, int]]:
    """Fills `rejected`; the records read, those not kept, and file → its rows that are not good."""
    numbered = con.table("stage").project(f"*, rowid AS {K}")
    numbered.filter(f"NOT ({made.good})").project(K).to_table("all_bad")
    first = 0
    lost = {}
    for file, end in zip(log, ends, strict=True):
        con.execute("DROP TABLE IF EXISTS bad")
        con.table("all_bad").filter(f"{K} >= {first} AND {K} < {end}").to_table("bad")
        lost[file.name] = int(con.table("bad").aggregate("count(*)").fetchall()[0][0])
        reject(con, file.source, made, first)
        first = end
    bad = int(con.table("rejected").aggregate("count(*)").fetchall()[0][0])
    read = first + bad - sum(lost.values())
    if read == bad:
        raise BadInput(_nothing_left(con, log, read))
    return read, bad, lost


def _settled(
    con: DuckDBPyConnection,
    inputs: Inputs,
    log_lines: Mapping[str, Mapping[str, int]],
    log_lost: Mapping[str, int],
) -> dict[str, LineCounts]:
    """What became of the lines of all files, those beside the log included."""
    sides = [side.source for side in (*inputs.items, *inputs.users)]
    records = [int(s.read(con).aggregate("count(*)").fetchall()[0][0]) for s in sides]
    lines = {**log_lines, **read_lines(zip(sides, records, strict=True))}
    lost = {s.name: _count(con, "rejected", s) - _count(con, "malformed", s) for s in sides}
    lines |= {source.name: dict(source.counted or {}) for source in inputs.beside}
    sources = [*(f.source for f in inputs.log), *sides, *inputs.beside]
    units = {source.name: source.unit for source in sources}
    return settle(con, lines, {**log_lost, **lost}, units)


def _reject_beside(con: DuckDBPyConnection, inputs: Inputs) -> None:
    """Adds to `rejected` what is no record of files that went into others: orders, properties."""
    sides = [s.source.name for s in (*inputs.items, *inputs.users)]
    names = ", ".join(literal(name) for name in [*(f.name for f in inputs.log), *sides])
    con.table("malformed").filter(f"file NOT IN ({names})").project(
        "file, line, reason, detail, record"
    ).insert_into("rejected")


def _count(con: DuckDBPyConnection, table: str, source: Source) -> int:
    mine = con.table(table).filter(f"file = {literal(source.name)}")
    return int(mine.aggregate("count(*)").fetchall()[0][0])


def _nothing_left(con: DuckDBPyConnection, log: Sequence[Opened], read: int) -> str:
    reasons = con.table("rejected").aggregate("reason, count(*) AS n", "reason").order("n DESC")
    counted = ", ".join(f"{n:,} {reason}" for reason, n in reasons.fetchall())
    found = con.table("rejected").project("line, detail").limit(1).fetchall()
    first = f"; line {found[0][0]}: {found[0][1]}" if found else ""
    return (
        f"none of the {read:,} rows of {', '.join(f.name for f in log)} can be kept "
        f"({counted}){first}: map the columns that hold user, item and time"
    )


def _write_events(
    con: DuckDBPyConnection,
    inputs: Inputs,
    made: Plan,
    weights: Mapping[str, float],
    folder: Path,
) -> VersionFacts:
    rows = con.table("stage").aggregate("count(*)").fetchall()[0][0]
    narrow = "UINTEGER" if rows < 1 << 32 else "BIGINT"  # a shorter key sorts a tenth faster
    kept = con.table("stage").project(f"*, CAST(rowid AS {narrow}) AS {K}")
    if con.table("all_bad").limit(1).fetchall():
        kept = kept.filter(made.good)
    clock = "timestamp" if made.time else "NULL"
    lowest = "min(value)" if made.mapping["value"] else "NULL"
    facts = f"count(*), min({clock}), max({clock}), {lowest}"
    n, first, last, low = kept.aggregate(facts).fetchall()[0]
    users, items = _count_ids(kept)
    evidence = dict(made.evidence)
    event = "event" if made.mapping["event"] else None
    if event is None and made.value_kind == "quantity" and low is not None and low < 0:
        event = "CASE WHEN value < 0 THEN 'return' ELSE 'purchase' END"
        evidence["event"] = "a negative quantity is a return, the others are purchases"
    columns = _event_columns(con, made, event)
    order = f"user_id, timestamp, {K}" if made.time else f"user_id, {K}"
    kept.order(order).project(", ".join(columns)).create_view("sorted", replace=True)
    con.execute(f"COPY sorted TO {literal(str(folder / 'events.parquet'))} ({PARQUET})")
    return {
        "mapping": made.mapping,
        "evidence": evidence,
        "time_kind": made.time.kind if made.time else "none",
        "time_format": made.time.way if made.time else None,
        "time_rival": made.time.rival if made.time else None,
        "value_kind": made.value_kind,
        "weights": _weights(con, event, weights, folder),
        "counts": {
            "rows_read": 0,
            "rows_kept": n,
            "rows_rejected": 0,
            "users": users,
            "items": items,
            "rejected": {},
        },
        "first_time": _moment(first),
        "last_time": _moment(last),
    }


def _count_ids(kept: DuckDBPyRelation) -> tuple[int, int]:
    """How many users and items there are, exactly; by a bit for each if ids are dense numbers."""
    roles = ("user_id", "item_id")
    ends = kept.aggregate(", ".join(f"min({role}), max({role})" for role in roles)).fetchall()[0]
    counts = []
    for role, low, high in zip(roles, ends[::2], ends[1::2], strict=True):
        dense = isinstance(low, int) and high - low < MAX_BITS
        bits = f"bit_count(bitstring_agg({role}, {low}, {high}))"
        counts.append(bits if dense else f"count(DISTINCT {role})")
    users, items = kept.aggregate(", ".join(counts)).fetchall()[0]
    return int(users), int(items)


def _event_columns(con: DuckDBPyConnection, made: Plan, event: str | None) -> list[str]:
    columns = ["user_id", "item_id"]
    columns += ["timestamp"] if made.time else []
    columns += [f"{event} AS event"] if event else []
    columns += ["value"] if made.mapping["value"] else []
    columns += ["platform"] if made.mapping["platform"] else []
    context = list(made.context.values())
    mark = made.mark if made.mark_said else None
    casts = column_types(con.table("stage"), context, mark) if context else {}
    return [
        *columns,
        f"CAST({K} AS BIGINT) + 1 AS source_row",
        *(f"{casts[c]} AS {quoted(c)}" for c in context),
    ]


def _moment(moment: datetime | int | None) -> str | int | None:
    return moment.isoformat() if isinstance(moment, datetime) else moment


def _weights(
    con: DuckDBPyConnection, event: str | None, chosen: Mapping[str, float], folder: Path
) -> dict[str, float]:
    """The weight of each type of event in the log."""
    if event is None:
        if chosen:
            raise BadInput(
                f"weights for {', '.join(chosen)} were given, but the log has no event types"
            )
        return {}
    events = con.from_parquet(str(folder / "events.parquet"))
    types = [t for (t,) in events.aggregate("event", "event").order("event").fetchall()]
    if len(types) > MAX_EVENT_TYPES:
        raise BadInput(
            f"the event column holds {len(types):,} different types ({types[0]!r}, …); "
            f"at most {MAX_EVENT_TYPES} make sense: map event to another column, or to none"
        )
    unknown = [t for t in chosen if t not in types]
    if unknown:
        raise BadInput(f"there is no event {unknown[0]!r} to weigh; there are {', '.join(types)}")
    return {t: chosen.get(t, weight_of(t)) for t in types}
