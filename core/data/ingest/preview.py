"""What a file looks like before it is ingested: its columns, a few rows, and the guessed roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from duckdb import DuckDBPyConnection

from core.data.files.dialects import ReadAs
from core.data.files.lines import NotPlain
from core.data.files.malformed import create_tables
from core.data.ingest.accounts import LineCounts
from core.data.ingest.inputs import Inputs, open_inputs
from core.data.ingest.opened import Opened
from core.data.layouts.registry import TABLE
from core.data.roles.names import weight_of
from core.data.store import Workspace, connect, literal

PREVIEW_ROWS = 5
PREVIEW_RECORDS = 20_000  # of a file that has to be converted first


@dataclass(frozen=True)
class PreviewColumn:
    """One column: its type ("number", "text", "time", "list") and up to three of its values."""

    name: str
    type: str
    samples: tuple[str, ...]


@dataclass(frozen=True)
class Preview:
    """What was seen and guessed; nothing was kept."""

    files: dict[str, str]  # file → "events", "items" or "users"
    columns: list[PreviewColumn]  # of the log
    rows: list[dict[str, Any]]  # the first rows of the log, at most 5
    mapping: dict[str, str | None]
    evidence: dict[str, str]
    time_kind: str
    time_format: str | None
    value_kind: str | None
    event_types: dict[str, float] = field(default_factory=dict)  # in the sample, with weights
    encodings: dict[str, str] = field(default_factory=dict)  # file → what it is written in
    lines: dict[str, LineCounts] = field(default_factory=dict)  # of the log's files, what was read
    layout: str = TABLE  # of the log: a name of core.data.layouts.registry.LAYOUTS, or TABLE


def preview(
    paths: Path | str | Sequence[Path | str],
    *,
    items: Path | str | Sequence[Path | str] | None = None,
    users: Path | str | Sequence[Path | str] | None = None,
    mapping: Mapping[str, str | None] | None = None,
    read_as: ReadAs | None = None,
    workspace: Workspace | None = None,
) -> Preview:
    """The files' columns, first rows and guessed roles, by a sample of their first rows.

    Args:
        paths: Files of any part, as `ingest` takes them.
        items: Files known to describe items.
        users: Files known to describe users.
        mapping: Role → column, for the roles that are not to be guessed.
        read_as: How the tables of `paths` are to be read, where that is not to be guessed.
        workspace: Where archives are unpacked; a temporary folder if not given.

    Raises:
        BadInput: a file cannot be read, or nothing in it can be told for user and item.
    """
    known = {role: column or None for role, column in (mapping or {}).items()}
    groups = [[Path(p) for p in _several(group)] for group in (paths, items, users)]
    with ExitStack() as stack:
        if workspace:
            folder = stack.enter_context(workspace.scratch())
        else:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="recscope-")))
        try:
            return _read(groups, known, read_as, folder / "plain")
        except NotPlain:
            return _read(groups, known, read_as, folder / "careful", careful=True)


def _read(
    groups: Sequence[Sequence[Path]],
    known: Mapping[str, str | None],
    read_as: ReadAs | None,
    folder: Path,
    *,
    careful: bool = False,
) -> Preview:
    files = folder / "files"
    files.mkdir(parents=True)
    with connect(memory_limit="1GB", temp_directory=folder / "spill") as con:
        create_tables(con)
        paths, items, users = groups
        inputs = open_inputs(
            con, files, paths, items, users, known, read_as, limit=PREVIEW_RECORDS, careful=careful
        )
        return _preview(con, inputs)


def _preview(con: DuckDBPyConnection, inputs: Inputs) -> Preview:
    log, guess = con.table(inputs.main.sample), inputs.guess
    rows = [dict(zip(log.columns, row, strict=True)) for row in log.limit(PREVIEW_ROWS).fetchall()]
    return Preview(
        files=inputs.parts,
        columns=[_column(inputs.main, n, rows) for n in range(len(inputs.main.columns))],
        rows=rows,
        mapping=guess.mapping,
        evidence=guess.evidence,
        time_kind=guess.time_kind,
        time_format=guess.time.way if guess.time else None,
        value_kind=guess.value_kind,
        event_types=_event_types(inputs),
        layout=inputs.main.layout,
        lines={f.name: _lines(con, f) for f in inputs.log},
        encodings={f.name: f.plain.encoding for f in inputs.log if f.plain.kind == "text"},
    )


def _lines(con: DuckDBPyConnection, file: Opened) -> LineCounts:
    """What was read of a file for its sample: rows that can be cut into cells, and those not."""
    mine = con.table("malformed").filter(f"file = {literal(file.name)}")
    kept, rejected = (
        int(rows.aggregate("count(*)").fetchall()[0][0]) for rows in (con.table(file.sample), mine)
    )
    return {"kept": kept, "rejected": rejected}


def _several(paths: Path | str | Sequence[Path | str] | None) -> Sequence[Path | str]:
    if paths is None:
        return []
    return [paths] if isinstance(paths, str | Path) else paths


def _column(file: Opened, n: int, rows: Sequence[Mapping[str, Any]]) -> PreviewColumn:
    profile = file.profiles[n]
    if profile.type.startswith(("TIMESTAMP", "DATE")):
        type = "time"
    elif profile.type.endswith("[]"):
        type = "list"
    else:
        type = "number" if profile.is_number else "text"
    seen = dict.fromkeys(str(row[profile.name]) for row in rows if row[profile.name] is not None)
    return PreviewColumn(profile.name, type, (profile.words or tuple(seen))[:3])


def _event_types(inputs: Inputs) -> dict[str, float]:
    if inputs.guess.binary_click:
        return {event: weight_of(event) for event in ("impression", "click")}
    column = inputs.guess.mapping["event"]
    words = next((p.words for p in inputs.main.profiles if p.name == column), ())
    return {event: weight_of(event) for event in words}
