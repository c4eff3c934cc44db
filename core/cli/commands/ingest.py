"""Files → a dataset."""

from __future__ import annotations

from typing import Any

from core.cli.commands.list_all import to_json
from core.cli.terminal import Result, progress
from core.data.files.dialects import ReadAs
from core.data.ingest.accounts import mostly_rejected
from core.data.ingest.ingest import ingest as ingest_files
from core.data.store import DatasetInfo, Workspace


def ingest(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    info = ingest_files(
        workspace,
        options.files,
        items=options.items,
        users=options.users,
        mapping=options.map or None,
        name=options.name,
        weights=options.weights,
        clean=options.clean or None,
        read_as=ReadAs(
            delimiter=options.delimiter,
            quote=options.quote,
            header_line=options.header_line,
            comment=options.comment,
            decimal=options.decimal,
        ),
        progress=progress(),
    )
    content = to_json(info)
    return {"dataset": content.pop("id"), **content}, _ingested(info)


def _ingested(info: DatasetInfo) -> str:
    counts = info.counts
    lines = list(info.meta.get("advice") or [])
    lines += [
        f"{rejected} of {rows} rows of {file} are rejected"
        for file, rejected, rows in mostly_rejected(info.meta.get("lines") or {})
    ]
    lines += [
        f"{info.name} ({info.id}): {counts['rows_kept']} of {counts['rows_read']} rows, "
        f"{counts['users']} users, {counts['items']} items"
    ]
    lines += [f"  rejected {n}: {reason}" for reason, n in counts["rejected"].items()]
    lines += [f"  {role}: {sentence}" for role, sentence in info.meta["evidence"].items()]
    return "\n".join(lines)
