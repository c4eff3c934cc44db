"""A dataset → a folder of files that another library reads."""

from __future__ import annotations

from typing import Any

from core.cli.terminal import Result
from core.data.export.export import export_dataset as export
from core.data.export.folder import DatasetExport
from core.data.store import Workspace


def export_dataset(options: Any) -> Result:
    info = Workspace.open(options.data_dir).dataset(options.dataset)
    exported = export(info, options.to, options.out)
    return exported.to_json(), _exported(exported)


def _exported(exported: DatasetExport) -> str:
    lines = [f"{exported.name} ({exported.dataset}) → {exported.out}"]
    lines += [f"  {file.name}: {file.rows} rows" for file in exported.files]
    lines += [
        f"  {column}: {count} values stand in quotes (a tab, a line end or a quote in them)"
        for column, count in exported.quoted_values.items()
    ]
    lines += [f"  {note}" for note in exported.notes]
    return "\n".join(lines)
