"""What is not as it was when an explanation was exported, as it is told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from core.explain import Explanation

LONGEST = 200  # characters that are told of a text


class Missing(Enum):
    """Where one of two documents has nothing."""

    HERE = "missing"


Path = tuple[str | int, ...]  # of a leaf in a document
Pair = tuple[Path, Any, Any]  # a leaf, and what the two documents have there


@dataclass(frozen=True)
class Difference:
    """Something that is not as it was when the explanation was exported."""

    what: str  # "run", "file", the name of a file of the run, of a version, "labels[0]", …
    then: Any
    now: Any

    def to_json(self) -> dict[str, Any]:
        return {"what": self.what, "then": self.then, "now": self.now}


@dataclass(frozen=True)
class ValueDifference(Difference):
    """A value that moved by more than 1e-6 · max(1, |score|)."""

    item: Any  # the id of the item explained
    event: Any  # the id of the event's item
    position: int  # of the event in the history, from 0

    def to_json(self) -> dict[str, Any]:
        where = {"item": self.item, "event": self.event, "place": self.position}
        return {"what": self.what, **where, "then": self.then, "now": self.now}


def told(path: Path, then: Any, now: Any) -> Difference:
    """A difference as it is told: what is long in few words.

    >>> told(("labels", 0), "A", Missing.HERE)
    Difference(what='labels[0]', then='A', now='missing')
    """
    what = f"{path[0]}" + "".join(f"[{x}]" if isinstance(x, int) else f".{x}" for x in path[1:])
    if path == ("run", "id"):
        what = "run"
    elif path == ("run", "code_version") or (path[0] == "code" and len(path) == 2):
        what = str(path[1])
    elif path[:2] == ("run", "sha256") and len(path) == 3:
        what = str(path[2])  # a file of the run
    return Difference(_plain(what), _plain(then), _plain(now))


def told_of(explanation: Explanation, content: Any, pair: Pair) -> Difference:
    """The same; a value that moved by the item and the event that it is of.

    Args:
        explanation: As it is made now.
        content: The document, as it was; it knows the same items and events.
        pair: What differs.
    """
    path, then, now = pair
    if path[0] != "values" or len(path) != 3 or isinstance(then, Missing | list | dict | str):
        return told(path, then, now)
    column, player = path[1:]
    if isinstance(now, Missing):
        return told(path, then, now)
    event = int(np.flatnonzero(explanation.players == player)[-1])
    item, events = content["items"][column], content["history"]["item_id"]
    return ValueDifference("value", _plain(then), now, item, events[event], event)


def _plain(value: Any) -> Any:
    """As it can be shown and written: texts without broken characters, cut; containers counted."""
    if isinstance(value, Missing):
        return value.value
    if isinstance(value, str):
        text = value.encode("utf-8", "backslashreplace").decode()
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    if isinstance(value, dict | list):
        return f"{type(value).__name__} of {len(value)}"
    if isinstance(value, int) and abs(value) >= 2**63:
        return f"{value:.3e}" if abs(value) < 10**300 else "a number beyond all"
    return value
