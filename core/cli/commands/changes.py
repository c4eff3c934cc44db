"""What would change a list, and what a change would do."""

from __future__ import annotations

from typing import Any

from core import pipeline
from core.cli.commands import changes_text as sentences
from core.cli.commands.person import one_person
from core.cli.terminal import Result, progress
from core.data.store import Workspace
from core.errors import BadInput
from core.runs import artifact


def counterfactual(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    loaded = pipeline.load_run(workspace, artifact.find_run(workspace, options.run))
    loaded = pipeline.with_described(loaded, [options.item])
    user, query = one_person(loaded, options)
    listed = pipeline.is_listed(loaded, query, options.item, options.k)
    if options.add:
        if listed:
            raise BadInput(
                f"item {options.item} is in the top {options.k} already: leave --add out to ask "
                "what would take it off"
            )
        why_not = pipeline.why_not(
            loaded, query, options.item, k=options.k, user=user, on_stage=progress()
        )
        return why_not.to_json(), sentences.why_not_text(why_not)
    if not listed:
        raise BadInput(
            f"item {options.item} is not in the top {options.k}, so nothing can take it off: add "
            "--add to ask what would bring it in"
        )
    removal = pipeline.counterfactual(loaded, query, options.item, k=options.k, user=user)
    return removal.to_json(), sentences.removal_text(removal)


def what_if(options: Any) -> Result:
    if not options.drop and not options.add:
        raise BadInput("nothing is dropped and nothing added: give --drop ID,… or --add ID,…")
    workspace = Workspace.open(options.data_dir)
    loaded = pipeline.load_run(workspace, artifact.find_run(workspace, options.run))
    loaded = pipeline.with_described(loaded, options.add or ())
    user, query = one_person(loaded, options)
    moved = pipeline.what_if(
        loaded, query, drop=options.drop, add=options.add, k=options.k, user=user
    )
    return moved.to_json(), sentences.moves_text(moved)
