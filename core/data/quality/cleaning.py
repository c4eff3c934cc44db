"""A dataset version → one with fewer events: what a filter leaves, cleaned by steps that a person
switches on; what goes is counted.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from core.data.durable import sha256_file, write_json_atomically
from core.data.log import open_log
from core.data.profile.coded import CodedLog, open_coded
from core.data.profile.figures import rows_left
from core.data.profile.filters import Filter
from core.data.quality.cleaning_steps import CLEANINGS, Step, parse_steps
from core.data.read_only import CLEAN, check_writable
from core.data.refs import checked_name, name_from
from core.data.store import DatasetInfo, Workspace, quoted
from core.errors import BadInput
from core.types import Progress, silent

__all__ = ["CLEANINGS", "FILTERED", "Step", "clean", "parse_steps"]

FILTERED = "filter "  # how what dataset.json says of a filter begins; its terms in one line follow
FILTER_REASON = "cleaned:filter"


def clean(
    workspace: Workspace,
    info: DatasetInfo,
    steps: str | Iterable[str],
    *,
    terms: Sequence[str] = (),
    name: str | None = None,
    progress: Progress | None = None,
) -> DatasetInfo:
    """A new version without the rows that the steps remove, in this order.

    They go to rejected.parquet as `cleaned:<step>`, so rows read = kept + rejected still holds; the
    line given there is the number of the record, since the events know no lines. The
    tables of items and users come along. The same steps on the same version give the same id, and
    are not done twice.

    What a filter leaves out is counted as `cleaned:filter`, but not listed again: it stands in the
    version that this one names as its parent.

    Args:
        workspace: Where the version lies and the new one will.
        info: The version to clean.
        steps: As `parse_steps` reads them.
        terms: Of a filter, see core.data.profile.filters: what it leaves is cleaned.
        name: Of the new version; the old name with the steps if not given.
        progress: Told the step and the share done, 0 … 1.

    Raises:
        BadInput: steps that cannot be read, do not fit this log, or leave nothing of it.
    """
    check_writable(workspace.path, CLEAN)
    parsed = parse_steps(steps)
    if not parsed and not terms:
        raise BadInput(
            f"no cleaning was given, and no filter: choose from {', '.join(CLEANINGS)}, or filter"
        )
    for step in parsed:
        _check_fits(info, step)
    texts = [str(step) for step in parsed]
    coded = open_coded(info) if terms else None
    wanted = coded.parse(terms) if coded else Filter()
    if wanted:
        texts.insert(0, FILTERED + wanted.line(info.time_kind))
    identity = hashlib.sha256(json.dumps([info.id, texts]).encode()).hexdigest()[:12]
    name = None if name is None else checked_name(name)
    if known := workspace.whole_dataset(identity):
        return workspace.rename(identity, name) if name else known
    with workspace.scratch() as scratch:
        folder = scratch / identity
        folder.mkdir()
        con = open_log(info, temp_directory=scratch / "spill")
        left_out = _keep(con, coded, wanted) if coded else {}
        removed = _remove(con, info, parsed, progress or silent)
        counts = _write(con, info, folder, removed, left_out)
        con.close()
        meta = {
            **info.meta,
            "id": identity,
            "name": name or name_from(f"{info.name} ({', '.join(texts)})"),
            "parent": info.id,
            "created": datetime.now(UTC).isoformat(timespec="microseconds"),
            "cleaning": [*info.meta["cleaning"], *texts],
            **counts,
            "sha256": {path.name: sha256_file(path) for path in sorted(folder.iterdir())},
        }
        write_json_atomically(folder / "dataset.json", meta)
        workspace.publish_dataset(folder, identity)
    return DatasetInfo.read(workspace.datasets_folder / identity)


def _check_fits(info: DatasetInfo, step: Step) -> None:
    needs = CLEANINGS[step.name].needs
    if needs == "clock" and info.time_kind != "clock":
        instead = ": use cap" if step.name == "drop_bots" else ""
        raise BadInput(f"{step.name} needs times, and {info.name} has none{instead}")
    if needs in ("value", "event") and needs not in open_log(info).table("events").columns:
        raise BadInput(f"{step.name} needs a column of {needs}s, and {info.name} has none")


def _keep(con: duckdb.DuckDBPyConnection, coded: CodedLog, wanted: Filter) -> dict[str, int]:
    """Leaves the connection no other rows than those of the filter; how many it leaves out."""
    n_events, name = coded.info.counts["rows_kept"], coded.info.name
    left = rows_left(coded.connect(), coded, wanted).project("file_row_number")
    con.register("left_rows", left.to_arrow_table())
    kept = _one(con, "SELECT count(*) FROM left_rows")
    if not kept:
        raise BadInput(
            f"the filter leaves nothing of the {n_events:,} events of {name}: leave a term out "
            "or widen it"
        )
    con.execute(
        """
        CREATE TABLE left_events AS
        FROM numbered SEMI JOIN left_rows USING (file_row_number) ORDER BY file_row_number
        """
    )
    con.table("left_events").create_view("numbered", replace=True)
    return {FILTER_REASON: n_events - kept}


def _remove(
    con: duckdb.DuckDBPyConnection,
    info: DatasetInfo,
    steps: list[Step],
    progress: Progress,
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
    con: duckdb.DuckDBPyConnection,
    info: DatasetInfo,
    folder: Path,
    removed: dict[str, int],
    left_out: dict[str, int],
) -> dict[str, Any]:
    """The tables of the new version; what dataset.json says of them."""
    gone = Counter(removed) + Counter(left_out)
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
            SELECT $file::VARCHAR AS file, source_row AS line, removed.reason, removed.detail,
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
            "rows_rejected": info.counts["rows_rejected"] + sum(gone.values()),
            "users": users,
            "items": items,
            "rejected": dict(Counter(info.counts["rejected"]) + gone),
        },
        "first_time": _moment(first),
        "last_time": _moment(last),
    }


def _moment(time: datetime | int | None) -> str | int | None:
    return time.isoformat() if isinstance(time, datetime) else time


def _one(con: duckdb.DuckDBPyConnection, question: str) -> int:
    return int(con.execute(question).fetchall()[0][0])
