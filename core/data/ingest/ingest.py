"""Files → an immutable, typed, checked dataset version, and a report of what was rejected."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from core.data.durable import sha256_file, write_json_atomically
from core.data.files.dialects import ReadAs
from core.data.files.lines import NotPlain
from core.data.files.malformed import create_tables
from core.data.ingest import version
from core.data.ingest.inputs import Inputs, open_inputs
from core.data.ingest.preview import Preview, preview
from core.data.limits import writing
from core.data.quality import cleaning
from core.data.read_only import IMPORT, check_writable
from core.data.refs import checked_name, name_from
from core.data.store import SCHEMA_VERSION, DatasetInfo, Workspace, connect
from core.errors import BadInput, TooLarge
from core.types import Progress, silent

READING = 2  # grows where the same files become other events: 2 has the rows in the files' order
MEMORY = "2500MB"  # what DuckDB may take; beyond it, it spills into the scratch
__all__ = ["Preview", "ingest", "preview"]

Files = Path | str | Sequence[Path | str] | None


@dataclass(frozen=True)
class Request:
    """What was asked for, in one piece: the files and the options that make a version."""

    paths: list[Path]
    items: list[Path]
    users: list[Path]
    mapping: dict[str, str | None]
    weights: dict[str, float]
    read_as: ReadAs | None = None

    @property
    def files(self) -> list[Path]:
        return [*self.paths, *self.items, *self.users]

    def identity(self, hashes: Sequence[str], layouts: Sequence[str]) -> str:
        """12 hex digits: the same files, read alike, and the same options give the same."""
        n, m = len(self.paths), len(self.paths) + len(self.items)
        content = [hashes[:n], hashes[n:m], hashes[m:], self.mapping, self.weights, SCHEMA_VERSION]
        content += [READING]
        content += [list(layouts)] if layouts else []
        content += [self.read_as.to_json()] if self.read_as else []
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
    read_as: ReadAs | None = None,
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
        weights: Event type → weight ≥ 0, over the defaults of `core.data.roles.names.WEIGHTS`.
        clean: Cleaning steps; the result is then the cleaned version.
        read_as: How the tables of `paths` are to be read, where that is not to be guessed.
        progress: Called with a stage and the share done, 0 to 1.

    Raises:
        BadInput: a file or the name cannot be used; the sentence says why, and what would be right.
        TooLarge: it does not fit on the disk or into memory.
    """
    check_writable(workspace.path, IMPORT)
    steps = cleaning.parse_steps(clean) if clean else []
    name = None if name is None else checked_name(name)
    asked = Request(
        [*_listed(paths)],
        [*_listed(items)],
        [*_listed(users)],
        {role: column or None for role, column in (mapping or {}).items()},
        _checked(weights or {}),
        read_as if read_as and read_as.to_json() else None,
    )
    with writing(workspace.path):
        try:
            info = _ingest(workspace, asked, None if steps else name, progress or silent)
        except duckdb.OutOfMemoryException as error:
            sentence = f"the log does not fit into {MEMORY} and the free disk: {error}"
            raise TooLarge(sentence) from None
    if steps:
        return cleaning.clean(workspace, info, clean or [], name=name, progress=progress)
    return info


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
        hashes = pool.submit(lambda: [sha256_file(path) for path in asked.files])
        try:
            return _read(workspace, asked, name, progress, hashes, scratch / "plain")
        except NotPlain:  # line by line, then, from the start: what guesses is what loads
            return _read(
                workspace, asked, name, progress, hashes, scratch / "careful", careful=True
            )


def _read(
    workspace: Workspace,
    asked: Request,
    name: str | None,
    progress: Progress,
    hashes: Future[list[str]],
    scratch: Path,
    *,
    careful: bool = False,
) -> DatasetInfo:
    unpacked, folder = scratch / "files", scratch / "version"
    unpacked.mkdir(parents=True)
    folder.mkdir()
    with connect(memory_limit=MEMORY, temp_directory=scratch / "spill") as con:
        create_tables(con)
        progress("reading", 0.0)
        inputs = open_inputs(
            con,
            unpacked,
            asked.paths,
            asked.items,
            asked.users,
            asked.mapping,
            asked.read_as,
            careful=careful,
        )
        if sum(path.stat().st_size for path in asked.files) < 64 << 20:  # well under a second
            ident = asked.identity(hashes.result(), inputs.layouts)
            if known := workspace.whole_dataset(ident):
                return _renamed(workspace, known, name)
        facts = version.write(con, inputs, asked.weights, folder, progress)
    final = workspace.datasets_folder / asked.identity(hashes.result(), inputs.layouts)
    meta = _meta(asked, inputs, facts, hashes, name or _stem(inputs.main.name), folder)
    write_json_atomically(folder / "dataset.json", {"id": final.name, **meta})
    progress("done", 1.0)
    if workspace.publish_dataset(folder, final.name):
        return DatasetInfo.read(final)
    return _renamed(workspace, DatasetInfo.read(final), name)


def _renamed(workspace: Workspace, info: DatasetInfo, name: str | None) -> DatasetInfo:
    """The version that is already there, under the name that is wanted now."""
    return workspace.rename(info.id, name) if name and name != info.name else info


def _stem(name: str) -> str:
    return name_from(Path(name.removesuffix(".gz")).stem or name)


def _meta(
    asked: Request,
    inputs: Inputs,
    facts: version.VersionFacts,
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
        **({"read_as": asked.read_as.to_json()} if asked.read_as else {}),
        **facts,
        "sha256": {path.name: sha256_file(path) for path in sorted(folder.iterdir())},
    }
