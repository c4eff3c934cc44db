"""The process that answers one statement: a request as JSON comes in, an answer as Arrow goes out.

DuckDB alone would not do: `interrupt` is seen between blocks of rows only, and what one function
call takes is no part of its memory limit (docs/decisions/sql.md has the figures). So the process
has limits of its own, and whoever started it ends it when they are over. It runs in an empty folder
with an empty environment. Whatever it is asked, all that it could lose is its own answer.
"""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Timer
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import dataset

from core.data.files.sources import unique_names
from core.data.store import connect
from core.sql.limits import Limits

BLOCK_ROWS = 2048
GRACE_S = 1.0  # after its time in which a statement may say itself that it was stopped
_ROOM = 1 << 30  # bytes beside DuckDB's: the answer, its copy, threads
_KEPT = re.compile(
    r"(BOOLEAN|U?TINYINT|U?SMALLINT|U?INTEGER|BIGINT|FLOAT|DOUBLE|VARCHAR)(\[\])?"
    r"|HUGEINT|UBIGINT|DATE|TIMESTAMP"
)
_MOMENT = re.compile(r"TIMESTAMP(_S|_MS|_NS| WITH TIME ZONE)")
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896  # years 1 and 9999, in days from 1970
_NOTHING_ELSE = (
    "a statement has the tables of the dataset and of the run, and nothing else: no files, no "
    "network, no settings"
)


class Refused(Exception):
    """A sentence for the person who asked."""


def main() -> None:
    began = time.perf_counter()
    request = json.loads(sys.stdin.buffer.read())
    limits = Limits(**request["limits"])
    # Ends this process, whatever it is at: nothing of Python's or DuckDB's is needed for it.
    signal.setitimer(signal.ITIMER_REAL, limits.seconds + GRACE_S)
    os.nice(10)  # the pages go before
    try:
        table, cut = answer(request, limits)
    except (Refused, duckdb.Error, pa.ArrowException, MemoryError, OSError, ValueError) as error:
        header = what_went_wrong(error)
    else:
        header = {"cut": cut, "seconds": time.perf_counter() - began}
    out = sys.stdout.buffer
    out.write(json.dumps(header).encode() + b"\n")
    if "cut" in header:
        with pa.ipc.new_stream(out, table.schema) as stream:
            stream.write_table(table)
    out.flush()
    os._exit(0)  # what DuckDB still has to clear up is not awaited


def what_went_wrong(error: Exception) -> dict[str, Any]:
    """What sandbox.py makes a sentence of; while rows come, DuckDB's errors are OSErrors."""
    said = str(error)
    if isinstance(error, Refused):
        return {"refused": said}
    if isinstance(error, duckdb.InterruptException) or "INTERRUPT Error" in said:
        return {"stopped": True}
    of_memory = duckdb.OutOfMemoryException, MemoryError, pa.ArrowMemoryError
    if isinstance(error, of_memory) or said.startswith("Out of Memory Error"):
        return {"no_memory": True}
    if isinstance(error, duckdb.PermissionException) or said.startswith("Permission Error"):
        return {"refused": _NOTHING_ELSE}
    return {"error": _one_line(said), "missing": _missing_table(said)}


def answer(request: dict[str, Any], limits: Limits) -> tuple[pa.Table, bool]:
    """The rows, and whether there are more."""
    con = locked_connection(request["tables"], limits)
    limit_memory(limits)
    timer = Timer(limits.seconds, con.interrupt)
    timer.daemon = True
    timer.start()
    statement = only_statement(con, request["statement"])
    values = {name: request["values"].get(name) for name in statement.named_parameters}
    if missing := sorted(values.keys() - request["values"].keys()):
        raise Refused(f"the parameter ${missing[0]} has no value: give it one")
    relation = con.sql(statement.query, params=values or None)
    if len(relation.columns) > limits.columns:
        raise Refused(
            f"the answer has {len(relation.columns)} columns, at most {limits.columns} are shown: "
            "name those that you want"
        )
    table, cut = first_rows(as_plain(relation), limits)
    return readable(table, unique_names(relation.columns)), cut


def locked_connection(tables: dict[str, str], limits: Limits) -> duckdb.DuckDBPyConnection:
    """DuckDB with these files as tables and nothing else: no folder, no network, no settings.

    The files are read by pyarrow: a view of DuckDB's would need the file system, and tell its path.
    No folder to spill to either: DuckDB 2.0.1 lets a statement write into it.
    """
    con = connect(memory_limit=f"{limits.memory_mb}MiB", threads=limits.threads)
    for name, path in tables.items():
        con.register(name, dataset.dataset(path))
    for setting in (
        "python_enable_replacements = false",  # else the variables of this process are tables
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        con.execute(f"SET {setting}")
    return con


def limit_memory(limits: Limits) -> None:
    """No more address space than there is now, DuckDB's memory, and some room; no file at all."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pages = Path("/proc/self/statm")
    if pages.exists():
        now = int(pages.read_text().split()[0]) * resource.getpagesize()
        most = now + (limits.memory_mb << 20) + _ROOM
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def only_statement(con: duckdb.DuckDBPyConnection, text: str) -> duckdb.Statement:
    """The one statement of this text, which asks and does nothing else."""
    statements = con.extract_statements(text)
    if len(statements) != 1:
        raise Refused(
            f"one statement at a time, these are {len(statements)}: ask them one by one"
            if statements
            else "there is no statement: write one, such as SELECT * FROM events LIMIT 10"
        )
    statement = statements[0]
    kind = statement.type.name
    if kind not in ("SELECT", "EXPLAIN", "MULTI"):  # MULTI: PIVOT, which asks twice
        raise Refused(
            f"this is a statement of kind {kind}: only what asks and changes nothing is answered, "
            "such as SELECT, FROM, WITH, DESCRIBE, SUMMARIZE or EXPLAIN"
        )
    return statement


def as_plain(relation: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """The same with every column of a type that a table of ours may have; see Answer."""
    columns = []
    for at, kind in enumerate(map(str, relation.types), 1):
        if _KEPT.fullmatch(kind):
            columns.append(f"#{at}")
        elif kind.startswith("DECIMAL") and not kind.endswith("]"):
            columns.append(f"CAST(#{at} AS DOUBLE)")
        elif _MOMENT.fullmatch(kind):
            columns.append(f"CAST(#{at} AS TIMESTAMP)")
        else:
            columns.append(f"CAST(#{at} AS VARCHAR)")
    return relation.project(", ".join(columns))


def readable(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """The same under these names, with whole numbers in 64 bits, or as texts.

    Raises:
        Refused: a date or a time is in no year that Python has.
    """
    columns = []
    for name, column in zip(names, table.columns, strict=True):
        kind = column.type
        if pa.types.is_decimal(kind) or pa.types.is_uint64(kind):  # HUGEINT, UBIGINT
            try:
                column = column.cast(pa.int64())
            except pa.ArrowInvalid:
                column = column.cast(pa.string())
        elif pa.types.is_temporal(kind) and not _in_our_years(column):
            raise Refused(
                f"column {name!r} has dates outside the years 1 to 9999: ask for it as a text, "
                "CAST(… AS VARCHAR)"
            )
        columns.append(column)
    return pa.table(columns, names=list(names))


def _in_our_years(column: pa.ChunkedArray) -> bool:
    is_date = pa.types.is_date(column.type)
    ends = pc.min_max(column.cast(pa.int32() if is_date else pa.int64()))
    low, high, day = ends["min"].as_py(), ends["max"].as_py(), 1 if is_date else 86_400_000_000
    return low is None or (_FIRST_DAY * day <= low and high < (_LAST_DAY + 1) * day)


def first_rows(relation: duckdb.DuckDBPyRelation, limits: Limits) -> tuple[pa.Table, bool]:
    """As many rows as the limits allow, and whether there are more."""
    reader = relation.to_arrow_reader(BLOCK_ROWS)
    batches, rows, size = [], 0, 0
    for batch in reader:
        batches.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows > limits.rows or size > limits.answer_mb << 20:
            break
    table = pa.Table.from_batches(batches, reader.schema)
    shown = min(rows, limits.rows)
    if size > limits.answer_mb << 20:
        shown = int(rows * (limits.answer_mb << 20) / size)
        if not shown:
            raise Refused(
                f"a row of the answer has more than {limits.answer_mb} MB: ask for less of it"
            )
    return table.slice(0, shown), shown < rows


def _one_line(message: str) -> str:
    """What DuckDB says, without its picture of the statement."""
    said = message.split("\n\nLINE ")[0].split("\nLINE ")[0]
    line = " ".join(said.split())[:600]
    return "".join(letter if letter.isprintable() else "�" for letter in line)


def _missing_table(message: str) -> str:
    """The name of the table that there is none of, if that is what is wrong."""
    match = re.search(r"Table with name \"?(\w+)\"? does not exist", message)
    return match[1].lower() if match else ""


if __name__ == "__main__":
    main()
