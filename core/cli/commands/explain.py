"""Why an item is recommended, and whether an export of that still holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from core import pipeline
from core.cli.commands import explanation_text
from core.cli.commands.origin_text import origin_text
from core.cli.commands.person import one_person
from core.cli.terminal import Result, progress
from core.data.store import Workspace
from core.errors import BadInput
from core.explain import Explanation
from core.explain.interactions import Interaction
from core.pipeline.explanations.as_json import ItemExplanation
from core.pipeline.explanations.evidence import Evidence, LearntLog
from core.recommend import export
from core.runs import artifact
from core.types import Queries

PAIRS = 10  # of events that interact, in the JSON
NO_REASON = "no single item of the history is evidence for it, so nobody taught a reason"


def explain(options: Any) -> Result:
    workspace = Workspace.open(options.data_dir)
    run = None if options.run is None else artifact.find_run(workspace, options.run)
    if options.replay:
        _only_replayed(options)
        replayed = pipeline.replay(workspace, options.replay, run=run)
        return replayed.to_json(), f"{options.replay}: {explanation_text.replay_text(replayed)}"
    if run is None:
        raise BadInput("say which run is to be explained: recscope explain RUN …")
    if options.origin or options.retrain:
        _check_origin(options)
    if options.out:
        export.check(options.out, (".json",))
    elif options.hash_user:
        raise BadInput("--hash-user has nothing to act on: add --out FILE.json")
    loaded = pipeline.load_run(workspace, run)
    loaded = pipeline.with_described(loaded, [options.item, options.against])
    user, query = one_person(loaded, options)
    items, against = pipeline.items_to_explain(
        loaded, query, item=options.item, k=options.k or 10, against=options.against
    )
    explanation = pipeline.explain_items(loaded, query, items, against=against, seed=options.seed)
    described = pipeline.describe_explanation(
        loaded, query, explanation, user=user, k=options.k or 10
    )
    log = LearntLog.of(loaded) if against is None else None
    evidence = [log.evidence(query, int(item)) if log else None for item in items]
    text = "\n\n".join(map(explanation_text.answer, described, evidence))
    if options.item is None:
        explanations = [
            each.to_json() | {"evidence": _plain(about)}
            for each, about in zip(described, evidence, strict=True)
        ]
        result = {"run": run.id, "user": user, "explanations": explanations}
    else:
        result = described[0].to_json() | {"evidence": _plain(evidence[0])}
        if against is None:
            item_parts = pipeline.item_part_values(loaded, query, int(items[0]))
            result["attributes"] = item_parts and item_parts.to_json()
            text += f"\n{explanation_text.parts_text(item_parts)}" if item_parts else ""
            pairs = pipeline.item_interactions(loaded, query, explanation)
            result["interactions"] = [_pair(pair, described[0]) for pair in pairs[:PAIRS]]
            text += explanation_text.interactions_text(pairs, described[0])
        if options.origin:
            origin = _origin(loaded, query, explanation, user, options)
            result["origin"] = origin and origin.to_json()
            text += f"\n{origin_text(origin) if origin else NO_REASON}"
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
        kept = f"to be replayed: {options.out} ({explanation_text.SEALED_BY[seal.kind]})"
        return {**result, "out": str(options.out), "seal": seal.kind}, f"{text}\n\n{kept}"
    return result, text


def _check_origin(options: Any) -> None:
    """Refuses what names no single reason."""
    if not options.origin:
        raise BadInput("--retrain has nobody to leave out: add --origin")
    if options.item is None or options.against is not None:
        raise BadInput("--origin is of the first reason of one item: name it with --item alone")


def _origin(
    loaded: pipeline.LoadedRun,
    query: Queries,
    explanation: Explanation,
    user: object,
    options: Any,
) -> pipeline.ReasonOrigins | None:
    """Who taught the first reason; None where nothing of the history speaks for the item."""
    cause = pipeline.strongest_cause(query, explanation)
    if cause is None:
        return None
    return pipeline.reason_origins(
        loaded,
        query,
        cause,
        int(explanation.items[0]),
        user=user if options.histories is None else None,
        retrain=options.retrain,
        on_stage=progress(),
    )


def _plain(evidence: Sequence[Evidence] | None) -> list[dict[str, Any]] | None:
    """As JSON has it; null where there is no log to ask."""
    return None if evidence is None else [each.to_json() for each in evidence]


def _pair(pair: Interaction, explanation: ItemExplanation) -> dict[str, Any]:
    """Of two players, by their places in `players`, from 0."""
    first, second = (explanation.players[place].player for place in (pair.first, pair.second))
    return {
        "first": {"place": pair.first, "item_id": first.item_id, "label": first.label},
        "second": {"place": pair.second, "item_id": second.item_id, "label": second.label},
        "value": pair.value,
        "se": pair.se,
        "claimed": pair.claimed,
    }


def _only_replayed(options: Any) -> None:
    """Refuses what the file says itself."""
    for name in ("item", "k", "against", "seed", "out", "hash_user", "origin", "retrain"):
        if getattr(options, name):
            raise BadInput(f"--{name.replace('_', '-')} has no place beside --replay: leave it out")
