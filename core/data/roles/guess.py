"""What is said of the columns of one table: the role of each, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from core.data.roles.names import ID_ENDINGS, NAMES, endings
from core.data.roles.profiles import Profile
from core.data.roles.times import TimeFormat

ROLES = ("user_id", "item_id", "timestamp", "event", "value", "platform")
TIME_FORMAT = "time_format"  # may be given beside the roles: how the times are written
VALUE_KINDS = ("rating", "quantity", "duration", "price")  # the first that is there is the value


@dataclass
class Guess:
    """The role of each column of one table, why, and how times and values are to be read."""

    mapping: dict[str, str | None] = field(default_factory=lambda: dict.fromkeys(ROLES))
    evidence: dict[str, str] = field(default_factory=dict)
    time: TimeFormat | None = None
    value_kind: str | None = None
    binary_click: bool = False  # the event column holds 0 and 1
    decimal: str | None = None  # the mark of decimals, "." or ",", as a person says; else by value

    @property
    def time_kind(self) -> str:
        return self.time.kind if self.time else "none"


def columns_of(column: str, names: Sequence[str]) -> list[str]:
    """The columns that a mapping names: one, or several joined by "+"; an exact name wins."""
    return [column] if column in names else column.split("+")


def take(found: Guess, role: str, column: Profile | None, free: list[Profile]) -> list[Profile]:
    """Gives this column a role, unless it is None; the columns that are left."""
    if column is None:
        return free
    found.mapping[role] = column.name
    found.evidence.setdefault(role, f"{column.name!r}: by its name")
    return [c for c in free if c is not column]


def column_for(role: str, columns: Sequence[Profile], *, words: bool = False) -> Profile | None:
    """The column that has this role by its name: the best name, unless another is far fuller.

    Args:
        role: A role, or a kind of value.
        columns: Those that may be.
        words: Whether the last words of a name are enough ("Book-Rating"), if no name says it.
    """
    likely = [c for name in NAMES[role] for c in columns if c.key == name]
    if words and not any(c.filled for c in likely):
        last_words = [(c, endings(c.name)) for c in columns]
        by_word = [c for name in NAMES[role] for c, said in last_words if name in said]
        if role in ("user_id", "item_id"):
            by_word = [c for c in by_word if c.key.endswith(ID_ENDINGS)]
        likely = list(dict.fromkeys(by_word)) + likely
    fullest = max((c.filled for c in likely), default=0)
    full = [c for c in likely if c.filled and 2 * c.filled >= fullest]
    return next(iter([*full, *likely]), None)
