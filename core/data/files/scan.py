"""A delimited text read to its end: each line is part of a record, rejected, or of a named kind.

A record is rejected with its first line, and reading goes on at the next one: an open quote costs
the line that it stands in. Memory is bounded by two blocks of the file, look-ahead by LOOK lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from core.data.files.dialects import BROKEN, OPEN, PADDED, Cutter, Dialect
from core.data.files.encodings import MAX_LINE_BYTES, Lines

LOOK = 1_000  # lines that one record may fill
RECORD_CHARS = 10_000  # of a malformed record that are kept
TOTAL = re.compile(
    r"(grand |sub)?totals?|sum|overall|summe|gesamt(summe)?|total g[eé]n[eé]ral|totale|итого"
    r"|合计|总计|小计",
    re.I,
)
FOOTER = 10  # lines at the end among which totals are looked for


@dataclass(frozen=True)
class Form:
    """What a record of a text looks like, and where the first one stands."""

    dialect: Dialect
    width: int  # 0: any
    header: tuple[str, ...] = ()  # the cells that name the columns; () without them
    first: int = 0  # lines before the first record
    numeric: tuple[int, ...] = ()  # the cells that hold numbers, nearly always
    comment: str = ""  # lines that begin so are none
    start: tuple[tuple[str, int], ...] = ()  # kind → lines, of those before the first record


@dataclass
class Tally:
    """Lines by what they are; their sum is that of the file."""

    kept: int = 0  # records
    rejected: int = 0
    continued: int = 0  # lines of a record after its first, inside of quoted cells
    header: int = 0
    blank: int = 0
    comment: int = 0
    preamble: int = 0
    total: int = 0
    quoted: int = 0  # records with a quoted cell; no kind of line, as those below
    needed: int = 0  # records that cannot be read without quoting
    broken: int = 0  # rejected since text follows a closing quote

    @property
    def lines(self) -> dict[str, int]:
        names = ["kept", "rejected", "continued", "header", "blank", "comment", "preamble", "total"]
        return {name: getattr(self, name) for name in names}

    @property
    def physical(self) -> int:
        return sum(self.lines.values())


@dataclass
class Batch:
    """What one block of a text holds: records with their lines, and what is none."""

    rows: list[list[str]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    malformed: list[tuple[int, str, str]] = field(default_factory=list)  # line, detail, record


class Scan:
    """One way through a text: batches of records, and in the end the tally of its lines."""

    def __init__(self, lines: Lines, form: Form) -> None:
        self.tally = Tally()
        self._lines, self._form = lines, form
        self._cutter = Cutter(form.dialect)
        self._names = {*form.header, *(name.strip() for name in form.header)}
        self._order: list[int] | None = None  # of the cells, below a header in another order

    def batches(self) -> Iterator[Batch]:
        """The records, a batch a block."""
        for kind, n in self._form.start:
            setattr(self.tally, kind, getattr(self.tally, kind) + n)
        window: list[str] = []
        at, skip = 0, self._form.first  # the line, from 0, of the window's first
        blocks = iter(self._lines)
        ended = False
        while not ended:
            block = next(blocks, None)
            ended = block is None
            window += block or []
            batch = Batch()
            last = len(window) - len(block or [])  # the newest block is what may be looked at
            done = self._take(window, at, skip, last, ended, batch)
            skip = max(0, skip - done)
            window, at = window[done:], at + done
            yield batch

    def _take(
        self, window: list[str], at: int, skip: int, last: int, ended: bool, batch: Batch
    ) -> int:
        """Reads the window up to the line `last`; the lines done."""
        n, odd = min(skip, len(window)), self._lines.odd
        width, quote = self._form.width, self._form.dialect.quote
        delimiter, comment = self._form.dialect.delimiter, self._form.comment
        quick = delimiter not in PADDED
        names, rows, numbers = self._names, batch.rows, batch.numbers
        while n < last:
            line = window[n]
            if quick and not (quote and quote in line) and not (odd and at + n in odd):
                cells = line.split(delimiter)
                if (
                    len(cells) == width
                    and width > 1
                    and cells[0] not in names
                    and not (comment and line.startswith(comment))
                    and not (ended and n >= last - FOOTER)
                ):
                    rows.append([cells[k] for k in self._order] if self._order else cells)
                    numbers.append(at + n + 1)
                    self.tally.kept += 1
                    n += 1
                    continue
            n += self._judge(window, n, at, ended, batch)
        return n

    def _judge(self, window: list[str], n: int, at: int, ended: bool, batch: Batch) -> int:
        """Says what the line `n` is, the slow way; the lines that it takes."""
        line, tally, form = window[n], self.tally, self._form
        if at + n in self._lines.odd:
            return self._reject(window, n, at, self._lines.odd[at + n], batch)
        if not line.strip(" \t\x1a") and (
            form.dialect.delimiter != line[:1] or not line.strip(" ")
        ):
            tally.blank += 1
            return 1
        if form.comment and line.startswith(form.comment):
            tally.comment += 1
            return 1
        cells, span = self.record(window, n, at)
        if isinstance(cells, str):
            tally.broken += cells == BROKEN
            return self._reject(window, n, at, cells, batch)
        if len(cells) == form.width + 1 and not cells[-1]:  # a delimiter at the end of the line
            cells = cells[:-1]
        if self._is_header(cells):
            tally.header += 1
            tally.continued += span - 1
            return span
        if ended and n >= len(window) - FOOTER and is_total(cells, form.width):
            tally.total += 1
            return 1
        if len(cells) != form.width:
            few = "few" if len(cells) < form.width else "many"
            return self._reject(window, n, at, f"too {few} cells: {form.width} are expected", batch)
        if span > 1 or self._cutter.quotes(line):
            tally.quoted += 1
            tally.needed += (
                span > 1
                or len(self._cutter.split(line)) != form.width
                or any(form.dialect.quote in cell for cell in cells)
            )
        batch.rows.append([cells[k] for k in self._order] if self._order else cells)
        batch.numbers.append(at + n + 1)
        tally.kept += 1
        tally.continued += span - 1
        return span

    def record(self, window: list[str], n: int, at: int) -> tuple[list[str] | str, int]:
        """The record that begins in line `n`, and the lines that it fills."""
        cells = self._cutter.cut(window[n])
        size, stop = len(window[n]), min(len(window), n + LOOK)
        tries, m = 0, n + 1
        while cells == OPEN and m < stop and tries < 100:
            size += len(window[m])
            if size > MAX_LINE_BYTES or at + m in self._lines.odd:
                break
            if self._form.dialect.quote in window[m] and self._cutter.closes(window[m]):
                tries += 1
                cells = self._cutter.cut("\n".join(window[n : m + 1]))
            m += 1
        if isinstance(cells, str):
            return cells, 1
        span = m - n
        width = self._form.width or len(cells)
        if span > 1 and (len(cells) != width or self._swallows(window[n + 1 : m - 1])):
            return OPEN, 1
        return cells, span

    def _swallows(self, inner: Sequence[str]) -> bool:
        """Whether lines inside of a quoted cell look like records that an open quote took in."""
        least = 1 if self._form.numeric else 3
        return len(inner) >= least and sum(map(self._is_record, inner)) * 2 > len(inner)

    def _is_record(self, line: str) -> bool:
        cells = self._cutter.split(line)
        return len(cells) == self._form.width > 1 and all(
            is_number(cells[n]) for n in self._form.numeric
        )

    def _is_header(self, cells: list[str]) -> bool:
        """Whether this is the header again, maybe in another order, which then holds below."""
        header = self._form.header
        if not header or cells[0].strip() not in self._names or len(cells) != len(header):
            return False
        names, again = ([cell.strip() for cell in x] for x in (header, cells))
        if again != names and (sorted(again) != sorted(names) or len(set(again)) != len(again)):
            return False
        order = [again.index(name) for name in names] if again != names else list(range(len(names)))
        self._order = None if order == sorted(order) else order
        return True

    def _reject(self, window: list[str], n: int, at: int, detail: str, batch: Batch) -> int:
        record = window[n][:RECORD_CHARS] + (" …" if len(window[n]) > RECORD_CHARS else "")
        record = record.encode(errors="surrogateescape").decode(errors="replace")
        batch.malformed.append((at + n + 1, detail, record.replace("\0", "\u2400")))
        self.tally.rejected += 1
        return 1


def is_total(cells: Sequence[str], width: int) -> bool:
    """Whether a record sums up those above it: `Total,,,199`."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    if not filled or len(filled) >= width:
        return False
    return bool((TOTAL.fullmatch if len(cells) == width else TOTAL.match)(filled[0].rstrip(":")))


def is_number(cell: str) -> bool:
    """Whether a cell is a number, with a point or a comma; "nan" and "inf" are words."""
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return cell.strip().lower().lstrip("+-") not in ("nan", "inf", "infinity")
