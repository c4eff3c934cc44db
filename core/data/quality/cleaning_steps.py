"""The cleaning steps: what each removes, as SQL, and how a person writes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from core.errors import BadInput

# A step is a question: which rows of `kept` go? `kept` has row (the place in events.parquet, which
# is sorted by user, time, source), user_id, item_id, timestamp, time (that in Unix seconds, or the
# order number), event, value.

# Rows with the user and time of a neighbour: exact repeats are among them. `OVER ()` keeps the
# order of the file and costs a tenth of a GROUP BY over all rows.
TIED = """
    SELECT * EXCLUDE (first, last) FROM (
        SELECT row, user_id, item_id, timestamp, event, value,
               user_id IS DISTINCT FROM lag(user_id) OVER ()
                   OR timestamp IS DISTINCT FROM lag(timestamp) OVER () AS first,
               user_id IS DISTINCT FROM lead(user_id) OVER ()
                   OR timestamp IS DISTINCT FROM lead(timestamp) OVER () AS last
        FROM kept
    ) WHERE NOT (first AND last)
"""

# Nobody acts in 900 different seconds of one hour (every 4 s; people who rate film after film reach
# 570), or is awake in 20 hours of one day. Different seconds, since a basket of 500 lines has one.
# Only days with 20 events or more need a closer look.
BOTS = """
    WITH busy AS (
        SELECT DISTINCT user_id, day FROM (
            SELECT user_id, time // 86400 AS day,
                   user_id = lag(user_id, 19) OVER ()
                       AND time // 86400 = lag(time // 86400, 19) OVER () AS twenty
            FROM kept
        ) WHERE twenty
    )
    SELECT DISTINCT user_id FROM (
        SELECT user_id, day, count(*) AS hours, max(actions) AS actions FROM (
            SELECT user_id, day, time // 3600 AS hour, count(DISTINCT time) AS actions
            FROM (SELECT user_id, time, time // 86400 AS day FROM kept)
            SEMI JOIN busy USING (user_id, day)
            GROUP BY ALL
        ) GROUP BY ALL
    ) WHERE actions >= $n OR hours >= 20
"""


@dataclass(frozen=True)
class Cleaning:
    """What a step removes (SQL over `kept`, its number as $n), and what it needs."""

    help: str
    gone: str
    default: float | None = None  # None in a step with `minimum`: the number must be given
    minimum: float | None = None  # None: the step takes no number
    whole: bool = True
    needs: str | None = None  # "clock", "value" or "event"


CLEANINGS: dict[str, Cleaning] = {
    "dedupe": Cleaning(
        "rows that repeat another in user, item, time, event and value; the first stays",
        f"""
        SELECT row FROM ({TIED})
        QUALIFY row_number() OVER (
            PARTITION BY user_id, item_id, timestamp, event, value ORDER BY row) > 1
        """,  # noqa: S608 a constant
    ),
    "last_only": Cleaning(
        "all but the latest event of a user with an item",
        """
        SELECT row FROM kept
        QUALIFY row_number() OVER (PARTITION BY user_id, item_id ORDER BY row DESC) > 1
        """,
    ),
    "drop_returns": Cleaning(
        "events of the type return",
        "SELECT row FROM kept WHERE event = 'return'",
        needs="event",
    ),
    "drop_future": Cleaning(
        "events more than a day later than the moment the log came in",
        "SELECT row FROM kept WHERE time > $today + 86400",
        needs="clock",
    ),
    "drop_before": Cleaning(
        "events before the start of this year",
        "SELECT row FROM kept WHERE time < epoch(make_date($n::BIGINT, 1, 1))",
        default=1990,
        minimum=1,
        needs="clock",
    ),
    "drop_bots": Cleaning(
        "users who act in so many different seconds of an hour, or in 20 hours of a day",
        f"SELECT row FROM kept WHERE user_id IN ({BOTS})",  # noqa: S608 both are constants
        default=900,
        minimum=20,
        needs="clock",
    ),
    "min_value": Cleaning(
        "events with a smaller value; those without one stay",
        "SELECT row FROM kept WHERE value < $n",
        minimum=float("-inf"),
        whole=False,
        needs="value",
    ),
    "cap": Cleaning(
        "all but the latest so many events of a user",
        """
        SELECT row FROM kept
        QUALIFY row_number() OVER (PARTITION BY user_id ORDER BY row DESC) > $n
        """,
        default=1000,
        minimum=1,
    ),
    "min_events": Cleaning(
        "users with fewer events",
        """
        SELECT row FROM kept
        WHERE user_id IN (SELECT user_id FROM kept GROUP BY user_id HAVING count(*) < $n)
        """,
        default=2,
        minimum=2,
    ),
    "k_core": Cleaning(
        "users with fewer items and items with fewer users, until all that stay have so many",
        "SELECT row FROM kept ANTI JOIN core USING (user_id, item_id)",
        default=5,
        minimum=2,
    ),
}


@dataclass(frozen=True)
class Step:
    """One cleaning with its number."""

    name: str
    number: float | None

    def __str__(self) -> str:
        return self.name if self.number is None else f"{self.name}={self.number:.12g}"


def parse_steps(steps: str | Iterable[str]) -> list[Step]:
    """The steps in order, from "dedupe,k_core=5" or ["dedupe", "k_core=5"].

    Raises:
        BadInput: an unknown step, or a number that is missing, not wanted or out of range.

    >>> [str(step) for step in parse_steps("dedupe, k_core, cap=200")]
    ['dedupe', 'k_core=5', 'cap=200']
    """
    texts = [steps] if isinstance(steps, str) else steps
    parts = [part.strip() for text in texts for part in text.split(",")]
    return [_parse(part) for part in parts if part]


def _parse(text: str) -> Step:
    name, given, number = text.partition("=")
    name = name.strip()
    cleaning = CLEANINGS.get(name)
    if cleaning is None:
        raise BadInput(f"there is no cleaning {name!r}: choose from {', '.join(CLEANINGS)}")
    if cleaning.minimum is None:
        if given:
            raise BadInput(f"the cleaning {name} takes no number, so write {name}, not {text!r}")
        return Step(name, None)
    if not given and cleaning.default is None:
        raise BadInput(f"the cleaning {name} needs a number, as in {name}=3")
    try:
        value = float(number) if given else float(cleaning.default or 0)
    except ValueError:
        value = float("nan")
    if not cleaning.minimum <= value < 1e12 or (cleaning.whole and value % 1):
        kind = "whole number" if cleaning.whole else "number"
        least = f" from {cleaning.minimum:g}" if cleaning.whole else ""
        raise BadInput(f"{name} needs a {kind}{least}, not {number.strip()!r}")
    return Step(name, value)
