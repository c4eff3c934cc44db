"""Something that takes a while, made once in a thread and shared by all who look at it."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from threading import Event, Thread, current_thread
from typing import ClassVar, Generic, TypeVar

CLOSING_S = 20  # for a step to end when the server stops

T = TypeVar("T")
Report = Callable[[str, float | None], None]  # told the step that begins, and how far it is


class Background(Generic[T]):
    """Something that takes a while, made once in a thread and shared by all who look."""

    _closing = Event()
    _running: ClassVar[set[Thread]] = set()

    def __init__(self, make: Callable[[Report], T]) -> None:
        self.step = "load"
        self.share: float | None = None  # of the step, 0 … 1, where it is known
        self.error: Exception | None = None
        self._made: T | None = None
        self._done = Event()
        Thread(target=self._run, args=(make,), name="map", daemon=True).start()

    def _run(self, make: Callable[[Report], T]) -> None:
        self._running.add(current_thread())
        try:
            self._made = make(self._report)
        except Exception as caught:  # told to whoever asks
            self.error = caught
        self._done.set()
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

    def get(self, patience_s: float = 0) -> T | None:
        """What was made, or None if it is not ready in this time; raises what went wrong."""
        if not self._done.wait(patience_s):
            return None
        if self.error is not None:
            raise self.error
        return self._made


atexit.register(Background.close)
