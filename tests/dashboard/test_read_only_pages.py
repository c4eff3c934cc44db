"""Each page of a workspace that may only be looked at is used, and leaves it as it is."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.types import Message, Scope
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from core import holdings, jobs, pipeline
from core.data import read_only
from core.data.durable import utc_now, write_json_atomically
from core.data.store import Workspace
from core.errors import ReadOnly
from core.runs import artifact
from core.runs.config import run_id
from core.runs.request import RunRequest
from dashboard import saved_views
from dashboard.components import sample
from dashboard.components.explain.depth import DEPTHS, EVERYONE
from dashboard.map import layouts
from dashboard.state import mark
from dashboard.text import text
from dashboard.uploads import UploadsOnDisk
from tests.dashboard.conftest import VIEWS, Open
from tests.test_demo import answers, free_port
from tests.test_full_disk import mounts
from tests.untouched import tree, untouched

pytestmark = pytest.mark.slow  # together too many for `make quick`

WRITING = {  # the keys of buttons that write, as they begin
    *("sample", "start", "search", "clean", "evaluate", "import", "restore", "sql_save"),
    *("rename_", "archive_", "delete_", "confirm_", "cancel_"),
    *("annotate_", "resume_", "view_save", "view_forget"),
}
EXPLAIN_TABS = ("values", "items", "cases", "cohorts", "others", "faithful")


@pytest.fixture
def shop_with_runs(shop: Workspace) -> Workspace:
    """The shop with runs of each kind: evaluated, not, archived."""
    for model, params in (("popularity", {}), ("als", {"dim": 8, "sweeps": 3}), ("ease", {})):
        run = pipeline.train(shop, RunRequest("shop", model, params, device="cpu"))
        if model != "ease":
            pipeline.evaluate(shop, run, device="cpu")
    gone = pipeline.train(shop, RunRequest("shop", "popularity", seed=1, device="cpu"))
    holdings.archive(shop, gone.id)
    saved_views.save(shop, "my view", "compare", {"dataset": "shop", "metric": "auc"})
    return shop


@pytest.fixture
def lent(shop_with_runs: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """The same, to be looked at; it is afterwards as it was."""
    monkeypatch.setenv(read_only.VARIABLE, str(shop_with_runs.path))
    with untouched(shop_with_runs.path):
        yield shop_with_runs


@pytest.fixture
def busy(shop_with_runs: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """The same while something trains there, which a process elsewhere has started."""
    config = RunRequest("shop", "transitions", device="cpu").resolve(shop_with_runs)
    folder = shop_with_runs.runs_folder / run_id(config)
    folder.mkdir()
    asked = {"name": "at work", "dataset_name": "shop", "created": utc_now()}
    write_json_atomically(folder / "run.json", {**asked, "config": config.to_json()})
    jobs.process.enqueue(folder, os.getpid(), group=False)
    monkeypatch.setenv(read_only.VARIABLE, str(shop_with_runs.path))
    with untouched(shop_with_runs.path):
        yield shop_with_runs


def writes(button: Button) -> bool:
    return any(str(button.key).startswith(beginning) for beginning in WRITING)


def opened(page: AppTest, workspace: Workspace, depth: str = EVERYONE) -> AppTest:
    """The page with all its boxes open, Explain as deep as this."""
    page.query_params["depth"] = depth
    for name in ("add_0", "entering", "origin", "more", "fine"):
        page.session_state[name] = True
    names = [str(text("en", f"explain.all.tab.{each}")) for each in EXPLAIN_TABS]
    page.session_state[f"all_tabs_{mark(names)}"] = names[-1]
    page.session_state[f"tabs_{workspace.dataset('shop').id}"] = text("en", "data.tab.quality")
    return check(page.run())


def check(page: AppTest) -> AppTest:
    assert not page.exception, page.exception
    said = [error.value for error in page.error]
    if page.title[0].value == text("en", "sql.question"):  # an example may ask what a run has not
        said = [sentence for sentence in said if "refused" in sentence]
    assert not said
    return page


@pytest.mark.parametrize("view", VIEWS)
def test_a_page_is_used_and_nothing_is_written(open_page: Open, busy: Workspace, view: str) -> None:
    runs = {run.config.model: run.id for run in artifact.list_runs(busy)}
    for model in ("als", "popularity"):
        page = open_page(busy, view, dataset="shop", run=runs[model], user="u3")
        assert text("en", "read_only.sidebar") in page.sidebar.caption[0].value
        for depth in DEPTHS if view == "explain" else ():
            opened(page, busy, depth)
        opened(page, busy)
        for key in [button.key for button in page.button if not button.disabled]:
            if any(button.key == key for button in page.button):  # it may go by another's click
                check(page.button(key=key).click().run())
        for box in page.selectbox:
            if len(box.options) > 1 and not box.disabled and "language" not in str(box.key):
                check(page.selectbox(key=box.key).select_index(len(box.options) - 1).run())
                break


def test_what_would_write_cannot_be_clicked_and_says_why(open_page: Open, lent: Workspace) -> None:
    ease = next(run for run in artifact.list_runs(lent) if run.config.model == "ease")
    seen: set[str] = set()
    for view in VIEWS:
        page = opened(open_page(lent, view, dataset="shop", run=ease.id, user="u3"), lent)
        for button in filter(writes, page.button):
            assert button.disabled, button.key
            assert button.help == text("en", "read_only.asked"), button.key
            seen |= {b for b in WRITING if str(button.key).startswith(b)}
        assert not page.get("file_uploader")
    assert seen == WRITING - {"sample", "import", "confirm_", "cancel_", "resume_"}


def test_a_job_under_way_cannot_be_cancelled(open_page: Open, busy: Workspace) -> None:
    page = open_page(busy, "train", dataset="shop")
    (box,) = [
        p for p in page.get("popover") if p.proto.popover.label == text("en", "action.cancel")
    ]
    assert box.proto.popover.disabled
    assert box.proto.popover.help == text("en", "read_only.asked")


def test_an_empty_workspace_says_it_too(
    open_page: Open, nothing: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(read_only.VARIABLE, str(nothing.path))
    assert (sample.SAMPLES / "movielens-latest-small").is_dir()
    with untouched(nothing.path):
        for view in VIEWS:
            page = check(open_page(nothing, view))
            assert all(button.disabled for button in page.button if writes(button))
        page = open_page(nothing, "data")
        assert page.button(key="sample").disabled
        assert page.info[0].value == text("en", "read_only.asked")


def test_it_is_a_page_like_any_other_where_it_may_be_written(
    open_page: Open, shop_with_runs: Workspace
) -> None:
    page = opened(open_page(shop_with_runs, "data", dataset="shop"), shop_with_runs)
    assert page.get("file_uploader")
    assert not page.button(key=f"rename_{shop_with_runs.dataset('shop').id}").disabled
    assert not [c for c in page.sidebar.caption if "Read only" in c.value]


def test_a_map_is_made_once_and_stays_in_memory(
    lent: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = next(run for run in artifact.list_runs(lent) if run.config.model == "als")
    on_axes = layouts.principal_axes(pipeline.load_run(lent, run), "", lambda step, share: None)
    assert not layouts.has_neighbour_map(on_axes)
    first = layouts.neighbour_map(on_axes, lambda step, share: None)
    assert layouts.has_neighbour_map(on_axes)
    monkeypatch.setattr(layouts, "_neighbour_map", None)  # it is not made again
    again = layouts.neighbour_map(on_axes, lambda step, share: None)
    assert (again.x == first.x).all()
    with pytest.raises(ReadOnly):
        layouts._stored(on_axes, lambda step, share: None).save(layouts._path(on_axes))


async def _never(*_: object) -> None:
    raise AssertionError("it was passed on")


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
@pytest.mark.parametrize("path", ["page1/file1", "page1/file1/more", "x"])
def test_an_upload_is_refused_by_the_address_it_goes_to(
    lent: Workspace, method: str, path: str
) -> None:
    uploads = UploadsOnDisk(_never, lent, lambda session: True)
    scope: Scope = {"type": "http", "method": method, "path": f"/_stcore/upload_file/{path}"}
    scope["headers"] = []
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(uploads(scope, _never, send))  # type: ignore[arg-type]
    assert sent[0]["status"] == 403
    assert sent[1]["body"].startswith(b"uploading a file is refused: the workspace ")


def serving(
    home: Path, port: int, then: Callable[[str], None], *words: str, lead: tuple[str, ...] = ()
) -> str:
    """Serves this workspace, does that with the server's address; what the server said."""
    command = [*lead, sys.executable, "-m", "core.cli", "serve", *words, "--port", str(port)]
    env = {n: v for n, v in os.environ.items() if n != read_only.VARIABLE}
    log = home.with_name("server.log")
    with log.open("w") as out:
        server = subprocess.Popen(
            [*command, "--data-dir", str(home)], env=env, stdout=out, stderr=out
        )
        try:
            deadline = time.monotonic() + 120
            while not answers(port):
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < deadline
                time.sleep(0.1)
            then(f"http://127.0.0.1:{port}")
        finally:
            server.terminate()
            server.wait(30)
    return log.read_text()


def refused(address: str) -> None:
    for view in ("", *VIEWS):
        with urllib.request.urlopen(f"{address}/{view}") as page:
            assert page.status == 200
    for method in ("PUT", "DELETE"):
        upload = urllib.request.Request(
            f"{address}/_stcore/upload_file/page/file", data=b"x", method=method
        )
        with pytest.raises(urllib.error.HTTPError) as answer:
            urllib.request.urlopen(upload)
        assert answer.value.code == 403
        assert answer.value.read().startswith(b"uploading a file is refused: the workspace ")


def test_the_server_leaves_the_workspace_as_it_is(shop_with_runs: Workspace) -> None:
    half = shop_with_runs.tmp_folder / "999999-1000-abcdef01"  # a killed process left it
    half.mkdir()
    (half / "part").write_text("")
    before = tree(shop_with_runs.path)
    said = serving(shop_with_runs.path, free_port(), refused, "--read-only")
    assert "read only" in said
    assert "Traceback" not in said
    assert tree(shop_with_runs.path) == before


@mounts
def test_a_disk_that_is_mounted_read_only(shop_with_runs: Workspace) -> None:
    """The same with the option and without: what cannot be written is only looked at."""
    home = shop_with_runs.path
    remount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
    lead = ("unshare", "-rm", "sh", "-c", remount, str(home))
    before = tree(home)
    for words in ([], ["--read-only"]):
        said = serving(home, free_port(), refused, *words, lead=lead)
        assert "read only" in said
        assert "Traceback" not in said
    assert tree(home) == before


def test_a_server_is_asked_for_a_workspace_that_is_not_there(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "core.cli", "serve", "--read-only", "--port", str(free_port())]
    done = subprocess.run(
        [*command, "--data-dir", tmp_path / "none"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("recscope: there is no workspace")
    assert not (tmp_path / "none").exists()
