"""JSON of others: of a size, each name once, numbers that are numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NoReturn

from core.errors import NotFound
from core.pipeline.replays.limits import MOST_BYTES, check_bytes


def read_strictly(path: Path) -> Any:
    """What the file says.

    Raises:
        NotFound: it is not there, is no file, or may not be read.
        TooLarge: it has more bytes.
        ValueError: it is no UTF-8 or no JSON, a name is there twice, a number is not finite.
        RecursionError: it is too deep.
    """
    try:
        if path.exists() and not path.is_file():
            raise NotFound(f"{str(path)!r} cannot be read: it is no file")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
            size = max(len(content), path.stat().st_size)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else error
        raise NotFound(f"{str(path)!r} cannot be read: {reason}") from None
    check_bytes(path.name, size)
    return json.loads(
        content.decode("utf-8"),
        parse_constant=_no_number,
        parse_float=_finite,
        object_pairs_hook=_each_once,
    )


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) != len(pairs):
        raise ValueError("a name is there twice")
    return named
