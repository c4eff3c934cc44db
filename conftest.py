"""What the examples in the docstrings of recscope work on: the sample data, trained once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import recscope
from recscope import Dataset, Run, Workspace

MOVIELENS = Path(__file__).parent / "sample_data" / "movielens-latest-small"


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Dataset, Run]:
    """A workspace with the films in it, and a model of them."""
    ws = recscope.open(tmp_path_factory.mktemp("example"), progress=False)
    data = ws.ingest(MOVIELENS / "ratings.csv", items=MOVIELENS / "movies.csv", name="movielens")
    ws.train(data, "popularity")
    return ws, data, ws.train(data, "transitions")


@pytest.fixture(autouse=True)
def _examples(request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]) -> None:
    """Names for the examples of recscope; other tests cost nothing."""
    if isinstance(request.node, pytest.DoctestItem) and "recscope" in request.node.path.parts:
        ws, data, run = request.getfixturevalue("example")
        names = {"recscope": recscope, "ws": ws, "data": data, "run": run, "folder": ws.path}
        elsewhere = request.getfixturevalue("tmp_path_factory").mktemp("elsewhere")
        doctest_namespace.update(names, elsewhere=elsewhere)
