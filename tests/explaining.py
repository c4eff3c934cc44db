"""Histories of the made-up shop, and runs that explain them."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from core import pipeline
from core.data.durable import sha256_file
from core.data.store import Workspace
from core.models import MODELS
from core.models.neural.gradient_model import GradientModel
from core.runs.artifact import Run
from core.runs.request import RunRequest

NEEDS_VALUES = {"mlp_rating"}  # the shop's log has none
QUICK = {name: ["epochs=2"] for name, kind in MODELS.items() if issubclass(kind, GradientModel)}
FITTING = [name for name in MODELS if name not in NEEDS_VALUES]


def train(shop: Workspace, name: str, *params: str, **options) -> Run:
    """A run of this model in the shop; of a fusion its components too."""
    if name == "fusion":
        parts = [train(shop, "als"), train(shop, "transitions")]
        params = (f"components={','.join(part.id for part in parts)}",)
    params = params or tuple(QUICK.get(name, ()))
    return pipeline.train(shop, RunRequest("shop", name, params, device="cpu", **options))


NEW, OTHER = 900, 910  # items that describe_more adds


def describe_more(shop: Workspace, kind: str | None = None) -> None:
    """Two items more in the shop's table: one that is as item 20, and one of no known kind.

    If given, of this kind the first is.
    """
    info = shop.dataset("shop")
    path = info.folder / "items.parquet"
    items = pd.read_parquet(path).set_index("item_id")
    items.loc[NEW] = items.loc[20]
    if kind is not None:
        items.loc[NEW, "kind"] = kind
    items.loc[OTHER] = ["kettle", 3.0]
    items.reset_index().to_parquet(path, index=False)
    document = json.loads((info.folder / "dataset.json").read_text())
    document.pop("checksum", None)
    document["sha256"][path.name] = sha256_file(path)
    (info.folder / "dataset.json").write_text(json.dumps(document))


def events_of(shop, user: str) -> pd.DataFrame:
    events = pd.read_parquet(shop.dataset("shop").folder / "events.parquet")
    return events[events["user_id"] == user]


def someone(shop, low: int, high: int) -> str:
    """The first person with so many events."""
    counts = pd.read_parquet(shop.dataset("shop").folder / "events.parquet")["user_id"]
    counts = counts.value_counts().sort_index()
    return next(user for user, n in counts.items() if low <= n <= high)


def table(history: pd.DataFrame, path: Path) -> Path:
    """The history as a file for --histories."""
    history.drop(columns="source_row").to_csv(path, index=False)
    return path


def busy(folder: Path, n: int) -> Path:
    """A file with one person who did so many things."""
    rows = "".join(f"ann,{(step * 7 % 25 + 1) * 10}\n" for step in range(n))
    path = folder / "busy.csv"
    path.write_text("user_id,item_id\n" + rows)
    return path


def refused(answer, part: str = "") -> None:
    """The answer of a command is one sentence, which has this part, and exit code 2."""
    code, out, err = answer
    assert (code, out) == (2, ""), err
    said = [line for line in err.splitlines() if line.startswith("recscope: ")]
    assert len(said) == 1
    assert part in said[0]
    assert "Traceback" not in err
