"""A dataset version → a cleaner one, by steps that a person switches on; what goes is counted."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from core.data.log import open_log
from core.data.store import (
    DatasetInfo,
    Workspace,
    publish,
    quoted,
    sha256_file,
    write_json_atomically,
)
from core.errors import BadInput

# A step is a question: which rows of `kept` go? `kept` has row (the place in events.parquet, which
# is sorted by user, time, source), user_id, item_id, timestamp, time (that in Unix seconds, or the
# order number), event, value.

# Rows with the user and time of a neighbour: exact repeats are among them. `OVER ()` keeps the
# order of the file and costs a tenth of a GROUP BY over all rows.
TIED = """
    SELECT * EXCLUDE (first, last) FROM (
        SELECT row, user_id, item_id, timestamp, event, value,
               user_id IS DISTINCT FROM lag(user_id) OVER ()
                   OR timestamp IS DISTINCT FROM lag(timestamp) OVER () AS first,
               user_id IS DISTINCT FROM lead(user_id) OVER ()
                   OR timestamp IS DISTINCT FROM lead(timestamp) OVER () AS last
        FROM kept
    ) WHERE NOT (first AND last)
"""

# Nobody acts in 900 different seconds of one hour (every 4 s; people who rate film after film reach
# 570), or is awake in 20 hours of one day. Different seconds, since a basket of 500 lines has one.
# Only days with 20 events or more need a closer look.
BOTS = """
    WITH busy AS (
        SELECT DISTINCT user_id, day FROM (
            SELECT user_id, time // 86400 AS day,
                   user_id = lag(user_id, 19) OVER ()
                       AND time // 86400 = lag(time // 86400, 19) OVER () AS twenty
            FROM kept
        ) WHERE twenty
    )
    SELECT DISTINCT user_id FROM (
        SELECT user_id, day, count(*) AS hours, max(actions) AS actions FROM (
            SELECT user_id, day, time // 3600 AS hour, count(DISTINCT time) AS actions
            FROM (SELECT user_id, time, time // 86400 AS day FROM kept)
            SEMI JOIN busy USING (user_id, day)
            GROUP BY ALL
        ) GROUP BY ALL
    ) WHERE actions >= $n OR hours >= 20
"""


@dataclass(frozen=True)
class Cleaning:
    """What a step removes (SQL over `kept`, its number as $n), and what it needs."""

    help: str
    gone: str
    default: float | None = None  # None in a step with `minimum`: the number must be given
    minimum: float | None = None  # None: the step takes no number
    whole: bool = True
    needs: str | None = None  # "clock", "value" or "event"


CLEANINGS: dict[str, Cleaning] = {
    "dedupe": Cleaning(
        "rows that repeat another in user, item, time, event and value; the first stays",
        f"""
        SELECT row FROM ({TIED})
        QUALIFY row_number() OVER (
            PARTITION BY user_id, item_id, timestamp, event, value ORDER BY row) > 1
        """,  # noqa: S608 a constant
    ),
    "last_only": Cleaning(
        "all but the latest event of a user with an item",
        """
        SELECT row FROM kept
        QUALIFY row_number() OVER (PARTITION BY user_id, item_id ORDER BY row DESC) > 1
        """,
    ),
    "drop_returns": Cleaning(
        "events of the type return",
        "SELECT row FROM kept WHERE event = 'return'",
        needs="event",
    ),
    "drop_future": Cleaning(
        "events more than a day later than the moment the log came in",
        "SELECT row FROM kept WHERE time > $today + 86400",
        needs="clock",
    ),
    "drop_before": Cleaning(
        "events before the start of this year",
        "SELECT row FROM kept WHERE time < epoch(make_date($n::BIGINT, 1, 1))",
        default=1990,
        minimum=1,
        needs="clock",
    ),
    "drop_bots": Cleaning(
        "users who act in so many different seconds of an hour, or in 20 hours of a day",
        f"SELECT row FROM kept WHERE user_id IN ({BOTS})",  # noqa: S608 both are constants
        default=900,
        minimum=20,
        needs="clock",
    ),
    "min_value": Cleaning(
        "events with a smaller value; those without one stay",
        "SELECT row FROM kept WHERE value < $n",
        minimum=float("-inf"),
        whole=False,
        needs="value",
    ),
    "cap": Cleaning(
        "all but the latest so many events of a user",
        """
        SELECT row FROM kept
        QUALIFY row_number() OVER (PARTITION BY user_id ORDER BY row DESC) > $n
        """,
        default=1000,
        minimum=1,
    ),
    "min_events": Cleaning(
        "users with fewer events",
        """
        SELECT row FROM kept
        WHERE user_id IN (SELECT user_id FROM kept GROUP BY user_id HAVING count(*) < $n)
        """,
        default=2,
        minimum=2,
    ),
    "k_core": Cleaning(
        "users with fewer items and items with fewer users, until all that stay have so many",
        "SELECT row FROM kept ANTI JOIN core USING (user_id, item_id)",
        default=5,
        minimum=2,
    ),
}


@dataclass(frozen=True)
class Step:
    """One cleaning with its number."""

    name: str
    number: float | None

    def __str__(self) -> str:
        return self.name if self.number is None else f"{self.name}={self.number:.12g}"


def parse_steps(steps: str | Iterable[str]) -> list[Step]:
    """The steps in order, from "dedupe,k_core=5" or ["dedupe", "k_core=5"].

    Raises:
        BadInput: an unknown step, or a number that is missing, not wanted or out of range.

    >>> [str(step) for step in parse_steps("dedupe, k_core, cap=200")]
    ['dedupe', 'k_core=5', 'cap=200']
    """
    texts = [steps] if isinstance(steps, str) else steps
    parts = [part.strip() for text in texts for part in text.split(",")]
    return [_parse(part) for part in parts if part]


def _parse(text: str) -> Step:
    name, given, number = text.partition("=")
    name = name.strip()
    cleaning = CLEANINGS.get(name)
    if cleaning is None:
        raise BadInput(f"there is no cleaning {name!r}: choose from {', '.join(CLEANINGS)}")
    if cleaning.minimum is None:
        if given:
            raise BadInput(f"the cleaning {name} takes no number, so write {name}, not {text!r}")
        return Step(name, None)
    if not given and cleaning.default is None:
        raise BadInput(f"the cleaning {name} needs a number, as in {name}=3")
    try:
        value = float(number) if given else float(cleaning.default or 0)
    except ValueError:
        value = float("nan")
    if not cleaning.minimum <= value < 1e12 or (cleaning.whole and value % 1):
        kind = "whole number" if cleaning.whole else "number"
        least = f" from {cleaning.minimum:g}" if cleaning.whole else ""
        raise BadInput(f"{name} needs a {kind}{least}, not {number.strip()!r}")
    return Step(name, value)


def clean(
    workspace: Workspace,
    info: DatasetInfo,
    steps: str | Iterable[str],
    *,
    name: str | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> DatasetInfo:
    """A new version without the rows that the steps remove, in this order.

    They go to rejected.parquet as `cleaned:<step>`, so rows read = kept + rejected still holds; the
    line given there is the number of the record, since the events know no lines. The
    tables of items and users come along. The same steps on the same version give the same id, and
    are not done twice.

    Args:
        workspace: Where the version lies and the new one will.
        info: The version to clean.
        steps: As `parse_steps` reads them.
        name: Of the new version; the old name with the steps if not given.
        progress: Told the step and the share done, 0 … 1.

    Raises:
        BadInput: steps that cannot be read, do not fit this log, or leave nothing of it.
    """
    parsed = parse_steps(steps)
    if not parsed:
        raise BadInput(f"no cleaning was given: choose from {', '.join(CLEANINGS)}")
    for step in parsed:
        _check_fits(info, step)
    texts = [str(step) for step in parsed]
    identity = hashlib.sha256(json.dumps([info.id, texts]).encode()).hexdigest()[:12]
    final = workspace.datasets_folder / identity
    if final.exists():
        return workspace.rename(identity, name) if name else DatasetInfo.read(final)
    with workspace.scratch() as scratch:
        folder = scratch / identity
        folder.mkdir()
        con = open_log(info, temp_directory=scratch / "spill")
        removed = _remove(con, info, parsed, progress or (lambda _what, _share: None))
        counts = _write(con, info, folder, removed)
        con.close()
        meta = {
            **info.meta,
            "id": identity,
            "name": name or f"{info.name} ({', '.join(texts)})",
            "parent": info.id,
            "created": datetime.now(UTC).isoformat(timespec="microseconds"),
            "cleaning": [*info.meta["cleaning"], *texts],
            **counts,
            "sha256": {path.name: sha256_file(path) for path in sorted(folder.iterdir())},
        }
        write_json_atomically(folder / "dataset.json", meta)
        publish(folder, final)
    return DatasetInfo.read(final)


def _check_fits(info: DatasetInfo, step: Step) -> None:
    needs = CLEANINGS[step.name].needs
    if needs == "clock" and info.time_kind != "clock":
        instead = ": use cap" if step.name == "drop_bots" else ""
        raise BadInput(f"{step.name} needs times, and {info.name} has none{instead}")
    if needs in ("value", "event") and needs not in open_log(info).table("events").columns:
        raise BadInput(f"{step.name} needs a column of {needs}s, and {info.name} has none")


def _remove(
    con: duckdb.DuckDBPyConnection,
    info: DatasetInfo,
    steps: list[Step],
    progress: Callable[[str, float], None],
) -> dict[str, int]:
    """Fills the table `removed` (row, reason, detail); rows gone by reason."""
    con.execute(
        """
        CREATE TABLE kept AS
        SELECT row, user_id, item_id, timestamp, time, event, value FROM log
        """
    )
    con.execute("CREATE TABLE removed (row BIGINT, reason VARCHAR, detail VARCHAR)")
    today = datetime.fromisoformat(info.created).timestamp()
    counts: dict[str, int] = {}
    for place, step in enumerate(steps):
        progress(str(step), place / (len(steps) + 1))
        if step.name == "k_core":
            _find_core(con, step.number or 0)
        question = CLEANINGS[step.name].gone
        values = {"n": step.number, "today": today}
        con.execute(
            "CREATE OR REPLACE TABLE gone AS " + question,
            {key: value for key, value in values.items() if f"${key}" in question},
        )
        reason = f"cleaned:{step.name}"
        con.execute("INSERT INTO removed SELECT row, ?, ? FROM gone", [reason, str(step)])
        con.execute("DELETE FROM kept WHERE row IN (SELECT row FROM gone)")
        counts[reason] = counts.get(reason, 0) + _one(con, "SELECT count(*) FROM gone")
        if not _one(con, "SELECT count(*) FROM kept"):
            raise BadInput(
                f"after {step} nothing is left of the {info.counts['rows_kept']:,} events of "
                f"{info.name}: leave that step out or soften it"
            )
    progress("write", len(steps) / (len(steps) + 1))
    return counts


def _find_core(con: duckdb.DuckDBPyConnection, k: float) -> None:
    """The table `core`: the (user, item) pairs of the k-core, where each has k of the other."""
    con.execute("CREATE OR REPLACE TABLE core AS SELECT DISTINCT user_id, item_id FROM kept")
    before = -1
    while before != (before := _one(con, "SELECT count(*) FROM core")):
        for side in ("user_id", "item_id"):
            con.execute(
                f"""
                CREATE OR REPLACE TABLE core AS SELECT * FROM core WHERE {side} IN (
                    SELECT {side} FROM core GROUP BY {side} HAVING count(*) >= $k)
                """,  # noqa: S608 two constants
                {"k": k},
            )


def _write(
    con: duckdb.DuckDBPyConnection, info: DatasetInfo, folder: Path, removed: dict[str, int]
) -> dict[str, Any]:
    """The tables of the new version; what dataset.json says of them."""
    con.sql(
        """
        SELECT * EXCLUDE (file_row_number) FROM numbered
        ANTI JOIN removed ON numbered.file_row_number = removed.row ORDER BY file_row_number
        """
    ).write_parquet(str(folder / "events.parquet"), compression="zstd")
    logs = [name for name, kind in info.meta.get("parts", {}).items() if kind == "events"]
    file = logs[0] if len(logs) == 1 else None  # of several, the version does not know which
    con.execute(
        """
        CREATE VIEW IF NOT EXISTS rejected AS
        SELECT '' AS file, 0 AS line, '' AS reason, '' AS detail, '' AS record WHERE false
        """
    )
    record = ", ".join(f"{quoted(c)} := numbered.{quoted(c)}" for c in con.table("events").columns)
    if info.path("rejected") or any(removed.values()):
        con.sql(
            f"""
            FROM rejected
            UNION ALL BY NAME
            SELECT $file::VARCHAR AS file, source_row AS line, reason, detail,
                   to_json(struct_pack({record}))::VARCHAR AS record
            FROM numbered JOIN removed ON numbered.file_row_number = removed.row
            """,  # noqa: S608 names are quoted
            params={"file": file},
        ).write_parquet(str(folder / "rejected.parquet"), compression="zstd")
    for table in ("items", "users"):
        if path := info.path(table):
            shutil.copyfile(path, folder / path.name)
    kept, users, items, first, last = con.execute(
        """
        SELECT count(*), count(DISTINCT user_id), count(DISTINCT item_id),
               min(timestamp), max(timestamp) FROM kept
        """
    ).fetchall()[0]
    return {
        "counts": {
            **info.counts,
            "rows_kept": kept,
            "rows_rejected": info.counts["rows_rejected"] + sum(removed.values()),
            "users": users,
            "items": items,
            "rejected": dict(Counter(info.counts["rejected"]) + Counter(removed)),
        },
        "first_time": _moment(first),
        "last_time": _moment(last),
    }


def _moment(time: datetime | int | None) -> str | int | None:
    return time.isoformat() if isinstance(time, datetime) else time


def _one(con: duckdb.DuckDBPyConnection, question: str) -> int:
    return int(con.execute(question).fetchall()[0][0])
