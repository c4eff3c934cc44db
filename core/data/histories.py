"""What people did whom the log has never seen: a small table → `Queries`."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from core.data.files.encodings import Plain
from core.data.files.malformed import create_tables
from core.data.files.texts import open_text
from core.data.log import Connection, query_row
from core.data.roles.time_study import guess_time
from core.data.roles.times import time_sql
from core.data.store import connect, quoted
from core.errors import BadInput, NotFound
from core.types import Array, Queries, Vocab

ROLES = ("user_id", "item_id", "timestamp", "event", "value", "platform")


def histories(
    path: Path,
    items: Vocab,
    weights: Mapping[str, float] | None = None,
    kinds: tuple[Sequence[str], Sequence[str]] = ((), ()),
) -> tuple[Array, Queries, int]:
    """The people of this table (B,), what each did, and how many rows had an item unknown here.

    People come in order of their first row; one whose items are all unknown stays, with an empty
    history. Rows are ordered by timestamp, then as they stand in the file.

    Args:
        path: CSV, TSV or Parquet with the columns user_id and item_id, and if need be timestamp,
            value, event and platform, in any order and case. Other columns are not read.
        items: The items of the dataset.
        weights: Event type → weight; events of weight 0 are left out. 1 where it is silent.
        kinds: The dataset's event types and platforms in code order; others have code -1. Where
            there are none, the queries say nothing of them.

    Raises:
        NotFound: no such file.
        BadInput: a column is missing, a cell cannot be read, or there are no rows.
    """
    if not path.is_file():
        raise NotFound(f"there is no file {str(path)!r}")
    con = connect()
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "table"  # DuckDB would take a * in a name for a pattern
        plain.symlink_to(path.absolute())
        try:
            roles = _read(con, path.name, plain)
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise BadInput(f"{path.name} cannot be read as a table: {reason}") from None
    if not query_row(con, "SELECT count(*) AS n FROM given")["n"]:
        raise BadInput(
            f"{path.name} has no rows: it needs one for each thing that somebody did, with a "
            "user_id and an item_id"
        )
    _number_people(con)
    known = pd.DataFrame({"item": [str(key) for key in items.ids], "code": np.arange(len(items))})
    con.register("known", known)
    weighed = [(str(name), float(weight)) for name, weight in (weights or {}).items()]
    con.register("weighed", pd.DataFrame(weighed, columns=["event", "weight"], dtype=object))
    rows = con.sql(
        """
        SELECT person, code, time, coalesce(value, 'nan')::FLOAT AS value,
               coalesce(weight::FLOAT, 1) AS weight,
               coalesce(list_position($events, given.event), 0)::BIGINT - 1 AS event,
               coalesce(list_position($platforms, platform), 0)::BIGINT - 1 AS platform
        FROM given JOIN people USING (user_id) JOIN known ON given.item_id = known.item
        LEFT JOIN weighed ON weighed.event = given.event
        WHERE coalesce(weight::FLOAT, 1) > 0
        ORDER BY person, time, place
        """,
        params={"events": list(kinds[0]), "platforms": list(kinds[1])},
    ).fetchnumpy()
    ids = con.sql("SELECT user_id FROM people ORDER BY person").df()["user_id"]
    counts = np.bincount(rows["person"], minlength=len(ids))
    unknown = int(
        query_row(con, "SELECT count(*) AS n FROM given ANTI JOIN known ON item_id = item")["n"]
    )
    queries = Queries(
        users=np.full(len(ids), -1),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        items=np.asarray(rows["code"], np.int64),
        weights=np.asarray(rows["weight"], np.float32),
        times=np.asarray(rows["time"], np.int64) if "timestamp" in roles else None,
        values=np.asarray(rows["value"], np.float32) if "value" in roles else None,
        events=np.asarray(rows["event"], np.int64) if "event" in roles and kinds[0] else None,
        platforms=(
            np.asarray(rows["platform"], np.int64) if "platform" in roles and kinds[1] else None
        ),
    )
    return _own_type(ids), queries, unknown


def _read(con: Connection, name: str, path: Path) -> dict[str, str]:
    """Fills `given`: place, user_id, item_id, time, event, value, platform; the columns by role."""
    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    raw = con.from_parquet(str(path)) if is_parquet else _text(con, name, path)
    roles = {c.lower().strip(): c for c in raw.columns if c.lower().strip() in ROLES}
    for role in ("user_id", "item_id"):
        if role not in roles:
            raise BadInput(
                f"{name} needs the columns user_id and item_id (timestamp, value, event and "
                f"platform may follow); it has {', '.join(raw.columns[:20])}"
            )
    raw.project(", ".join(f"{quoted(c)} AS {role}" for role, c in roles.items())).create("raw")
    texts = {role: f"nullif(trim({role}::VARCHAR), '')" for role in roles}
    read = {role: texts.get(role, "NULL") for role in ROLES}
    if "timestamp" in roles:
        read["timestamp"] = _time_sql(con, name)
    if "value" in roles:
        read["value"] = "TRY_CAST(value AS DOUBLE)"
    for role in roles:
        _check(con, name, role, texts[role], read[role], needed=role in ROLES[:3])
    names = {**dict(zip(ROLES, ROLES, strict=True)), "timestamp": "time"}
    columns = ", ".join(f"{sql} AS {names[role]}" for role, sql in read.items())
    con.table("raw").project(f"rowid AS place, {columns}").create("given")
    return roles


def _text(con: Connection, name: str, path: Path) -> duckdb.DuckDBPyRelation:
    """The rows of a delimited text, of which each line must be one."""
    create_tables(con)
    plain = Plain(name, path, "text", careful=True)
    source = open_text(con, plain, path.with_name("records"))
    malformed = con.table("malformed").order("line").limit(1).fetchall()
    for _, line, detail, record, _ in malformed:
        raise BadInput(
            f"{name} cannot be read as a table: line {line} is no row of it ({detail}): "
            f"{record[:60]!r}"
        )
    return source.read(con)


def _time_sql(con: Connection, name: str) -> str:
    raw = con.table("raw")
    column = raw.select("timestamp")
    found = guess_time(
        raw.limit(10_000), "timestamp", type=str(column.types[0]), looks_ordered=True
    )
    if found is None:
        filled = raw.filter("timestamp IS NOT NULL").project("timestamp::VARCHAR")
        examples = filled.limit(1).fetchall()
        if not examples:
            return "NULL"
        raise BadInput(
            f"the timestamps of {name} cannot be read (such as {examples[0][0]!r}): write them as "
            "2024-05-31 18:30:00, or as seconds since 1970"
        )
    sql = time_sql("timestamp", found.way)
    return sql if found.kind == "order" else f"epoch_us({sql}) // 1000000"


def _check(con: Connection, name: str, role: str, text: str, read: str, *, needed: bool) -> None:
    """Refuses cells that cannot be read, or are empty where they must not be."""
    wrong = con.table("raw").filter(f"({read}) IS NULL AND ({needed} OR ({text}) IS NOT NULL)")
    first = wrong.project(f"rowid + 1, {role}::VARCHAR").limit(1).fetchall()
    if first:
        n = len(wrong.project("1").fetchall())
        record, value = first[0]
        what = f"{value!r} as its {role}" if value else f"no {role}"
        raise BadInput(f"{n:,} rows of {name} cannot be used: record {record:,} has {what}")


def _number_people(con: Connection) -> None:
    con.execute(
        """
        CREATE TABLE people AS
        SELECT user_id, row_number() OVER (ORDER BY min(place)) - 1 AS person
        FROM given GROUP BY user_id
        """
    )


def _own_type(ids: pd.Series[str]) -> Array:
    """Whole numbers as int64 where all of them are, as a dataset has them; else strings."""
    texts = ids.to_numpy(object)
    try:
        numbers = np.array([int(text) for text in texts], np.int64)
    except (ValueError, OverflowError):
        return texts
    whole = all(str(n) == text for n, text in zip(numbers.tolist(), texts, strict=True))
    return numbers if whole else texts
