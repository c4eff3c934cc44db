"""Takes the pictures of the READMEs from the real pages: `make pictures` (needs Chromium).

A workspace is filled with the sample data and a few runs, served, and looked at by a browser. With
`--workspace FOLDER` it is kept, and a second call goes on from what is there.
"""

from __future__ import annotations

import argparse
import io
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from core import pipeline
from core.data.ingest.ingest import ingest
from core.data.store import Workspace
from core.runs.artifact import Run
from core.runs.request import RunRequest

Scheme = Literal["light", "dark"]

HERE = Path(__file__).resolve().parent
PICTURES = HERE / "pictures"
FILMS = HERE.parent / "sample_data" / "movielens-latest-small"
MODELS = ("popularity", "item_knn", "transitions", "als", "ease")
PERSON = "42"
BAND = 60  # pixels above the heading in which nothing stands
WIDTH = 1240
PATIENCE_S = 600  # the map of the films takes a minute on two cores, more where they are busy
MAX_BYTES = 300_000
COLOURS = 256  # of a picture: a page has few, and the file is a third
FLAGS = [
    *("--no-sandbox", "--disable-dev-shm-usage"),
    *("--use-gl=angle", "--use-angle=swiftshader"),  # WebGL by the processor alone
    *("--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--hide-scrollbars"),
]


@dataclass(frozen=True)
class Picture:
    """One page, as it is taken in each language."""

    name: str
    view: str
    query: str  # after the dataset and the run; {MODEL} is the run of that model
    ready: str  # selector of what has to be there
    height: int  # of what is seen below BAND
    dark: bool = False  # a second one on a dark ground, in English


PICTURE_LIST = (
    Picture("map", "embeddings", "", '.map[data-n]:not([data-n="0"])', 925, dark=True),
    Picture("why", "explain", f"&user={PERSON}", ".st-key-explain_card p", 620),
    Picture("compare", "compare", "", "[data-testid=stPlotlyChart]", 690),
    Picture(
        "recommendations",
        "recommendations",
        f"&user={PERSON}&runs={{ease}},{{transitions}}",
        "[data-testid=stTable]",
        800,
    ),
)


def prepare(workspace: Workspace) -> dict[str, Run]:
    """MovieLens and a run of each of MODELS, evaluated; what is there already is left as it is."""
    info = ingest(workspace, [FILMS / "ratings.csv"], items=FILMS / "movies.csv", name="MovieLens")
    runs = {}
    for model in MODELS:
        request = RunRequest(info.id, model, device="cpu")
        run = pipeline.finished_run(workspace, request.config(), None)
        run = run or pipeline.train(workspace, request)
        if not run.metrics:
            pipeline.evaluate(workspace, run, device="cpu")
        runs[model] = run
    return runs


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server on this workspace."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dashboard", "--port", str(port), "--data-dir", str(folder)]
    server = subprocess.Popen(command, cwd=HERE.parent)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/_stcore/health", server)
        yield address
    finally:
        server.terminate()
        server.wait(30)


def wait_for(url: str, server: subprocess.Popen[bytes], patience_s: float = 60) -> None:
    """Returns once the server answers."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"the server did not come up (exit code {server.poll()})")


def at_rest(page: Page) -> None:
    """Waits until the script has run, the page is drawn and the charts have faded in."""
    for _ in range(2):
        page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
        page.wait_for_timeout(1500)


def take(browser: Browser, address: str, picture: Picture, locale: str, scheme: Scheme) -> Path:
    """One picture, written as PNG; its file."""
    context = browser.new_context(
        viewport={"width": WIDTH, "height": BAND + picture.height},
        locale=locale,
        color_scheme=scheme,
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_S * 1000)
    page.goto(address)
    page.wait_for_selector(picture.ready, state="attached")
    at_rest(page)
    page.wait_for_selector("[data-testid=stProgress]", state="detached")
    at_rest(page)
    language = "" if locale.startswith("en") else f"-{locale[:2]}"
    path = PICTURES / f"{picture.name}{language}{'-dark' if scheme == 'dark' else ''}.png"
    seen = page.screenshot(clip={"x": 0, "y": BAND, "width": WIDTH, "height": picture.height})
    with Image.open(io.BytesIO(seen)) as shot:
        shot.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    context.close()
    if path.stat().st_size > MAX_BYTES:
        raise SystemExit(f"{path.name} has {path.stat().st_size:,} bytes; at most {MAX_BYTES:,}")
    return path


def wanted(only: Sequence[str]) -> Iterator[tuple[Picture, str, Scheme]]:
    """Each picture to be taken, with its language and ground."""
    for picture in PICTURE_LIST:
        if picture.name in only:
            yield picture, "en-US", "light"
            if picture.dark:
                yield picture, "en-US", "dark"
            yield picture, "zh-CN", "light"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, help="kept; else a temporary one")
    parser.add_argument("--only", nargs="*", default=[p.name for p in PICTURE_LIST])
    options = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if not chromium:
        raise SystemExit("the pictures need Chromium: apt-get install chromium fonts-noto-cjk")
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.workspace or Path(temporary)
        runs = prepare(Workspace.open(folder))
        with served(folder) as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            for picture, locale, scheme in wanted(options.only):
                ids = {model: run.id for model, run in runs.items()}
                begin = f"{address}/{picture.view}?dataset={runs['ease'].config.dataset}&run="
                where = begin + ids["ease"] + picture.query.format(**ids)
                path = take(browser, where, picture, locale, scheme)
                print(path.name, f"{path.stat().st_size:,} bytes", flush=True)
            browser.close()


if __name__ == "__main__":
    main()
