"""Why an item is recommended, and whether an export of that still holds."""

from __future__ import annotations

from typing import Any

from core import pipeline
from core.cli.commands import explanation_text as sentences
from core.cli.terminal import Result
from core.data.store import Workspace
from core.errors import BadInput
from core.recommend import export
from core.runs import artifact
from core.types import Queries


def explain(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    run = None if options.run is None else artifact.find_run(workspace, options.run)
    if options.replay:
        _only_replayed(options)
        replayed = pipeline.replay(workspace, options.replay, run=run)
        return replayed.to_json(), f"{options.replay}: {sentences.replay_text(replayed)}"
    if run is None:
        raise BadInput("say which run is to be explained: recscope explain RUN …")
    if options.out:
        export.check(options.out, (".json",))
    elif options.hash_user:
        raise BadInput("--hash-user has nothing to act on: add --out FILE.json")
    loaded = pipeline.load_run(workspace, run)
    user, query = _one_person(loaded, options)
    items, against = pipeline.items_to_explain(
        loaded, query, item=options.item, k=options.k or 10, against=options.against
    )
    explanation = pipeline.explain_items(loaded, query, items, against=against, seed=options.seed)
    described = pipeline.describe_explanation(loaded, query, explanation, user=user)
    text = "\n\n".join(
        f"{sentences.sentence(each)}\n{sentences.figures(each)}" for each in described
    )
    if options.item is None:
        explanations = [each.to_json() for each in described]
        result = {"run": run.id, "user": user, "explanations": explanations}
    else:
        result = described[0].to_json()
        if against is None:
            item_parts = pipeline.item_part_values(loaded, query, int(items[0]))
            result["attributes"] = item_parts and item_parts.to_json()
            text += f"\n{sentences.parts_text(item_parts)}" if item_parts else ""
    if options.out:
        document = pipeline.ExplanationDocument(
            loaded,
            query,
            explanation,
            user=user,
            given=options.histories is not None,
            hash_user=options.hash_user,
        )
        seal = document.write(options.out)
        kept = f"to be replayed: {options.out} ({sentences.SEALED_BY[seal.kind]})"
        return {**result, "out": str(options.out), "seal": seal.kind}, f"{text}\n\n{kept}"
    return result, text


def _only_replayed(options: Any) -> None:
    """Refuses what the file says itself."""
    for name in ("item", "k", "against", "seed", "out", "hash_user"):
        if getattr(options, name):
            raise BadInput(f"--{name.replace('_', '-')} has no place beside --replay: leave it out")


def _one_person(loaded: pipeline.LoadedRun, options: Any) -> tuple[Any, Queries]:
    """Whose history is to be explained, and the history."""
    if options.histories is None:
        query, users = pipeline.history_of(loaded, options.user), loaded.load_dataset().users
        return users.decode(users.encode([options.user]))[0], query
    people, queries = pipeline.queries_for(loaded, histories=options.histories)
    if len(people) != 1:
        raise BadInput(
            f"{options.histories.name} has {len(people)} people: one history is explained at a "
            "time, so leave one of them in"
        )
    return people[0], queries
