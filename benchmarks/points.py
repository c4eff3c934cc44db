"""The Embeddings page with very many items, in a real browser: each figure beside its must.

python benchmarks/points.py [--items 1000000] [--keep FOLDER]

A made-up log and made-up vectors in twelve clumps; a server of its own; Chromium without a GPU.

ready      from the address to the points on the screen, a second visit (the map is made)
frame      milliseconds a frame while the map is moved and zoomed, and requests to the server: none
colour     from the click on another choice, as the browser gets it, to the other colours on the
           screen
profile    from the end of a lasso around some 100,000 points, of fewer than 200,000 around half of
           them, to what the server says of the selection, and the page at rest

Below a figure are its parts, in seconds since its beginning: when the browser asked, when the page
answered with what is to be drawn, when that was fetched. Each begins when nothing moves any more.
"""

from __future__ import annotations

import argparse
import math
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

from core.data import dataset
from core.data.ingest.ingest import ingest
from core.data.store import Workspace
from core.runs import artifact, config, weights
from core.runs.artifact import Run
from core.runs.request import RunRequest

MUST = {1_000_000: (6.0, 1.0, 2.0), 100_000: (3.5, 1.0, 2.0)}  # ready, colour, profile: seconds
COLOURS = ("Popularity", "price", "kind", "Popularity", "price", "kind", "Popularity")
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
# Seconds since the epoch: of the next click, and of the frame after the points were asked to be
# drawn in other colours, once one of their pixels can be read, for which all must be drawn.
RECOLOURED = """() => {
  const map = [...document.querySelectorAll("*")]
    .map((node) => node.shadowRoot?.querySelector(".map")).find(Boolean);
  const frame = () => new Promise((drawn) => requestAnimationFrame(drawn));
  const seconds = (since) => (performance.timeOrigin + since) / 1000;
  window.recoloured = new Promise((done) => addEventListener("click", ({ timeStamp }) => {
    new MutationObserver(async () => {
      await frame();
      const one = new OffscreenCanvas(1, 1).getContext("2d");
      one.drawImage(map.querySelector("canvas.points"), 0, 0);
      one.getImageData(0, 0, 1, 1);
      done([seconds(timeStamp), seconds(performance.now())]);
    }).observe(map, { attributeFilter: ["data-values"] });
  }, { capture: true, once: true }));
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
    plan = RunRequest(info.id, "als", {"dim": DIM}, device="cpu").config()
    return weights.save_run(
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


class Parts:
    """What went over the wire since a beginning, in seconds."""

    def __init__(self, page: Any) -> None:
        self.restart()
        page.on("request", lambda request: self._note("answered", request.url))
        page.on("requestfinished", lambda request: self._note("fetched", request.url))
        page.on("websocket", lambda socket: socket.on("framesent", self._asked))

    def restart(self) -> None:
        self.begin, self.times, self.urls = time.time(), dict[str, float](), list[str]()

    def now(self) -> float:
        return time.time() - self.begin

    def _asked(self, _: Any) -> None:
        self.times.setdefault("asked", time.time())

    def _note(self, part: str, url: str) -> None:
        if part == "answered":
            self.urls.append(url)
        if "/api/map/" in url and (part == "fetched" or part not in self.times):
            self.times[part] = time.time()  # the first address, the last of the bytes

    def told(self) -> str:
        known = {name: self.times[name] - self.begin for name in ORDER if name in self.times}
        found = [f"{name} {seconds:.2f}" for name, seconds in known.items()]
        return "         " + ", ".join(found)


ORDER = ("asked", "answered", "fetched")


def drawn(page: Any, address: str) -> float:
    """Seconds from the address to the points on the screen."""
    begin = time.perf_counter()
    page.goto(address)
    page.wait_for_selector('.map[data-n]:not([data-n="0"])', state="attached")
    return time.perf_counter() - begin


def recoloured(page: Any, parts: Parts, name: str) -> float:
    """Seconds from the choice of this colouring to its colours."""
    page.wait_for_timeout(1500)
    page.locator("[class*=st-key-pick_colour] input").click()
    option = page.get_by_text(name, exact=True).last
    option.wait_for()
    page.evaluate(RECOLOURED)
    parts.restart()
    option.click()  # as soon as it does not move
    parts.begin, end = map(float, page.evaluate("window.recoloured"))
    return end - parts.begin


def selected(page: Any, parts: Parts, radius: float) -> tuple[float, int]:
    """Seconds from the end of a lasso of so many half heights to its profile, and its points."""
    box = page.locator(".map .stage").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for corner in range(61):
        turn = corner / 60 * 2 * math.pi
        wide, high = (radius * box[side] / 2 for side in ("width", "height"))
        page.mouse.move(middle[0] + wide * math.cos(turn), middle[1] + high * math.sin(turn))
        if corner == 0:
            page.mouse.down()
    parts.restart()
    page.mouse.up()
    points = page.wait_for_selector(".map[data-selected]", state="attached")
    n = int(points.get_attribute("data-selected"))
    page.get_by_role("heading", name=f"{n:,} items selected").wait_for()
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    page.locator(".st-key-map_selected_items").wait_for()
    return parts.now(), n


def wanted(page: Any, parts: Parts, n: int) -> tuple[float, int]:
    """The same for a lasso around some 100,000 points, or half of fewer, found by trying."""
    page.locator(".map [data-name=lasso]").click()
    aim, radius = min(100_000, n // 2), 0.3
    while True:
        seconds, points = selected(page, parts, radius)
        if 0.7 * aim <= points <= 1.4 * aim or radius >= 0.95:
            return seconds, points
        radius = min(0.95, radius * min(2, max(0.5, (aim / max(1, points)) ** 0.5)))


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
        parts = Parts(page)
        print(f"ready    {drawn(page, address):6.2f} s  must {ready_s} s\n{parts.told()}")
        page.wait_for_timeout(2000)
        parts.restart()
        frames = page.evaluate(FRAMES)
        asked = [url for url in parts.urls if "/api/rows/" not in url]
        print(f"frame    {statistics.median(frames):6.0f} ms  requests {len(asked)}")
        times = [recoloured(page, parts, name) for name in COLOURS]
        print(
            f"colour   {statistics.median(times):6.2f} s  must {colour_s} s, median of "
            f"{len(times)}, {max(times):.2f} at most; the last:\n{parts.told()}"
        )
        page.wait_for_timeout(1500)
        seconds, points = wanted(page, parts, n)
        print(
            f"profile  {seconds:6.2f} s  must {profile_s} s, of {points:,} points\n{parts.told()}"
        )
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
        runs = artifact.list_runs(workspace)
        run = runs[0] if runs else made_up(workspace, chosen.items)
        print(f"{chosen.items:,} items, Chromium with software WebGL")
        with served(workspace.path) as (address, pid):
            path = f"/embeddings?run={run.id}&layout=axes&colour=attribute:kind"
            measure(address + path, pid, chosen.items)


if __name__ == "__main__":
    main()
