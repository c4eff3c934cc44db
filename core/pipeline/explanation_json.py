"""An explanation as JSON: ids, labels and times instead of codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.pipeline.explaining import ranked_items
from core.pipeline.labels import Labels
from core.pipeline.loaded_run import LoadedRun
from core.types import PAD, Queries

if TYPE_CHECKING:
    from core.explain import Explanation


def told(
    loaded: LoadedRun, query: Queries, found: Explanation, *, user: object = None
) -> list[dict[str, Any]]:
    """Each item's explanation as JSON.

    Returns:
        {run, user, model, item, label, rank, rank_without, known_by, score, base, players:
        [{kind: "event", item_id, label, timestamp, event, value, se, sure, parts: {component:
        value}}], components: [{name, model, value, base}], gap, method, evaluations, seed,
        stability, confidence, against}; rank is the item's place in `recommend`'s list, None for
        one that is in the history; rank_without its place among the same items were nothing known
        of the history; known_by says by what the model knows the item ("events", "content",
        "nothing"); parts only of models that add up components. Where the oldest of very many
        events are one player, it is of kind "events", with their count, the latest one's time, and
        no item_id. Of a contrast score, base and values are those of the item less those of
        `against`.
    """
    names = Labels(loaded)
    extra = [] if found.against is None else [found.against]
    labels = names.labels(np.concatenate([query.items, found.items, extra]).astype(np.int64))
    ranks = {code: rank for rank, code in enumerate(ranked_items(loaded, query).tolist(), 1)}
    known_by = names.known_by(found.items)
    events = _events(names, query, found, labels)
    return [
        {
            "run": loaded.run.id,
            "user": user,
            "model": loaded.run.config.model,
            **_item(loaded, labels, code),
            "rank": ranks.get(code),
            "rank_without": _rank_without(loaded, query, code),
            "known_by": None if known_by is None else known_by[place],
            "score": float(found.scores[place]),
            "base": float(found.base[place]),
            "players": _players(events, found.of(place)),
            "components": _components(loaded, found, place),
            "gap": float(found.gap[place]),
            "method": found.method,
            "evaluations": found.evaluations,
            "seed": found.seed,
            "stability": float(found.stability[place]),
            "confidence": found.confidence[place],
            "against": None if found.against is None else _item(loaded, labels, found.against),
        }
        for place, code in enumerate(found.items.tolist())
    ]


def attributes(loaded: LoadedRun, query: Queries, item: int) -> dict[str, Any] | None:
    """What its id and each of its attributes are worth to one item: base + Σ values = score.

    Returns:
        {base, parts: [{kind, name, value}], gap, evaluations}, see core.explain.parts; None where
        the model knows items as wholes, or what is known of them went with the dataset.
    """
    from core.explain.parts import explain_parts, readable_parts

    if Labels(loaded).info is None:
        return None
    features = loaded.load_dataset().item_features
    if not readable_parts(loaded.model, features):
        return None
    found = explain_parts(loaded.model, query, item, features, n_items=len(loaded.items))
    pairs = zip(found.parts, found.values.tolist(), strict=True)
    parts = [{"kind": part.kind, "name": part.name, "value": value} for part, value in pairs]
    return {
        "base": found.base,
        "parts": parts,
        "gap": found.gap,
        "evaluations": found.evaluations,
    }


def _rank_without(loaded: LoadedRun, query: Queries, item: int) -> int:
    from core.explain.item_rank import ItemRanks

    nothing = np.zeros((1, len(query.items)), bool)
    return int(ItemRanks(loaded.model, query, item, len(loaded.items))(nothing).ranks[0])


def _item(loaded: LoadedRun, labels: dict[int, str], code: int) -> dict[str, Any]:
    return {"item": loaded.items.ids[[code]].tolist()[0], "label": labels[code]}


def _events(
    names: Labels, query: Queries, found: Explanation, labels: dict[int, str]
) -> list[dict[str, Any]]:
    """What is known of each player: an event of the history, or the oldest of very many."""
    ids = names.loaded.items.decode(query.items).tolist()
    told: list[dict[str, Any]] = []
    for player in range(len(found.values)):
        own = np.flatnonzero(found.players == player)
        last, alone = int(own[-1]), len(own) == 1
        time = None if query.times is None else names.time(int(query.times[last]))
        label = labels[int(query.items[last])] if alone else f"the oldest {len(own):,} events"
        about = {"kind": "event" if alone else "events", "item_id": ids[last] if alone else None}
        told.append({**about, "label": label, "timestamp": time})
        if query.events is not None and alone:
            code = int(query.events[last])
            told[-1]["event"] = None if code == PAD else names.kinds[0][code]
        elif not alone:
            told[-1]["count"] = len(own)
    return told


def _players(events: list[dict[str, Any]], one: Explanation) -> list[dict[str, Any]]:
    """The events with what each is worth to the one item of this explanation."""
    players = []
    for place, event in enumerate(events):
        player = {
            **event,
            "value": float(one.values[place, 0]),
            "se": float(one.se[place, 0]),
            "sure": bool(one.sure[place, 0]),
        }
        if one.components:
            parts = one.parts[place, 0].tolist()
            player["parts"] = dict(zip(one.components, parts, strict=True))
        players.append(player)
    return players


def _components(loaded: LoadedRun, found: Explanation, place: int) -> list[dict[str, Any]]:
    """What each component of a fusion adds, by the history (value) and without any (base)."""
    from core.models import MODELS

    kinds: dict[object, str] = {kind: name for name, kind in MODELS.items()}
    models = getattr(loaded.model, "components", {})
    return [
        {
            "name": name,
            "model": kinds.get(type(models.get(name))),
            "value": float(found.parts[:, place, c].sum()),
            "base": float(found.base_parts[place, c]),
        }
        for c, name in enumerate(found.components)
    ]
