"""Datasets and runs as people name and refer to them: by id, name or the beginning of an id."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol, TypeVar

from core.errors import BadInput

LONGEST = 200  # characters of a name

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


def checked_name(name: str) -> str:
    """The name without blanks around it.

    Raises:
        BadInput: it is not one printable line of 1 to 200 characters.
    """
    name = name.strip()
    if not 0 < len(name) <= LONGEST or not name.isprintable():
        shown = repr(name[:40]) + (f" … ({len(name)} characters)" if len(name) > 40 else "")
        raise BadInput(f"a name is one printable line of 1 to {LONGEST} characters, not {shown}")
    return name


def name_from(text: str) -> str:
    r"""A name made of a text that nobody chose as one, such as that of a file.

    >>> name_from("log\n1")
    'log�1'
    """
    line = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text.strip())
    return line[:LONGEST].strip() or "unnamed"
