"""How a delimited text is to be read, by trying: the reading under which most lines are records."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from core.data.files.dialects import DELIMITERS, GAPS, PADDED, RUNS, Cutter, Dialect, ReadAs
from core.data.files.encodings import BOM, SAMPLE_BYTES, Lines
from core.data.files.headers import start_of
from core.data.files.scan import Form, Scan, Tally, is_number
from core.errors import BadInput

SAMPLE_LINES = 5_000
LEAST_TABLE = 20  # lines of one width above another table that are no preamble
TIE = 0.005  # shares of good lines that differ by less are as good as each other
_LEFT_OVER = {"\t": 2, "\x01": 2, "::": 2, ",": 1, ";": 1, "|": 1, "^": 1, "~": 1}
_DECIMAL = re.compile(r"\s*[-+]?[\d.]*,\d+\s*|\s*[-+]?\d{1,3}(,\d{3})+(\.\d*)?\s*")


@dataclass(frozen=True)
class Reading:
    """A way of reading a text, and how well the sample reads so."""

    form: Form
    tally: Tally
    note: str = ""  # what a person should know of it
    share: float = 0.0  # of the sample's lines that are records or of a named kind

    @property
    def clean(self) -> bool:
        """Whether each line of the sample, below its start, is a record."""
        before = sum(n for kind, n in self.form.start if kind != "blank")
        return self.tally.kept + before + self.tally.blank == self.tally.physical


def sample_lines(path: Path) -> tuple[list[str], bool]:
    """The whole lines at the start of a text, and whether they are all of it."""
    with path.open("rb") as file:
        start = file.read(SAMPLE_BYTES)
        whole = len(start) < SAMPLE_BYTES
        while not whole and b"\n" not in start and b"\r" not in start and len(start) < 1 << 22:
            more = file.read(SAMPLE_BYTES)
            start, whole = start + more, not more
    text = start.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    if whole and not lines[-1]:
        lines.pop()
    elif not whole and len(lines) > 1:
        lines.pop()  # cut off within
    return [line.lstrip(BOM) for line in lines], whole


def read_off(name: str, lines: Sequence[str], asked: ReadAs) -> Reading:
    """The reading of a text of which these are the first lines, as asked, else as they look.

    Raises:
        BadInput: it is empty, or cannot be read as asked.
    """
    comment = asked.comment or ""
    delimiters: Sequence[str] = DELIMITERS
    seen = [line for line in lines if not (comment and line.startswith(comment))]
    if not any(line.strip() for line in seen):
        raise BadInput(f"{name} is empty: it needs a line for each event, with a user and an item")
    if not asked.to_json():
        _refuse_blocks(name, [line for line in seen if line.strip()])
    text = "\n".join(seen)
    sep = re.fullmatch(r"sep=(.{1,2})", lines[0].strip(" \r").lower())
    if asked.delimiter:
        if not _holds(text, asked.delimiter):
            raise BadInput(
                f"{name} has no delimiter {asked.delimiter!r} in its first lines, as in "
                f"{next(line for line in seen if line.strip())[:60]!r}: give the one that it has"
            )
        delimiters = (asked.delimiter,)
    elif sep and any(sep[1] in line for line in seen[1:]):
        delimiters = (sep[1],)
    best: Reading | None = None
    for delimiter in dict.fromkeys([*delimiters, *(PADDED if " " in delimiters else [])]):
        if _holds(text, delimiter):
            found = _by_quote(lines[:SAMPLE_LINES], delimiter, asked)
            if best is None or _better(found, best, lines):
                best = found
    if best is None or best.share == 0:
        best = _reading(lines, Dialect(delimiters[0], _quotes(asked)[0]), asked, width=1)
    if asked.header_line is None:
        _refuse_two_tables(name, lines, best.form)
    return best


def _refuse_two_tables(name: str, lines: Sequence[str], form: Form) -> None:
    """Raises BadInput where what stands above the table is a table itself, of another width."""
    above = [line for line in lines[: form.first] if line.strip()]
    cutter = Cutter(form.dialect)
    widths = Counter(len(cutter.split(line)) for line in above[:-1])
    width, n = widths.most_common(1)[0] if widths else (0, 0)
    if n >= LEAST_TABLE and n >= 0.8 * len(above) and width > 2:
        raise BadInput(
            f"{name} holds two tables: its first {len(above) - 1:,} lines have {width} cells, "
            f"those below have {form.width}; give them as two files, or say which line names "
            "the columns"
        )


def _refuse_blocks(name: str, filled: Sequence[str]) -> None:
    """Raises BadInput where what is common to several lines stands above them, or a cell a line."""
    heads = [line for line in filled if re.fullmatch(r"[^,;|\t]{1,60}:\s*", line)]
    if filled[0] in heads and 2 <= len(heads) < len(filled) / 2:
        raise BadInput(
            f"{name} holds blocks: a line like {filled[0].strip()!r} stands above the lines that "
            "belong to it, as in Netflix' files; write what it says into each of its lines"
        )
    counted = re.fullmatch(r"[^\s,;|]+\|(\d{1,6})", filled[0])
    if counted and 0 < int(counted[1]) < len(filled) - 1:
        below = filled[1 : 1 + int(counted[1])]
        if not any("|" in line for line in below) and "|" in filled[1 + int(counted[1])]:
            raise BadInput(
                f"{name} holds blocks: {filled[0]!r} stands above the {counted[1]} lines that "
                "belong to it, as in Yahoo's files; write what it says into each of its lines"
            )
    keys = Counter(m[1] for line in filled if (m := re.match(r"([\w/.-]{1,60}): ", line)))
    again = sum(n for n in keys.values() if n > 1)
    if len(keys) > 2 and again >= 0.9 * len(filled) and filled[0].split(": ")[0] in keys:
        raise BadInput(
            f"{name} holds blocks of lines like {filled[0][:60]!r}, a value each, as in SNAP's "
            "files; make it a table with one line for each event"
        )


def choose_quote(readings: Sequence[tuple[Form, Tally]]) -> Form:
    """The form under which quotes mean what they mean in this text.

    Args:
        readings: Forms that differ in quote and escape, with what the same lines are under each:
            first a quote that is doubled inside of quotes.
    """
    plain, counted = readings[0]
    bare = next(((f, t) for f, t in readings if not f.dialect.quote), None)
    for form, tally in readings[1:]:
        if form.dialect.escape and tally.rejected < counted.rejected and tally.quoted:
            plain, counted = form, tally
    if bare is None or bare[1].kept + bare[1].continued <= counted.kept + counted.continued:
        return plain
    lost = counted.rejected - bare[1].rejected
    if counted.needed >= max(1, lost) or counted.quoted * 2 > counted.kept + lost:
        return plain  # quoting is real, so what breaks it is broken
    often = lost > max(1, 0.01 * counted.physical)
    return bare[0] if plain.dialect.delimiter == "\t" or counted.broken or often else plain


def quote_rivals(form: Form, asked: ReadAs, lines: Sequence[str] = ()) -> list[Form]:
    """The forms that this text may have, by quote and escape; the first one doubles its quote."""
    quotes = _quotes(asked)
    single = asked.quote is None and lines and _quotes_fields(lines, "'", form.dialect.delimiter)
    dialects = [Dialect(form.dialect.delimiter, "'")] if single else []
    for quote in quotes:
        dialects.append(Dialect(form.dialect.delimiter, quote))
        if quote:
            dialects.append(Dialect(form.dialect.delimiter, quote, "\\"))
    return [replace(form, dialect=dialect) for dialect in dialects]


def _quotes(asked: ReadAs) -> tuple[str, ...]:
    if asked.quote is None:
        return ('"', "")
    return ("",) if asked.quote == "none" else (asked.quote,)


def _holds(text: str, delimiter: str) -> bool:
    return {RUNS: " ", GAPS: "  "}.get(delimiter, delimiter) in text


def _by_quote(lines: Sequence[str], delimiter: str, asked: ReadAs) -> Reading:
    forms = quote_rivals(Form(Dialect(delimiter), 0), asked, lines)
    text = "\n".join(lines)
    forms = [f for f in forms if not f.dialect.quote or f.dialect.quote in text] or forms[-1:]
    forms = [f for f in forms if not f.dialect.escape or f"\\{f.dialect.quote}" in text]
    if not any(f.dialect.quote for f in forms) and asked.quote is None:
        forms = [Form(Dialect(delimiter), 0)]  # no quote in sight: any that comes is one
    readings = [_reading(lines, form.dialect, asked) for form in forms]
    chosen = choose_quote([(r.form, r.tally) for r in readings])
    return next(r for r in readings if r.form is chosen)


def _reading(
    lines: Sequence[str], dialect: Dialect, asked: ReadAs, width: int | None = None
) -> Reading:
    told = asked.header_line or 0
    records = _records(lines, dialect)
    if width is None:
        widths = Counter(len(record) for record in records if len(record) > 1)
        width = max(widths, key=lambda w: (widths[w], w), default=1)
        same = [record for record in records if len(record) == width]
        if same and len(records[0]) == width - 1 > 1 and not any(r[-1].strip() for r in same):
            width -= 1  # each record ends in a delimiter
    rough = Form(dialect, width, comment=asked.comment or "")
    start = start_of(lines, rough, told if asked.header_line is not None else None)
    header = start.header
    form = replace(
        rough,
        width=len(header) or width,
        header=header,
        first=start.first,
        start=start.lines,
        numeric=_numeric([record for record in records if len(record) == width]),
    )
    scan = Scan(Lines(lines=lines), form)
    for _ in scan.batches():
        pass
    tally = scan.tally
    good = tally.physical - tally.rejected - tally.preamble
    share = max(0.01, good / max(1, tally.physical) * bool(tally.kept)) if width > 1 else 0.0
    if dialect.delimiter == " ":
        share *= 0.9  # a blank is also just a blank
    elif dialect.delimiter in PADDED:
        share *= 0.91 if dialect.delimiter == GAPS else 0.89  # cells may have blanks in them
        share *= any("  " in line.strip() for line in lines)
    return Reading(form, tally, start.note, share)


def _records(lines: Sequence[str], dialect: Dialect) -> list[list[str]]:
    """The records, however many cells they have."""
    scan = Scan(Lines(), Form(dialect, 0))
    where, records, n = list(lines), [], 0
    while n < len(where):
        cells, span = scan.record(where, n, 0)
        if not isinstance(cells, str) and (len(cells) > 1 or where[n].strip(" ")):
            records.append(cells)
        n += span
    return records


def _numeric(rows: Sequence[Sequence[str]]) -> tuple[int, ...]:
    rows = rows[:1000]
    if len(rows) < 3:
        return ()
    return tuple(
        n for n in range(len(rows[0])) if sum(is_number(row[n]) for row in rows) >= 0.9 * len(rows)
    )


def _better(one: Reading, other: Reading, lines: Sequence[str]) -> bool:
    """Whether a reading is steadier, else leaves fewer delimiters in its cells, else cuts more."""
    if abs(one.share - other.share) > TIE:
        return one.share > other.share
    ones, others = ((-_left_over(r, lines), r.form.width, r.share) for r in (one, other))
    return ones > others


def _left_over(reading: Reading, lines: Sequence[str]) -> int:
    """How many cells hold another delimiter in most records, where it is no decimal comma."""
    form, tally = reading.form, reading.tally
    if tally.needed * 2 > tally.kept:
        return 0  # quotes say that what is in a cell is meant to be
    scan = Scan(Lines(lines=lines[:300]), form)
    rows = [row for batch in scan.batches() for row in batch.rows][:200]
    weight = 0
    for n in range(form.width if rows else 0):
        cells = [row[n] for row in rows]
        weight += max(
            (
                w
                for mark, w in _LEFT_OVER.items()
                if mark not in form.dialect.delimiter
                and sum(_is_left(cell, mark) for cell in cells) * 2 > len(cells)
            ),
            default=0,
        )
    return weight


def _is_left(cell: str, mark: str) -> bool:
    if mark not in cell or _DECIMAL.fullmatch(cell):
        return False
    return mark in ("\t", "\x01", "::") or mark in cell.replace(f"{mark} ", "")


def _quotes_fields(lines: Sequence[str], quote: str, delimiter: str) -> bool:
    """Whether this quote stands around cells, rather than in words."""
    seen = [line for line in lines[:100] if line.strip()]
    pairs = sum((delimiter + quote) in line and (quote + delimiter) in line for line in seen)
    return not any('"' in line for line in lines) and pairs > len(seen) / 2
