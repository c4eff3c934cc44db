"""An edited history, as the URL has it: events dropped and moved, items added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.types import PAD, Vocab
from dashboard import state


@dataclass(frozen=True)
class Edits:
    """Changes to a history of n events, numbered from 1, oldest first; added ones go on counting.

    The URL holds the numbers of those dropped (`drop=3,17`), the ids of the items added
    (`add=50,1196`) and one after the other what was moved where (`move=3:12`).
    """

    n: int
    drop: tuple[int, ...] = ()
    add: tuple[int, ...] = ()  # item codes
    moved: tuple[tuple[int, int], ...] = ()  # (number of the event, its new place from 1)

    @classmethod
    def read(cls, n: int, vocab: Vocab) -> Edits:
        """What the URL says; what it says amiss does not count."""
        add = tuple(int(code) for code in vocab.encode(state.many("add")) if code != PAD)
        every = range(1, n + len(add) + 1)
        drop = {int(word) for word in state.many("drop") if word.isdecimal()}
        pairs = (word.split(":") for word in state.many("move"))
        moved = tuple(
            (int(pair[0]), int(pair[1]))
            for pair in pairs
            if len(pair) == 2 and all(part.isdecimal() and int(part) in every for part in pair)
        )
        return cls(n, tuple(sorted(drop.intersection(every))), add, moved)

    @property
    def any(self) -> bool:
        """Whether anything is edited."""
        return bool(self.drop or self.add or self.moved)

    @property
    def sequence(self) -> list[int]:
        """The numbers of all events in their new order, those dropped among them."""
        numbers = list(range(1, self.n + len(self.add) + 1))
        for number, place in self.moved:
            numbers.remove(number)
            numbers.insert(place - 1, number)
        return numbers

    @property
    def dropped(self) -> tuple[int, ...]:
        """What is left out, as positions: 0 is the oldest event, n the first one added."""
        return tuple(number - 1 for number in self.drop)

    @property
    def order(self) -> tuple[int, ...] | None:
        """The events that are left, as positions among them; None where nothing was moved."""
        if not self.moved:
            return None
        left = [number for number in self.sequence if number not in self.drop]
        place = {number: position for position, number in enumerate(sorted(left))}
        return tuple(place[number] for number in left)

    def dropping(self, numbers: Sequence[int]) -> Edits:
        """The same with just these dropped."""
        return Edits(self.n, tuple(sorted(numbers)), self.add, self.moved)

    def adding(self, item: int) -> Edits:
        """The same with one more item, the latest."""
        return Edits(self.n, self.drop, (*self.add, item), self.moved)

    def moving(self, number: int, place: int) -> Edits:
        """The same with this event in another place."""
        place = min(max(place, 1), self.n + len(self.add))
        return Edits(self.n, self.drop, self.add, (*self.moved, (number, place)))

    def write(self, vocab: Vocab) -> None:
        """Puts this into the URL."""
        state.put_many("drop", self.drop)
        state.put_many("add", vocab.decode(list(self.add)) if self.add else ())
        state.put_many("move", [f"{number}:{place}" for number, place in self.moved])
