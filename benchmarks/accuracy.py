"""The target figures on the real files: all items ranked, seen hidden, float32, ties against.

python benchmarks/accuracy.py DATA_FOLDER [--device cpu|cuda] [--only NAME,...]

amazon-beauty, amazon-toys, ml-1m: fitted on all but each user's last event, which is the target.
gowalla: fitted on train.parquet; Recall@20 = hits / all test items of the user. Parameters other
than the defaults were chosen on the event before the last. A Parquet file FOLDER/x.parquet may be
replaced by FOLDER/x.npz with the same columns. Needs numpy, scipy, torch, and pyarrow for Parquet;
EASE on gowalla wants a GPU with 24 GiB, or 10 GiB and a quarter of an hour of CPU.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from core.evaluate import evaluate
from core.models import MODELS
from core.types import Array, Holdout, Interactions, TrainData

# data set, model, parameters, targets
ROWS: list[tuple[str, str, dict[str, Any], dict[str, float]]] = [
    ("amazon-beauty", "popularity", {}, {}),
    ("amazon-beauty", "item_knn", {}, {}),
    ("amazon-beauty", "transitions", {}, {"recall@10": 0.0955, "ndcg@10": 0.0605}),
    ("amazon-toys", "popularity", {}, {}),
    ("amazon-toys", "item_knn", {}, {}),
    ("amazon-toys", "transitions", {}, {"recall@10": 0.1110, "ndcg@10": 0.0720}),
    ("ml-1m", "item_knn", {"similarity": "tfidf", "shrink": 0.0}, {}),
    ("ml-1m", "transitions", {"gap": 10, "history_decay": 0.8}, {}),
    ("ml-1m", "ease", {"l2": 300.0}, {}),
    ("gowalla", "ease", {"l2": 100.0}, {"recall@20": 0.176}),
]


def columns(file: Path) -> dict[str, Array]:
    """The columns of a Parquet file, or of the .npz beside it."""
    if file.with_suffix(".npz").exists():
        return dict(np.load(file.with_suffix(".npz"), allow_pickle=False))
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    return {name: table[name].to_numpy() for name in table.column_names}


def leave_last_out(folder: Path) -> tuple[Interactions, Holdout]:
    """All but each user's last event, and that event as the target."""
    log = columns(folder / "events.parquet")
    order = np.lexsort((log["position"], log["user_id"]))
    users = np.unique(log["user_id"][order], return_inverse=True)[1]
    items = np.unique(log["item_id"][order], return_inverse=True)[1]
    times = log["position"][order].astype(np.int64)
    whole = interactions(users, items, int(users.max()) + 1, int(items.max()) + 1, times)
    ages = whole.queries().ages
    train = whole.where(ages > 0)
    return train, Holdout(train.queries(), items[ages == 0], np.arange(whole.n_users + 1))


def given_split(folder: Path) -> tuple[Interactions, Holdout]:
    """train.parquet, and each user's items of test.parquet as targets; codes as they are."""
    parts = [columns(folder / f"{name}.parquet") for name in ("train", "test")]
    n_users, n_items = (
        max(int(part[name].max()) for part in parts) + 1 for name in ("user_id", "item_id")
    )
    (users, items), (test_users, targets) = (
        (part["user_id"][order].astype(np.int64), part["item_id"][order].astype(np.int64))
        for part in parts
        for order in [np.argsort(part["user_id"], kind="stable")]
    )
    train = interactions(users, items, n_users, n_items, None)
    offsets = np.searchsorted(test_users, np.arange(n_users + 1))
    return train, Holdout(train.queries(), targets, offsets)


def interactions(
    users: Array, items: Array, n_users: int, n_items: int, times: Array | None
) -> Interactions:
    return Interactions(users, items, np.ones(len(users), np.float32), n_users, n_items, times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--only", default="", help="data sets, with commas between")
    chosen = parser.parse_args()
    wanted = set(filter(None, chosen.only.split(",")))
    for data, name, params, targets in ROWS:
        if wanted and data not in wanted:
            continue
        read = given_split if data == "gowalla" else leave_last_out
        train, test = read(chosen.folder / data)
        model = MODELS[name](MODELS[name].Config(**params))
        start = time.perf_counter()
        model.fit(TrainData(train), rng=np.random.default_rng(0), device=chosen.device)
        fitted = time.perf_counter() - start
        found = evaluate(model, test, train=train, ks=(5, 10, 20))
        figures = " ".join(
            f"{key} {found.summary[key]['mean']:.4f}"
            for key in ("recall@5", "ndcg@5", "recall@10", "ndcg@10", "recall@20", "ndcg@20")
        )
        met = [
            f"{key} {'≥' if found.summary[key]['mean'] >= least else 'MISSES'} {least:.4f}"
            for key, least in targets.items()
        ]
        given = " ".join(f"{key}={value}" for key, value in params.items())
        seconds = f"fit {fitted:.1f} s, evaluation {found.seconds:.1f} s"
        print(f"{data} {name} {given}: {figures} {seconds} {' '.join(met)}", flush=True)


if __name__ == "__main__":
    main()
