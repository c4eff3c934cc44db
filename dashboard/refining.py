"""Answers that are under way, in threads of their own, shared by all sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Condition, Thread
from typing import TYPE_CHECKING, Generic, TypeVar

T = TypeVar("T")

if TYPE_CHECKING:
    from core.explain import Explanation

PATIENCE_S = 0.1  # after which a page is given the word, whether or not there is news


class Refining:
    """What is known so far of `core.explain.refined`'s answer; iterating takes it further.

    A page that is drawn again goes on where it was, and two that look at the same share the work.
    Each step is made in a thread of its own, so that a page can be interrupted meanwhile; without a
    page that asks for it there is no next step.
    """

    def __init__(self, steps: Iterator[Explanation]) -> None:
        self._steps = steps
        self._changed = Condition()
        self._stepping = False
        self._error: Exception | None = None
        self.last: Explanation | None = None
        self.done = False  # `last` is as good as it gets

    def __iter__(self) -> Iterator[Explanation | None]:
        """What is known now, then each better one; None where there is no news for a moment."""
        seen = None
        while True:
            news = self._await(seen)
            if news is not None:
                yield (seen := news)
            elif self.done:
                return
            else:
                yield None

    def _await(self, seen: Explanation | None) -> Explanation | None:
        with self._changed:
            if self.last is seen and not self.done:
                if not self._stepping:
                    self._stepping = True
                    Thread(target=self._step, name="refining", daemon=True).start()
                self._changed.wait(PATIENCE_S)
            if self._error is not None:
                raise self._error
            return None if self.last is seen else self.last

    def _step(self) -> None:
        found, error = None, None
        try:
            found = next(self._steps, None)
        except Exception as caught:  # told to whoever iterates
            error = caught
        with self._changed:
            self._stepping, self._error = False, error
            self.last = self.last if found is None else found
            if found is None or found.exact:
                self.done, self._steps = True, iter(())
            self._changed.notify_all()


class Surveying(Generic[T]):
    """An answer that comes whole, at the end; iterating says how far it is until then."""

    def __init__(self, ask: Callable[[Callable[[int, int], None]], T]) -> None:
        self._changed = Condition()
        self._far = (0, 1)
        self._error: Exception | None = None
        self.found: T | None = None
        Thread(target=self._run, args=(ask,), name="surveying", daemon=True).start()

    def __iter__(self) -> Iterator[float]:
        """The share that is done, 0 … 1, every moment."""
        while True:
            with self._changed:
                if self.found is None and self._error is None:
                    self._changed.wait(PATIENCE_S)
                if self._error is not None:
                    raise self._error
                if self.found is not None:
                    return
                done, of = self._far
            yield done / of

    def _run(self, ask: Callable[[Callable[[int, int], None]], T]) -> None:
        found, error = None, None
        try:
            found = ask(self._progress)
        except Exception as caught:  # told to whoever iterates
            error = caught
        with self._changed:
            self.found, self._error = found, error
            self._changed.notify_all()

    def _progress(self, done: int, of: int) -> None:
        with self._changed:
            self._far = (done, max(1, of))
