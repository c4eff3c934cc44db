"""Which column is user, item, time, event, value, platform: a guess with its evidence.

A name is the best evidence, content decides where names say nothing. What a person says with
`--map` always wins; a user may be several columns together ("city+device").
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from duckdb import DuckDBPyRelation

from core.data.roles.clock import guess_clock
from core.data.roles.guess import (
    ROLES,
    TIME_FORMAT,
    VALUE_KINDS,
    Guess,
    column_for,
    columns_of,
    take,
)
from core.data.roles.names import CLICK_NAMES, NAMES, VISITS, WEIGHTS, endings, plain
from core.data.roles.profiles import Profile
from core.data.roles.times import FORMATS, PLAIN
from core.data.store import quoted
from core.errors import BadInput

__all__ = ["ROLES", "TIME_FORMAT", "VALUE_KINDS", "Guess", "column_for", "columns_of", "guess"]


SEVERAL = 3  # columns that are called after one role
LOOK = 1_000  # rows that tell whether a column counts them
FEW_ROWS = 20  # under so many, an id that comes once is no wonder


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
            free = take(found, role, column_for(role, free, words=True), free)
    if "user_id" not in by_role and found.mapping["user_id"] is None:
        free = _combined_user(found, free)
    guess_clock(found, sample, columns, free, given)
    free = [c for c in columns if c.name not in _used(found.mapping, columns)]
    for role in ("event", "value", "platform"):
        if role not in by_role:
            free = _guess_optional(found, role, columns, free)
    _guess_ids_by_content(found, sample, free, by_role)
    _describe_given(found, columns, given)
    return found


def _used(mapping: Mapping[str, str | None], columns: Sequence[Profile]) -> set[str]:
    names = [c.name for c in columns]
    return {part for v in mapping.values() if v for part in columns_of(v, names)}


def check(given: Mapping[str, str | None], names: Sequence[str], file: str) -> None:
    """Raises BadInput where a given mapping names a role or a column that is not there."""
    for role, column in given.items():
        if role == TIME_FORMAT:
            if column not in (*PLAIN, *FORMATS) and "%" not in str(column):
                raise BadInput(
                    f"time_format is {column!r}; it must be one of {', '.join(PLAIN)}, or a "
                    "format such as %d/%m/%Y %H:%M"
                )
            continue
        if role not in ROLES:
            raise BadInput(f"there is no role {role!r} to map; the roles are {', '.join(ROLES)}")
        for part in columns_of(column, names) if column else []:
            if part not in names:
                listed = ", ".join(names[:50]) + (" …" if len(names) > 50 else "")
                raise BadInput(f"{role}: {file} has no column {part!r}; its columns are {listed}")


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


def _guess_optional(
    found: Guess, role: str, columns: Sequence[Profile], free: list[Profile]
) -> list[Profile]:
    if role == "event":
        column = next((c for c in (column_for("event", free),) if c and c.distinct <= 60), None)
        column = column or _event_by_content(found, free)
        if column and column.key in CLICK_NAMES and set(column.words) - {"0", "1"}:
            column = None
        return take(found, role, column, free)
    if role == "platform":
        column = column_for("platform", free)
        return take(found, role, column if column and column.distinct <= 60 else None, free)
    for kind in VALUE_KINDS:
        column = column_for(kind, [c for c in free if _counts(c, kind)], words=True)
        if column:
            found.value_kind = _kind(column, kind)
            found.evidence["value"] = f"{column.name!r}: by its name, a {found.value_kind}"
            return take(found, role, column, free)
    _tell_unread(found, free)
    return _value_by_content(found, columns, free)


def _tell_unread(found: Guess, free: Sequence[Profile]) -> None:
    """Says so where a column is named as a value, but holds something else than numbers."""
    for kind in VALUE_KINDS:
        column = column_for(kind, [c for c in free if c.is_text], words=True)
        if column:
            seen = ", ".join(map(repr, column.words[:3])) or "texts"
            found.evidence["value"] = (
                f"none: {column.name!r} holds {seen}, which are no numbers; write numbers to have "
                "them count"
            )
            return


def _counts(column: Profile, kind: str) -> bool:
    """Whether what this column holds is such a value: numbers, or ratings in words or signs."""
    return column.is_number or (kind == "rating" and column.is_worded)


def _event_by_content(found: Guess, free: Sequence[Profile]) -> Profile | None:
    for column in free:
        known = [w for w in column.words if plain(w) in WEIGHTS]
        if column.words and not column.is_number and len(known) >= max(1, len(column.words) / 2):
            found.evidence["event"] = f"{column.name!r}: it holds {', '.join(known[:4])}"
            return column
    return None


def _kind(column: Profile, kind: str) -> str:
    """A rating is one of few numbers up to 100; a score without an end is an amount."""
    high = column.high if column.high is not None else 0.0
    return "quantity" if kind == "rating" and high > 100 else kind


def _value_by_content(
    found: Guess, columns: Sequence[Profile], free: list[Profile]
) -> list[Profile]:
    """In a table without names, a few different numbers from 0 to 10 are ratings.

    Whole numbers in the last column that begin near 1 are amounts, such as plays. "value" is a
    name for anything, so it says nothing, but where Recscope itself wrote the table.
    """
    if any(c.name == "source_row" for c in free):
        own = next((c for c in free if c.name == "value" and c.is_number), None)
        if own:
            found.value_kind = _own_kind(own, found, columns)
            found.evidence["value"] = (
                f"'value': beside source_row, as Recscope writes a log; a {found.value_kind}"
            )
            return take(found, "value", own, free)
    if not all(re.fullmatch(r"column\d+", column.name) for column in columns):
        return free
    ids = {found.mapping["user_id"], found.mapping["item_id"]} - {None}
    rest = [c for c in free if c.name not in ids][2 - len(ids) :]  # the first two are user and item
    for column in rest:
        low, high = column.low or 0.0, column.high or 0.0
        few = 2 < column.distinct <= 21 and 0 <= low < high <= 10
        if few and column.numbers == column.filled:
            found.value_kind = "rating"
            found.evidence["value"] = (
                f"{column.name!r}: {column.distinct} different numbers from {low:g} to {high:g}"
            )
            return take(found, "value", column, free)
    last = rest[-1] if rest and rest[-1] is columns[-1] else None
    if last and last.whole == last.filled > 0 and last.distinct > 2 and 0 <= (last.low or 0) <= 10:
        found.value_kind = "quantity"
        found.evidence["value"] = f"{last.name!r}: whole numbers from {last.low:g}, an amount"
        return take(found, "value", last, free)
    return free


def _own_kind(value: Profile, found: Guess, columns: Sequence[Profile]) -> str:
    """What Recscope's own column of values holds: amounts where things are bought or given back."""
    words = next((c.words for c in columns if c.name == found.mapping["event"]), ())
    bought = any(WEIGHTS.get(plain(word)) == WEIGHTS["purchase"] for word in words)
    if bought or (value.low or 0.0) < 0 or (value.high or 0.0) > 10:
        return "quantity"
    return "rating"


def _guess_ids_by_content(
    found: Guess,
    sample: DuckDBPyRelation,
    free: list[Profile],
    given: Mapping[str, str | None],
) -> None:
    """Where no name says it: the first two columns that repeat are user and item, in this order."""
    for role in ("user_id", "item_id"):
        if found.mapping[role] is not None or role in given:
            continue
        likely = [
            c for c in free if c.filled and c.distinct > 1 and (c.is_whole or not c.is_number)
        ]
        likely = _that_repeat(sample, likely)
        if role == "item_id":  # an order is of a user, and no item
            likely = [c for c in likely if not VISITS.search(c.key)]
        named = [c for c in likely if c.key.startswith(role[:4])]
        if len(named) > SEVERAL:
            continue  # a column for each item, or what is known of them
        column = next(iter(named), None)
        if column is None and likely and _nameless_or_id(likely[0]):
            column = likely[0]
        if column:
            found.evidence[role] = f"{column.name!r}: the first column left that looks like ids"
            free = take(found, role, column, free)


def _that_repeat(sample: DuckDBPyRelation, columns: Sequence[Profile]) -> list[Profile]:
    """The columns that may be ids: not those that are another in each row, as an event's id is.

    Without a name, a column is left out only where it counts the rows.
    """
    found = []
    for column in columns:
        unique = column.filled >= FEW_ROWS and column.distinct >= 0.99 * column.filled
        if unique and is_nameless(column) and not _counts_rows(sample, column):
            unique = False
        found += [] if unique else [column]
    return found


def _counts_rows(sample: DuckDBPyRelation, column: Profile) -> bool:
    if not column.is_whole:
        return False
    number = f"TRY_CAST({quoted(column.name)} AS BIGINT)"
    first = sample.limit(LOOK).project(f"{number} - row_number() OVER () AS first")
    return int(first.aggregate("count(DISTINCT first)").fetchall()[0][0]) == 1


def is_nameless(column: Profile) -> bool:
    """Whether a column has no name of its own."""
    return bool(re.fullmatch(r"column\d+", column.name))


def _nameless_or_id(column: Profile) -> bool:
    return bool(is_nameless(column) or column.key.endswith(("id", "no", "key")))


def _describe_given(
    found: Guess, columns: Sequence[Profile], given: Mapping[str, str | None]
) -> None:
    """What follows from a mapping, guessed or given: the kind of value, a 0/1 event column."""
    by_name = {c.name: c for c in columns}
    value = by_name.get(found.mapping["value"] or "")
    if value and found.value_kind is None:
        kinds = [k for k in VALUE_KINDS if value.key in NAMES[k]]
        last = endings(value.name)  # "items[].qty" ends in "qty"
        words = [k for k in VALUE_KINDS if k in value.key or set(last) & set(NAMES[k])]
        few = value.distinct <= 21 and (value.high or 0) <= 10
        kind = (kinds or words or ["rating" if few else "quantity"])[0]
        found.value_kind = _kind(value, kind)
    event = by_name.get(found.mapping["event"] or "")
    if event and event.words and set(event.words) <= {"0", "1"} and event.key in CLICK_NAMES:
        found.binary_click = True
        found.evidence["event"] += ": 0 becomes impression, 1 becomes click"
