"""What one statement may take."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Of one statement; what is beyond them is refused or cut, and said."""

    seconds: float = 10.0  # from the start of its process; it is gone within 2 s after them
    memory_mb: int = 1024  # MiB that DuckDB may take; nothing is written to disk instead
    threads: int = 2
    rows: int = 10_000  # of the answer
    answer_mb: int = 32  # MiB that these rows may have
    columns: int = 500  # of the answer


TO_SHOW = Limits()
TO_FILE = Limits(
    seconds=60.0, rows=1_000_000, answer_mb=256
)  # an answer that is written, not shown
