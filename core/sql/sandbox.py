"""One statement → its answer, by a process that is thrown away."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryFile
from threading import BoundedSemaphore
from typing import IO, Any

import pyarrow as pa

from core.data.processes import child_environment
from core.errors import BadInput, CoreError, TooLarge
from core.sql.answer import Answer, Column
from core.sql.limits import TO_SHOW, Limits
from core.types import Progress, silent

AT_ONCE = 2  # statements of one server; others wait, as the pages need a processor too
POLL_S = 0.05
LONGEST = 100_000  # letters of a statement
_START_S = 15.0  # until a process ends itself in time, on a busy machine; then we end it
_ENDED = 0  # by us, before it said anything
_turns = BoundedSemaphore(AT_ONCE)
_TYPES = {
    **{"bool": "BOOLEAN", "string": "VARCHAR", "double": "DOUBLE", "float": "FLOAT"},
    **{"int8": "TINYINT", "int16": "SMALLINT", "int32": "INTEGER", "int64": "BIGINT"},
    **{"uint8": "UTINYINT", "uint16": "USMALLINT", "uint32": "UINTEGER"},
    **{"date32[day]": "DATE", "timestamp[us]": "TIMESTAMP"},
}

Value = str | int | None  # that a parameter is bound to


class NoTable(BadInput):
    """The statement names a table that was not given."""

    def __init__(self, sentence: str, table: str) -> None:
        super().__init__(sentence)
        self.table = table


def answer(
    statement: str,
    tables: Mapping[str, Path],
    values: Mapping[str, Value],
    folder: Path,
    limits: Limits = TO_SHOW,
    on_stage: Progress = silent,
) -> Answer:
    """What one statement gives.

    Args:
        statement: One that asks: SELECT, FROM, WITH, DESCRIBE, SUMMARIZE, EXPLAIN, PIVOT …
        tables: Name → the Parquet file that it is read from; absolute.
        values: What $name in the statement stands for, bound as prepared values.
        folder: An empty one, which the process stands in; nothing is written into it.
        limits: What the statement may take.
        on_stage: Told 20 times a second how much of its time is over. What it raises ends the
            process, and is passed on.

    Raises:
        NoTable: it names another table.
        BadInput: it is not one such statement, or DuckDB cannot answer it; it took too long.
        TooLarge: it needs more memory than it may have.
    """
    if len(statement) > LONGEST:
        raise BadInput(
            f"the statement has {len(statement)} letters: at most {LONGEST} are read, shorten it"
        )
    request = {
        "statement": statement,
        "tables": {name: str(path) for name, path in tables.items()},
        "values": dict(values),
        "limits": asdict(limits),
    }
    while not _turns.acquire(timeout=POLL_S):
        on_stage("waiting", None)
    try:
        said, code = _ask_process(json.dumps(request).encode(), folder, limits, on_stage)
    finally:
        _turns.release()
    return _read(said, code, limits)


def _ask_process(
    request: bytes, folder: Path, limits: Limits, on_stage: Progress
) -> tuple[bytes, int]:
    """What the process said, and its exit code; it is gone when this returns or raises."""
    began = time.monotonic()
    with (
        TemporaryFile() as incoming,  # a pipe would not take a long one at once
        subprocess.Popen(
            [sys.executable, "-m", "core.sql.child"],
            cwd=folder,
            env=_bare_environment(),
            stdin=_holding(incoming, request),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the command, which then ends it
        ) as process,
    ):
        try:
            while True:
                try:
                    said, _ = process.communicate(timeout=POLL_S)
                    return said, process.returncode
                except subprocess.TimeoutExpired:
                    over = time.monotonic() - began
                if over > limits.seconds + _START_S:
                    return b"", _ENDED
                on_stage("asking", min(1.0, over / limits.seconds))
        finally:
            process.kill()


def _holding(file: IO[bytes], content: bytes) -> IO[bytes]:
    """The file, to be read from its beginning."""
    file.write(content)
    file.flush()
    file.seek(0)
    return file


def _bare_environment() -> dict[str, str]:
    """Nothing of ours, which a statement might read, but where Python finds Recscope."""
    path = child_environment()["PYTHONPATH"]
    return {
        "PYTHONPATH": path,
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "ARROW_DEFAULT_MEMORY_POOL": "system",  # the others reserve what the limit would count
    }


def _read(said: bytes, code: int, limits: Limits) -> Answer:
    line, _, rows = said.partition(b"\n")
    header: dict[str, Any] = json.loads(line) if line else _how_it_ended(code)
    if header.get("stopped"):
        raise BadInput(
            f"the statement was stopped after {limits.seconds:g} s: ask for less, such as fewer "
            "rows or people, or for sums"
        )
    if header.get("no_memory"):
        raise TooLarge(
            f"the statement needs more than the {limits.memory_mb} MB that it may have: ask for "
            "less, such as sums instead of lists, or fewer rows before they are sorted or joined"
        )
    if "refused" in header:
        raise BadInput(header["refused"])
    if header.get("missing"):
        raise NoTable(header["error"], header["missing"])
    if "error" in header:
        raise BadInput(header["error"])
    try:
        table = pa.ipc.open_stream(rows).read_all()
    except pa.ArrowException as error:
        raise CoreError(f"the answer came in broken ({error}): ask again") from None
    columns = tuple(Column(field.name, type_name(field.type)) for field in table.schema)
    return Answer(columns, table, header["seconds"], header["cut"])


def _how_it_ended(code: int) -> dict[str, Any]:
    """What became of a process that said nothing."""
    if code in (_ENDED, -signal.SIGALRM):
        return {"stopped": True}
    if code in (-signal.SIGKILL, -signal.SIGABRT):
        return {"no_memory": True}
    return {
        "refused": f"DuckDB broke off at this statement (code {code}): write it in smaller steps"
    }


def type_name(kind: pa.DataType) -> str:
    """A type of an answer's column as DuckDB writes it."""
    if pa.types.is_list(kind):
        return f"{type_name(kind.value_type)}[]"
    return _TYPES.get(str(kind), "VARCHAR")
