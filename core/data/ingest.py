"""Files → an immutable, typed, checked dataset version, and a report of what was rejected."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection

from core.data import clean as cleaning
from core.data.attributes import write_attributes
from core.data.inputs import Inputs, Opened, mended, open_inputs, open_one
from core.data.malformed import create_tables
from core.data.names import weight_of
from core.data.rejects import reject
from core.data.staging import Plan, plan, settled, stage
from core.data.store import (
    SCHEMA_VERSION,
    DatasetInfo,
    Workspace,
    connect,
    literal,
    publish,
    quoted,
    sha256_file,
    write_json_atomically,
)
from core.data.times import settle
from core.errors import BadInput, TooLarge

MEMORY = "2500MB"  # what DuckDB may take; beyond it, it spills into the scratch
MAX_EVENT_TYPES = 200
Files = Path | str | Sequence[Path | str] | None
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Request:
    """What was asked for, in one piece: the files and the options that make a version."""

    paths: list[Path]
    items: list[Path]
    users: list[Path]
    mapping: dict[str, str | None]
    weights: dict[str, float]

    @property
    def files(self) -> list[Path]:
        return [*self.paths, *self.items, *self.users]

    def identity(self, hashes: Sequence[str]) -> str:
        """12 hex digits: the same files and options give the same."""
        n, m = len(self.paths), len(self.paths) + len(self.items)
        content = [hashes[:n], hashes[n:m], hashes[m:], self.mapping, self.weights, SCHEMA_VERSION]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def ingest(
    workspace: Workspace,
    paths: Files,
    *,
    items: Files = None,
    users: Files = None,
    mapping: Mapping[str, str | None] | None = None,
    name: str | None = None,
    weights: Mapping[str, float] | None = None,
    clean: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> DatasetInfo:
    """The dataset version made of these files; the same files and options give the same one.

    Args:
        workspace: Where it is kept.
        paths: The files: a log, or a log with files about items and users, which are recognised.
        items: Files known to describe items.
        users: Files known to describe users.
        mapping: Role → column ("a+b" for several together), for roles that are not to be guessed;
            None says that the log has none. "time_format" may say how times are written.
        name: What a person calls it; the log's file name if not given.
        weights: Event type → weight ≥ 0, over the defaults of `core.data.names.WEIGHTS`.
        clean: Cleaning steps; the result is then the cleaned version.
        progress: Called with a stage and the share done, 0 to 1.

    Raises:
        BadInput: a file cannot be used; the sentence says why and what would be right.
        TooLarge: it does not fit on the disk or into memory.
    """
    steps = cleaning.parse_steps(clean) if clean else []
    asked = Request(
        [*_listed(paths)],
        [*_listed(items)],
        [*_listed(users)],
        {role: column or None for role, column in (mapping or {}).items()},
        _checked(weights or {}),
    )
    try:
        info = _ingest(workspace, asked, None if steps else name, progress or _silent)
    except duckdb.OutOfMemoryException as error:
        raise TooLarge(f"the log does not fit into {MEMORY} and the free disk: {error}") from None
    if steps:
        return cleaning.clean(workspace, info, clean or [], name=name, progress=progress)
    return info


def _silent(stage: str, share: float) -> None:
    pass


def _listed(paths: Files) -> list[Path]:
    if paths is None:
        return []
    return [Path(p) for p in ([paths] if isinstance(paths, str | Path) else paths)]


def _checked(weights: Mapping[str, float]) -> dict[str, float]:
    for event, weight in weights.items():
        if not 0 <= weight < float("inf"):
            raise BadInput(f"the weight of {event!r} is {weight}; it must be 0 or more, and finite")
    return {event: float(weight) for event, weight in weights.items()}


def _ingest(
    workspace: Workspace, asked: Request, name: str | None, progress: Progress
) -> DatasetInfo:
    with workspace.scratch() as scratch, ThreadPoolExecutor(1) as pool:
        con = connect(memory_limit=MEMORY, temp_directory=scratch / "spill")
        create_tables(con)
        progress("reading", 0.0)
        unpacked = scratch / "files"
        unpacked.mkdir()
        inputs = open_inputs(con, unpacked, asked.paths, asked.items, asked.users, asked.mapping)
        hashes = pool.submit(lambda: [sha256_file(path) for path in asked.files])
        if sum(path.stat().st_size for path in asked.files) < 64 << 20:  # well under a second
            known = workspace.datasets_folder / asked.identity(hashes.result())
            if known.exists():
                return _renamed(workspace, known, name)
        folder = scratch / "version"
        folder.mkdir()
        facts = _write(con, inputs, asked, folder, unpacked, progress)
        final = workspace.datasets_folder / asked.identity(hashes.result())
        meta = _meta(asked, inputs, facts, hashes, name or _stem(inputs.main.name), folder)
        write_json_atomically(folder / "dataset.json", {"id": final.name, **meta})
        con.close()
        progress("done", 1.0)
        if publish(folder, final):
            return DatasetInfo.read(final)
    return _renamed(workspace, final, name)


def _renamed(workspace: Workspace, final: Path, name: str | None) -> DatasetInfo:
    """The version that is already there, under the name that is wanted now."""
    info = DatasetInfo.read(final)
    return workspace.rename(info.id, name) if name and name != info.name else info


def _stem(name: str) -> str:
    return Path(name.removesuffix(".gz")).stem or name


def _meta(
    asked: Request,
    inputs: Inputs,
    facts: dict[str, Any],
    hashes: Future[list[str]],
    name: str,
    folder: Path,
) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "name": name,
        "parent": None,
        "created": datetime.now(UTC).isoformat(timespec="microseconds"),
        "files": [
            {"name": path.name, "sha256": sha256, "bytes": path.stat().st_size}
            for path, sha256 in zip(asked.files, hashes.result(), strict=True)
        ],
        "parts": inputs.parts,
        "cleaning": [],
        **facts,
        "sha256": {path.name: sha256_file(path) for path in sorted(folder.iterdir())},
    }


def _write(
    con: DuckDBPyConnection,
    inputs: Inputs,
    asked: Request,
    folder: Path,
    scratch: Path,
    progress: Progress,
) -> dict[str, Any]:
    """Writes the tables of the version; what dataset.json says about them."""
    log, made, ends, malformed = _stage(con, inputs, scratch)
    progress("checking", 0.4)
    read, bad = _reject(con, log, made, ends, malformed)
    progress("sorting", 0.5)
    facts = _write_events(con, inputs, made, asked, folder)
    kept = facts["counts"]["rows_kept"]
    assert read == kept + bad, (read, kept, bad)
    by_reason = dict(con.table("rejected").aggregate("reason, count(*)", "reason").fetchall())
    facts["counts"].update(rows_read=read, rows_rejected=bad, rejected=by_reason)
    progress("attributes", 0.8)
    facts["item_columns"] = write_attributes(con, "item_id", inputs.items, made, folder)
    facts["user_columns"] = write_attributes(con, "user_id", inputs.users, made, folder)
    if con.table("rejected").limit(1).fetchall():
        con.table("rejected").write_parquet(str(folder / "rejected.parquet"), compression="zstd")
    return facts


def _stage(
    con: DuckDBPyConnection, inputs: Inputs, scratch: Path
) -> tuple[list[Opened], Plan, list[int], str]:
    """The log in the table `stage`; what cannot be read as it lies is mended, then set aside."""
    log = inputs.log
    guess = inputs.guess
    if guess.time:
        relations = [f.source.read(con, "skip") for f in log]
        guess.time = settle(relations, str(guess.mapping["timestamp"]), guess.time)
        guess.evidence["timestamp"] = f"{guess.mapping['timestamp']!r}: {guess.time.evidence}"
    made = plan(guess, inputs.main.profiles)
    for malformed in ("fail", "mend", "store"):
        if malformed == "mend":
            again = [mended(f.plain, scratch) for f in log]
            if all(new is old.plain for new, old in zip(again, log, strict=True)):
                continue
            log = [open_one(con, plain, scratch) for plain in again]
        try:
            mode = malformed if malformed == "store" else "fail"
            made, ends = stage(con, [f.source for f in log], made, mode)
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error:
            if malformed == "store":
                raise BadInput(
                    f"{', '.join(f.name for f in log)} cannot be read to the end: "
                    "the file is damaged; save or copy it again"
                ) from None
            continue
        return log, made, ends, "skip" if mode == "store" else "fail"
    raise AssertionError("the last way of reading returns or raises")


def _reject(
    con: DuckDBPyConnection, log: Sequence[Opened], made: Plan, ends: Sequence[int], malformed: str
) -> tuple[int, int]:
    """Fills `rejected`; the records read and those not kept."""
    con.execute('DROP TABLE IF EXISTS "bad"')
    numbered = con.table("stage").project("*, rowid AS place")
    numbered.filter(f"NOT ({made.good})").project("place").to_table("all_bad")
    first = 0
    for file, end in zip(log, ends, strict=True):
        con.execute("DROP TABLE IF EXISTS bad")
        con.table("all_bad").filter(f"place >= {first} AND place < {end}").to_table("bad")
        if con.table("bad").limit(1).fetchall():
            reject(con, file.source, made, first, malformed)
        first = end
    names = ", ".join(literal(f.source.name) for f in log)
    con.table("malformed").filter(f"file IN ({names})").project(
        "file, line, 'malformed', detail, record"
    ).insert_into("rejected")
    bad = int(con.table("rejected").aggregate("count(*)").fetchall()[0][0])
    lost = int(con.table("all_bad").aggregate("count(*)").fetchall()[0][0])
    read = first + bad - lost
    if read == bad:
        raise BadInput(_nothing_left(con, log, read))
    return read, bad


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
    con: DuckDBPyConnection, inputs: Inputs, made: Plan, asked: Request, folder: Path
) -> dict[str, Any]:
    kept = con.table("stage").project("*, rowid + 1 AS source_row").filter(made.good)
    clock = "timestamp" if made.time else "NULL"
    lowest = "min(value)" if made.mapping["value"] else "NULL"
    n, users, items, first, last, low = kept.aggregate(
        "count(*), count(DISTINCT user_id), count(DISTINCT item_id),"
        f" min({clock}), max({clock}), {lowest}"
    ).fetchall()[0]
    evidence = dict(inputs.guess.evidence)
    event = "event" if made.mapping["event"] else None
    if event is None and made.value_kind == "quantity" and low is not None and low < 0:
        event = "CASE WHEN value < 0 THEN 'return' ELSE 'purchase' END"
        evidence["event"] = "a negative quantity is a return, the others are purchases"
    columns = _event_columns(con, made, event)
    order = "user_id, timestamp, source_row" if made.time else "user_id, source_row"
    kept.order(order).project(", ".join(columns)).write_parquet(str(folder / "events.parquet"))
    return {
        "mapping": made.mapping,
        "evidence": evidence,
        "time_kind": made.time.kind if made.time else "none",
        "time_format": made.time.way if made.time else None,
        "value_kind": made.value_kind,
        "weights": _weights(con, event, asked.weights, folder),
        "counts": {
            "rows_read": 0,
            "rows_kept": n,
            "rows_rejected": 0,
            "users": users,
            "items": items,
        },
        "first_time": _moment(first),
        "last_time": _moment(last),
    }


def _event_columns(con: DuckDBPyConnection, made: Plan, event: str | None) -> list[str]:
    columns = ["user_id", "item_id"]
    columns += ["timestamp"] if made.time else []
    columns += [f"{event} AS event"] if event else []
    columns += ["value"] if made.mapping["value"] else []
    columns += ["platform"] if made.mapping["platform"] else []
    context = list(made.context.values())
    casts = settled(con.table("stage"), context) if context else {}
    return [*columns, "source_row", *(f"{casts[c]} AS {quoted(c)}" for c in context)]


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
