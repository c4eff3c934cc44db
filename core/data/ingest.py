"""Files → an immutable, typed, checked dataset version, and a report of what was rejected."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from core.data import mapping as roles
from core.data.mapping import Guess, Profile
from core.data.sources import Source, csv_source
from core.data.staging import Plan, plan, stage
from core.data.store import (
    SCHEMA_VERSION,
    DatasetInfo,
    Workspace,
    connect,
    publish,
    quoted,
    sha256_file,
    write_json_atomically,
)
from core.errors import BadInput, NotFound

SAMPLE_ROWS = 20_000
MEMORY = "2500MB"
Progress = Callable[[str, float], None]


def ingest(
    workspace: Workspace,
    paths: Sequence[Path | str],
    *,
    items: Path | str | Sequence[Path | str] | None = None,
    users: Path | str | Sequence[Path | str] | None = None,
    mapping: Mapping[str, str | None] | None = None,
    name: str | None = None,
    weights: Mapping[str, float] | None = None,
    clean: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> DatasetInfo:
    """The dataset version made of these files; the same files and options give the same one.

    Args:
        workspace: Where it is kept.
        paths: The files of the log, in order; items and users among them are recognised.
        items: Files that describe items.
        users: Files that describe users.
        mapping: Role → column, for roles that are not to be guessed (None: the log has none).
        name: What a person calls it; the first file's name if not given.
        weights: Event type → weight, over the defaults of `core.data.mapping.WEIGHTS`.
        clean: Cleaning steps to run on it at once.
        progress: Called with a stage and the share done, 0 to 1.

    Raises:
        BadInput: a file cannot be used; the sentence says why and what would be right.
    """
    tell = progress or (lambda text, share: None)
    files = [Path(p) for p in paths]
    for file in (*files, *_listed(items), *_listed(users)):
        if not file.is_file():
            raise NotFound(f"there is no file {str(file)!r}")
    with workspace.scratch() as scratch, ThreadPoolExecutor(1) as pool:
        hashes = pool.submit(lambda: [sha256_file(p) for p in [*files, *_listed(items)]])
        con = connect(memory_limit=MEMORY, temp_directory=scratch / "spill")
        tell("reading", 0.0)
        sources = [csv_source(p.name, _linked(p, scratch, n)) for n, p in enumerate(files)]
        found, columns = _guess(con, sources[0], mapping or {})
        made = stage(con, sources, plan(found, columns))
        tell("sorting", 0.5)
        folder = scratch / "version"
        folder.mkdir()
        counts = _write_events(con, made, folder)
        item_columns: list[str] = []
        if items:
            item_columns = _write_items(con, made, _listed(items), scratch, folder)
        identity = hashlib.sha256(json.dumps([hashes.result(), dict(mapping or {})]).encode())
        meta = {
            "schema_version": SCHEMA_VERSION,
            "id": identity.hexdigest()[:12],
            "name": name or files[0].stem,
            "parent": None,
            "created": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "files": [
                {"name": p.name, "sha256": h, "bytes": p.stat().st_size}
                for p, h in zip([*files, *_listed(items)], hashes.result(), strict=True)
            ],
            "mapping": made.mapping,
            "evidence": found.evidence,
            "time_kind": found.time_kind,
            "value_kind": made.value_kind,
            "weights": dict(weights or {}),
            "cleaning": [],
            **counts,
            "item_columns": item_columns,
            "user_columns": [],
            "sha256": {p.name: sha256_file(p) for p in folder.iterdir()},
        }
        write_json_atomically(folder / "dataset.json", meta)
        con.close()
        publish(folder, workspace.datasets_folder / str(meta["id"]))
    return workspace.dataset(str(meta["id"]))


def _listed(paths: Path | str | Sequence[Path | str] | None) -> list[Path]:
    if paths is None:
        return []
    return [Path(paths)] if isinstance(paths, str | Path) else [Path(p) for p in paths]


def _linked(path: Path, scratch: Path, n: int) -> Path:
    """The file under a plain name, so that DuckDB finds no pattern in it."""
    link = scratch / f"{n}-{path.stem[:1]}"
    link.symlink_to(path.absolute())
    return link


def _guess(
    con: DuckDBPyConnection, source: Source, given: Mapping[str, str | None]
) -> tuple[Guess, list[Profile]]:
    roles.check(given, source.columns, source.name)
    con.execute("DROP TABLE IF EXISTS sample")
    source.read(con).limit(SAMPLE_ROWS).create("sample")
    columns = roles.profiles(con.table("sample"))
    found = roles.guess(con.table("sample"), columns, given)
    for role, noun in (("user_id", "user"), ("item_id", "item")):
        if found.mapping[role] is None:
            raise BadInput(
                f"{source.name}: no column looks like the {noun}; its columns are "
                f"{', '.join(source.columns[:50])}: say which with --map {role}=<column>"
            )
    return found, columns


def _write_events(con: DuckDBPyConnection, made: Plan, folder: Path) -> dict[str, Any]:
    numbered = con.table("stage").project("*, rowid + 1 AS source_row")
    kept = numbered.filter(made.good)
    clock = "timestamp" if made.time else "NULL"
    facts = kept.aggregate(
        f"count(*), count(DISTINCT user_id), count(DISTINCT item_id), min({clock}), max({clock})"
    ).fetchall()[0]
    order = "user_id, timestamp, source_row" if made.time else "user_id, source_row"
    kept.order(order).write_parquet(str(folder / "events.parquet"))
    read = con.table("stage").aggregate("count(*)").fetchall()[0][0]
    return {
        "counts": {
            "rows_read": read,
            "rows_kept": facts[0],
            "rows_rejected": read - facts[0],
            "users": facts[1],
            "items": facts[2],
            "rejected": {},
        },
        "first_time": None if facts[3] is None else str(facts[3]),
        "last_time": None if facts[4] is None else str(facts[4]),
    }


def _write_items(
    con: DuckDBPyConnection, made: Plan, files: Sequence[Path], scratch: Path, folder: Path
) -> list[str]:
    source = csv_source(files[0].name, _linked(files[0], scratch, 100))
    rel = source.read(con)
    key = source.columns[0]
    others = [c for c in source.columns if c != key]
    type = "VARCHAR" if made.kinds["item_id"] == "text" else "BIGINT"
    rel.project(
        f"TRY_CAST({quoted(key)} AS {type}) AS item_id, " + ", ".join(map(quoted, others))
    ).order("item_id").write_parquet(str(folder / "items.parquet"))
    return others
