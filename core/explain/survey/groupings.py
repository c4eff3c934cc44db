"""How the events of many histories are grouped: by place, kind, attributes of their items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from core.explain.groups import ITEM, OTHER
from core.explain.survey.explained import Explained
from core.models.common.attributes import attributes, categories
from core.types import Array, FeatureBlock, Features, Ints

PLACES = {1: "1", 2: "2", 5: "3–5", 10: "6–10", 20: "11–20", 50: "21–50"}
LATER = "51+"
MOST_VALUES = 20  # of an attribute, the most frequent; the rest are one


@dataclass(frozen=True, eq=False)
class Grouping:
    """One way to group the events of U users."""

    by: str  # recency, event, item.NAME
    names: tuple[str, ...]  # (G,)
    belongs: tuple[Array, ...]  # (U) × (n, G) how much each event is of each group; rows sum to 1


def groupings(
    explained: Sequence[Explained], features: Features | None, event_names: Sequence[str]
) -> Iterator[Grouping]:
    """All ways that these histories can be grouped by.

    Args:
        explained: Of U users, one at least.
        features: Of the items.
        event_names: Of the kinds of events; their codes where it is silent.
    """
    ends = np.array(list(PLACES))
    spans = [np.searchsorted(ends, user.query.ages + 1) for user in explained]
    places = tuple(np.eye(len(ends) + 1)[span] for span in spans)
    yield Grouping("recency", (*PLACES.values(), LATER), places)
    if explained[0].query.events is not None:
        kinds = [np.asarray(user.query.events) for user in explained]
        n = max(len(event_names), 1 + max(int(kind.max()) for kind in kinds))
        names = (*event_names, *map(str, range(len(event_names), n)), OTHER)  # -1 is the last
        yield Grouping("event", names, tuple(np.eye(n + 1)[kind] for kind in kinds))
    block = categories(features)
    if block is not None:
        for name, columns in attributes(block.names).items():
            yield _by_attribute(name, block, columns, explained)


def _by_attribute(
    name: str, block: FeatureBlock, columns: Ints, explained: Sequence[Explained]
) -> Grouping:
    """By the commonest values of an attribute, of which an event may have several; OTHER last."""
    matrix = block.matrix[:, columns]
    taken = np.concatenate([user.query.items for user in explained])
    counts = np.asarray((matrix[taken] > 0).sum(axis=0)).ravel()
    kept = np.sort(np.argsort(-counts, kind="stable")[:MOST_VALUES])
    belongs = []
    for user in explained:
        dense = (matrix[user.query.items] > 0).toarray().astype(float)
        dense /= np.maximum(dense.sum(axis=1, keepdims=True), 1)
        rest = 1 - dense[:, kept].sum(axis=1, keepdims=True)
        belongs.append(np.hstack([dense[:, kept], np.where(rest > 1e-9, rest, 0)]))
    names = (*(block.names[columns[c]].partition("=")[2] for c in kept), OTHER)
    return Grouping(f"{ITEM}{name}", names, tuple(belongs))
