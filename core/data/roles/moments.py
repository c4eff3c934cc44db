"""A time that stands in several columns (date + time, year + month + day) as one text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from core.data.roles.missing import missing_sql, trimmed
from core.data.roles.names import plain
from core.data.roles.times import text_sql
from core.data.store import quoted

UNIT_NAMES: dict[str, tuple[str, ...]] = {
    "year": ("year", "yr", "yyyy", "jahr", "annee", "año", "年"),
    "month": ("month", "mon", "mm", "monat", "mois", "mes", "月"),
    "day": ("day", "dayofmonth", "dd", "tag", "jour", "dia", "日"),
    "hour": ("hour", "hr", "hh", "stunde", "heure", "hora", "时", "時"),
    "minute": ("minute", "min", "minutes"),
    "second": ("second", "sec", "seconds"),
}
CLOCK_NAMES = (
    *("time", "timeofday", "clock", "hhmm", "hhmmss", "uhrzeit", "zeit", "heure", "hora", "时间"),
    *("eventtime", "ordertime", "purchasetime", "visittime", "transactiontime", "saletime"),
)


def unit_of(column: str) -> str | None:
    """Which part of a time this column is by its name: "year" … "second", or none of them."""
    key = plain(column)
    for unit, names in UNIT_NAMES.items():
        long = [name for name in names if len(name) > 2]
        if key in names or any(re.search(rf"[_\W]{name}$", column.lower()) for name in long):
            return unit
    return None


def cell_of(column: str, types: Mapping[str, str]) -> tuple[str, str]:
    """SQL for the text that says when, and its type, of one column or several joined by "+".

    It is NULL where one of several is missing.
    """
    if column in types:
        return quoted(column), types[column]
    parts = column.split("+")
    has_year = any(unit_of(part) == "year" for part in parts)
    units: dict[str, str] = {}
    others: list[str] = []
    for part in parts:
        unit = unit_of(part)
        if unit in ("month", "day") and not has_year:
            unit = None  # a whole date that is called so
        if unit and unit not in units and not types[part].startswith(("TIME", "DATE")):
            units[unit] = _hour(part, types[part]) if unit == "hour" else _whole(part, types[part])
        else:
            others.append(_clock(part, types[part]) if others else _day(part, types[part]))
    text = " || ' ' || ".join([*_date(units, others), *_time(units)])
    return f"({text})", "VARCHAR"


def _date(units: Mapping[str, str], others: Sequence[str]) -> list[str]:
    if "year" not in units:
        return [*others, *(units[unit] for unit in ("month", "day") if unit in units)]
    year = units["year"]
    year = f"CASE WHEN length({year}) = 2 THEN '20' || {year} ELSE {year} END"
    month, day = units.get("month", "'1'"), units.get("day", "'1'")
    numbers = f"({year}) || '-' || {_two(month)} || '-' || {_two(day)}"
    words = f"{day} || ' ' || {month} || ' ' || ({year})"
    return [f"(CASE WHEN {month} SIMILAR TO '[0-9]+' THEN {numbers} ELSE {words} END)", *others]


def _time(units: Mapping[str, str]) -> list[str]:
    if "hour" not in units:
        return []
    hour = units["hour"]
    clock = [_two(hour), _two(units.get("minute", "'0'"))]
    clock += [_two(units["second"])] if "second" in units else []
    told = " || ':' || ".join(clock)
    return [f"(CASE WHEN contains({hour}, ':') THEN {hour} ELSE {told} END)"]


def _two(number: str) -> str:
    return f"CASE WHEN length({number}) = 1 THEN '0' || {number} ELSE {number} END"


def _text(column: str, type: str) -> str:
    text = text_sql(quoted(column), type)
    return f"CASE WHEN NOT ({missing_sql(text)}) THEN {trimmed(text)} END"


def _whole(column: str, type: str) -> str:
    return rf"(regexp_replace({_text(column, type)}, '\.0*$', ''))"


def _day(column: str, type: str) -> str:
    r"""A day whose midnight is left out: spreadsheets write 2024-03-01 00:00:00 beside a time."""
    return rf"(regexp_replace({_text(column, type)}, '[ T]0?0:00(:00(\.0+)?)?$', ''))"


def _hour(column: str, type: str) -> str:
    """An hour, or a whole time of day where the column that is called so holds one."""
    whole = _whole(column, type)
    single = f"regexp_full_match({whole}, '[0-9]{{1,2}}')"
    return f"(CASE WHEN {single} THEN {whole} ELSE {_clock(column, type)} END)"


def _clock(column: str, type: str) -> str:
    """A time of day: 1644 is 16:44, 0.75 (a part of a day) 18:00, the day of Excel's left out."""
    text = rf"regexp_replace({_whole(column, type)}, '^(1899-12-3[01]|1900-01-0[01])[ T]', '')"
    text = rf"regexp_replace({text}, '^([0-9]{{1,2}}) ?[hH] ?([0-9]{{2}})$', '\1:\2')"
    four, six = f"lpad({text}, 4, '0')", f"lpad({text}, 6, '0')"
    seconds = f"CAST(round(TRY_CAST({text} AS DOUBLE) * 86400) AS BIGINT)"
    part = f"CAST(TIME '00:00' + to_seconds({seconds}) AS VARCHAR)"
    return (
        f"(CASE WHEN regexp_full_match({text}, '[0-9]{{1,4}}')"
        f" THEN {four}[1:2] || ':' || {four}[3:4]"
        f" WHEN regexp_full_match({text}, '[0-9]{{5,6}}')"
        f" THEN {six}[1:2] || ':' || {six}[3:4] || ':' || {six}[5:6]"
        rf" WHEN regexp_full_match({text}, '0\.[0-9]+') THEN {part} ELSE {text} END)"
    )
