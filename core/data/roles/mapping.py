"""Which column is user, item, time, event, value, platform: a guess with its evidence.

A name is the best evidence, content decides where names say nothing. What a person says with
`--map` always wins; a user may be several columns together ("city+device").
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from duckdb import DuckDBPyRelation

from core.data.roles.names import CLICK_NAMES, NAMES, WEIGHTS, plain
from core.data.roles.profiles import Profile
from core.data.roles.times import FORMATS, UNITS, TimeFormat, guess_time
from core.data.store import quoted
from core.errors import BadInput

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
    decimal: str | None = None  # "." or ",", where a person says so

    @property
    def time_kind(self) -> str:
        return self.time.kind if self.time else "none"


def guess(
    sample: DuckDBPyRelation, columns: Sequence[Profile], given: Mapping[str, str | None]
) -> Guess:
    """The roles of this table's columns; those that are given are taken as they are.

    Raises:
        BadInput: a given column is not there, or a column that is needed cannot be told.
    """
    found = Guess()
    by_role = {role: given[role] for role in ROLES if role in given}
    for role, column in by_role.items():
        found.mapping[role] = column
        found.evidence[role] = f"{column!r}: as you said" if column else "none: as you said"
    free = [c for c in columns if c.name not in _used(found.mapping, columns)]
    for role in ("user_id", "item_id"):
        if role not in by_role:
            free = _take(found, role, column_for(role, free), free)
    if "user_id" not in by_role and found.mapping["user_id"] is None:
        free = _combined_user(found, free)
    _guess_clock(found, sample, columns, free, given)
    free = [c for c in columns if c.name not in _used(found.mapping, columns)]
    for role in ("event", "value", "platform"):
        if role not in by_role:
            free = _guess_optional(found, role, free)
    _guess_ids_by_content(found, free, by_role)
    _describe_given(found, columns, given)
    return found


def _used(mapping: Mapping[str, str | None], columns: Sequence[Profile]) -> set[str]:
    names = [c.name for c in columns]
    return {part for v in mapping.values() if v for part in columns_of(v, names)}


def columns_of(column: str, names: Sequence[str]) -> list[str]:
    """The columns that a mapping names: one, or several joined by "+"; an exact name wins."""
    return [column] if column in names else column.split("+")


def check(given: Mapping[str, str | None], names: Sequence[str], file: str) -> None:
    """Raises BadInput where a given mapping names a role or a column that is not there."""
    for role, column in given.items():
        if role == TIME_FORMAT:
            if column not in (*UNITS, "order", "iso", *FORMATS) and "%" not in str(column):
                raise BadInput(
                    f"time_format is {column!r}; it must be one of s, ms, us, ns, order, iso, or a "
                    "format such as %d/%m/%Y %H:%M"
                )
            continue
        if role not in ROLES:
            raise BadInput(f"there is no role {role!r} to map; the roles are {', '.join(ROLES)}")
        for part in columns_of(column, names) if column else []:
            if part not in names:
                listed = ", ".join(names[:50]) + (" …" if len(names) > 50 else "")
                raise BadInput(f"{role}: {file} has no column {part!r}; its columns are {listed}")


def _take(found: Guess, role: str, column: Profile | None, free: list[Profile]) -> list[Profile]:
    if column is None:
        return free
    found.mapping[role] = column.name
    found.evidence.setdefault(role, f"{column.name!r}: by its name")
    return [c for c in free if c is not column]


def column_for(role: str, columns: Sequence[Profile]) -> Profile | None:
    """The column that has this role by its name; the best name wins, an empty column loses."""
    likely = [c for name in NAMES[role] for c in columns if c.key == name]
    return next((c for c in likely if c.filled), likely[0] if likely else None)


def user_features(columns: Sequence[Profile]) -> list[Profile]:
    """The columns that describe a user, such as user_feature_0, in a log without user ids."""
    return [c for c in columns if c.filled and re.match(r"user_?(feature|attr)", c.name.lower())]


def _combined_user(found: Guess, free: list[Profile]) -> list[Profile]:
    about = user_features(free)
    if not about:
        return free
    listed = ", ".join(c.name for c in about)
    found.mapping["user_id"] = "+".join(c.name for c in about)
    found.evidence["user_id"] = (
        f"there is no user id: people with the same {listed} are taken as one user"
    )
    return [c for c in free if c not in about]


def _guess_clock(
    found: Guess,
    sample: DuckDBPyRelation,
    columns: Sequence[Profile],
    free: Sequence[Profile],
    given: Mapping[str, str | None],
) -> None:
    if "timestamp" in given and given["timestamp"] is None:
        return
    way = given.get(TIME_FORMAT)
    likely = [c for name in NAMES["timestamp"] for c in free if c.key == name and c.filled]
    likely += [c for c in free if c not in likely and c.type.startswith(("TIMESTAMP", "DATE"))]
    if given.get("timestamp"):
        likely = [c for c in columns if c.name == given["timestamp"]]
    for column in likely:
        time = guess_time(sample, column.name, type=column.type, looks_ordered=column.is_whole)
        if way:
            time = TimeFormat(way, 1.0, f"read as {way}, as you said")
        if time is None and given.get("timestamp"):
            raise BadInput(
                f"timestamp: {column.name!r} holds {_examples(column)}, which no known way of "
                "writing times reads; say how with time_format=%d/%m/%Y (or s, ms, us, order)"
            )
        if time:
            _set_time(found, column, time)
            return
    if likely:
        found.evidence["timestamp"] = (
            f"{likely[0].name!r} holds {_examples(likely[0])}, which is no known way of writing "
            "times: say it with time_format=…, e.g. %d/%m/%Y"
        )
    ordered = column_for("order", free)
    if ordered and ordered.is_whole and _counts_up(sample, ordered, found.mapping["user_id"]):
        time = TimeFormat(
            "order", 1.0, f"whole numbers from {ordered.low:.0f} that count up within each user"
        )
        _set_time(found, ordered, time)
        return
    _guess_clock_by_content(found, sample, free)


def _guess_clock_by_content(
    found: Guess, sample: DuckDBPyRelation, free: Sequence[Profile]
) -> None:
    for column in free:
        # Texts that read as times are times, whatever their name; a day of birth or release is not.
        written_out = column.is_text and not re.search(r"birth|born|dob|release|expir", column.key)
        nameless = re.fullmatch(r"column\d+|unnamed_\d+", column.name)
        if nameless or "time" in column.key or written_out:
            time = guess_time(sample, column.name, type=column.type, looks_ordered=False)
            if time:
                _set_time(found, column, time)
                return


def _set_time(found: Guess, column: Profile, time: TimeFormat) -> None:
    found.mapping["timestamp"], found.time = column.name, time
    said = found.evidence.get("timestamp", "")
    known = said if said.endswith("as you said") else repr(column.name)
    found.evidence["timestamp"] = f"{known}: {time.evidence}"


def _counts_up(sample: DuckDBPyRelation, column: Profile, user: str | None) -> bool:
    """Whether the number grows from a user's record to the next: an order, not a slot on a page."""
    if user is None or user not in sample.columns or column.distinct < 4:
        return False
    step = f"TRY_CAST({quoted(column.name)} AS BIGINT)"
    steps = sample.project(
        f"{step} - lag({step}) OVER (PARTITION BY {quoted(user)} ORDER BY rowid) AS step"
    )
    up, total = steps.aggregate("count(CASE WHEN step > 0 THEN 1 END), count(step)").fetchall()[0]
    return bool(total and up >= 0.95 * total)


def _guess_optional(found: Guess, role: str, free: list[Profile]) -> list[Profile]:
    if role == "event":
        column = next((c for c in (column_for("event", free),) if c and c.distinct <= 60), None)
        column = column or _event_by_content(found, free)
        if column and column.key in CLICK_NAMES and set(column.words) - {"0", "1"}:
            column = None
        return _take(found, role, column, free)
    if role == "platform":
        column = column_for("platform", free)
        return _take(found, role, column if column and column.distinct <= 60 else None, free)
    for kind in VALUE_KINDS:
        column = column_for(kind, [c for c in free if c.is_number])
        if column:
            found.value_kind = kind
            found.evidence["value"] = f"{column.name!r}: by its name, a {kind}"
            return _take(found, role, column, free)
    return _value_by_content(found, free)


def _event_by_content(found: Guess, free: Sequence[Profile]) -> Profile | None:
    for column in free:
        known = [w for w in column.words if plain(w) in WEIGHTS]
        if column.words and not column.is_number and len(known) >= max(1, len(column.words) / 2):
            found.evidence["event"] = f"{column.name!r}: it holds {', '.join(known[:4])}"
            return column
    return None


def _value_by_content(found: Guess, free: list[Profile]) -> list[Profile]:
    """In a table without names, a few different numbers from 0 to 10 are ratings.

    "value" is a name for anything, so it says nothing, but where Recscope itself wrote the table.
    """
    if any(c.name == "source_row" for c in free):
        own = next((c for c in free if c.name == "value" and c.is_number), None)
        if own:
            found.value_kind = "rating"
            found.evidence["value"] = "'value': beside source_row, as Recscope writes a log"
            return _take(found, "value", own, free)
    for column in free[2:]:  # the first two are user and item
        low, high = column.low or 0.0, column.high or 0.0
        nameless = re.fullmatch(r"column\d+", column.name)
        if nameless and column.is_number and column.distinct <= 21 and 0 <= low <= high <= 10:
            found.value_kind = "rating"
            found.evidence["value"] = (
                f"{column.name!r}: {column.distinct} different numbers from {low:g} to {high:g}"
            )
            return _take(found, "value", column, free)
    return free


def _guess_ids_by_content(
    found: Guess, free: list[Profile], given: Mapping[str, str | None]
) -> None:
    """Where no name says it: the first two columns that repeat are user and item, in this order."""
    for role in ("user_id", "item_id"):
        if found.mapping[role] is not None or role in given:
            continue
        likely = [
            c for c in free if c.filled and c.distinct > 1 and (c.is_whole or not c.is_number)
        ]
        column = next((c for c in likely if c.key.startswith(role[:4])), None)
        if column is None and likely and _nameless_or_id(likely[0]):
            column = likely[0]
        if column:
            found.evidence[role] = f"{column.name!r}: the first column left that looks like ids"
            free = _take(found, role, column, free)


def _nameless_or_id(column: Profile) -> bool:
    return bool(re.fullmatch(r"column\d+", column.name) or column.key.endswith(("id", "no", "key")))


def _describe_given(
    found: Guess, columns: Sequence[Profile], given: Mapping[str, str | None]
) -> None:
    """What follows from a mapping, guessed or given: the kind of value, a 0/1 event column."""
    by_name = {c.name: c for c in columns}
    value = by_name.get(found.mapping["value"] or "")
    if value and found.value_kind is None:
        kinds = [k for k in VALUE_KINDS if value.key in NAMES[k]]
        words = [k for k in VALUE_KINDS if k in value.key]
        found.value_kind = (kinds or words or ["rating"])[0]
    event = by_name.get(found.mapping["event"] or "")
    if event and event.words and set(event.words) <= {"0", "1"} and event.key in CLICK_NAMES:
        found.binary_click = True
        found.evidence["event"] += ": 0 becomes impression, 1 becomes click"


def _examples(column: Profile) -> str:
    return ", ".join(repr(w) for w in column.words[:3]) or f"a {column.type}"
