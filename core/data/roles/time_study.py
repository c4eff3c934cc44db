"""In which ways a column writes times, by all its cells: they are looked at shape by shape.

Two cells have the same shape if they differ in their digits only, so that a column of millions has
a handful. What a shape may be read as is tried on some of its cells; where day and month could
change places, all cells are counted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from duckdb import DuckDBPyRelation

from core.data.roles.missing import missing_sql, trimmed
from core.data.roles.spellings import ways_of
from core.data.roles.times import UNITS, TimeFormat, moment_sql, text_sql
from core.data.store import quoted

MOST_STUDIED = 64  # columns that might hold the times by what they hold: each is asked by itself
SHAPES, EXAMPLES = 500, 32
MANY, FAR = 20, 8  # different cells, and times that a span is wider, that tell a year stands first
DATED = re.compile(r"date|datum|fecha|日期", re.IGNORECASE)
UNIT_WORDS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
AMBIGUOUS = (
    "nothing in the log says which; say time_format=… if it is the other, since every day is "
    "12 or less"
)


@dataclass(frozen=True)
class Cells:
    """The cells of one file that say when."""

    file: str
    rows: DuckDBPyRelation
    cell: str  # SQL
    type: str

    @property
    def typed(self) -> bool:
        return self.type.startswith(("TIMESTAMP", "DATE"))

    def count(self, way: str) -> int:
        """How many of them this way reads."""
        moment = moment_sql(self.cell, self.type, way)
        return int(self.rows.aggregate(f"count({moment})").fetchall()[0][0])

    def different(self) -> int:
        """How many different cells there are."""
        return int(self.rows.aggregate(f"count(DISTINCT {self.cell})").fetchall()[0][0])

    def ends(self, way: str) -> list[float]:
        """The first and the last moment in this reading, in days; none if there is no moment."""
        moment = f"epoch({moment_sql(self.cell, self.type, way)}) / 86400"
        return [x for x in self.rows.aggregate(f"min({moment}), max({moment})").fetchall()[0] if x]


@dataclass(frozen=True)
class Shape:
    """The cells of one shape: how many, some of them, and the ways that read each of these."""

    n: int
    examples: tuple[str, ...]
    ways: tuple[tuple[str, ...], ...]


def shapes_of(cells: Cells, *, dated: bool) -> list[Shape]:
    """The shapes of a file's cells, the most frequent first; what is missing has none."""
    text = text_sql(cells.cell, cells.type)
    filled = cells.rows.project(f"{text} AS x").filter(f"NOT ({missing_sql('x')})")
    shaped = filled.project(f"{trimmed('x')} AS x").project(
        "x, translate(x, '012345678', '999999999') AS shape"
    )
    groups = (
        shaped.aggregate(
            f"shape, count(*) AS n, min(x), max(x), arg_min(x, hash(x), {EXAMPLES})", "shape"
        )
        .order("n DESC, shape")
        .limit(SHAPES)
    )
    found = []
    for _, n, low, high, others in groups.fetchall():
        examples = tuple(dict.fromkeys([low, high, *others]))
        ways = tuple(ways_of(text, dated=dated) for text in examples)
        found.append(Shape(n, examples, ways))
    return found


def study(columns: Sequence[Cells], name: str, *, looks_ordered: bool) -> TimeFormat | None:
    """How these cells write times, each file for itself; None if they do not look like times.

    Args:
        columns: The cells, file by file.
        name: The name of their column.
        looks_ordered: Whether small whole numbers may be taken for an order.
    """
    if all(cells.typed for cells in columns):
        return TimeFormat("iso", 1.0, f"the column is of type {columns[0].type}")
    dated = bool(DATED.search(name))
    texts = [cells for cells in columns if not cells.typed]
    shapes = {cells.file: shapes_of(cells, dated=dated) for cells in texts}
    every = [shape for found in shapes.values() for shape in found]
    filled = sum(shape.n for shape in every)
    if not filled:
        return None
    numbers = sum(s.n for s in every if re.fullmatch(r"-?\d+(\.\d*)?", s.examples[0]))
    chosen = _choose(texts, shapes)
    ways = {cells.file: _joined(cells.file, shapes, chosen) for cells in texts}
    # What a rival reads counts as well: a sample of several files may hold both.
    every_way = {way for shape in every for found in shape.ways for way in found}
    anyhow = "|".join(sorted(every_way, key=_place))
    share = sum(cells.count(anyhow) for cells in texts) / filled if anyhow else 0.0
    if share >= (0.5 if numbers >= 0.9 * filled else 0.8):
        return _told(ways, share, every, chosen, columns)
    if looks_ordered and numbers >= 0.9 * filled:
        low = min(float(s.examples[0]) for s in every if _is_number(s.examples[0]))
        return TimeFormat(
            "order", numbers / filled, f"whole numbers from {low:.0f}: an order, not a time of day"
        )
    return None


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"-?\d+(\.\d*)?", text))


@dataclass(frozen=True)
class Choice:
    """Which of the rivals that differ in the places of day, month and year is read, and why."""

    day: str  # the way without its clock
    rival: str | None
    why: str


def _key(way: str) -> str:
    """What rivals have in common: 01/02/2024 may be read in two ways, which have one key."""
    return re.sub(r"%[dmy]", "?", way)


def _day_of(way: str) -> str:
    """The part of a way that says the day: up to the clock."""
    return re.split(r"(?:, ?|[ T:]+)%[HI]| %Z", way)[0]


def _choose(
    columns: Sequence[Cells], shapes: dict[str, list[Shape]]
) -> dict[tuple[str, str], Choice]:
    """(file, key of a day) → the choice among its rivals."""
    rivals: dict[str, dict[str, set[str]]] = {}  # key of a day → day → the ways with it
    for found in shapes.values():
        for shape in found:
            for way in {way for ways in shape.ways for way in ways}:
                day = _day_of(way)
                rivals.setdefault(_key(day), {}).setdefault(day, set()).add(way)
    chosen: dict[tuple[str, str], Choice] = {}
    for key, days in rivals.items():
        if len(days) == 1:
            chosen |= {(cells.file, key): Choice(next(iter(days)), None, "") for cells in columns}
            continue
        clocks = {way.removeprefix(day) for day, ways in days.items() for way in ways}
        ways = {day: "|".join(sorted(day + clock for clock in clocks)) for day in sorted(days)}
        counts = {c.file: {day: c.count(way) for day, way in ways.items()} for c in columns}
        total = {day: sum(found[day] for found in counts.values()) for day in ways}
        overall = _decided(total) or _closest(columns, ways, total)
        for cells in columns:
            chosen[cells.file, key] = _decided(counts[cells.file]) or overall
    return chosen


def _decided(counts: dict[str, int]) -> Choice | None:
    """The day that reads most cells, if one does."""
    best = sorted(counts, key=lambda day: -counts[day])
    if counts[best[0]] == counts[best[1]]:
        return None
    why = "a number above 12 stands for the day"
    return Choice(best[0], None, why if "%y" not in best[0][:2] else "it alone reads all")


def _closest(columns: Sequence[Cells], ways: dict[str, str], counts: dict[str, int]) -> Choice:
    """Of rivals that read as many cells: the one whose days lie close together, else the first."""
    most = max(counts.values())
    left = [day for day in ways if counts[day] == most]
    if first := _year_first(columns, ways, left):
        return first
    left = [day for day in left if not day.startswith("%y")] or left  # a year stands last, or whole
    if len(left) == 1:
        return Choice(left[0], None, "the year stands last, as nothing else is said")
    spans = {}
    for day in left:
        ends = _ends(columns, ways[day])
        spans[day] = max(ends) - min(ends) if ends else 0.0
    order = sorted(left, key=lambda day: spans[day])
    near, far = order[0], order[1]
    if spans[near] < spans[far] / 2:
        return Choice(
            near,
            far,
            f"in the order of time its days lie close together, {spans[near]:.0f} from first to "
            f"last and not {spans[far]:.0f}; say time_format=… if it is the other",
        )
    return Choice(left[0], left[1], AMBIGUOUS)


def _year_first(
    columns: Sequence[Cells], ways: dict[str, str], left: Sequence[str]
) -> Choice | None:
    """A year of two digits that stands first, where the days lie far closer together so."""
    first = next((day for day in left if day.startswith("%y")), None)
    others = [day for day in left if day != first]
    if first is None or not others or sum(cells.different() for cells in columns) < MANY:
        return None
    spans = {day: max(x) - min(x) for day in left if (x := _ends(columns, ways[day]))}
    near = min(others, key=lambda day: spans.get(day, 0.0))
    if spans[first] * FAR >= spans[near]:
        return None
    return Choice(
        first,
        near,
        f"so its days lie close together, {spans[first]:.0f} from first to last and not "
        f"{spans[near]:.0f}; say time_format=… if it is the other",
    )


def _ends(columns: Sequence[Cells], way: str) -> list[float]:
    return [moment for cells in columns for moment in cells.ends(way)]


def _joined(
    file: str, shapes: dict[str, list[Shape]], chosen: dict[tuple[str, str], Choice]
) -> str:
    """The ways that this file needs, as one."""
    every = {way for shape in shapes[file] for ways in shape.ways for way in ways}
    found = [way for way in every if chosen[file, _key(_day_of(way))].day == _day_of(way)]
    return "|".join(sorted(found, key=_place))


def _place(way: str) -> tuple[int, str]:
    known = ("iso", *UNITS, "excel")
    return (known.index(way) if way in known else len(known)), way


def _told(
    ways: dict[str, str],
    share: float,
    shapes: Sequence[Shape],
    chosen: dict[tuple[str, str], Choice],
    columns: Sequence[Cells],
) -> TimeFormat:
    every = {one for way in ways.values() for one in way.split("|") if one}
    together = "|".join(sorted(every, key=_place))
    used = {
        (file, choice)
        for (file, _), choice in chosen.items()
        if choice.why and any(_day_of(one) == choice.day for one in ways[file].split("|"))
    }
    choices = sorted({choice for _, choice in used}, key=lambda c: (c.rival is None, c.day))
    evidence = _evidence(together, shapes, choices)
    differ = len(set(ways.values())) > 1
    if differ:
        listed = "; ".join(
            f"{file} as {way.replace('|', ' or ')}" for file, way in sorted(ways.items())
        )
        evidence += f"; each file for itself: {listed}"
    rival = next((c for c in choices if c.rival), None)
    rival_way = together.replace(rival.day, str(rival.rival)) if rival else None
    return TimeFormat(together, share, evidence, rival_way, by_file=ways if differ else {})


def _evidence(way: str, shapes: Sequence[Shape], choices: Sequence[Choice]) -> str:
    told = []
    for one in way.split("|"):
        example = next(
            (
                x
                for s in shapes
                for x, found in zip(s.examples, s.ways, strict=True)
                if one in found
            ),
            "",
        )
        if one == "iso":
            told.append("ISO 8601 (times without a zone are taken as UTC)")
        elif one in UNITS:
            told.append(f"numbers such as {example}: {UNIT_WORDS[one]} since 1970")
        elif one == "excel":
            told.append(f"numbers such as {example}: days as Excel counts them")
        elif example.isdecimal():
            told.append(f"all digits, read as {one}")
        else:
            told.append(f"read as {one}")
    sentence = "; or ".join(told)
    for choice in choices:
        sentence += f", not {choice.rival}: {choice.why}" if choice.rival else f": {choice.why}"
    return sentence


def guess_time(
    sample: DuckDBPyRelation, column: str, *, type: str, looks_ordered: bool
) -> TimeFormat | None:
    """How one column of one table writes times; None if it does not look like times at all."""
    cells = Cells("", sample, quoted(column), type)
    found = study([cells], column, looks_ordered=looks_ordered)
    return replace(found, by_file={}) if found else None


def needs_all(time: TimeFormat) -> bool:
    """Whether the ways found in a sample must be looked at over the whole log before it is read.

    ISO and Unix times tell themselves: there it is enough to look again if a cell was not read.
    """
    return not time.said and not set(time.way.split("|")) <= {"iso", "order", *UNITS}


def settle(columns: Sequence[Cells], name: str, time: TimeFormat) -> TimeFormat:
    """The reading that fits the whole log."""
    if time.said or time.way == "order":
        return time
    return study(columns, name, looks_ordered=False) or time


def settle_format(logs: Sequence[DuckDBPyRelation], column: str, time: TimeFormat) -> TimeFormat:
    """The same for a column of texts of logs without names."""
    columns = [Cells(str(n), log, quoted(column), "VARCHAR") for n, log in enumerate(logs)]
    return replace(settle(columns, column, time), by_file={})
