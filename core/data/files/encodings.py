"""Texts in any encoding → UTF-8: which one it is, by its bytes, the copy in UTF-8, its lines."""

from __future__ import annotations

import codecs
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import charset_normalizer

from core.errors import BadInput

BLOCK = 1 << 20
SAMPLE_BYTES = 256 * 1024
LINES_BLOCK = 1 << 22
MAX_LINE_BYTES = 2_000_000
BOM = "\ufeff"
WANTED = "it must be CSV, TSV, JSON lines, Parquet or XLSX, or a .gz or .zip of them"
# The rivals of GB18030 and Latin-1 (as Windows writes it). Each further one makes the others less
# sure: with cp1250 among them, a French text in Latin-1 reads "Hélčne".
ENOUGH = 200  # bytes that are not ASCII; with fewer, statistics of letters say too little
ENCODINGS = ("gb18030", "cp1252", "big5", "shift_jis", "euc_kr", "cp1251")


@dataclass(frozen=True)
class Plain:
    """One unpacked file. `kind` is "text", "parquet", "xlsx" or "npz"."""

    name: str  # as the person knows it: "ratings.csv", "archive.zip/ratings.csv"
    path: Path
    kind: str
    encoding: str = "utf-8"  # what a text was written in; the file at `path` is UTF-8
    careful: bool = False  # scan a delimited text line by line, whatever it looks like


def as_utf8(plain: Plain, scratch: Path) -> Plain:
    """The file itself if its start is UTF-8, else a copy in UTF-8."""
    if plain.kind != "text":
        return plain
    with plain.path.open("rb") as file:
        start = file.read(SAMPLE_BYTES)
    encoding = guess_encoding(plain.name, start, whole=len(start) < SAMPLE_BYTES)
    return plain if encoding == "utf-8" else reencode(plain, encoding, scratch)


def guess_encoding(name: str, start: bytes, *, whole: bool) -> str:
    """The encoding of a text, by its first bytes; "utf-8" also for plain ASCII.

    Raises:
        BadInput: it is no text.
    """
    for bom, encoding in (
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if start.startswith(bom):
            return encoding
    nul = start.count(0)
    if nul:
        if start[1::2].count(0) > 0.9 * nul and nul > 0.2 * len(start):
            return "utf-16-le"
        if start[0::2].count(0) > 0.9 * nul and nul > 0.2 * len(start):
            return "utf-16-be"
        if nul > 0.01 * len(start):
            raise BadInput(f"{name} is a binary file ({nul} zero bytes at its start): {WANTED}")
    if is_utf8(start, whole=whole) or _is_mostly_utf8(start):
        return "utf-8"
    controls = sum(start.count(c) for c in range(32) if c not in (9, 10, 12, 13, 26, 27))
    if controls > 0.02 * len(start):
        raise BadInput(f"{name} is a binary file, not text: {WANTED}")
    return _legacy_encoding(start, whole=whole)


def is_utf8(data: bytes, *, whole: bool) -> bool:
    """Whether these bytes are UTF-8; a character cut off at the end counts unless it is whole."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data, final=whole)
    except UnicodeDecodeError:
        return False
    return True


def _is_mostly_utf8(data: bytes) -> bool:
    """Whether what is not ASCII is UTF-8 but for a few bytes: the lines with these are rejected."""
    text = data.decode("utf-8", errors="replace")
    bad = text.count("\ufffd")
    return len(text.encode("ascii", "ignore")) + 5 * bad < len(text)


def _legacy_encoding(data: bytes, *, whole: bool) -> str:
    """GB18030, Latin-1 or another encoding of one or two bytes; Latin-1 reads anything."""
    if not whole and b"\n" in data:
        data = data[: data.rindex(b"\n")]
    lines = [line for line in data.split(b"\n") if not line.isascii()]
    telling = b"\n".join(lines)[:65536]  # ASCII lines say nothing
    runs = re.findall(rb"[\x80-\xff]+", telling)
    high, paired = sum(map(len, runs)), sum(len(run) for run in runs if len(run) > 1)
    # Chinese comes in pairs of high bytes, accents stand between ASCII letters.
    likely = "gb18030" if paired > 0.5 * high else "cp1252"
    if high >= ENOUGH:
        best = charset_normalizer.from_bytes(telling, cp_isolation=list(ENCODINGS)).best()
        likely = best.encoding if best else likely
    for encoding in (likely, "cp1252"):
        encoding = "gb18030" if encoding in ("gb2312", "gbk", "gb18030", "hz") else encoding
        try:
            data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    return "latin-1"


def reencode(plain: Plain, encoding: str, scratch: Path) -> Plain:
    """A copy in UTF-8 with plain newlines, made in one streaming pass.

    Raises:
        BadInput: some bytes are not in that encoding.
    """
    target = scratch / f"{plain.path.name}-utf8"
    try:
        with (
            plain.path.open(encoding=encoding) as text,
            target.open("w", encoding="utf-8", newline="\n") as out,
        ):
            shutil.copyfileobj(text, out, BLOCK)
    except UnicodeError as error:
        raise BadInput(
            f"{plain.name} looks like {encoding} but is not throughout ({error}): save it as UTF-8"
        ) from None
    return replace(plain, path=target, encoding=encoding)


@dataclass(frozen=True)
class Fault:
    """Why a text cannot be read as it lies: an encoding that is not UTF-8, mixed line ends."""

    encoding: str | None
    mixed_newlines: bool


def find_fault(plain: Plain) -> Fault:
    """One pass over a text that DuckDB refused; both parts are empty if its bytes are fine."""
    crlf = lf = cr = 0
    bad: bytes | None = None
    decoder = codecs.getincrementaldecoder("utf-8")()
    seen_utf8 = False
    with plain.path.open("rb") as file:
        while block := file.read(BLOCK):
            crlf += block.count(b"\r\n")
            lf += block.count(b"\n")
            cr += block.count(b"\r")
            if bad is None and not block.isascii():
                try:
                    decoder.decode(block)
                    seen_utf8 = True
                except UnicodeDecodeError as error:
                    bad = block[max(0, error.start - 1000) : error.start + 65536]
                    seen_utf8 = seen_utf8 or not block[: error.start].isascii()
    encoding = None
    if bad is not None and not seen_utf8:  # a UTF-8 file with a few bad bytes stays UTF-8
        encoding = _legacy_encoding(bad, whole=False)
    kinds = (lf > crlf, crlf > 0, cr > crlf)
    return Fault(encoding, mixed_newlines=sum(kinds) > 1)


class Lines:
    """The lines of a text in UTF-8, block by block, without their ends (LF, CR LF or CR).

    `odd` has the lines, from 0, that are no text, with the reason.
    """

    def __init__(self, path: Path | None = None, lines: Sequence[str] = ()) -> None:
        self.odd: dict[int, str] = {}
        self.read = 0
        self._blocks = iter([list(lines)]) if path is None else self._from(path)

    def __iter__(self) -> Iterator[list[str]]:
        return self._blocks

    def _from(self, path: Path) -> Iterator[list[str]]:
        rest = b""
        with path.open("rb") as file:
            while block := file.read(LINES_BLOCK):
                if block.endswith(b"\r"):  # CR LF must not be cut in two
                    block += file.read(1)
                data = rest + block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
                end = data.rfind(b"\n") + 1
                data, rest = data[:end], data[end:]
                rest = rest[: MAX_LINE_BYTES + 1]  # of a longer line no more is needed
                if data:
                    yield self._texts(data[:-1])
        if rest:
            yield self._texts(rest)

    def _texts(self, data: bytes) -> list[str]:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode(errors="surrogateescape")
        lines = text.split("\n")
        if BOM in text:
            lines = [line.lstrip(BOM) if line.startswith(BOM) else line for line in lines]
        bad = not text.isascii() and re.search("[\udc80-\udcff]", text)
        if bad or "\0" in text or len(data) > MAX_LINE_BYTES:
            for n, line in enumerate(lines, self.read):
                if (
                    len(line) > MAX_LINE_BYTES // 4
                    and len(line.encode(errors="surrogateescape")) > MAX_LINE_BYTES
                ):
                    self.odd[n] = f"longer than {MAX_LINE_BYTES:,} bytes"
                elif "\0" in line:
                    self.odd[n] = "holds a zero byte: the file is damaged here"
                elif bad and re.search("[\udc80-\udcff]", line):
                    self.odd[n] = "not UTF-8"
        self.read += len(lines)
        return lines
