"""Times as logs write them → UTC: the SQL that reads each way of writing.

A way of writing is one of: "s", "ms", "us", "ns" (Unix time), "order" (a plain number that only
says what came first), "excel" (days since 1899-12-30), "iso" (ISO 8601, a zone is respected, UTC
without one), or a strptime format, at whose end %Z stands for an offset or the name of a zone.
"words:" before a way stands where words of a language are to be replaced first.
Several ways in one column are joined by "|": each cell is read by the first that fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.data.roles.spoken import SPOKEN, spoken_sql
from core.data.store import literal, quoted

UNITS = {"s": 1_000_000, "ms": 1_000, "us": 1, "ns": 0.001}  # microseconds in one
FIRST, LAST = "1900-01-01", "2200-01-01"  # a time outside is a mistake of unit, not a time
PLAIN = (*UNITS, "order", "iso", "excel")
LOW, HIGH = 315_532_800, 4_102_444_800  # 1980 and 2100 in seconds: where a unit tells itself

# Minutes east of UTC. A name that is in use for zones far apart is none: IST is India, Israel and
# Ireland, CST Chicago, Shanghai and Havana, BST London and Dhaka, AST Halifax and Riyadh.
ZONES: dict[str, int] = {
    **{"Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 60, "CET": 60, "CEST": 120},
    **{"MEZ": 60, "MESZ": 120, "EET": 120, "EEST": 180, "MSK": 180, "SAST": 120, "PKT": 300},
    **{"EST": -300, "EDT": -240, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420},
    **{"AKST": -540, "AKDT": -480, "HST": -600, "BRT": -180, "WIB": 420, "SGT": 480, "HKT": 480},
    **{"AWST": 480, "JST": 540, "KST": 540, "ACST": 570, "ACDT": 630, "AEST": 600, "AEDT": 660},
    **{"NZST": 720, "NZDT": 780},
}
SEVERAL_ZONES = ("IST", "CST", "BST", "AST", "SST", "GST", "ADT", "ECT", "AMT")
TAIL = r"\s*((?:GMT|UTC)?[+-]\d{1,2}:?(?:\d\d)?|[A-Za-z]{1,5})$"  # an offset, or a name

_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
_DAY_FIRST = ("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%y", "%d-%m-%y", "%d.%m.%y")
_MONTH_FIRST = ("%m/%d/%Y", "%m-%d-%Y", "%m.%d.%Y", "%m/%d/%y", "%m-%d-%y", "%m.%d.%y")
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
    rival: str | None = None  # what it would be read as where nothing, or little, speaks against it
    said: bool = False  # by a person: then also times before 1980 are times
    by_file: Mapping[str, str] = field(default_factory=dict)  # file → its own way

    @property
    def kind(self) -> str:
        return "order" if self.way == "order" else "clock"

    def way_of(self, file: str) -> str:
        """How the column is written in this file."""
        return self.by_file.get(file, self.way)


def time_sql(column: str, way: str) -> str:
    """SQL that gives a TIMESTAMP in UTC (a BIGINT for "order"), NULL where it cannot be read."""
    return moment_sql(quoted(column), "VARCHAR", way, said=True)


def moment_sql(cell: str, type: str, way: str, *, said: bool = False) -> str:
    """The same as `time_sql`, of any SQL for a cell.

    Args:
        cell: SQL for the cell.
        type: Its DuckDB type.
        way: The ways of writing.
        said: Whether a person says so; else Unix times are only those of 1980 to 2100, so that
            their unit tells itself.
    """
    if type.startswith(("TIMESTAMP", "DATE")):
        return _checked(f"TRY_CAST(TRY_CAST({cell} AS TIMESTAMPTZ) AS TIMESTAMP)")
    readings = [_one(cell, type, one, said) for one in way.split("|")]
    return readings[0] if len(readings) == 1 else f"coalesce({', '.join(readings)})"


def _one(cell: str, type: str, way: str, said: bool) -> str:
    if way.startswith(SPOKEN):
        return _one(spoken_sql(text_sql(cell, type)), "VARCHAR", way.removeprefix(SPOKEN), said)
    if way == "order":
        return f"TRY_CAST({cell} AS BIGINT)"
    if way in UNITS:
        return _unix_sql(cell, way) if said else _near_sql(cell, way)
    if way == "excel":
        days = f"TRY_CAST({cell} AS DOUBLE)"
        moment = (
            f"TIMESTAMP '1899-12-30' + to_milliseconds(CAST(round({days} * 86400000) AS BIGINT))"
        )
        return f"CASE WHEN {days} BETWEEN 20000 AND 80000 THEN {moment} END"
    text = text_sql(cell, type)
    if way == "iso":  # what ends in T is a zone's name, of which DuckDB's own list has strange ones
        iso = f"TRY_CAST(TRY_CAST({text} AS TIMESTAMPTZ) AS TIMESTAMP)"
        return _checked(f"CASE WHEN NOT ends_with({text}, 'T') THEN {iso} END")
    if way.endswith("%Z"):
        return _checked(_zoned_sql(text, way))
    return _checked(f"TRY_CAST(try_strptime({text}, {literal(way)}) AS TIMESTAMP)")


def _checked(moment: str) -> str:
    return f"CASE WHEN {moment} BETWEEN '{FIRST}' AND '{LAST}' THEN {moment} END"


def text_sql(cell: str, type: str) -> str:
    """SQL for the text of a cell, in which a whole number has no point."""
    if type in ("DOUBLE", "FLOAT") or type.startswith("DECIMAL"):
        whole = f"TRY_CAST({cell} AS BIGINT)"
        exact = f"CASE WHEN {whole} = {cell} THEN CAST({whole} AS VARCHAR)"
        return f"({exact} ELSE CAST({cell} AS VARCHAR) END)"
    return cell if type == "VARCHAR" else f"CAST({cell} AS VARCHAR)"


def _zoned_sql(text: str, way: str) -> str:
    bare = rf"regexp_replace({text}, '\s*\([^()]*\)\s*$', '')"  # JavaScript repeats the zone so
    zone = f"upper(regexp_extract({bare}, {literal(TAIL)}, 1))"
    body = f"regexp_replace({bare}, {literal(TAIL)}, '')"
    digits = rf"regexp_extract({zone}, '[+-](\d{{1,2}}):?(\d\d)?$', %d)"
    hours, rest = f"CAST({digits % 1} AS BIGINT)", f"coalesce(TRY_CAST({digits % 2} AS BIGINT), 0)"
    names = ", ".join(f"{literal(name)}: {east}" for name, east in ZONES.items())
    east = (
        f"CASE WHEN contains({zone}, '+') THEN {hours} * 60 + {rest}"
        f" WHEN contains({zone}, '-') THEN -({hours} * 60 + {rest})"
        f" ELSE MAP {{{names}}}[{zone}] END"
    )
    moment = f"try_strptime({body}, {literal(way.removesuffix('%Z').rstrip())})"
    return f"({moment} - to_minutes({east}))"


def double_time_sql(column: str, way: str, *, said: bool = False) -> str:
    """The same for a column of DOUBLE that holds Unix time in s, ms or us."""
    name = quoted(column)
    low, high = _bounds(way) if said else _near(way)
    micros = f"CAST({name} * {UNITS[way]} AS BIGINT)"
    return f"CASE WHEN {name} BETWEEN {low} AND {high} THEN make_timestamp({micros}) END"


def _bounds(way: str) -> tuple[int, int]:
    """FIRST and LAST in this unit."""
    first, last = (int(seconds * 1e6 / UNITS[way]) for seconds in (-2_208_988_800, 7_258_118_400))
    return first, last


def _near(way: str) -> tuple[int, int]:
    """LOW and HIGH in this unit."""
    first, last = (int(seconds * 1e6 / UNITS[way]) for seconds in (LOW, HIGH))
    return first, last


def _near_sql(cell: str, way: str) -> str:
    low, high = _near(way)
    inside = f"TRY_CAST({cell} AS DOUBLE) BETWEEN {low} AND {high}"
    return f"CASE WHEN {inside} THEN {_unix_sql(cell, way)} END"


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
        if LOW <= typical * micros / 1_000_000 <= HIGH:
            return way
    return None
