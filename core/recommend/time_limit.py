"""A limit on the time for which models may be asked, kept by all that asks them block by block."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_END: ContextVar[float | None] = ContextVar("end", default=None)  # on the monotonic clock


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Inside, no block of scores is made after so many seconds: TimeoutError ends it."""
    token = _END.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _END.reset(token)


def check_time() -> None:
    """Raises TimeoutError where a limit was set, and is over."""
    end = _END.get()
    if end is not None and time.monotonic() > end:
        raise TimeoutError
