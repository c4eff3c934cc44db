"""How the records of a log are to be read: by which column each role, written in which way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.data.files.sources import unique_names
from core.data.roles.guess import Guess
from core.data.roles.moments import cell_of
from core.data.roles.numbers import COMMA, POINT, value_sql
from core.data.roles.profiles import Profile
from core.data.roles.times import TimeFormat, moment_sql
from core.data.store import quoted

RESERVED = (
    *("user_id", "item_id", "timestamp", "event", "value", "platform", "source_row"),
    *("rowid", "file_row_number"),  # DuckDB's own
)
K = '" k"'  # the number of a record; no column has this name, since names are stripped


@dataclass(frozen=True)
class Plan:
    """How each role is read: the columns, and the way in which they are written."""

    mapping: dict[str, str | None]
    evidence: dict[str, str]
    columns: tuple[str, ...]  # of the log, in order
    time: TimeFormat | None
    value_kind: str | None
    binary_click: bool
    mark: str  # of decimals
    mark_said: bool  # by a person
    kinds: dict[str, str]  # "user_id" and "item_id" → one of ID_KINDS
    scale: float | None  # the highest rating, where cells name several: 4/5 and 8/10
    open: frozenset[str]  # of "timestamp" and "value": whether all cells are still to be looked at

    @property
    def context(self) -> dict[str, str]:
        """The columns without a role, and their names in events.parquet."""
        single = {v for v in self.mapping.values() if v in self.columns}
        rest = [c for c in self.columns if c not in single]
        return dict(zip(rest, unique_names(rest, RESERVED), strict=True))

    @property
    def numbers(self) -> set[str]:
        """The columns that a CSV may hold as DOUBLE without loss: values, Unix times."""
        value = self.mapping["value"] if self.mark == POINT else None
        unix = self.time is not None and self.time.way in ("s", "ms", "us")
        time = self.mapping["timestamp"] if unix else None
        return {column for column in (value, time) if column in self.columns}

    @property
    def good(self) -> str:
        """SQL that is true for the rows of `stage` that are kept."""
        needed = ["user_id", "item_id"]
        needed += ["timestamp"] if self.time else []
        needed += ["event"] if self.mapping["event"] else []
        tests = [f"{name} IS NOT NULL" for name in needed]
        tests += ["(value IS NULL OR NOT isnan(value))"] if self.mapping["value"] else []
        return " AND ".join(tests)

    def moment(self, types: Mapping[str, str], file: str) -> str:
        """SQL for the time of a record of this file, whose columns have these types."""
        assert self.time is not None
        cell, type = cell_of(str(self.mapping["timestamp"]), types)
        return moment_sql(cell, type, self.time.way_of(file), said=self.time.said)

    def value(self, types: Mapping[str, str]) -> str:
        """SQL for the value of a record."""
        column = str(self.mapping["value"])
        mark, said = self.mark, self.mark_said
        return value_sql(quoted(column), types[column], mark, said=said, scale=self.scale)


def plan(guess: Guess, columns: Sequence[Profile]) -> Plan:
    """How to read a log whose roles are known, by what a sample of it looks like."""
    by_name = {c.name: c for c in columns}
    value = by_name.get(guess.mapping["value"] or "")
    kinds = {role: _id_kind(guess.mapping[role], by_name) for role in ("user_id", "item_id")}
    doubtful = value is not None and value.either > 0 and guess.decimal is None
    return Plan(
        mapping=guess.mapping,
        evidence=dict(guess.evidence),
        columns=tuple(by_name),
        time=guess.time,
        value_kind=guess.value_kind if value else None,
        binary_click=guess.binary_click,
        mark=guess.decimal or (COMMA if doubtful else POINT),
        mark_said=guess.decimal is not None,
        kinds=kinds,
        scale=None,
        open=frozenset({"timestamp", "value"}),
    )


def _id_kind(column: str | None, columns: dict[str, Profile]) -> str:
    profile = columns.get(column or "")
    if profile is None or not profile.is_whole:
        return "text"
    if profile.type == "VARCHAR":
        return "decimal" if any("." in word for word in profile.words) else "whole"
    return "decimal" if profile.type in ("DOUBLE", "FLOAT") else "whole"
