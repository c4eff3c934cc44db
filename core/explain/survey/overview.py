"""What a model goes by: the explanations of many users' first items, added up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import BadInput
from core.explain.attribution import explain
from core.explain.groups import ITEM, OTHER
from core.explain.history import anonymous
from core.explain.parts import explain_parts, readable_parts
from core.explain.survey.influence import (
    Idle,
    Influence,
    Recommended,
    idle_items,
    influences,
    recommended_items,
)
from core.explain.survey.tables import Bar, Difference, Table
from core.models.common.attributes import attributes, categories
from core.recommend.top_k import recommend
from core.types import (
    PAD,
    Additive,
    Array,
    FeatureBlock,
    Features,
    Ints,
    ItemPart,
    Progress,
    Queries,
    Recommender,
    silent,
)

USERS = 50
PER_PLAYER = 10  # histories asked for per event: errors of single users mostly cancel out
HISTORIES = 1_000  # of a user, at most, but for the fewest that give an error
FEWEST = 4  # per event: two pairs of orders
PLACES = {1: "1", 2: "2", 5: "3–5", 10: "6–10", 20: "11–20", 50: "21–50"}
LATER = "51+"
MOST_VALUES = 20  # of an attribute, the most frequent; the rest are one
SUPPORT = 2  # users, for one item to be said to drive another


@dataclass(frozen=True, eq=False)
class Overview:
    """Explanations of the first k items of U users. Each user counts alike.

    `tables` by: recency (place from the end), event (kind), item.NAME (value of an attribute of
    the history's items; an event of several values is shared out among them), component (of an
    additive model, beyond its share of the base), part (of the recommended items, see parts.py),
    and base: the base beside the history's Σ |φ|.

    Mean |φ| of sampled values is too large by their errors, and by `noise` where φ is 0; mean φ is
    not. Of more than 200 events the oldest are one player, and share its value.
    """

    rows: Ints  # (U,) positions in the queries, ascending
    users: Ints  # (U,) their user codes
    lengths: Ints  # (U,) events in their histories
    k: int
    seed: int
    base_share: Array  # (U,) |base| / (|base| + Σ |φ|)
    tables: Mapping[str, Table]
    influences: tuple[Influence, ...]  # of two users or more, by falling total
    recommended: tuple[Recommended, ...]  # by falling number of users
    idle: tuple[Idle, ...]  # in five histories or more, those that surely matter least first

    def bars(self, by: str) -> tuple[Bar, ...]:
        """Mean |φ|, mean φ and share of each group, over all users."""
        return self._table(by).bars()

    def compare(self, cohort: Array, by: str, *, of: str = "share") -> tuple[Difference, ...]:
        """The users marked in cohort (U,) against the others, with 95 % intervals.

        By share of Σ |φ| unless `of` is size (mean |φ|) or value (mean φ): |φ| of one event falls
        with the length of the history, its group's share need not.

        Raises:
            BadInput: there is no such table or quantity, or a cohort has fewer than two users.
        """
        return self._table(by).compared(cohort, of)

    def _table(self, by: str) -> Table:
        if by not in self.tables:
            raise BadInput(
                f"there is no overview by {by!r}: choose one of {', '.join(self.tables)}"
            )
        return self.tables[by]


@dataclass(frozen=True, eq=False)
class _Explained:
    """One user's history, and what it is worth to the items recommended to them."""

    query: Queries
    items: Ints  # (T,)
    values: Array  # (n, T) of the events
    se: Array  # (n, T)
    base: Array  # (T,)
    components: Array  # (C, T)
    item_parts: tuple[Mapping[ItemPart, float], ...]  # what each is worth, by item


def overview(
    model: Recommender,
    queries: Queries,
    *,
    n_items: int,
    k: int = 3,
    users: int = USERS,
    features: Features | None = None,
    event_names: Sequence[str] = (),
    seed: int = 0,
    on_progress: Progress = silent,
) -> Overview:
    """What the model goes by, from the first k items of a sample of users.

    Args:
        model: Fitted or loaded.
        queries: Histories, of which those with events are drawn from.
        n_items: Items in the catalogue.
        k: Items of each user that are explained; those of the history are not recommended.
        users: How many are drawn, all if there are no more.
        features: Of the items: for categories, and for parts where the model hears any.
        event_names: Of the kinds of events; their codes where it is silent.
        seed: Decides who is drawn, and the random orders.
        on_progress: Told "survey" and the share of users that are done, after each.

    Raises:
        BadInput: k or users below 1, nobody has both a history and a recommendation, or features
            that are not the model's.
    """
    if k < 1 or users < 1:
        raise BadInput(f"k and users must be at least 1, not {k} and {users}")
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(np.flatnonzero(queries.lengths))[:users])
    chosen = anonymous(queries[rows])
    lists = recommend(model, chosen, k, n_items=n_items).items
    item_parts = readable_parts(model, features) if features is not None else ()
    described = features if len(item_parts) > 1 else None
    explained: list[_Explained] = []
    for row in range(len(rows)):
        items = lists[row][lists[row] != PAD]
        if len(items):
            query = chosen[row : row + 1]
            explained.append(_explain_user(model, query, items, described, n_items, seed))
        on_progress("survey", (row + 1) / len(rows))
    if not explained:
        raise BadInput("nobody here has both a history and an item to be recommended")
    rows = rows[(lists != PAD).any(axis=1)]
    tables = _tables(model, explained, features, event_names, item_parts)
    taken, wanted = [user.query.items for user in explained], [user.items for user in explained]
    values = [user.values for user in explained]
    pairs = influences(taken, wanted, values, n_items)
    return Overview(
        rows=rows,
        users=queries.users[rows],
        lengths=queries.lengths[rows],
        k=k,
        seed=seed,
        base_share=tables["base"].share[:, 0],
        tables=tables,
        influences=tuple(pair for pair in pairs if pair.users >= SUPPORT),
        recommended=recommended_items(wanted, pairs),
        idle=idle_items(taken, values),
    )


def _explain_user(
    model: Recommender,
    query: Queries,
    items: Ints,
    features: Features | None,
    n_items: int,
    seed: int,
) -> _Explained:
    per_player = int(np.clip(HISTORIES // len(query.items), FEWEST, PER_PLAYER))
    explanation = explain(model, query, items, n_items=n_items, seed=seed, per_player=per_player)
    players = explanation.players  # (E,)
    parts: list[Mapping[ItemPart, float]] = []
    for item in items.tolist() if features is not None else ():
        worth = explain_parts(model, query, item, features, n_items=n_items)
        parts.append(dict(zip(worth.parts, worth.values.tolist(), strict=True)))
    events = np.bincount(players)[players][:, None]  # that share the player
    components = explanation.component_values() if explanation.components else None
    return _Explained(
        query=query,
        items=items,
        values=explanation.values[players] / events,
        se=explanation.se[players] / events,
        base=explanation.base,
        components=np.zeros((0, len(items))) if components is None else components,
        item_parts=tuple(parts),
    )


def _tables(
    model: Recommender,
    explained: Sequence[_Explained],
    features: Features | None,
    event_names: Sequence[str],
    item_parts: tuple[ItemPart, ...],
) -> dict[str, Table]:
    values, errors = [user.values for user in explained], [user.se for user in explained]
    tables = {
        by: Table.of_events(names, belongs, values, errors)
        for by, names, belongs in _groupings(explained, features, event_names)
    }
    if isinstance(model, Additive) and model.adding:
        amounts = [user.components for user in explained]
        tables["component"] = Table.of_amounts(model.adding, amounts)
    if explained[0].item_parts:
        tables["part"] = _parts_table(explained, item_parts)
    ends = [np.stack([user.base, np.abs(user.values).sum(axis=0)]) for user in explained]
    tables["base"] = Table.of_amounts(("base", "history"), ends)
    return tables


def _parts_table(explained: Sequence[_Explained], item_parts: Sequence[ItemPart]) -> Table:
    """By part of the recommended items; those that explaining put together stand last."""
    worth = [values for user in explained for values in user.item_parts]
    parts = list(dict.fromkeys([*item_parts, *(part for values in worth for part in values)]))
    amounts = [
        np.array([[values.get(part, np.nan) for values in user.item_parts] for part in parts])
        for user in explained
    ]
    return Table.of_amounts([part.name or part.kind for part in parts], amounts)


def _groupings(
    explained: Sequence[_Explained], features: Features | None, event_names: Sequence[str]
) -> Iterator[tuple[str, Sequence[str], list[Array]]]:
    """By what events are grouped: names (G,), and how each user's events belong to them (n, G)."""
    ends = np.array(list(PLACES))
    spans = [np.searchsorted(ends, user.query.ages + 1) for user in explained]
    yield "recency", (*PLACES.values(), LATER), [np.eye(len(ends) + 1)[span] for span in spans]
    if explained[0].query.events is not None:
        kinds = [np.asarray(user.query.events) for user in explained]
        n = max(len(event_names), 1 + max(int(kind.max()) for kind in kinds))
        names = (*event_names, *map(str, range(len(event_names), n)), OTHER)  # -1 is the last
        yield "event", names, [np.eye(n + 1)[kind] for kind in kinds]
    block = categories(features)
    if block is not None:
        for name, columns in attributes(block.names).items():
            yield f"{ITEM}{name}", *_values(block, columns, explained)


def _values(
    block: FeatureBlock, columns: Ints, explained: Sequence[_Explained]
) -> tuple[list[str], list[Array]]:
    """The commonest values of an attribute, and how much of each event is of each; OTHER last."""
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
    return [*(block.names[columns[c]].partition("=")[2] for c in kept), OTHER], belongs
