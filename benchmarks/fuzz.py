"""Damaged and hostile files by the thousand: is each read right, or refused in one sentence.

python benchmarks/fuzz.py [--files 20000] [--seed 0] [--jobs 2] [--keep FOLDER]

Each file is made from its number alone: a small log in one of eight formats, then up to four
mutations of its bytes or of its text. It is ingested in a process of its own. Counted are

uncaught    anything but a dataset or one sentence of a CoreError
slow        over 10 s of CPU
large       over 1 GiB of memory
untrue      counts that do not add up, or, where the file is whole or lost what is known, events
            other than those that were written

Exits with 1 unless all are 0; the first of each kind are printed, and kept with --keep.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pandas as pd
import psutil

from core.data.ingest.ingest import ingest
from core.data.store import Workspace
from core.errors import CoreError

CPU_S, MEMORY = 10, 1 << 30
TEXTS = ("csv", "tsv", "jsonl", "json")
FORMATS = (*TEXTS, "csv.gz", "zip", "parquet", "xlsx")
WORDS = ("tea", "cup, blue", 'the "pot"', "naïve", "东西", "a;b", "=1+1", "<b>x</b>", "", "NULL")
TOKENS = (
    *(b'"', b"'", b"\\", b"\x00", b"\xef\xbb\xbf", b"\xff", b"\r", b"\n", b"\r\n", b"\n\n", b","),
    *(
        b";",
        b"\t",
        b"{",
        b"}",
        b"[",
        b"]",
        b"null",
        b"NaN",
        b"1e999",
        b"-",
        b"#",
        b"%",
        b"=",
        b"::",
    ),
    *(b'""', b'"\n', b'\\"', b"\xe2\x80\xae", b"\xc3", b"user_id", b"item_id,user_id\n", b"\x1a"),
    *(b"99999999999999999999", b"0x10", b"1970-01-01", b"2024-13-45", b"A" * 5000, b"," * 2000),
)


@dataclass(frozen=True)
class Made:
    """A file, what was done to it, and the events it holds where that is still known."""

    name: str
    content: bytes
    done: tuple[str, ...]
    events: Counter[tuple[str, str]] | None


@dataclass(frozen=True)
class Outcome:
    """What became of a file."""

    kind: str  # read, refused, uncaught, slow, large, untrue
    said: str
    cpu_s: float
    peak_mib: float


def make(number: int, seed: int) -> Made:
    """The file of this number; the same every time."""
    rng = np.random.default_rng((seed, number))
    kind = FORMATS[number % len(FORMATS)]
    rows = log(rng)
    names = ["user_id", "item_id", "timestamp", "rating", "note"]
    content = written(kind, names, rows, rng)
    done: list[str] = []
    whole = True
    for _ in range(int(rng.integers(0, 5))):
        mutate = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
        content = mutate(content, rng)
        done.append(mutate.__name__)
        whole = False
    events = Counter((str(row[0]), str(row[1])) for row in rows) if whole else None
    return Made(f"log-{number}.{kind}", content, tuple(done), events)


def log(rng: np.random.Generator) -> list[list[Any]]:
    """Up to 200 events; ids are numbers, or words of all kinds."""
    n = int(rng.integers(3, 200))
    users = rng.integers(1, 30, n).tolist()
    items = rng.integers(100, 160, n).tolist()
    if rng.random() < 0.3:
        users = [f"u {user}é" for user in users]
    times = (1_700_000_000 + rng.integers(0, 10**7, n)).tolist()
    ratings = rng.integers(1, 6, n).tolist()
    notes = [WORDS[i] for i in rng.integers(0, len(WORDS), n)]
    return [list(row) for row in zip(users, items, times, ratings, notes, strict=True)]


def written(kind: str, names: list[str], rows: list[list[Any]], rng: np.random.Generator) -> bytes:
    """The log in this format."""
    if kind in ("csv", "csv.gz", "zip", "tsv"):
        delimiter = "\t" if kind == "tsv" else ",;|"[int(rng.integers(3))]
        end = ("\n", "\r\n")[int(rng.integers(2))]
        text = io.StringIO()
        quoting: Any = (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)[int(rng.integers(2))]
        writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
        writer.writerows([names, *rows])
        content = text.getvalue().encode()
        if kind == "csv.gz":
            return gzip.compress(content, mtime=0)
        return zipped({"log.csv": content}) if kind == "zip" else content
    objects = [dict(zip(names, row, strict=True)) for row in rows]
    if kind == "jsonl":
        return "".join(json.dumps(one) + "\n" for one in objects).encode()
    if kind == "json":
        return json.dumps(objects, indent=(None, 1)[int(rng.integers(2))]).encode()
    out = io.BytesIO()
    if kind == "parquet":
        pd.DataFrame(rows, columns=names).to_parquet(out)
    else:
        return workbook([names, *rows])
    return out.getvalue()


def workbook(rows: list[list[Any]]) -> bytes:
    """The rows as the first sheet of an XLSX."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"

    def cell(value: Any) -> str:
        if isinstance(value, int):
            return f"<c><v>{value}</v></c>"
        return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'

    data = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r"'
        f' Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="log" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{data}</sheetData>'
        "</worksheet>",
    }
    declared = '<?xml version="1.0" encoding="UTF-8"?>'
    return zipped({name: (declared + text).encode() for name, text in parts.items()})


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _place(content: bytes, rng: np.random.Generator) -> int:
    return int(rng.integers(0, len(content) + 1))


def flip(content: bytes, rng: np.random.Generator) -> bytes:
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 20))):
        if data:
            data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    return bytes(data)


def cut_off(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: _place(content, rng)]


def insert(content: bytes, rng: np.random.Generator) -> bytes:
    at, token = _place(content, rng), TOKENS[int(rng.integers(len(TOKENS)))]
    return content[:at] + token * int(rng.integers(1, 4)) + content[at:]


def leave_out(content: bytes, rng: np.random.Generator) -> bytes:
    at = _place(content, rng)
    return content[:at] + content[at + int(rng.integers(1, 200)) :]


def repeat(content: bytes, rng: np.random.Generator) -> bytes:
    at, end = sorted((_place(content, rng), _place(content, rng)))
    return content[:end] + content[at:end] * int(rng.integers(1, 50)) + content[end:]


def other_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    at = _place(content, rng)
    return content[:at] + rng.bytes(int(rng.integers(1, 3000))) + content[at:]


def other_lines(content: bytes, rng: np.random.Generator) -> bytes:
    lines = content.splitlines(keepends=True)
    return b"".join(lines[i] for i in rng.permutation(len(lines)))


def other_encoding(content: bytes, rng: np.random.Generator) -> bytes:
    encoding = ("utf-16", "utf-16-le", "cp1252", "gb18030", "utf-8-sig", "utf-32")
    text = content.decode("utf-8", errors="replace")
    return text.encode(encoding[int(rng.integers(len(encoding)))], errors="replace")


def wide(content: bytes, rng: np.random.Generator) -> bytes:
    lines = content.split(b"\n")
    at = int(rng.integers(len(lines)))
    lines[at] += b",x" * int(rng.integers(1, 50_000))
    return b"\n".join(lines)


def packed(content: bytes, rng: np.random.Generator) -> bytes:
    if rng.random() < 0.5:
        return gzip.compress(content, mtime=0)
    copies = int(rng.integers(1, 5))
    return zipped({f"{n}/log.csv": content for n in range(copies)})


MUTATIONS: tuple[Callable[[bytes, np.random.Generator], bytes], ...] = (
    *(flip, cut_off, insert, insert, insert, leave_out, repeat, other_bytes, other_lines),
    *(other_encoding, wide, packed),
)


def tried(made: Made, folder: Path) -> Outcome:
    """The file ingested in a child; what it said comes back through a file beside it."""
    folder.mkdir()
    path, answer = folder / made.name, folder / "answer"
    path.write_bytes(made.content)
    base = psutil.Process().memory_info().rss  # which the child begins with
    child = os.fork()
    if not child:
        _child(path, folder, answer)
    _, status, used = os.wait4(child, 0)
    cpu, peak = used.ru_utime + used.ru_stime, max(0, used.ru_maxrss / 1024 - base / 1024**2)
    said = answer.read_text() if answer.exists() else f"ended by signal {os.WTERMSIG(status)}"
    if cpu > CPU_S:
        return Outcome("slow", said, cpu, peak)
    if peak * 1024 * 1024 > MEMORY:
        return Outcome("large", said, cpu, peak)
    if os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 70:
        return Outcome("uncaught", said, cpu, peak)
    if os.WEXITSTATUS(status) == 2:
        return Outcome("refused", said, cpu, peak)
    wrong = untrue(made, folder, json.loads(said))
    return Outcome("untrue" if wrong else "read", wrong or said, cpu, peak)


def _child(path: Path, folder: Path, answer: Path) -> None:
    """Ingests and ends this process: 0 read, 2 refused in a sentence, 70 anything else."""
    code = 70
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (4 * CPU_S, 4 * CPU_S))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        info = ingest(Workspace.open(folder / "ws"), [path])
        answer.write_text(json.dumps({"folder": str(info.folder), **info.meta}))
        code = 0
    except CoreError as error:
        answer.write_text(str(error))
        code = 2 if str(error) and "\n" not in str(error) else 70
    except BaseException:
        answer.write_text(traceback.format_exc()[-2000:])
    finally:
        os._exit(code)


def untrue(made: Made, folder: Path, meta: dict[str, Any]) -> str:
    """What is wrong with the counts or, of a whole file, with the events; "" where nothing is."""
    counts = meta["counts"]
    if counts["rows_read"] != counts["rows_kept"] + counts["rows_rejected"]:
        return f"{counts} do not add up"
    if sum(counts["rejected"].values()) != counts["rows_rejected"]:
        return f"{counts}: the reasons do not add up"
    frame = pd.read_parquet(Path(meta["folder"]) / "events.parquet", columns=["user_id", "item_id"])
    if len(frame) != counts["rows_kept"]:
        return f"{counts['rows_kept']} are said to be kept, {len(frame)} are"
    for file, lines in meta.get("lines", {}).items():
        parts = {name: n for name, n in lines.items() if name not in ("physical", "unit")}
        if sum(parts.values()) != lines["physical"]:
            return f"{file}: {lines} do not add up"
        plain = made.name.endswith(TEXTS) and not {"other_encoding", "packed"} & set(made.done)
        if plain and "unit" not in lines and lines["physical"] not in physical(made.content):
            return f"{file}: {lines['physical']} lines, {physical(made.content)} are there"
    if made.events is not None:
        found = Counter(
            zip(frame["user_id"].astype(str), frame["item_id"].astype(str), strict=True)
        )
        if found != made.events:
            return (
                f"{(found - made.events).most_common(2)} for {(made.events - found).most_common(2)}"
            )
    return ""


def physical(content: bytes) -> set[int]:
    """How many lines there are, by each way of ending a line that fits the text."""
    ways = [
        content.split(b"\n"),
        content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"),
    ]
    return {len(lines) - (lines[-1] == b"") for lines in ways}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    counts: Counter[str] = Counter()
    slowest, largest, began = 0.0, 0.0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:

        def one(number: int) -> tuple[int, Made, Outcome]:
            made = make(number, asked.seed)
            folder = Path(scratch) / str(number)
            try:
                return number, made, tried(made, folder)
            finally:
                shutil.rmtree(folder, ignore_errors=True)

        with ThreadPoolExecutor(asked.jobs) as pool:
            numbers = range(asked.first, asked.first + asked.files)
            for number, made, outcome in pool.map(one, numbers):
                counts[outcome.kind] += 1
                slowest, largest = max(slowest, outcome.cpu_s), max(largest, outcome.peak_mib)
                if outcome.kind not in ("read", "refused"):
                    print(f"{outcome.kind}: {made.name} {made.done}\n  {outcome.said[-800:]}")
                    if asked.keep:
                        asked.keep.mkdir(exist_ok=True)
                        (asked.keep / made.name).write_bytes(made.content)
                if (number + 1) % 1000 == 0:
                    print(f"{number + 1:,}: {dict(counts)}", flush=True)
    bad = {kind: counts[kind] for kind in ("uncaught", "slow", "large", "untrue")}
    print(
        f"{asked.files:,} files in {time.monotonic() - began:,.0f} s: {counts['read']:,} read, "
        f"{counts['refused']:,} refused; {bad}; at most {slowest:.1f} s of CPU, {largest:.0f} MiB"
    )
    return 1 if any(bad.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
