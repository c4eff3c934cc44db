"""An edited history, as the URL has it: events dropped and moved, items added."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from core.explain.what_if import edit_history
from core.types import PAD, Queries, Vocab
from dashboard import state


@dataclass(frozen=True)
class Edits:
    """Changes to a history of n events, numbered from 1, oldest first; added ones come after.

    The URL holds the numbers of those dropped (`drop=3,17`), the ids of the items added
    (`add=50,1196`) and one after the other what was moved where (`move=3:12`).
    """

    n: int
    drop: tuple[int, ...] = ()  # numbers of events, rising
    add: tuple[int, ...] = ()  # item codes
    moved: tuple[tuple[int, int], ...] = ()  # (number of the event, its new place from 1)

    @classmethod
    def read(cls, n: int, vocab: Vocab) -> Edits:
        """What the URL says; what it says amiss does not count."""
        add = tuple(int(code) for code in vocab.encode(state.many("add")) if code != PAD)
        drop = {number for word in state.many("drop") if (number := _number(word, n))}
        pairs = (word.partition(":") for word in state.many("move"))
        moved = ((_number(event, n), _number(position, n)) for event, _, position in pairs)
        return cls(n, tuple(sorted(drop)), add, tuple(pair for pair in moved if all(pair)))

    def unread(self, vocab: Vocab) -> list[str]:
        """The words of the URL that say nothing about this history."""
        added = state.many("add")
        wrong = [word for word, code in zip(added, vocab.encode(added), strict=True) if code == PAD]
        wrong += [word for word in state.many("drop") if not _number(word, self.n)]
        for word in state.many("move"):
            event, _, position = word.partition(":")
            if not (_number(event, self.n) and _number(position, self.n)):
                wrong.append(word)
        return wrong

    @property
    def any(self) -> bool:
        """Whether anything is edited."""
        return bool(self.drop or self.add or self.moved)

    @property
    def sequence(self) -> list[int]:
        """The numbers of all events in their new order, those dropped among them."""
        numbers = list(range(1, self.n + 1))
        for number, position in self.moved:
            numbers.remove(number)
            numbers.insert(position - 1, number)
        return numbers

    @property
    def dropped(self) -> tuple[int, ...]:
        """The positions of what is left out, from 0."""
        return tuple(number - 1 for number in self.drop)

    @property
    def order(self) -> tuple[int, ...] | None:
        """The positions of all events in their new order; None where nothing was moved."""
        return tuple(number - 1 for number in self.sequence) if self.moved else None

    def applied(self, query: Queries) -> Queries:
        """The history, so edited; itself where nothing is."""
        if not self.any:
            return query
        return edit_history(query, drop=self.dropped, add=self.add, order=self.order)

    def dropping(self, numbers: Iterable[int]) -> Edits:
        """The same with just these dropped."""
        return replace(self, drop=tuple(sorted(numbers)))

    def adding(self, item: int) -> Edits:
        """The same with one more item, the latest."""
        return replace(self, add=(*self.add, item))

    def without(self, added: Iterable[int]) -> Edits:
        """The same without these of the added items, by their place among them from 0."""
        gone = set(added)
        return replace(self, add=tuple(c for at, c in enumerate(self.add) if at not in gone))

    def moving(self, number: int, position: int) -> Edits:
        """The same with this event in another place."""
        return replace(self, moved=(*self.moved, (number, min(max(position, 1), self.n))))

    def write(self, vocab: Vocab) -> None:
        """Puts this into the URL."""
        state.put_many("drop", self.drop)
        state.put_many("add", vocab.decode(np.array(self.add, np.int64)).tolist())
        state.put_many("move", [f"{number}:{position}" for number, position in self.moved])


def _number(word: str, n: int) -> int:
    """The number of one of n events; 0 where it is none."""
    few = word.isdecimal() and len(word) <= len(str(n))
    return int(word) if few and int(word) in range(1, n + 1) else 0
