"""Pictures of the items, brought into a dataset's own folder."""

from __future__ import annotations

from typing import Any

from core.cli.terminal import Result, progress
from core.data.pictures import PictureCounts, add_pictures
from core.data.store import Workspace


def pictures(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    info = workspace.dataset(options.dataset)
    counts = add_pictures(workspace, info, options.images, progress())
    return {"dataset": info.id, **counts.to_json()}, _brought(info.name, counts)


def _brought(name: str, counts: PictureCounts) -> str:
    lines = [f"{name}: {counts.items} of {counts.of} items have a picture"]
    if counts.unreadable:
        lines.append(f"  {counts.unreadable} cannot be read, such as {counts.example}")
    return "\n".join(lines)
