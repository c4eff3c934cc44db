"""One person's history, explained: what the survey adds up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from core.explain.attribution import explain
from core.explain.confidence import Level
from core.explain.parts import explain_parts
from core.explain.reasons import Reasons, reasons_of
from core.types import Array, Features, Ints, ItemPart, Queries, Recommender

PER_PLAYER = 10  # histories asked for per event: errors of single users mostly cancel out
HISTORIES = 1_000  # of a user, at most, but for the fewest that give an error
FEWEST = 4  # per event: two pairs of orders


@dataclass(frozen=True, eq=False)
class Explained:
    """One user's history, and what it is worth to the items recommended to them."""

    query: Queries
    items: Ints  # (T,)
    players: Ints  # (n,) the player that each event is
    values: Array  # (n, T) of the events; those of one player share its value
    se: Array  # (n, T)
    base: Array  # (T,)
    components: Array  # (C, T)
    item_parts: tuple[Mapping[ItemPart, float], ...]  # what each is worth, by item
    reasons: tuple[Reasons, ...]  # (T,)
    confidence: tuple[Level, ...]  # (T,)


def histories_per_player(n: int) -> int:
    """How many histories are asked for per event of a history of n."""
    return int(np.clip(HISTORIES // max(n, 1), FEWEST, PER_PLAYER))


def explain_user(
    model: Recommender,
    query: Queries,
    items: Ints,
    features: Features | None,
    n_items: int,
    seed: int,
) -> Explained:
    """What a stranger's history is worth to these items, by parts too where there are features."""
    per_player = histories_per_player(len(query.items))
    explanation = explain(model, query, items, n_items=n_items, seed=seed, per_player=per_player)
    players = explanation.players  # (n,)
    parts: list[Mapping[ItemPart, float]] = []
    for item in items.tolist() if features is not None else ():
        worth = explain_parts(model, query, item, features, n_items=n_items)
        parts.append(dict(zip(worth.parts, worth.values.tolist(), strict=True)))
    events = np.bincount(players)[players][:, None]  # that share the player
    components = explanation.component_values() if explanation.components else None
    return Explained(
        query=query,
        items=items,
        players=players,
        values=explanation.values[players] / events,
        se=explanation.se[players] / events,
        base=explanation.base,
        components=np.zeros((0, len(items))) if components is None else components,
        item_parts=tuple(parts),
        reasons=tuple(
            reasons_of(model, query, explanation, column, n_items=n_items, k=len(items))
            for column in range(len(items))
        ),
        confidence=tuple(each.level for each in explanation.confidence),
    )
