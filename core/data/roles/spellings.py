"""In which ways one cell may be read as a time, by how it is spelt."""

from __future__ import annotations

import re
from datetime import date

from core.data.roles.spoken import SPOKEN, spoken
from core.data.roles.times import TAIL, ZONES, unix_unit

_NUMBER = re.compile(r"-?\d+(\.\d*)?(e\+?\d+)?", re.IGNORECASE)
_ISO = re.compile(
    r"\d{4}([-/])\d{1,2}\1\d{1,2}"
    r"([ T]+\d{1,2}:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?| ?[A-Za-z_]+/[A-Za-z_/]+| UTC)?)?"
)
_CLOCK = re.compile(
    r"(?P<before>, ?|[ T:]|  )(?P<hour>\d{1,2})(?P<mark>[:.])\d\d"
    r"((?P=mark)\d\d(?P<part>[.,]\d{1,9})?)?((?P<blank> ?)(?P<half>[AP]M))?$",
    re.IGNORECASE,
)
_NUMERIC = re.compile(r"(\d{1,4})([/.\- ])(\d{1,2})\2(\d{1,4})")
_NAMED = re.compile(
    r"((?P<weekday>[A-Z][a-z]{2,8})(?P<after>,? ))?"
    r"(?:(?P<day>\d{1,2})(?P<a>[ \-/.]?)(?P<month>[A-Za-z]{3,9})(?P<b>,? ?|[\-/.])"
    r"(?P<year>\d{4}|\d\d)"
    r"|(?P<month2>[A-Za-z]{3,9})(?P<c>[ \-])(?P<day2>\d{1,2})(?P<d>,? |-)(?P<year2>\d{4}|\d\d))"
)
_SHORT = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_LONG = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_WHOLE = (
    (re.compile(r"\d{8}T\d{6}"), "%Y%m%dT%H%M%S"),
    (re.compile(r"\d{8}T\d{6}Z"), "%Y%m%dT%H%M%SZ"),
    (
        re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d \d{4}"),
        "%a %b %d %H:%M:%S %Y",
    ),
    (
        re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} +\d{1,2} \d\d:\d\d:\d\d [+-]\d{4} \d{4}"),
        "%a %b %d %H:%M:%S %z %Y",
    ),
    (re.compile(r"\d{1,2}/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}"), "%d/%b/%Y:%H:%M:%S %z"),
)


def ways_of(text: str, *, dated: bool) -> tuple[str, ...]:
    """The ways in which this cell may be read as a time, the likeliest first; none if it is none.

    Args:
        text: The cell, without white space around it.
        dated: Whether its column is called a date: then Excel's serial numbers are dates as well.
    """
    if found := _ways(text, dated):
        return found
    plainly = spoken(text)
    return tuple(SPOKEN + way for way in _ways(plainly, dated)) if plainly != text else ()


def _ways(text: str, dated: bool) -> tuple[str, ...]:
    if _NUMBER.fullmatch(text):
        return _number(text, dated)
    for pattern, way in _WHOLE:
        if pattern.fullmatch(text):
            return (way,)
    if _ISO.fullmatch(text):
        return ("iso",)
    zone = _zone(text)
    if zone:
        return tuple(way + zone for way in _moments(_without_zone(text)))
    return _moments(text)


def _number(text: str, dated: bool) -> tuple[str, ...]:
    number = float(text)
    for digits, way in ((8, "%Y%m%d"), (12, "%Y%m%d%H%M"), (14, "%Y%m%d%H%M%S")):
        if len(text) == digits and text.isdecimal() and _is_day(text[:4], text[4:6], text[6:8]):
            clock = [int(text[n : n + 2] or 0) for n in (8, 10, 12)]
            if clock[0] < 24 and clock[1] < 60 and clock[2] < 60:
                return (way,)
    if unit := unix_unit(number):
        return (unit,)
    return ("excel",) if dated and 20_000 <= number <= 80_000 else ()


def _is_day(year: str, month: str, day: str) -> bool:
    try:
        return 1900 <= date(int(year), int(month), int(day)).year < 2200
    except ValueError:
        return False


def _zone(text: str) -> str:
    """How a way ends that reads this cell's zone; "" if it ends with none."""
    bare = re.sub(r"\s*\([^()]*\)$", "", text)
    found = re.search(TAIL, bare)
    if not found or not re.search(r"\d\s*$|[APap][Mm]\s*$|\d\s", bare[: found.start(1)]):
        return ""
    name = found[1]
    if re.fullmatch(r"[+-].*", name):  # 2024-03-01 ends in no offset
        clock = r":\d\d([.,]\d+)?\s*([AP]M)?\s*$"
        return " %Z" if re.search(clock, bare[: found.start(1)], re.IGNORECASE) else ""
    offset = re.fullmatch(r"(GMT|UTC)[+-]\d{1,2}(:?\d\d)?", name)
    return " %Z" if offset or name.upper() in ZONES else ""


def _without_zone(text: str) -> str:
    return re.sub(TAIL, "", re.sub(r"\s*\([^()]*\)$", "", text)).rstrip()


def _moments(text: str) -> tuple[str, ...]:
    found = _CLOCK.search(text)
    if found and (days := _days(text[: found.start()])):
        clock = _clock(found)
        return tuple(day + clock for day in days)
    return _days(text)


def _clock(found: re.Match[str]) -> str:
    mark, part, half = found["mark"], found["part"] or "", found["half"]
    hour = "%I" if half and 0 < int(found["hour"]) <= 12 else "%H"
    seconds = found[0].count(mark) - (found["before"] == mark) - (part[:1] == mark)
    clock = f"{hour}{mark}%M" + (f"{mark}%S" if seconds > 1 else "")
    if part:
        clock += part[0] + ("%f" if len(part) <= 7 else "%n")
    if half:
        clock += f"{found['blank']}%p"
    return found["before"] + clock


def _days(text: str) -> tuple[str, ...]:
    if found := _NUMERIC.fullmatch(text):
        return _numeric(found[1], found[2], found[3], found[4])
    if found := re.fullmatch(r"(\d{4})([-/.])(\d{1,2})", text):
        return (f"%Y{found[2]}%m",) if _is_day(found[1], found[3], "1") else ()
    if found := re.fullmatch(r"(\d{4})-(\d{3})", text):
        return ("%Y-%j",) if 0 < int(found[2]) <= 366 else ()
    if found := re.fullmatch(r"([A-Za-z]{3,9})([ \-/])(\d{4})", text):
        return _month_of(found[1], f"{found[2]}%Y")
    if found := re.fullmatch(r"(\d{1,2})([-/.])(\d{4})", text):
        return (f"%m{found[2]}%Y",) if _is_day(found[3], found[1], "1") else ()
    if found := re.fullmatch(r"(\d{4})(\d\d)(\d\d)", text):
        return ("%Y%m%d",) if _is_day(*found.groups()) else ()
    if re.fullmatch(r"\d{4}年\d{1,2}月\d{1,2}日", text):
        return ("%Y年%m月%d日",)
    return _named(text)


def _month_of(word: str, rest: str) -> tuple[str, ...]:
    if word.lower() in _SHORT:
        return (f"%b{rest}",)
    return (f"%B{rest}",) if word.lower() in _LONG else ()


def _numeric(a: str, mark: str, b: str, c: str) -> tuple[str, ...]:
    if len(a) == 4:
        return (f"%Y{mark}%m{mark}%d",) if _is_day(a, b, c) else ()
    if len(a) > 2 or len(c) not in (2, 4):
        return ()
    year = "%Y" if len(c) == 4 else "%y"
    century = "" if len(c) == 4 else "20"
    found = []
    if _is_day(century + c, b, a):
        found.append(f"%d{mark}%m{mark}{year}")
    if _is_day(century + c, a, b):
        found.append(f"%m{mark}%d{mark}{year}")
    if len(a) == len(c) == 2 and _is_day("20" + a, b, c):
        found.append(f"%y{mark}%m{mark}%d")
    return tuple(found)


def _named(text: str) -> tuple[str, ...]:
    found = _NAMED.fullmatch(text)
    if not found:
        return ()
    month = (found["month"] or found["month2"]).lower()
    if month not in _SHORT and month not in _LONG:
        return ()
    word = "%b" if month in _SHORT else "%B"
    year = "%Y" if len(found["year"] or found["year2"]) == 4 else "%y"
    weekday = ""
    if found["weekday"]:
        weekday = ("%a" if len(found["weekday"]) == 3 else "%A") + found["after"]
    if found["day"]:
        return (f"{weekday}%d{found['a']}{word}{found['b']}{year}",)
    return (f"{weekday}{word}{found['c']}%d{found['d']}{year}",)
