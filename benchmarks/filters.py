"""How soon is a log of 20 million events profiled, and how soon does a filter answer?

    python benchmarks/filters.py [FOLDER] [--rows 20000000] [--repeats 20] [--page]

Makes a seeded log of 300,000 users, 40,000 items in 200 categories and three kinds of events over
two years, as a version in FOLDER (kept there) or a temporary one. Prints how long counting it takes
once, and then in a process of its own, of so many different filters of each kind, the medians in
seconds, the slowest, and the most memory held. Aims: 2 s for the first content, 1 s for a filter.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import duckdb
from machine import forget_peak, peak_mib

from core.data.ingest.ingest import ingest
from core.data.profile.behaviour import behaviour
from core.data.profile.coded import FOLDER, open_coded
from core.data.profile.columns import table_profile
from core.data.profile.figures import log_profile
from core.data.quality.cleaning import clean
from core.data.store import DatasetInfo, Workspace

NAME = "log"
CATEGORIES, DAYS, FIRST = 200, 730, 1_577_836_800  # 2020-01-01
KINDS = ("view", "cart", "purchase")
BANDS = ("1", "2..4", "5..19", "20..99", "100..499")


def make(workspace: Workspace, rows: int) -> DatasetInfo:
    """The version; people and items have as unequal shares as in a shop."""
    with workspace.scratch() as scratch:
        con = duckdb.connect(config={"temp_directory": str(scratch / "spill")})
        log, items = scratch / "log.parquet", scratch / "items.parquet"
        con.sql(
            f"""
            SELECT 'u' || (300000 * pow(hash(i) % 1000003 / 1000003.0, 2))::BIGINT AS user_id,
                   'i' || (40000 * pow(hash(i + 7) % 1000003 / 1000003.0, 3))::BIGINT AS item_id,
                   {FIRST} + hash(i * 11 + 3) % {DAYS * 86400} AS timestamp,
                   CASE WHEN hash(i * 5) % 20 < 17 THEN 'view' WHEN hash(i * 5) % 20 < 19
                        THEN 'cart' ELSE 'purchase' END AS event,
                   1 + hash(i * 3 + 2) % 500 / 10 AS price
            FROM range({rows}) t(i)
            """
        ).write_parquet(str(log))
        con.sql(
            f"""
            SELECT 'i' || i AS item_id, 'Item ' || i AS title,
                   'category ' || hash(i) % {CATEGORIES} AS category
            FROM range(40001) t(i)
            """
        ).write_parquet(str(items))
        con.close()
        mapping = {"value": "price"}
        return ingest(workspace, [log], items=[items], mapping=mapping, name=NAME)


def terms(number: int) -> dict[str, list[str]]:
    """The filters of this number, by kind."""
    month = f"{2020 + number // 12 % 2}-{1 + number % 12:02}"
    category = f"item.category=category {number * 7 % CATEGORIES}"
    return {
        "a month": [f"time={month}"],
        "half of the time": [f"time=2020-{1 + number % 6:02}..2021-{1 + number % 6:02}"],
        "a category": [category],
        "a kind of event": [f"event={KINDS[number % 3]}", f"time=2020-01-0{1 + number % 9}.."],
        "a group of users": [f"history={BANDS[number % 5]}", f"time=..2021-12-{1 + number:02}"],
        "all of these": [
            f"time={month}", category, "event=view", "history=20..99", "history=100..499"
        ],
    }  # fmt: skip


def seconds(ask: Callable[[], object]) -> float:
    start = time.perf_counter()
    ask()
    return time.perf_counter() - start


def measure(folder: Path, repeats: int) -> None:
    """All figures, as JSON in the last line."""
    forget_peak("cpu")
    start = time.perf_counter()
    info = Workspace.open(folder).dataset(NAME)
    coded = open_coded(info)
    log_profile(coded, coded.parse([]))
    times: dict[str, list[float]] = {"first content": [time.perf_counter() - start]}
    for number in range(repeats):
        for kind, filter_terms in terms(number).items():
            start = time.perf_counter()
            wanted = coded.parse(filter_terms)
            figures = log_profile(coded, wanted)
            times.setdefault(kind, []).append(time.perf_counter() - start)
            for tab, ask in (
                ("behaviour", lambda w=wanted, n=figures.events: behaviour(coded, w, n)),
                (
                    "columns",
                    lambda w=wanted, n=figures.left: table_profile(coded, w, "events", n),
                ),
            ):
                if number < 5:
                    times.setdefault(f"{tab} of {kind}", []).append(seconds(ask))
    print(json.dumps({"times": times, "peak": peak_mib("cpu")[0]}))


def page(folder: Path, repeats: int) -> None:
    """The page itself, drawn without a browser: as it is opened, and with a filter."""
    from streamlit.testing.v1 import AppTest

    os.environ["RECSCOPE_HOME"] = str(folder)
    app = Path(__file__).parent.parent / "dashboard" / "app.py"
    forget_peak("cpu")
    times: dict[str, list[float]] = {}
    drawn = AppTest.from_file(str(app), default_timeout=300)
    drawn.run()
    drawn.switch_page("views/data.py")
    times["the page, first"] = [seconds(drawn.run)]
    for number in range(repeats):
        for kind, filter_terms in terms(number).items():
            drawn.query_params["filter"] = ",".join(filter_terms)
            times.setdefault(f"the page, {kind}", []).append(seconds(drawn.run))
            assert not drawn.exception, drawn.exception
            assert not drawn.warning, drawn.warning
    print(json.dumps({"times": times, "peak": peak_mib("cpu")[0]}))


def apart(*words: str) -> None:
    """Prints what this script says in a process of its own."""
    command = [sys.executable, __file__, *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    said = json.loads(done.stdout.splitlines()[-1])
    for name, each in said["times"].items():
        print(f"{name:32} {median(each):6.2f} s  slowest {max(each):6.2f} s  of {len(each)}")
    print(f"{'peak memory':32} {said['peak']:6.0f} MiB", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--page", action="store_true", help="also draw the page")
    parser.add_argument("--run", choices=("figures", "page"), help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    if args.run:
        {"figures": measure, "page": page}[args.run](args.folder, args.repeats)
        return
    with tempfile.TemporaryDirectory() as temporary:
        workspace = Workspace.open(args.folder or Path(temporary))
        print(f"{platform.machine()}, {os.cpu_count()} CPUs, DuckDB {duckdb.__version__}")
        there = [info for info in workspace.datasets() if info.name == NAME]
        info = there[0] if there else make(workspace, args.rows)
        forget_peak("cpu")
        took = seconds(lambda: open_coded(info))
        size = sum(path.stat().st_size for path in (info.folder / FOLDER).iterdir()) / 2**20
        own = sum(path.stat().st_size for path in info.folder.glob("*.parquet")) / 2**20
        print(
            f"counted once in {took:.1f} s ({peak_mib('cpu')[0]:.0f} MiB at most), kept in "
            f"{size:.0f} MiB beside {own:.0f} MiB of {info.counts['rows_kept']:,} events"
        )
        words = [str(workspace.path), "--repeats", str(args.repeats)]
        apart(*words, "--run", "figures")
        if args.page:
            apart(*words, "--run", "page")
        took = seconds(lambda: clean(workspace, info, (), terms=["time=2020-03"], name="a month"))
        print(f"a month saved as a version in {took:.1f} s")


if __name__ == "__main__":
    main()
