"""The Embeddings page with very many items, in a real browser: each figure beside its must.

python benchmarks/points.py [--items 1000000] [--keep FOLDER]

A made-up log and made-up vectors in twelve clumps; a server of its own; Chromium without a GPU.

ready      from the address to the points on the screen, a second visit (the map is made)
frame      milliseconds a frame while the map is moved and zoomed, and requests to the server: none
colour     from the choice to the other colours
profile    from the end of a lasso to what is selected, said by the server
"""

from __future__ import annotations

import argparse
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core import artifact, config
from core.artifact import Run
from core.data import dataset
from core.data.ingest import ingest
from core.data.store import Workspace

MUST = {1_000_000: (6.0, 1.0, 2.0), 100_000: (3.5, 1.0, 2.0)}  # ready, colour, profile: seconds
CLUMPS, DIM, EVENTS = 12, 64, 3  # events of each item, on average
ARGS = [
    *("--no-sandbox", "--disable-dev-shm-usage", "--use-gl=angle", "--use-angle=swiftshader"),
    *("--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"),
]
FRAMES = """async () => {
  const times = []; let last = performance.now();
  for (let i = 0; i < 30; i++) {
    await new Promise((done) => requestAnimationFrame(done));
    const now = performance.now(); times.push(now - last); last = now;
    const canvas = [...document.querySelectorAll("*")]
      .map((node) => node.shadowRoot?.querySelector("canvas.points")).find(Boolean);
    canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: i % 2 ? 40 : -40, clientX: 600,
      clientY: 600, bubbles: true, cancelable: true }));
  }
  return times;
}"""


def made_up(workspace: Workspace, n: int) -> Run:
    """A dataset of n items and a run of als on it, whose vectors nobody has learnt."""
    rng = np.random.default_rng(5)
    clump = rng.integers(0, CLUMPS, n)
    folder = workspace.path / "made-up"
    folder.mkdir(exist_ok=True)
    items = np.concatenate([np.arange(n), rng.integers(0, n, (EVENTS - 1) * n)])
    users = rng.integers(0, max(10, n // 20), len(items))
    pd.DataFrame({"user": users, "item": items}).to_parquet(folder / "log.parquet")
    names = [f"item number {code}" for code in range(n)]
    kinds = np.array([f"kind {letter}" for letter in "abcdefghijkl"])[clump]
    table = {"item": np.arange(n), "name": names, "kind": kinds, "price": rng.lognormal(3, 1, n)}
    pd.DataFrame(table).to_parquet(folder / "items.parquet")
    info = ingest(
        workspace, [folder / "log.parquet"], items=folder / "items.parquet", name="made-up"
    )
    ids = dataset.load(info).items
    centres = rng.normal(size=(CLUMPS, DIM))
    own = clump[np.asarray(ids.ids, np.int64)]
    vectors = (centres[own] + 0.5 * rng.normal(size=(len(own), DIM))).astype(np.float32)
    state = {
        "items": vectors,
        "gram": vectors.T @ vectors,
        "spread": np.ones(DIM, np.float32),
        "base": np.zeros(len(own), np.float32),
        "decay": np.zeros(1),
    }
    plan = config.plan(info.id, "als", {"dim": DIM}, device="cpu")
    return artifact.save(
        workspace,
        config.run_id(plan),
        plan,
        state,
        ids,
        name="als",
        dataset_name=info.name,
        created="2024-01-01T00:00:00Z",
        seconds=0.0,
    )


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, int]]:
    """The address of a server on this workspace, and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dashboard", "--port", str(port), "--data-dir", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2).read()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", server.pid
    finally:
        server.terminate()
        server.wait(60)


def drawn(page: Any, address: str) -> float:
    """Seconds from the address to the points on the screen."""
    begin = time.perf_counter()
    page.goto(address)
    page.wait_for_selector('.map[data-n]:not([data-n="0"])', state="attached")
    return time.perf_counter() - begin


def recoloured(page: Any) -> float:
    """Seconds from the choice of another colouring to its colours."""
    before = page.locator(".map").get_attribute("data-values")
    page.locator("[class*=st-key-pick_colour] input").click()
    option = page.get_by_text("Popularity", exact=True).last
    option.wait_for()
    begin = time.perf_counter()
    option.click()
    page.wait_for_selector(f'.map:not([data-values="{before}"])', state="attached")
    return time.perf_counter() - begin


def selected(page: Any, share: float) -> tuple[float, int]:
    """Seconds from the end of a box over so much of the width to its profile, and its points."""
    page.locator(".map [data-name=box]").click()
    box = page.locator(".map .stage").bounding_box()
    left = box["x"] + box["width"] * (0.5 - share / 2)
    page.mouse.move(left, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(left + box["width"] * share, box["y"] + box["height"] - 5, steps=5)
    begin = time.perf_counter()
    page.mouse.up()
    page.locator(".st-key-map_selected_items").wait_for()
    seconds = time.perf_counter() - begin
    return seconds, int(page.locator(".map").get_attribute("data-selected"))


def measure(address: str, pid: int, n: int) -> None:
    from playwright.sync_api import sync_playwright

    ready_s, colour_s, profile_s = MUST.get(n, (6.0, 1.0, 2.0))
    with sync_playwright() as playwright:
        found = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=found, headless=True, args=ARGS)
        person = browser.new_context(viewport={"width": 1360, "height": 900}, locale="en-US")
        page = person.new_page()
        page.set_default_timeout(300_000)
        print(f"first    {drawn(page, address):6.2f} s  (the dataset is read, the axes are found)")
        page.close()
        page = person.new_page()
        page.set_default_timeout(60_000)
        print(f"ready    {drawn(page, address):6.2f} s  must {ready_s} s")
        page.wait_for_timeout(2000)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        frames = page.evaluate(FRAMES)
        asked = [url for url in asked if "/api/rows/" not in url]
        print(f"frame    {statistics.median(frames):6.0f} ms  requests {len(asked)}")
        print(f"colour   {recoloured(page):6.2f} s  must {colour_s} s")
        page.wait_for_timeout(1500)
        seconds, points = selected(page, 0.12)
        print(f"profile  {seconds:6.2f} s  must {profile_s} s, of {points:,} points")
        browser.close()
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    peak = next(int(line.split()[1]) / 2**20 for line in lines if line.startswith("VmHWM:"))
    print(f"server   {peak:6.2f} GiB at most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--keep", type=Path, help="a folder where what is made up stays")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace.open(chosen.keep or Path(scratch))
        runs = artifact.runs(workspace)
        run = runs[0] if runs else made_up(workspace, chosen.items)
        print(f"{chosen.items:,} items, Chromium with software WebGL")
        with served(workspace.path) as (address, pid):
            path = f"/embeddings?run={run.id}&layout=axes&colour=attribute:kind"
            measure(address + path, pid, chosen.items)


if __name__ == "__main__":
    main()
