"""Real files, unedited, by command and by upload in a real browser: the same counts both ways.

python benchmarks/files.py DATA_FOLDER

Prints a row per set: records read, kept and rejected by `recscope ingest` with the seconds it took,
and what the Data page says after an upload of the same files in Chromium. Exits with 1 if a set is
refused or the two ways differ. Needs the extra [dev] and Debian's chromium.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import TimeoutError as Late
from playwright.sync_api import sync_playwright

UPLOADER = '[data-testid="stFileUploader"] input[type=file]'
KEPT = re.compile(r"([\d,]+) of ([\d,]+) rows kept")
SETS = {
    "movielens-latest-small": ["ratings.csv", "movies.csv", "tags.csv"],
    "movielens-latest-small, all": ["ratings.csv", "movies.csv", "tags.csv", "links.csv"],
    "ml-100k layout": ["u.data"],
    "online-retail": ["online_retail.parquet"],
    "rees46-sample": ["2019-Oct.csv"],
    "open-bandit-men/random": ["men.csv"],
    "open-bandit-men/bts": ["men.csv"],
    "amazon-beauty": ["events.parquet", "items.parquet"],
    "amazon-toys": ["events.parquet", "items.parquet"],
    "ml-1m": ["events.parquet", "items.parquet", "users.parquet"],
    "gowalla": ["train.parquet"],
    "amazon-sport-phone": ["train.parquet"],
}


def u_data(data: Path, folder: Path) -> Path:
    """MovieLens' ratings in the layout of ML-100K's u.data: tabs, no header, whole numbers."""
    lines = (data / "movielens-latest-small" / "ratings.csv").read_text().splitlines()[1:]
    rows = [line.split(",") for line in lines]
    path = folder / "u.data"
    path.write_text("".join(f"{u}\t{i}\t{float(r):.0f}\t{t}\n" for u, i, r, t in rows))
    return path


def by_command(files: list[Path], workspace: Path) -> tuple[str, float]:
    """What `recscope ingest --json` says, as (kept of read, or its one sentence), and seconds."""
    command = [sys.executable, "-m", "core.cli", "ingest", *map(str, files), "--json"]
    start = time.perf_counter()
    done = subprocess.run(
        [*command, "--data-dir", str(workspace)], capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        return done.stderr.strip().splitlines()[-1], seconds
    answer = json.loads(done.stdout)
    return f"{answer['rows_kept']:,} of {answer['rows_read']:,}", seconds


@contextmanager
def served(workspace: Path) -> Iterator[str]:
    """The address of a workbench on this workspace."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dashboard", "--port", str(port)]
    server = subprocess.Popen(
        [*command, "--data-dir", str(workspace)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).close()
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def by_upload(page: Any, address: str, files: list[Path]) -> tuple[str, float]:
    """What the Data page says after an upload (kept of read, or its text), and seconds."""
    page.goto(f"{address}/data")
    page.wait_for_selector("h1")
    page.wait_for_selector(UPLOADER, state="attached")
    start = time.perf_counter()
    page.set_input_files(UPLOADER, [str(file) for file in files])
    page.locator(".st-key-import button").click(timeout=120_000)
    try:
        page.get_by_text(KEPT).first.wait_for(timeout=300_000)
        found = KEPT.search(page.inner_text("body"))
    except Late:
        found = None
    seconds = time.perf_counter() - start
    if not found:
        return page.inner_text("body")[-400:], seconds
    return f"{found[1]} of {found[2]}", seconds


def main() -> int:
    """Every set both ways; 1 if one is refused or the two ways differ."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, metavar="DATA_FOLDER")
    data = parser.parse_args().data
    failed = 0
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        scratch = Path(temporary)
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, files in SETS.items():
            paths = (
                [u_data(data, scratch)]
                if files == ["u.data"]
                else [data / name.split(",")[0] / file for file in files]
            )
            command, command_s = by_command(paths, scratch / f"command {name}".replace("/", "-"))
            # a workspace of its own, so that the page has nothing to say but this
            with served(scratch / f"upload {name}".replace("/", "-")) as address:
                page = browser.new_page(locale="en-US")
                page.set_default_timeout(60_000)
                upload, upload_s = by_upload(page, address, paths)
                page.close()
            same = command == upload and " of " in command
            failed += not same
            print(
                f"{name:28} command {command:20} {command_s:5.1f} s   upload {upload:20} "
                f"{upload_s:5.1f} s   {'same' if same else 'DIFFERENT'}",
                flush=True,
            )
        browser.close()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
