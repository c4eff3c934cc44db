"""Ingest of a big CSV against DuckDB's bare sorted COPY of it: seconds, ratio, peak memory.

    python benchmarks/ingest.py [FOLDER] [--rows 20000000] [--repeats 1]

Each is run in its own process, in turn; the CSV (user, item, rating, timestamp; seeded) is made
once in FOLDER, or in a temporary one. Aims: ratio at most 1.3, peak memory under 4 GiB.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import duckdb

from core.data.ingest.ingest import ingest
from core.data.store import Workspace


def make(path: Path, rows: int) -> None:
    """A log of 200,000 users, 50,000 items and half-star ratings, in no order."""
    part = path.with_suffix(".part")
    made = duckdb.sql(
        f"""
        SELECT 1 + hash(i) % 200000 AS user, 1 + hash(i * 7 + 1) % 50000 AS item,
               (1 + hash(i * 3 + 2) % 10) / 2 AS rating,
               1500000000 + hash(i * 11 + 3) % 100000000 AS timestamp
        FROM range({rows}) t(i)
        """
    )
    assert made is not None, "a SELECT gives rows"
    made.write_csv(str(part))
    part.rename(path)


def bare(source: Path, folder: Path) -> str:
    """What DuckDB needs at least: read, sort, write."""
    con = duckdb.connect(config={"temp_directory": str(folder / "spill")})
    target = str(folder / "bare.parquet")
    log = con.read_csv(str(source))
    log.order('"user", timestamp').write_parquet(target)
    return f"{con.from_parquet(target).aggregate('count(*)').fetchall()[0][0]:,} rows"


def ours(source: Path, folder: Path) -> str:
    """The whole of ingest: roles, types, checks, exact counts, hashes, sorted Parquet."""
    counts = ingest(Workspace.open(folder / "home"), source).counts
    return f"{counts['rows_kept']:,} rows, {counts['users']:,} users, {counts['items']:,} items"


def measure(what: str, source: Path) -> tuple[float, float, float]:
    """Seconds, CPU seconds and peak GiB of one run in a process of its own."""
    command = [sys.executable, __file__, "--run", what, str(source)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    *numbers, said = out.strip().split("\t")
    seconds, cpu, peak = map(float, numbers)
    print(f"{what:6} {seconds:8.2f} s {cpu:8.2f} CPU s   {peak:5.2f} GiB   {said}", flush=True)
    return seconds, cpu, peak


def run(what: str, source: Path) -> None:
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        start, cpu = time.perf_counter(), time.process_time()
        said = {"bare": bare, "ours": ours}[what](source, Path(folder))
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(seconds, cpu, peak, said, sep="\t")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--run", choices=("bare", "ours"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        run(args.run, args.folder)
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as temporary:
        source = (args.folder or Path(temporary)) / f"log-{args.rows}.csv"
        if not source.exists():
            make(source, args.rows)
        print(
            f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, "
            f"DuckDB {duckdb.__version__}, {source.stat().st_size / 1e6:,.0f} MB of CSV"
        )
        pairs = [(measure("bare", source), measure("ours", source)) for _ in range(args.repeats)]
    wall, cpu = (median(ours[n] / bare[n] for bare, ours in pairs) for n in (0, 1))
    peak = max(ours[2] for _, ours in pairs)
    print(f"ratio  {wall:8.2f} (aim: at most 1.3), of CPU time {cpu:.2f}; medians of the pairs")
    print(f"peak   {peak:8.2f} GiB (aim: under 4)")


if __name__ == "__main__":
    main()
