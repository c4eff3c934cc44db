"""A small workspace with a dataset and a run, and what must not come out of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pytest

from core.data.ingest.ingest import ingest
from core.data.store import DatasetInfo, Workspace
from core.pipeline import evaluate, train
from core.runs.artifact import Run
from core.runs.request import RunRequest

CANARY = "canary-7f3a91"


def hashes(folder: Path) -> dict[str, str]:
    """Every file below, and what is in it."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with the dataset `shop`: 12 people, 8 items with titles, nobody described."""
    folder = tmp_path_factory.mktemp("sql")
    events = [
        {
            "user_id": f"u{user}",
            "item_id": f"i{(user * step) % 8}",
            "timestamp": 1_600_000_000 + 86400 * step,
        }
        for user in range(12)
        for step in range(1, 7)
    ]
    log, items = folder / "log.csv", folder / "items.csv"
    pd.DataFrame(events).to_csv(log, index=False)
    titles = [{"item_id": f"i{n}", "title": f"Tea {n}"} for n in range(8)]
    pd.DataFrame(titles).to_csv(items, index=False)
    workspace = Workspace.open(folder / CANARY)
    ingest(workspace, [log], items=items, name="shop")
    return workspace


@pytest.fixture(scope="session")
def info(shop: Workspace) -> DatasetInfo:
    return shop.dataset("shop")


@pytest.fixture(scope="session")
def run(shop: Workspace, info: DatasetInfo) -> Run:
    """An evaluated run of shop; a session later has it than its dataset."""
    trained = train(shop, RunRequest(dataset=info.id, model="ease", name="first"))
    evaluate(shop, trained)
    return trained
