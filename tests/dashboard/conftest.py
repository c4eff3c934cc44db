"""Workspaces to draw pages from: one with nothing in it, one with data and runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.data.store import Workspace
from core.runs.request import RunRequest

APP = Path(__file__).resolve().parents[2] / "dashboard" / "app.py"
VIEWS = sorted(path.stem for path in (APP.parent / "views").glob("[!_]*.py"))

Open = Callable[..., AppTest]


@pytest.fixture(scope="session")
def trained(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The sample data with two evaluated runs on MovieLens; tests may add to it."""
    from core import pipeline

    path = tmp_path_factory.mktemp("trained") / "workspace"
    shutil.copytree(workspace.path, path)
    copy = Workspace.open(path)
    for model in ("popularity", "transitions"):
        run = pipeline.train(copy, RunRequest("movielens", model, device="cpu"))
        pipeline.evaluate(copy, run, device="cpu")
    return copy


@pytest.fixture
def nothing(tmp_path: Path) -> Workspace:
    """A workspace with nothing in it."""
    return Workspace.open(tmp_path / "nothing")


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens a page of a workspace, as a browser with this address would."""

    def open_it(workspace: Workspace, view: str = "home", **query: str) -> AppTest:
        monkeypatch.setenv("RECSCOPE_HOME", str(workspace.path))
        page = AppTest.from_file(str(APP), default_timeout=120)
        if view != "home":  # which must not have read the address before
            page.run()
            page.switch_page(f"views/{view}.py")
        for name, value in query.items():
            page.query_params[name] = value
        page.run()
        assert not page.exception, page.exception
        return page

    return open_it
