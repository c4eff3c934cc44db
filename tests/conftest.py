"""Shared by all tests: the sample data, ingested once, and a small world to reckon by hand."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

from core.types import Interactions

if TYPE_CHECKING:
    from core.data.store import DatasetInfo, Workspace

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
    from core.data.ingest.ingest import ingest
    from core.data.store import Workspace

    workspace = Workspace.open(tmp_path_factory.mktemp("workspace"))
    movielens = SAMPLE_DATA / "movielens-latest-small"
    ingest(workspace, [movielens / "ratings.csv"], items=movielens / "movies.csv", name="movielens")
    retail = SAMPLE_DATA / "online-retail" / "online_retail.parquet"
    ingest(workspace, [retail], name="online-retail")
    return workspace


MakeDataset = Callable[..., "DatasetInfo"]


@pytest.fixture
def make_dataset(tmp_path: Path) -> MakeDataset:
    """A dataset version as ingest writes it, from rows made up in the test; `meta` overrides."""

    def make(
        events: pd.DataFrame,
        *,
        items: pd.DataFrame | None = None,
        users: pd.DataFrame | None = None,
        **meta: Any,
    ) -> DatasetInfo:
        from core.data.durable import sha256_file
        from core.data.store import SCHEMA_VERSION, DatasetInfo

        events = events.copy()
        if "source_row" not in events:
            events["source_row"] = np.arange(1, len(events) + 1)
        time = ["timestamp"] if "timestamp" in events else []
        events = events.sort_values(["user_id", *time, "source_row"])
        clock = bool(time) and pd.api.types.is_datetime64_any_dtype(events["timestamp"])
        identity = str(len(list(tmp_path.iterdir()))).zfill(12)
        folder = tmp_path / identity
        folder.mkdir()
        rejected = pd.DataFrame(
            {"file": "a.csv", "line": [7], "reason": "no_user", "detail": "", "record": ",3"}
        )
        tables = {"events": events, "items": items, "users": users, "rejected": rejected}
        for name, table in tables.items():
            if table is not None:
                table.to_parquet(folder / f"{name}.parquet", index=False)
        roles = ("user_id", "item_id", "timestamp", "event", "value", "platform")
        document = {
            "schema_version": SCHEMA_VERSION,
            "id": identity,
            "name": "made-up",
            "parent": None,
            "created": "2024-01-01T00:00:00Z",
            "files": [{"name": "a.csv", "sha256": "0" * 64, "bytes": 1}],
            "mapping": {role: role if role in events else None for role in roles},
            "evidence": {},
            "time_kind": "clock" if clock else "order" if time else "none",
            "value_kind": "rating" if "value" in events else None,
            "parts": {"a.csv": "events"},
            "weights": dict.fromkeys(
                sorted(events.get("event", pd.Series()).dropna().unique()), 1.0
            ),
            "cleaning": [],
            "counts": {
                "rows_read": len(events) + 1,
                "rows_kept": len(events),
                "rows_rejected": 1,
                "users": events["user_id"].nunique(),
                "items": events["item_id"].nunique(),
                "rejected": {"no_user": 1},
            },
            "first_time": None,
            "last_time": None,
            "item_columns": [] if items is None else list(items.columns[1:]),
            "user_columns": [] if users is None else list(users.columns[1:]),
            "sha256": {path.name: sha256_file(path) for path in folder.iterdir()},
            **meta,
        }
        (folder / "dataset.json").write_text(json.dumps(document))
        return DatasetInfo.read(folder)

    return make


@pytest.fixture
def shop(make_dataset: Callable[..., DatasetInfo], tmp_path: Path) -> Workspace:
    """A workspace of one's own with a small made-up log `shop` in it: 40 users, 25 items."""
    from core.data.store import Workspace

    rng = np.random.default_rng(7)
    users = np.repeat(np.arange(40), rng.integers(3, 12, 40))
    events = pd.DataFrame(
        {
            "user_id": np.char.add("u", users.astype(str)),
            "item_id": np.minimum(rng.geometric(0.12, len(users)), 25) * 10,
            "timestamp": pd.to_datetime(
                rng.integers(1_600_000_000, 1_700_000_000, len(users)), unit="s"
            ).astype("datetime64[us]"),
        }
    )
    kinds = np.array(["tea", "cup", "pot"])[rng.integers(0, 3, 25)]
    items = pd.DataFrame({"item_id": np.arange(1, 26) * 10, "kind": kinds, "price": rng.random(25)})
    info = make_dataset(events, items=items, id="5" * 12, name="shop")
    workspace = Workspace.open(tmp_path / "shop")
    info.folder.rename(workspace.datasets_folder / info.id)
    return workspace


@pytest.fixture
def shop_is_home(shop: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that are told no workspace find the shop."""
    monkeypatch.setenv("RECSCOPE_HOME", str(shop.path))


@pytest.fixture
def recscope(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any, str]]:
    """Runs a command here: its exit code, its output (JSON if asked and there), its errors."""
    from core import cli

    def run(*words: object) -> tuple[int, Any, str]:
        try:
            code = cli.main([str(word) for word in words])
        except SystemExit as stop:
            code = int(str(stop.code))
        out, err = capsys.readouterr()
        return code, json.loads(out) if "--json" in words and out else out, err

    return run


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
