"""What people do in a dataset, under a filter; and a version of what the filter leaves."""

from __future__ import annotations

from typing import Any

from core.cli.commands.list_all import to_json
from core.cli.commands.profile_text import as_text
from core.cli.terminal import Result, progress
from core.data.profile.profile import profile as profile_of
from core.data.quality.cleaning import clean as make_version
from core.data.store import Workspace


def profile(options: Any) -> Result:
    info = Workspace.open(options.data_dir).dataset(options.dataset)
    found = profile_of(info, options.filter, progress())
    return {"dataset": info.id, **found.to_json()}, as_text(found)


def clean(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    info = workspace.dataset(options.dataset)
    made = make_version(
        workspace,
        info,
        options.steps,
        terms=options.filter,
        name=options.name,
        progress=progress(),
    )
    content = to_json(made)
    counts = made.counts
    said = (
        f"{made.name} ({made.id}): {counts['rows_kept']} of {info.counts['rows_kept']} events of "
        f"{info.name}, {counts['users']} users, {counts['items']} items"
    )
    return {"dataset": content.pop("id"), **content}, said
