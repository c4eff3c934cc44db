"""What a model goes by: the explanations of many users' first items, added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.errors import BadInput
from core.explain.history import anonymous
from core.explain.parts import readable_parts
from core.explain.survey.cases import SurveyedCase, surveyed_cases
from core.explain.survey.event_values import EventValues, event_values
from core.explain.survey.explained import Explained, explain_user
from core.explain.survey.groupings import Grouping, groupings
from core.explain.survey.influence import (
    Idle,
    Influence,
    Recommended,
    idle_items,
    influences,
    recommended_items,
)
from core.explain.survey.tables import Bar, Difference, Table
from core.recommend.top_k import recommend
from core.types import (
    PAD,
    Additive,
    Array,
    Features,
    Ints,
    ItemPart,
    Progress,
    Queries,
    Recommender,
    silent,
)

USERS = 50
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
    values: EventValues  # of single events
    cases: tuple[SurveyedCase, ...]  # each item explained of each user

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


def overview(
    model: Recommender,
    queries: Queries,
    *,
    n_items: int,
    k: int = 3,
    users: int = USERS,
    features: Features | None = None,
    event_names: Sequence[str] = (),
    clock: bool = False,
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
        clock: Whether the times of the events are seconds, and not order numbers.
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
    explained: list[Explained] = []
    for row in range(len(rows)):
        items = lists[row][lists[row] != PAD]
        if len(items):
            query = chosen[row : row + 1]
            explained.append(explain_user(model, query, items, described, n_items, seed))
        on_progress("survey", (row + 1) / len(rows))
    if not explained:
        raise BadInput("nobody here has both a history and an item to be recommended")
    rows = rows[(lists != PAD).any(axis=1)]
    ways = tuple(groupings(explained, features, event_names))
    tables = _tables(model, explained, ways, item_parts)
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
        values=event_values(
            explained, ways, features, clock=clock, rng=np.random.default_rng([seed, 1])
        ),
        cases=surveyed_cases(explained),
    )


def _tables(
    model: Recommender,
    explained: Sequence[Explained],
    ways: Sequence[Grouping],
    item_parts: tuple[ItemPart, ...],
) -> dict[str, Table]:
    values, errors = [user.values for user in explained], [user.se for user in explained]
    tables = {way.by: Table.of_events(way.names, way.belongs, values, errors) for way in ways}
    if isinstance(model, Additive) and model.adding:
        amounts = [user.components for user in explained]
        tables["component"] = Table.of_amounts(model.adding, amounts)
    if explained[0].item_parts:
        tables["part"] = _parts_table(explained, item_parts)
    ends = [np.stack([user.base, np.abs(user.values).sum(axis=0)]) for user in explained]
    tables["base"] = Table.of_amounts(("base", "history"), ends)
    return tables


def _parts_table(explained: Sequence[Explained], item_parts: Sequence[ItemPart]) -> Table:
    """By part of the recommended items; those that explaining put together stand last."""
    worth = [values for user in explained for values in user.item_parts]
    parts = list(dict.fromkeys([*item_parts, *(part for values in worth for part in values)]))
    amounts = [
        np.array([[values.get(part, np.nan) for values in user.item_parts] for part in parts])
        for user in explained
    ]
    return Table.of_amounts([part.name or part.kind for part in parts], amounts)
