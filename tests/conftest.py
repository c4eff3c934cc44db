"""Shared by all tests: the sample data, ingested once, and a small world to reckon by hand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings

from core.types import Interactions

if TYPE_CHECKING:
    from core.data.store import Workspace

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("default", deadline=None)  # a busy machine is no failure
settings.load_profile("ci" if os.environ.get("CI") else "default")

SAMPLE_DATA = Path(__file__).parent.parent / "sample_data"


@pytest.fixture(scope="session")
def sample_data() -> Path:
    """The folder of the files that ship with Recscope."""
    return SAMPLE_DATA


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with `movielens` and `online-retail` in it. Read only: others use it too."""
    from core.data.ingest import ingest
    from core.data.store import Workspace

    workspace = Workspace.open(tmp_path_factory.mktemp("workspace"))
    movielens = SAMPLE_DATA / "movielens-latest-small"
    ingest(workspace, [movielens / "ratings.csv"], items=movielens / "movies.csv", name="movielens")
    retail = SAMPLE_DATA / "online-retail" / "online_retail.parquet"
    ingest(workspace, [retail], name="online-retail")
    return workspace


@pytest.fixture
def small_world() -> Interactions:
    """Six users, seven items, 20 events with times; nothing about it is symmetric.

    User 5 has one event, item 6 none; user 0 takes item 1 twice, users 1 and 3 have tied times.
    """
    histories = [
        ([0, 1, 2, 1, 3], [10, 20, 30, 40, 50]),
        ([1, 2, 3, 4], [15, 25, 25, 60]),
        ([0, 2, 5], [12, 13, 70]),
        ([3, 4, 0, 1, 2], [5, 5, 35, 45, 80]),
        ([4, 5], [55, 65]),
        ([5], [90]),
    ]
    return Interactions(
        users=np.repeat(np.arange(6), [len(items) for items, _ in histories]),
        items=np.concatenate([items for items, _ in histories]),
        weights=np.ones(20, np.float32),
        n_users=6,
        n_items=7,
        times=np.concatenate([times for _, times in histories]),
        values=np.tile(np.array([5, 3, 4, 1], np.float32), 5),
    )
