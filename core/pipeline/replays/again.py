"""What an exported explanation says, made again: the same document by what is here now."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from core.errors import BadInput
from core.explain import Explanation, refine
from core.explain.attribution import player_of_events
from core.explain.counterfactual import Counterfactual, counterfactual, removal_order
from core.explain.shapley import MOST_ENUMERATED
from core.explain.steps import evaluations_by_step
from core.pipeline.explanations.explaining import history_of
from core.pipeline.labels import Labels
from core.pipeline.loaded_run import LoadedRun
from core.pipeline.replays.document import (
    DATASET,
    GIVEN,
    ExplanationDocument,
    history_entry,
    user_entry,
    user_hash,
)
from core.pipeline.replays.limits import check_counts
from core.pipeline.replays.record import Record
from core.types import PAD, LinearInHistory, Queries, Vocab

OF_DATASET = (  # what only the dataset tells
    ("labels",),
    ("history", "label"),
    ("event_names",),
    ("platform_names",),
    ("dataset", "sha256"),
    ("dataset", "files"),
)
SINCE = {"confidence_reason"}  # entries that the first files of this format do not have
NOBODY = "not in the dataset"


@dataclass(frozen=True)
class Again:
    """A document as it was, and as it is now."""

    then: dict[str, Any]
    now: dict[str, Any]
    unchecked: tuple[str, ...]  # entries that nothing here tells


def explained_again(loaded: LoadedRun, record: Record, *, other: bool) -> Explanation:
    """The explanation after as many histories asked for as it had.

    Args:
        loaded: The run that is asked.
        record: Whose items it all knows.
        other: It is not the run that was explained: it may need more or fewer histories.

    Raises:
        TooLarge: it takes more than is replayed.
        BadInput: no step of the explanation asks for so many.
    """
    model, events = loaded.model, len(record.history.items)
    n = (
        events
        if isinstance(model, LinearInHistory)
        else player_of_events(events).max(initial=-1) + 1
    )
    drawn = not isinstance(model, LinearInHistory) and n > MOST_ENUMERATED
    items, per_player = len(record.items), record.per_player
    check_counts(events=events, players=int(n), items=items, per_player=per_player, drawn=drawn)
    until = record.evaluations
    if not _is_step(loaded, record):
        if not other:
            raise BadInput(
                f"{record.name} says that the model was asked for {record.evaluations} histories, "
                "which no step of this explanation comes to: it was changed, export it again"
            )
        until = 0
    against = None if record.against is None else int(loaded.items.encode([record.against])[0])
    steps = refine(
        model,
        record.history.query(loaded.items),
        loaded.items.encode(record.items),
        n_items=len(loaded.items),
        against=against,
        seed=record.seed,
        per_player=per_player,
        until=until,
        contrast=record.contrast,
    )
    for explanation in steps:
        if explanation.evaluations == record.evaluations:
            break
    return explanation


def _is_step(loaded: LoadedRun, record: Record) -> bool:
    """Whether some step of the explanation asks for as many histories as it says; asks for none."""
    for count in evaluations_by_step(
        loaded.model, len(record.history.items), seed=record.seed, per_player=record.per_player
    ):
        if count >= record.evaluations:
            return count == record.evaluations
    return False


def made_again(names: Labels, record: Record, explanation: Explanation) -> Again:
    """The document of this explanation, beside the record; without what no computation gives."""
    query = record.history.query(names.loaded.items)
    document = ExplanationDocument(
        names.loaded,
        query,
        explanation,
        per_player=record.per_player,
        counterfactual=_counterfactual(names.loaded, record, explanation, query),
    )
    then, now = dict(record.content), document.content(names)
    del then["created"], now["created"]
    for name in SINCE.difference(then):
        del now[name]
    now["user"], now["history"] = _person(names, record, query)
    unchecked = [] if record.history.from_dataset else ["history"]
    if names.info is None:
        unchecked = ["history"]
        if record.with_dataset:
            for path in OF_DATASET:
                _leave_out(then, path)
                _leave_out(now, path)
            unchecked = [".".join(path) for path in OF_DATASET] + unchecked
    if "history" in unchecked and record.user_hash is not None:
        unchecked.append("user")
    return Again(then, json.loads(json.dumps(now)), tuple(unchecked))  # of the same types


def _person(names: Labels, record: Record, query: Queries) -> tuple[Any, dict[str, Any]]:
    """The entries of the user and of the history, by the dataset where that is here."""
    source = DATASET if record.history.from_dataset and record.user_hash else GIVEN
    hashed = record.user is None
    entry = user_entry(record.user, hashed=False)
    if hashed and record.user_hash:
        entry = {"sha256": record.user_hash}
    if source == GIVEN or names.info is None:
        return entry, history_entry(names, query, source)
    loaded = names.loaded
    user = _known_user(loaded.load_dataset().users, record)
    if user is None:
        return dict.fromkeys(entry or {}, NOBODY), history_entry(names, query, source)
    done = history_of(loaded, user)
    return user_entry(user, hashed=hashed), history_entry(names, done, source)


def _known_user(users: Vocab, record: Record) -> Any:
    """The id of the record's user in this vocabulary; None if it has none such."""
    if record.user is not None:
        return record.user if users.encode([record.user])[0] != PAD else None
    ids = users.ids.tolist()
    return next((user for user in ids if user_hash(user) == record.user_hash), None)


def _leave_out(document: dict[str, Any], path: tuple[str, ...]) -> None:
    """Takes an entry out; the entries that it stands in are copied."""
    name, *rest = path
    if not rest:
        document.pop(name, None)
    elif isinstance(document.get(name), dict):
        document[name] = {k: v for k, v in document[name].items() if k != rest[0]}


def _counterfactual(
    loaded: LoadedRun, record: Record, explanation: Explanation, query: Queries
) -> Counterfactual | None:
    """What the record says would take an item off the list, searched anew; None if it cannot be."""
    said = record.content.get("counterfactual")
    if not isinstance(said, dict):
        return None
    item, k, n_items = said.get("item"), said.get("k"), len(loaded.items)
    if item not in record.items or type(k) is not int or not 1 <= k <= n_items:
        return None
    order = removal_order(explanation, record.items.index(item))
    code = int(loaded.items.encode([item])[0])
    try:
        return counterfactual(loaded.model, query, code, n_items=n_items, k=k, order=order)
    except BadInput:  # it is not among the first k
        return None
