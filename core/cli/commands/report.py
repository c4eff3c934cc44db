"""Runs as one file to hand on."""

from __future__ import annotations

from typing import Any

from core.cli.terminal import Result, progress
from core.data.limits import size_in_words
from core.data.store import Workspace
from core.report import files
from core.report.collect import collect
from core.runs import artifact


def report(options: Any) -> Result:
    files.check(options.out)
    workspace = Workspace.open(options.data_dir)
    runs = [artifact.find_run(workspace, ref) for ref in options.runs]
    contents = collect(workspace, runs, users=options.users, on_stage=progress())
    size = files.write(workspace, contents, options.out, options.language)
    people = [person.user for person in contents.people.people]
    result = {
        "out": str(options.out),
        "bytes": size,
        "language": options.language,
        "dataset": contents.data.info.id,
        "runs": [run.id for run in runs],
        "users": people,
    }
    named = ", ".join(f"{run.name} ({run.id})" for run in runs)
    whom = ", ".join(map(str, people))
    return result, f"{options.out} ({size_in_words(size)}): {named}; people shown: {whom}"
