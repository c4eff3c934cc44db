"""A moment by which something has to be done."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Deadline:
    """A moment of time.perf_counter()."""

    at: float

    @classmethod
    def within(cls, seconds: float) -> Self:
        """So many seconds from now."""
        return cls(time.perf_counter() + seconds)

    @property
    def left(self) -> float:
        """Seconds until then; below 0 afterwards."""
        return self.at - time.perf_counter()

    @property
    def passed(self) -> bool:
        """Whether it is over."""
        return self.left <= 0


NEVER = Deadline(float("inf"))
