"""Where a table begins in its file: below comments and a preamble, with or without a header."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.data.files.encodings import Lines
from core.data.files.scan import Form, Scan, is_number
from core.data.roles.names import NAMES, plain
from core.errors import BadInput

SIGNS = ("#", "%")
DEEPEST = 100  # lines among which the header is looked for
_KNOWN = {name for role in ("user_id", "item_id", "timestamp", "event") for name in NAMES[role]}


@dataclass(frozen=True)
class Start:
    """What stands before the first record."""

    first: int  # lines, or rows, before it
    header: tuple[str, ...]  # () without one
    lines: tuple[tuple[str, int], ...]  # kind → how many of those lines: comment, blank, …
    note: str = ""  # what a person should know of it


def start_of(lines: Sequence[str], form: Form, told: int | None) -> Start:
    """Where the records of a text begin; below the line that a person says, if one does (0: none).

    Raises:
        BadInput: that line names no columns.
    """
    scan = Scan(Lines(lines=lines), form)
    where = list(lines)

    def cut(n: int) -> tuple[list[str] | str, int]:
        if form.comment and where[n].startswith(form.comment):
            return "a comment", 1
        return scan.record(where, n, 0)

    if not told:
        start = find_start(where, cut, form.width)
        if told is None or not start.header:
            return start
        rest = tuple((kind, n) for kind, n in start.lines if kind not in ("header", "continued"))
        return Start(sum(n for _, n in rest), (), rest)
    if told > len(lines):
        raise BadInput(f"the header line is {told}, but there are {len(lines)} lines: give another")
    before = Counter(
        "comment"
        if form.comment and line.startswith(form.comment)
        else ("preamble" if line.strip() else "blank")
        for line in lines[: max(0, told - 1)]
    )
    cells, span = cut(told - 1)
    if isinstance(cells, str):
        raise BadInput(
            f"line {told} is no header: {lines[told - 1][:60]!r} cannot be cut into cells "
            f"{form.dialect.said} ({cells})"
        )
    more = (("continued", span - 1),) if span > 1 else ()
    return Start(told - 1 + span, tuple(cells), (*before.items(), ("header", 1), *more))


def find_start(
    lines: Sequence[str | Sequence[str]],
    cut: Callable[[int], tuple[list[str] | str, int]],
    width: int,
) -> Start:
    """Where the records of a table begin.

    Args:
        lines: The first lines of a text, or rows of a sheet.
        cut: The line → the cells of the record that begins there and the lines that it fills; a
            text if it is none.
        width: The cells of most records.
    """
    kinds: list[str] = []
    n = 0
    if _is_sep(lines[0]):
        kinds, n = ["preamble"], 1
    n = _pass_comments(lines, cut, width, n, kinds)
    named = _commented_header(lines, cut, width, n)
    after = n
    while n < min(len(lines), DEEPEST + after):
        if not _filled(lines[n]):
            kinds.append("blank")
            n += 1
            continue
        cells, span = cut(n)
        if isinstance(cells, str) or not _fits(cells, width):
            kinds.append("preamble")
            n += 1
            continue
        below = [row for row in _below(lines, cut, n + span) if _fits(row, width)]
        if is_header([cells, *below]) and not _is_title(cells, below):
            kinds += ["header"] * span
            return _start(kinds, n + span, cells)
        if not _is_title(cells, below):
            break  # the first record
        kinds.append("preamble")
        n += 1
    if named and "preamble" not in kinds:
        kinds[after - 1] = "header"
        return _start(kinds, n, named)
    if n > after and n < len(lines) and kinds[-1] == "blank" and "preamble" in kinds:
        return _start(kinds, n, [])
    return _odd_header(lines, cut, width, after, kinds[:after])


def is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns: no cell of it is a number, and all differ.

    Where some are numbers, others must be well-known names: `user,101,102` over ratings; a first
    one that is blank stands above people as well, `,101,102,103,104,105`.
    """
    first = [cell.strip() for cell in rows[0]]
    filled = [cell.lower() for cell in first if cell]
    known = sum(plain(cell.split(":")[0]) in _KNOWN for cell in filled)
    if not filled:
        return False
    if any(is_number(cell) for cell in filled):
        blank = not first[0] and len(first) > 5 and all(map(str.isdecimal, first[1:]))
        return (known > 0 or blank) and len(set(filled)) == len(filled) and not is_number(first[0])
    if known > 1 and len(set(filled)) == len(filled):
        return True
    below = [row for row in rows[1:200] if list(row) != list(rows[0])]
    if not below:
        return True
    numeric_below = any(
        sum(is_number(row[n]) for row in below if n < len(row)) > len(below) / 2
        for n in range(len(first))
    )
    again = sum(row[n] == rows[0][n] for row in below for n in range(min(len(row), len(first))))
    return numeric_below or not again


def _is_title(cells: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether a row that is mostly blank stands above the one that names the columns."""
    if sum(map(bool, cells)) * 2 > len(cells) or len(cells) < 3:
        return False
    full = (n for n, row in enumerate(below[:20]) if all(row[: len(cells)]))
    n = next(full, None)
    return n is not None and len(below) > n + 1 and is_header(below[n:])


def _start(kinds: Sequence[str], first: int, header: Sequence[str]) -> Start:
    counted = Counter(kinds)
    header_lines = counted.pop("header", 0)
    lines = [*counted.items(), *([("header", 1)] if header_lines else [])]
    lines += [("continued", header_lines - 1)] if header_lines > 1 else []
    note = ""
    passed = [f"{counted[kind]} {kind}" for kind in ("comment", "preamble") if counted[kind]]
    if passed:
        found = f"the header on line {first - header_lines + 1}" if header else "no header"
        note = f"{' and '.join(passed)} lines are passed over at the start, {found}"
    return Start(first, tuple(header), tuple(lines), note)


def _is_sep(line: str | Sequence[str]) -> bool:
    """Whether this is Excel's own first line, which names the delimiter."""
    return isinstance(line, str) and bool(re.fullmatch(r"sep=.{1,2}", line.strip(" \r").lower()))


def _filled(line: str | Sequence[str]) -> bool:
    return bool(line.strip()) if isinstance(line, str) else any(line)


def _pass_comments(
    lines: Sequence[str | Sequence[str]],
    cut: Callable[[int], tuple[list[str] | str, int]],
    width: int,
    n: int,
    kinds: list[str],
) -> int:
    """The line after the comments at the start; there are none where all lines begin so."""
    sign = next((s for s in SIGNS if n < len(lines) and _begins(lines[n], s)), None)
    if sign is None:
        return n
    end = next((m for m in range(n, len(lines)) if not _begins(lines[m], sign)), len(lines))
    rest = [line for line in lines[end : end + 200] if _filled(line)]
    if not rest or sum(_begins(line, sign) for line in rest) * 2 > len(rest):
        return n
    cells, _ = cut(n)
    fits = not isinstance(cells, str) and _fits(cells, width)
    if end == n + 1 and fits and cells[0].strip() == sign:
        return n  # a column of numbers of lines, named "#"
    kinds += ["comment"] * (end - n)
    return end


def _begins(line: str | Sequence[str], sign: str) -> bool:
    text = line if isinstance(line, str) else (line[0] if line else "")
    return text.startswith(sign)


def _commented_header(
    lines: Sequence[str | Sequence[str]],
    cut: Callable[[int], tuple[list[str] | str, int]],
    width: int,
    n: int,
) -> list[str]:
    """The names in the last comment, as in `# user_id item_id`; [] if it holds none."""
    if not n or not any(_begins(lines[n - 1], sign) for sign in SIGNS):
        return []
    cells, _ = cut(n - 1)
    if isinstance(cells, str):
        return []
    cells = [cells[0].lstrip("#% "), *cells[1:]]
    cells = cells if cells[0] else cells[1:]
    known = any(plain(cell) in _KNOWN for cell in cells)
    good = len(cells) == width and all(cells) and known and not any(map(is_number, cells))
    return cells if good and len(set(cells)) == width else []


def _fits(cells: Sequence[str], width: int) -> bool:
    return len(cells) == width or (len(cells) == width + 1 and not cells[-1])


def _below(
    lines: Sequence[str | Sequence[str]],
    cut: Callable[[int], tuple[list[str] | str, int]],
    n: int,
) -> list[list[str]]:
    rows: list[list[str]] = []
    while n < len(lines) and len(rows) < 200:
        cells, span = cut(n)
        if not isinstance(cells, str):
            rows.append(cells)
        n += span
    return rows


def _odd_header(
    lines: Sequence[str | Sequence[str]],
    cut: Callable[[int], tuple[list[str] | str, int]],
    width: int,
    n: int,
    kinds: list[str],
) -> Start:
    """A header of another width than the records, or none at all."""
    while n < len(lines) and not _filled(lines[n]):
        kinds.append("blank")
        n += 1
    cells, span = cut(n) if n < len(lines) else ("", 1)
    if isinstance(cells, str) or _fits(cells, width) or len(cells) < 2:
        return _start(kinds, n, [])
    below = [row for row in _below(lines, cut, n + span) if len(row) == width]
    names = [cell.strip() for cell in cells]
    if not below or any(map(is_number, names)) or len(set(names)) < len(names) or not all(names):
        return _start(kinds, n, [])
    if len(cells) == width - 1 and len({row[0] for row in below}) == len(below):
        cells = ["", *cells]  # R writes the names of rows without a name for their column
    return _start([*kinds, *["header"] * span], n + span, cells)
