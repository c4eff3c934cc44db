"""An explanation that is under way: rough at first, better at each step, shared by all sessions."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.explain import Explanation


class Refining:
    """What is known so far of `core.explain.refined`'s answer; iterating takes it further.

    A page that is drawn again goes on where it was, and two that look at the same share the work.
    """

    def __init__(self, steps: Iterator[Explanation]) -> None:
        self._steps: Iterator[Explanation] | None = steps
        self._lock = Lock()
        self.last: Explanation | None = None

    @property
    def done(self) -> bool:
        """Whether `last` is as good as it gets."""
        return self._steps is None

    def __iter__(self) -> Iterator[Explanation]:
        seen = None
        if self.last is not None:
            yield (seen := self.last)
        while not self.done:
            self._step(seen)
            if self.last is not None and self.last is not seen:
                yield (seen := self.last)

    def _step(self, seen: Explanation | None) -> None:
        with self._lock:
            if self._steps is None or self.last is not seen:  # another session was faster
                return
            found = next(self._steps, None)
            if found is None or found.exact:
                self._steps = None
            if found is not None:
                self.last = found
