"""One server and one Chromium for all browser tests; every page is watched for errors."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core.data.store import Workspace
from core.runs.artifact import Run
from core.runs.request import RunRequest

ARGS = [
    *("--no-sandbox", "--disable-dev-shm-usage"),
    *("--use-gl=angle", "--use-angle=swiftshader"),  # WebGL by the processor alone
    *("--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"),
]
MISSING = (
    "the browser tests need Chromium: apt-get install chromium fonts-noto-cjk "
    "(RECSCOPE_REQUIRE_BROWSER=1 makes its absence a failure)"
)

Visit = Callable[..., Any]

ROOT = Path(__file__).resolve().parents[2]
N_ITEMS = 900  # of the shop
KINDS = ("tea", "cup", "pot", "tray")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the browser tests, and puts them last: what is sooner told is told sooner."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("browser")
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of the system's Chromium; without one the tests are skipped, or fail if told so."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found:
        return found
    if os.environ.get("RECSCOPE_REQUIRE_BROWSER") == "1":
        pytest.fail(MISSING)
    pytest.skip(MISSING)


@pytest.fixture(scope="session")
def served(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server on a workspace of its own, which is empty at first."""
    folder = tmp_path_factory.mktemp("served")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dashboard", "--port", str(port), "--data-dir", str(folder)]
    with (folder / "server.log").open("wb") as log:
        env = os.environ | {"PYTHONPATH": str(ROOT)}  # the code under test, wherever it is
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=env)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{address}/_stcore/health", server)
        yield address
    finally:
        server.terminate()
        server.wait(30)
    assert "Traceback" not in (folder / "server.log").read_text()


def _wait(url: str, server: subprocess.Popen[bytes], patience_s: float = 60) -> None:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.read() == b"ok":
                    return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"the server did not come up (exit code {server.poll()})")


@pytest.fixture(scope="session")
def people(chromium: str) -> Iterator[Callable[[str, str], Any]]:
    """A browser of one person per language and theme; what it has loaded once it keeps."""
    from playwright.sync_api import sync_playwright

    contexts: dict[tuple[str, str], Any] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=ARGS)

        def person(locale: str, scheme: str) -> Any:
            if (locale, scheme) not in contexts:
                contexts[locale, scheme] = browser.new_context(
                    viewport={"width": 1360, "height": 900}, locale=locale, color_scheme=scheme
                )
            return contexts[locale, scheme]

        yield person
        browser.close()


@pytest.fixture
def visit(people: Callable[[str, str], Any], served: str) -> Iterator[Visit]:
    """Opens an address of the app; afterwards: no console error, no request off this machine."""
    wrong: list[str] = []
    pages = []

    def open_it(path: str = "/", *, locale: str = "en-US", scheme: str = "light") -> Any:
        page = people(locale, scheme).new_page()
        pages.append(page)
        page.set_default_timeout(60_000)
        page.on("console", lambda message: wrong.extend(_error(message)))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: wrong.extend(_outside(request.url)))
        page.goto(served + path)
        ready(page)
        return page

    yield open_it
    for page in pages:
        page.close()
    assert not wrong


def _error(message: Any) -> list[str]:
    return [message.text] if message.type == "error" else []


def _outside(url: str) -> list[str]:
    here = url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:"))
    return [] if here else [url]


def ready(page: Any) -> None:
    """Waits until the script has run and the page is drawn."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    page.wait_for_selector("h1")


@pytest.fixture(scope="session")
def furnished(served: str, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The served workspace with MovieLens and two evaluated runs in it."""
    from core import pipeline
    from core.data.ingest.ingest import ingest

    folder = next(path for path in tmp_path_factory.getbasetemp().glob("served*"))
    workspace = Workspace.open(folder)
    films = ROOT / "sample_data" / "movielens-latest-small"
    info = ingest(workspace, [films / "ratings.csv"], items=films / "movies.csv", name="MovieLens")
    for model in ("popularity", "transitions"):
        run = pipeline.train(workspace, RunRequest(info.id, model, device="cpu"))
        pipeline.evaluate(workspace, run, device="cpu")
    return workspace


@pytest.fixture(scope="session")
def movielens(furnished: Workspace) -> str:
    """Its dataset's id: a test that uploads the same files gives it, and its runs, another name."""
    return next(info.id for info in furnished.datasets() if info.counts["rows_kept"] == 100_836)


@pytest.fixture(scope="session")
def mapped(furnished: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on 900 made-up items of four kinds; people keep to a kind, so that it can be seen."""
    from core import pipeline
    from core.data.ingest.ingest import ingest

    rng = np.random.default_rng(11)
    users = np.repeat(np.arange(400), 40)
    items = (rng.integers(0, N_ITEMS // 4, len(users)) ** 2 // (N_ITEMS // 4)) * 4 + users % 4
    folder = tmp_path_factory.mktemp("shop")
    events = pd.DataFrame({"user": users, "item": items, "rating": rng.integers(1, 6, len(users))})
    events.drop_duplicates(["user", "item"]).to_csv(folder / "log.csv", index=False)
    known = np.arange(N_ITEMS)
    names = [f"{KINDS[n % 4]} number {n}" for n in known]
    kinds = [KINDS[n % 4] for n in known]
    table = pd.DataFrame({"item": known, "name": names, "kind": kinds, "price": known % 37})
    table.to_csv(folder / "items.csv", index=False)
    info = ingest(furnished, [folder / "log.csv"], items=folder / "items.csv", name="shop")
    return pipeline.train(
        furnished, RunRequest(info.id, "als", {"dim": 16, "sweeps": 5}, device="cpu")
    )
