"""Answers that take a while, made in threads of their own and shared by all who look at them."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator
from threading import Condition, Event, Thread, current_thread
from typing import Any, ClassVar, Generic, TypeVar

from core.types import Progress

CLOSING_S = 20  # for a step to end when the server stops
PATIENCE_S = 0.1  # after which a page is given the word, whether or not there is news

T = TypeVar("T")


class Background(Generic[T]):
    """An answer under way: how far it is, what is known so far, whether that is final, or an error.

    It begins at once. An answer that gets better goes on only while a page iterates: one that is
    drawn again goes on where it was, two that look at the same share the work, and a page can be
    interrupted meanwhile.
    """

    _closing = Event()
    _running: ClassVar[set[Thread]] = set()

    def __init__(
        self,
        further: Callable[[Progress], T | None],
        final: Callable[[T], bool] = lambda answer: True,
    ) -> None:
        """Begins.

        Args:
            further: Makes the answer, in a thread, or a better one each time it is called; None
                says that there is no better one.
            final: Whether this answer is as good as it gets; the first one is, if not given.
        """
        self._further, self._final = further, final
        self._changed = Condition()
        self.step = "load"
        self.share: float | None = None  # of the step, 0 … 1, where it is known
        self.last: T | None = None
        self.done = False  # `last` is as good as it gets
        self.error: Exception | None = None
        self._go_on()

    def get(self, patience_s: float = 0) -> T | None:
        """The final answer, or None if it is not there in this time; raises what went wrong."""
        with self._changed:
            self._changed.wait_for(lambda: self.done or self.error, patience_s)
            if self.error is not None:
                raise self.error
            return self.last if self.done else None

    def __iter__(self) -> Iterator[T | None]:
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

    def _await(self, seen: T | None) -> T | None:
        with self._changed:
            if self.last is seen and not self.done and self.error is None:
                if not self._stepping:
                    self._go_on()
                self._changed.wait(PATIENCE_S)
            if self.error is not None:
                raise self.error
            return None if self.last is seen else self.last

    def _go_on(self) -> None:
        self._stepping = True
        thread = Thread(target=self._run, name="background", daemon=True)
        self._running.add(thread)
        thread.start()

    def _run(self) -> None:
        answer: Any = None
        error = None
        try:
            self._report(self.step, self.share)  # nothing begins once the server stops
            answer = self._further(self._report)
        except Exception as caught:  # told to whoever asks
            error = caught
        with self._changed:
            self._stepping, self.error = False, error
            self.last = self.last if answer is None else answer
            self.done = error is None and (answer is None or self._final(answer))
            self._changed.notify_all()
        self._running.discard(current_thread())

    def _report(self, step: str, share: float | None) -> None:
        if self._closing.is_set():
            raise InterruptedError("the server stops")
        self.step, self.share = step, share

    @classmethod
    def close(cls) -> None:
        """Stops what is under way at its next step: a thread of torch's must not outlive Python."""
        cls._closing.set()
        for thread in list(cls._running):
            thread.join(CLOSING_S)


atexit.register(Background.close)
