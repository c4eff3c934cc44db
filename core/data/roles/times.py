"""Times as logs write them → UTC: which way a column writes them, and the SQL that reads it.

A way of writing is one of: "s", "ms", "us", "ns" (Unix time), "order" (a plain number that only
says what came first), "iso" (ISO 8601, a zone is respected, UTC without one), or a strptime format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from duckdb import DuckDBPyRelation

from core.data.store import literal, quoted

UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0.001}  # microseconds in one
FIRST, LAST = "1900-01-01", "2200-01-01"  # a time outside is a mistake of unit, not a time

_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
_DAY_FIRST = ("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%y", "%d.%m.%y")
_MONTH_FIRST = ("%m/%d/%Y", "%m-%d-%Y", "%m.%d.%Y", "%m/%d/%y", "%m.%d.%y")
_OTHERS = (
    *("%Y.%m.%d", "%Y年%m月%d日", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d %B %Y"),
    *("%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%a, %d %b %Y", "%Y%m%d"),
)
_WHOLE = (
    *("%Y%m%d%H%M%S", "%Y%m%dT%H%M%S", "%Y%m%dT%H%M%SZ", "%a %b %d %H:%M:%S %Y"),
    *("%a %b %d %H:%M:%S %z %Y", "%a, %d %b %Y %H:%M:%S %z", "%d/%b/%Y:%H:%M:%S %z"),
)
FORMATS = tuple(
    [date + clock for date in (*_DAY_FIRST, *_MONTH_FIRST, *_OTHERS) for clock in _CLOCKS]
) + tuple(_WHOLE)


@dataclass(frozen=True)
class TimeFormat:
    """How a column writes times, how sure that is, and the rival where two readings fit."""

    way: str
    share: float  # of the sample's filled cells that it reads
    evidence: str
    rival: str | None = None

    @property
    def kind(self) -> str:
        return "order" if self.way == "order" else "clock"


def time_sql(column: str, way: str) -> str:
    """SQL that gives a TIMESTAMP in UTC (a BIGINT for "order"), NULL where it cannot be read."""
    name = quoted(column)
    if way == "order":
        return f"TRY_CAST({name} AS BIGINT)"
    if way in UNITS:
        return _unix_sql(name, way)
    if way == "iso":
        moment = f"TRY_CAST(TRY_CAST({name} AS TIMESTAMPTZ) AS TIMESTAMP)"
    else:
        moment = f"TRY_CAST(try_strptime(CAST({name} AS VARCHAR), {literal(way)}) AS TIMESTAMP)"
    return f"CASE WHEN {moment} BETWEEN '{FIRST}' AND '{LAST}' THEN {moment} END"


def double_time_sql(column: str, way: str) -> str:
    """The same as `time_sql` for a column of DOUBLE that holds Unix time in s, ms or us."""
    name = quoted(column)
    low, high = _bounds(way)
    micros = f"CAST({name} * {UNITS[way]} AS BIGINT)"
    return f"CASE WHEN {name} BETWEEN {low} AND {high} THEN make_timestamp({micros}) END"


def _bounds(way: str) -> tuple[int, int]:
    """FIRST and LAST in this unit."""
    first, last = (int(seconds * 1e6 / UNITS[way]) for seconds in (-2_208_988_800, 7_258_118_400))
    return first, last


def _unix_sql(name: str, way: str) -> str:
    low, high = _bounds(way)
    whole = f"TRY_CAST({name} AS BIGINT)"
    micros = f"{whole} // 1000" if way == "ns" else f"{whole} * {UNITS[way]}"
    seconds = f"CASE WHEN {whole} BETWEEN {low} AND {high} THEN make_timestamp({micros}) END"
    if way != "s":
        return seconds
    # Fractions of a second are common. Ten characters from 1000000000 on can hold none, which is
    # quicker to see than to search each text for a point.
    text = f"CAST({name} AS VARCHAR)"
    fraction = f"make_timestamp(CAST(TRY_CAST({name} AS DOUBLE) * 1e6 AS BIGINT))"
    return (
        f"CASE WHEN strlen({text}) = 10 AND {whole} BETWEEN 1000000000 AND {high}"
        f" THEN make_timestamp({micros})"
        f" WHEN contains({text}, '.') THEN CASE WHEN {whole} BETWEEN {low} AND {high}"
        f" THEN {fraction} END ELSE {seconds} END"
    )


def unix_unit(typical: float) -> str | None:
    """The unit in which this number is a time between 1980 and 2100; None if there is none."""
    for way, micros in UNITS.items():
        if 315_532_800 <= typical * micros / 1_000_000 <= 4_102_444_800:
            return way
    return None


def guess_time(
    sample: DuckDBPyRelation, column: str, *, type: str, looks_ordered: bool
) -> TimeFormat | None:
    """How this column of a sample writes times; None if it does not look like times at all.

    Args:
        sample: Some rows of the log.
        column: The column's name.
        type: The column's DuckDB type.
        looks_ordered: Whether small whole numbers may be taken for an order.
    """
    if type.startswith(("TIMESTAMP", "DATE")):
        return TimeFormat("iso", 1.0, f"the column is of type {type}")
    name = quoted(column)
    number = f"TRY_CAST({name} AS DOUBLE)"
    filled, numbers, middle, low = (
        sample.filter(f"trim(CAST({name} AS VARCHAR)) <> ''")
        .aggregate(f"count({name}), count({number}), median({number}), min({number})")
        .fetchall()[0]
    )
    if not filled:
        return None
    if numbers >= 0.9 * filled:
        return _guess_number(sample, column, (filled, numbers, middle, low), looks_ordered)
    return _guess_text(sample, column, filled)


def _guess_number(
    sample: DuckDBPyRelation,
    column: str,
    facts: tuple[int, int, float, float],
    looks_ordered: bool,
) -> TimeFormat | None:
    filled, numbers, middle, low = facts
    share = numbers / filled
    for way in ("%Y%m%d", "%Y%m%d%H%M%S"):
        if _share(sample, column, way, filled) >= 0.95:
            return TimeFormat(way, share, f"all digits, read as {way}")
    if unit := unix_unit(middle):
        units = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
        return TimeFormat(unit, share, f"numbers such as {middle:.0f}: {units[unit]} since 1970")
    if looks_ordered:
        return TimeFormat(
            "order", share, f"whole numbers from {low:.0f}: an order, not a time of day"
        )
    return None


def _guess_text(sample: DuckDBPyRelation, column: str, filled: int) -> TimeFormat | None:
    if (share := _share(sample, column, "iso", filled)) >= 0.8:
        return TimeFormat("iso", share, "ISO 8601 (times without a zone are taken as UTC)")
    shares = _shares(sample, column, filled)
    best = max(shares.values())
    if best < 0.8:
        return None
    fitting = [way for way in FORMATS if shares[way] == best]
    way = fitting[0]
    swapped = way.replace("%d", "%D").replace("%m", "%d").replace("%D", "%m")
    rival = swapped if swapped != way and swapped in fitting else None
    sure = swapped != way and swapped in FORMATS and rival is None
    evidence = f"read as {way}" + (": a number above 12 stands for the day" if sure else "")
    return TimeFormat(way, best, evidence, rival)


def _share(sample: DuckDBPyRelation, column: str, way: str, filled: int) -> float:
    return float(sample.aggregate(f"count({time_sql(column, way)})").fetchall()[0][0]) / filled


def _shares(sample: DuckDBPyRelation, column: str, filled: int) -> dict[str, float]:
    counts = ", ".join(f"count({time_sql(column, way)})" for way in FORMATS)
    found = sample.aggregate(counts).fetchall()[0]
    return {way: n / filled for way, n in zip(FORMATS, found, strict=True)}


def settle_format(logs: Sequence[DuckDBPyRelation], column: str, time: TimeFormat) -> TimeFormat:
    """The reading that fits the whole log, where day and month could be either in the sample."""
    if time.rival is None:
        return time
    counts = f"count({time_sql(column, time.way)}), count({time_sql(column, time.rival)})"
    found = [log.aggregate(counts).fetchall()[0] for log in logs]
    this, other = (sum(row[n] for row in found) for n in (0, 1))
    if this == other:
        this, other = (_steps_forward(logs[0], column, way) for way in (time.way, time.rival))
        why = "the rows are in the order of time only so" if this != other else _AMBIGUOUS
    else:
        why = "a number above 12 stands for the day"
    way, rival = (time.way, time.rival) if this >= other else (time.rival, time.way)
    return TimeFormat(way, time.share, f"read as {way}, not {rival}: {why}")


_AMBIGUOUS = (
    "nothing in the log says which; say time_format=… if it is the other, since every day is "
    "12 or less"
)


def _steps_forward(log: DuckDBPyRelation, column: str, way: str) -> int:
    """How many of the first rows are not earlier than the row before."""
    moment = time_sql(column, way)
    steps = log.limit(20_000).project(f"{moment} AS t, row_number() OVER () AS n")
    later = steps.project("t >= lag(t) OVER (ORDER BY n) AS later")
    return int(later.aggregate("count(CASE WHEN later THEN 1 END)").fetchall()[0][0])
