"""A workspace as a notebook has it: the small made-up shop, and runs of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import recscope as api

RELEASED = Path(__file__).parent.parent / "released" / "v0.1.0"  # a run of every model


@pytest.fixture
def ws(shop):
    """The shop: 40 users u0 … u39, items 10, 20, … 250 with kind and price."""
    return api.open(shop.path, progress=False)


@pytest.fixture
def run(ws):
    """Items after items, exact and quick."""
    return ws.train("shop", "transitions")


@pytest.fixture(scope="session")
def released(tmp_path_factory):
    """A workspace with a small run of every model."""
    home = tmp_path_factory.mktemp("released") / "home"
    shutil.copytree(RELEASED, home)
    return api.open(home, progress=False)
