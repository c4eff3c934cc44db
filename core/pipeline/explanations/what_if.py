"""A run, a history, edits → the new list, and how far each item moved; with labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import BadInput
from core.explain import what_if as editing
from core.pipeline.explanations.as_json import NamedItem
from core.pipeline.explanations.explaining import item_codes
from core.pipeline.loaded_run import LoadedRun
from core.pipeline.named import HistoryEvent, Names
from core.types import Ints, Queries


@dataclass(frozen=True)
class NamedMove:
    """An item's places before and after; None where it is in the history, not recommended."""

    item: Any  # its id
    label: str
    before: int | None
    after: int | None

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class WhatIf:
    """The new list of an edited history, and what left the old one."""

    run: str
    user: Any  # whose history it is
    k: int
    dropped: tuple[HistoryEvent, ...]
    added: tuple[NamedItem, ...]  # in the order in which they are appended
    moves: tuple[NamedMove, ...]  # the new list in its order, then what left it

    def to_json(self) -> dict[str, Any]:
        """As `recscope what-if --json` has it."""
        return vars(self) | {
            "dropped": [event.to_json() for event in self.dropped],
            "added": [item.to_json() for item in self.added],
            "moves": [move.to_json() for move in self.moves],
        }


def what_if(
    loaded: LoadedRun,
    query: Queries,
    *,
    drop: Sequence[object] = (),
    add: Sequence[object] = (),
    k: int = 10,
    user: object = None,
) -> WhatIf:
    """The first k of an edited history, and how far each item moved.

    Args:
        loaded: A run.
        query: One history.
        drop: Ids of items, all of whose events are dropped; or "@3", the third oldest event.
        add: Ids of items, appended in this order.
        k: Length of the lists.
        user: Whose history it is.

    Raises:
        NotFound: an id that the run does not know.
        BadInput: nothing is dropped or added, or what is dropped is not in the history.
    """
    if not drop and not add:
        raise BadInput("nothing is dropped and nothing added: name an item of either kind")
    positions = _positions(loaded, query, drop)
    added = item_codes(loaded, list(add)) if add else np.zeros(0, np.int64)
    n_items = len(loaded.items)
    after = editing.edit_history(query, drop=positions, add=added.tolist(), n_items=n_items)
    moves = editing.rank_moves(loaded.model, query, after, n_items=n_items, k=k)
    names = Names(loaded, query, [*added.tolist(), *(move.item for move in moves)])
    named = ((names.item(move.item), move) for move in moves)
    return WhatIf(
        run=loaded.run.id,
        user=user,
        k=k,
        dropped=tuple(names.events(positions)),
        added=tuple(map(names.item, added.tolist())),
        moves=tuple(NamedMove(own.item, own.label, m.before, m.after) for own, m in named),
    )


def _positions(loaded: LoadedRun, query: Queries, drop: Sequence[object]) -> list[int]:
    """The events of these items, or of these numbers, rising."""
    n, chosen = len(query.items), set()
    for word in map(str, drop):
        number = word[1:]
        if word.startswith("@") and number.isdecimal() and loaded.items.encode([word])[0] < 0:
            if not 1 <= int(number) <= n:
                raise BadInput(f"there is no event {word}: the history has events @1 … @{n}")
            chosen.add(int(number) - 1)
            continue
        own: Ints = np.flatnonzero(query.items == item_codes(loaded, [word])[0])
        if not len(own):
            raise BadInput(_nothing_of(loaded, query, word))
        chosen.update(own.tolist())
    return sorted(chosen)


def _nothing_of(loaded: LoadedRun, query: Queries, item: str) -> str:
    if not len(query.items):
        return f"the history is empty, so there is nothing of item {item} to drop"
    latest = ", ".join(map(str, loaded.items.decode(np.unique(query.items[-3:]))))
    return (
        f"item {item} is not in the history, so there is nothing of it to drop; it has items such "
        f"as {latest}"
    )
