"""A delimited text → records, each line of it accounted for.

A text whose lines are all records is read by DuckDB as it lies, and what it read is counted against
the lines. Any other is scanned, and its records lie as Parquet in the scratch, with their lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from duckdb import DuckDBPyConnection

from core.data.files.dialects import PADDED, Cutter, ReadAs
from core.data.files.encodings import Lines, Plain
from core.data.files.malformed import add_malformed, forget_malformed
from core.data.files.scan import FOOTER, Form, Scan, Tally, is_total
from core.data.files.sniff import Reading, choose_quote, quote_rivals, read_off, sample_lines
from core.data.files.sources import LINE, Source, check_width, unique_names
from core.errors import CoreError

BLOCK = 1 << 24
MOST_LIKE_HEADER = 1_000  # places in a block that may hold a header again


def open_text(
    con: DuckDBPyConnection,
    plain: Plain,
    target: Path,
    asked: ReadAs | None = None,
    *,
    limit: int | None = None,
) -> Source:
    """The records of a delimited text in UTF-8.

    Args:
        con: The connection with the table `malformed`.
        plain: The file.
        target: Where its records go if it is scanned.
        asked: How it is to be read; by what it looks like if not given.
        limit: Read only so many records, for a preview.

    Raises:
        BadInput: it is empty, has more columns than a log can have, or cannot be read as asked.
    """
    asked, name, path = asked or ReadAs(), plain.name, plain.path
    lines, whole = sample_lines(path)
    reading = read_off(name, lines, asked)
    form = reading.form
    check_width(name, form.width)
    names = [cell.strip() for cell in form.header]
    columns = unique_names(names or [f"column{n}" for n in range(form.width)])
    note = "; ".join(filter(None, (reading.note, _note(reading.tally, form))))
    if (
        not plain.careful
        and _is_plain(reading)
        and (limit or _holds_nothing_else(path, form, lines))
    ):
        return Source(name, path, columns, form=form, note=note, unit="lines")
    tally, form = _scan(con, name, path, target, reading, asked, limit, whole=whole)
    inner = tuple(f"c{n}" for n in range(form.width))
    note = "; ".join(filter(None, (reading.note, _note(tally, form))))
    return Source(
        name, target, columns, inner=inner, line=LINE, counted=tally.lines, note=note, unit="lines"
    )


def _is_plain(reading: Reading) -> bool:
    """Whether DuckDB reads this as we do, as far as the sample goes."""
    form = reading.form
    one_line = not any(kind == "continued" for kind, _ in form.start)
    return (
        reading.clean
        and one_line
        and not form.dialect.escape
        and not form.comment
        and form.dialect.delimiter not in PADDED
    )


def _holds_nothing_else(path: Path, form: Form, lines: Sequence[str]) -> bool:
    """Whether there are no zero bytes, inner byte order marks, mixed line ends, headers, totals."""
    signs = _signs(form, lines)
    usual = set("".join(lines[form.first : form.first + 2000]).encode())
    rare = bytes(byte for sign in signs[:1] for byte in sign if byte not in usual)[:1]
    ends: set[tuple[bool, bool]] = set()  # LF or not, CR or not
    at = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            if block.endswith(b"\r"):
                block += file.read(1)
            if b"\r" in block:
                lf, cr, crlf = (block.count(end) for end in (b"\n", b"\r", b"\r\n"))
                if lf and not lf == cr == crlf:
                    return False
            ends.add((b"\n" in block, b"\r" in block))
            if b"\0" in block or _has(block, b"\xef\xbb\xbf", b"\xef", 0 if at else 1):
                return False
            after = 0 if at else len("\n".join(lines[: form.first]).encode())
            if any(_has(block, sign, rare, after) for sign in signs) and any(
                _repeats(block, sign, form, first=not at) for sign in signs
            ):
                return False
            at += len(block)
        file.seek(max(0, at - 8192))
        tail = file.read().decode(errors="replace").splitlines()[-FOOTER:]
    if len(ends - {(False, False)}) > 1:
        return False
    cutter = Cutter(form.dialect)
    cuts = (cutter.cut(line) for line in tail)
    return not any(is_total(cut, form.width) for cut in cuts if not isinstance(cut, str))


def _has(block: bytes, sign: bytes, rare: bytes, begin: int) -> bool:
    """Whether the sign is there; a byte of it that is seldom is looked for first, being quicker."""
    at = block.find(rare, begin) if rare and rare in sign else begin
    return at >= 0 and block.find(sign, max(0, at - len(sign))) >= 0


def _signs(form: Form, lines: Sequence[str]) -> list[bytes]:
    """What a line that repeats the header, in this or another order, holds; few others do."""
    if not form.header:
        return []
    below = lines[form.first : form.first + 2000]
    names = [name.strip() for name in form.header if name.strip()]
    rarest = min(names, key=lambda x: (sum(x in line for line in below), -len(x)), default="")
    if not any(rarest in line for line in below):
        return [rarest.encode()]
    starts = [lines[form.first - 1], *(f"{x}{form.dialect.delimiter}" for x in form.header[1:20])]
    return [b"\n" + start.encode() for start in starts]


def _repeats(block: bytes, sign: bytes, form: Form, *, first: bool) -> bool:
    """Whether a line of this block has all the cells of the header, beside the header itself."""
    cutter, header = Cutter(form.dialect), sorted(cell.strip() for cell in form.header)
    at, seen = block.find(sign), 0
    while at >= 0:
        at += sign.startswith(b"\n")
        begin = max(block.rfind(b"\n", 0, at), block.rfind(b"\r", 0, at)) + 1
        ends = (e for e in (block.find(b"\n", at), block.find(b"\r", at)) if e >= 0)
        end = min(ends, default=len(block))
        cells = cutter.cut(block[begin:end].decode(errors="replace").lstrip("\ufeff"))
        same = not isinstance(cells, str) and sorted(cell.strip() for cell in cells) == header
        if same and (begin or not first):  # else it is the header itself
            return True
        seen += 1
        if (not begin and not first) or end == len(block) or seen > MOST_LIKE_HEADER:
            return True  # cut by the block's end, or in too many records: the scan tells
        at = block.find(sign, end)
    return False


def _scan(
    con: DuckDBPyConnection,
    name: str,
    path: Path,
    target: Path,
    reading: Reading,
    asked: ReadAs,
    limit: int | None,
    *,
    whole: bool,
) -> tuple[Tally, Form]:
    """Writes the records to `target`, and what is none of them to `malformed`."""
    form = reading.form
    tally = _write(con, name, path, target, form, limit)
    if tally.rejected and not whole and limit is None:
        form = _over_all(path, form, tally, asked)
        if form != reading.form:
            forget_malformed(con, name)
            tally = _write(con, name, path, target, form, limit)
    return tally, form


def _over_all(path: Path, form: Form, tally: Tally, asked: ReadAs) -> Form:
    """The form by quote and escape under which the whole text reads best, not only its start."""
    readings: list[tuple[Form, Tally]] = []
    for rival in quote_rivals(form, asked):
        escape = f"{rival.dialect.escape}{rival.dialect.quote}".encode()
        if rival.dialect.escape and rival != form and not _holds(path, escape):
            continue
        if rival != form:
            scan = Scan(Lines(path), rival)
            for _ in scan.batches():
                pass
            readings.append((rival, scan.tally))
        else:
            readings.append((form, tally))
    return choose_quote(readings)


def _holds(path: Path, sign: bytes) -> bool:
    """Whether two bytes stand side by side somewhere in a file."""
    last = b""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            if sign in last + block:
                return True
            last = block[-1:]
    return False


def _write(
    con: DuckDBPyConnection, name: str, path: Path, target: Path, form: Form, limit: int | None
) -> Tally:
    lines = Lines(path)
    scan = Scan(lines, form)
    names = [LINE, *(f"c{n}" for n in range(form.width))]
    schema = pa.schema([(n, pa.int64() if n == LINE else pa.string()) for n in names])
    with pq.ParquetWriter(target, schema, compression="lz4") as writer:
        left = limit
        for batch in scan.batches():
            add_malformed(con, name, batch.malformed)
            rows = batch.rows[:left]
            if rows:
                cells = map(_texts, zip(*rows, strict=True))
                numbers = pa.array(batch.numbers[:left], pa.int64())
                writer.write_table(pa.Table.from_arrays([numbers, *cells], schema=schema))
            if left is not None:
                left -= len(rows)
                if left <= 0:
                    return scan.tally
    if scan.tally.physical != lines.read:
        raise CoreError(
            f"{name} has {lines.read:,} lines, but {scan.tally.physical:,} are accounted for; this "
            "is a fault of Recscope, and nothing was imported"
        )
    return scan.tally


def _texts(cells: Sequence[str]) -> pa.Array:
    """The cells of a column; an empty one says nothing."""
    return pa.array([cell or None for cell in cells], pa.string())


def _note(tally: Tally, form: Form) -> str:
    """What a person should know of how a text was read that is no plain table."""
    told = []
    if form.dialect.escape:
        told.append("a backslash stands before a quote inside of quotes")
    if not form.dialect.quote:
        told.append("quotes are part of the text: it reads better without quoting")
    started = dict(form.start)
    if n := tally.header - started.get("header", 0):
        told.append(f"{n:,} more header lines are set aside, an order of theirs is obeyed")
    if tally.total:
        told.append(f"{tally.total:,} lines of totals at the end are set aside")
    if n := tally.comment - started.get("comment", 0):
        told.append(f"{n:,} lines of comments are passed over")
    return "; ".join(told)
