"""How large an explanation can be that is replayed: what is larger is neither written nor read."""

from __future__ import annotations

from core.data.limits import size_in_words
from core.errors import TooLarge

MOST_BYTES = 32 * 2**20  # of the file
MOST_EVENTS, MOST_ITEMS, MOST_PER_PLAYER = 100_000, 10_000, 10_000
MOST_VALUES = 2_000_000  # players · items
MOST_DRAWN = 50_000_000  # per_player · players · items
MOST_FEATURES = 20_000_000  # per_player · players²: the control variate has a few of each
SECONDS = 300.0  # for which the model is asked, at most


def check_bytes(what: str, size: int) -> None:
    """Raises TooLarge, which says so of `what`, where a file would have too many bytes."""
    if size > MOST_BYTES:
        raise TooLarge(
            f"{what} has {size} bytes, and what can be replayed has at most {MOST_BYTES} "
            f"({size_in_words(MOST_BYTES)}): explain fewer items at a time"
        )


def check_counts(*, events: int, players: int, items: int, per_player: int, drawn: bool) -> None:
    """Raises TooLarge, which says which count is too large.

    Args:
        events: In the history.
        players: Which the events are; the oldest of many are one.
        items: That are explained.
        per_player: Histories asked for per player at most, where orders are drawn.
        drawn: Whether they are.
    """
    counts = {
        "events in the history": (events, MOST_EVENTS),
        "items explained": (items, MOST_ITEMS),
        "histories per player": (per_player, MOST_PER_PLAYER),
        "players times items": (players * items, MOST_VALUES),
    }
    if drawn:
        asked = per_player * players
        counts["histories per player times players times items"] = (asked * items, MOST_DRAWN)
        counts["histories per player times players squared"] = (asked * players, MOST_FEATURES)
    for name, (count, most) in counts.items():
        if count > most:
            raise TooLarge(
                f"the explanation has {count:,} {name}, and what can be replayed has at most "
                f"{most:,}: explain fewer items, or a shorter history"
            )
