"""Datasets and runs as people refer to them: by id, by name, or by the beginning of an id."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol, TypeVar

_log = logging.getLogger("recscope")


class Named(Protocol):
    """Something with an id, and a name that others may bear too."""

    @property
    def id(self) -> str: ...

    @property
    def name(self) -> str: ...


Meant = TypeVar("Meant", bound=Named)


def meant_by(ref: str, things: Sequence[Meant]) -> Sequence[Meant]:
    """What this could refer to: one thing if it is clear, none, or all whose ids begin so.

    An id goes before a name, a name before the beginning of an id. Of several that bear the name it
    is the newest, as of the versions of a file; that there are others is logged as a warning.

    Args:
        ref: An id, a name or the beginning of an id.
        things: Datasets or runs, newest first.
    """
    if exact := [thing for thing in things if thing.id == ref]:
        return exact
    if namesakes := [thing for thing in things if thing.name == ref]:
        newest, *older = namesakes
        if older:
            others = ", ".join(thing.id for thing in older)
            _log.warning("%r is the newest of that name, %s; older: %s", ref, newest.id, others)
        return [newest]
    return [thing for thing in things if ref and thing.id.startswith(ref)]
