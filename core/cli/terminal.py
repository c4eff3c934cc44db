"""What a command says to a person: tables, progress, numbers that JSON can hold."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Result = tuple[dict[str, Any], str]  # what --json prints, and what people read instead


def table(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> str:
    """The rows as text in columns, numbers to the right.

    >>> print(table([{"id": "a", "n": 1}, {"id": "bcd", "n": 20}], ["id", "n"]))
    id    n
    a     1
    bcd  20
    """
    if not rows:
        return "none yet"
    cells = [list(columns)] + [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    right = [isinstance(rows[0].get(column), int | float) for column in columns]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in cells
    )


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value)


def progress() -> Callable[[str, float | None], None]:
    """A listener that shows stages on standard error: one line, or a line a stage in a log."""
    live, began, shown = sys.stderr.isatty(), time.monotonic(), [""]

    def show(stage: str, share: float | None = None) -> None:
        if live:
            bar = "" if share is None else f" {share:4.0%}"
            text = f"\r\x1b[K{stage}{bar}  {time.monotonic() - began:.0f} s"
            print(text, end="", file=sys.stderr, flush=True)
        elif stage != shown[0]:
            print(f"{time.monotonic() - began:6.1f} s  {stage}", file=sys.stderr, flush=True)
        shown[0] = stage

    return show


def end_of_progress() -> None:
    """Clears the line that progress was shown on."""
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def plain(value: Any) -> Any:
    """The same in what JSON knows: no numpy, no NaN (null instead).

    >>> plain({"a": (1, float("nan"))})
    {'a': [1, None]}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(part) for part in value]
    if hasattr(value, "item"):  # a numpy scalar
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
