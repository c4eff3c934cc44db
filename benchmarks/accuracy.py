"""The target figures on the real files: all items ranked, seen hidden, float32, ties against.

python benchmarks/accuracy.py DATA_FOLDER [--device cpu|cuda] [--only NAME,...] [--seeds 3]

amazon-beauty, amazon-toys, ml-1m: fitted on all but each user's last event, which is the target.
gowalla: fitted on train.parquet; Recall@20 = hits / all test items of the user. Parameters other
than the defaults were chosen on the event before the last, or on gowalla on a tenth of each user's
train items. `auto` fuses what it chooses, and prints the weights. A Parquet file FOLDER/x.parquet
may be replaced by FOLDER/x.npz with the same columns. Needs numpy, scipy, torch, and pyarrow for
Parquet; EASE on gowalla wants a GPU with 24 GiB, or 10 GiB and a quarter of an hour of CPU.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from core.config import model_config
from core.evaluate import evaluate
from core.models import MODELS
from core.types import Array, Block, Features, Holdout, Interactions, Telling, TrainData

RETAIL: dict[str, Any] = {"dim": 256, "heads": 4, "dropout": 0.5, "time_bias": False}
FILMS: dict[str, Any] = {
    **{"dim": 256, "heads": 4, "max_len": 200, "batch": 64, "dropout": 0.3, "temperature": 0.05},
    "time_bias": False,
}

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
    ("amazon-beauty", "unified", RETAIL, {"recall@10": 0.094, "ndcg@10": 0.057}),
    ("amazon-toys", "unified", RETAIL, {}),
    ("ml-1m", "unified", FILMS, {"recall@10": 0.336, "ndcg@10": 0.196}),
    ("amazon-beauty", "auto", {"minutes": 15.0}, {"recall@10": 0.117, "ndcg@10": 0.070}),
    ("amazon-toys", "auto", {"minutes": 15.0}, {"recall@10": 0.132, "ndcg@10": 0.082}),
    ("ml-1m", "auto", {"minutes": 15.0}, {"recall@10": 0.358, "ndcg@10": 0.213}),
    ("gowalla", "auto", {"minutes": 15.0}, {"recall@20": 0.188, "ndcg@20": 0.156}),
    ("gowalla", "gfcf", {}, {}),
    ("gowalla", "ease", {"l2": 100.0}, {"recall@20": 0.176}),
]


def columns(file: Path) -> dict[str, Array]:
    """The columns of a Parquet file, or of the .npz beside it."""
    if file.with_suffix(".npz").exists():
        return dict(np.load(file.with_suffix(".npz"), allow_pickle=False))
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    return {name: table[name].to_numpy() for name in table.column_names}


def leave_last_out(folder: Path, *, validation: bool) -> tuple[TrainData, Holdout]:
    """All but each user's last event, which is the target; with `validation` the one before too."""
    log = columns(folder / "events.parquet")
    order = np.lexsort((log["position"], log["user_id"]))
    users = np.unique(log["user_id"][order], return_inverse=True)[1]
    ids, items = np.unique(log["item_id"][order], return_inverse=True)
    times = log["position"][order].astype(np.int64)
    whole = interactions(users, items, int(users.max()) + 1, len(ids), times)
    ages = whole.queries().ages
    known = whole.where(ages > 0)
    test = last_events(known, items[ages == 0])
    if not validation:
        return TrainData(known), test
    train = whole.where(ages > 1)
    asked = last_events(train, items[ages == 1])
    return TrainData(train, item_features(folder, ids), None, asked, known), test


def last_events(history: Interactions, targets: Array) -> Holdout:
    return Holdout(history.queries(), targets, np.arange(history.n_users + 1))


def item_features(folder: Path, ids: Array) -> Features:
    """What items.parquet says: lists and a|b are sets of kinds, years are half-decades."""
    import pyarrow.parquet as pq

    table = pq.read_table(folder / "items.parquet").to_pydict()
    places = {key: place for place, key in enumerate(ids.tolist())}
    pairs = []
    for name in sorted(table.keys() & {"attributes", "genres", "year"}):
        for key, value in zip(table["item_id"], table[name], strict=True):
            if name == "year":
                value = [str(value // 5 * 5)]
            parts = value.split("|") if isinstance(value, str) else value
            pairs += [(places[key], f"{name}={part}") for part in parts if key in places]
    names = sorted({name for _, name in pairs})
    columns = {name: column for column, name in enumerate(names)}
    cells = np.array([(row, columns[name]) for row, name in pairs]).T
    ones = np.ones(cells.shape[1], np.float32)
    matrix = sparse.csr_matrix((ones, tuple(cells)), shape=(len(ids), len(names)))
    return Features(multi_hot=Block(tuple(names), matrix))


def given_split(folder: Path, *, validation: bool) -> tuple[TrainData, Holdout]:
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
    known = interactions(users, items, n_users, n_items, None)
    offsets = np.searchsorted(test_users, np.arange(n_users + 1))
    test = Holdout(known.queries(), targets, offsets)
    if not validation:
        return TrainData(known), test
    out = np.random.default_rng(0).random(len(users)) < 0.1
    train = known.where(~out)
    asked = np.searchsorted(users[out], np.arange(n_users + 1))
    return TrainData(train, None, None, Holdout(train.queries(), items[out], asked), known), test


def interactions(
    users: Array, items: Array, n_users: int, n_items: int, times: Array | None
) -> Interactions:
    return Interactions(users, items, np.ones(len(users), np.float32), n_users, n_items, times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--only", default="", help="data sets, with commas between")
    parser.add_argument("--models", default="", help="models, with commas between")
    parser.add_argument("--seeds", type=int, default=1, help="mean of so many; 0, 1, …")
    parser.add_argument("--set", action="append", default=[], help="key=value instead of the row's")
    parser.add_argument("--epochs", action="store_true", help="print each epoch")
    chosen = parser.parse_args()
    sets, models = (set(filter(None, text.split(","))) for text in (chosen.only, chosen.models))
    for data, name, params, targets in ROWS:
        if (not sets or data in sets) and (not models or name in models):
            changes = dict(text.split("=", 1) for text in chosen.set)
            row(chosen, data, name, {**params, **changes}, targets)


def row(
    chosen: Any, data: str, name: str, params: dict[str, Any], targets: dict[str, float]
) -> None:
    """Fits and prints one line per seed, and the mean; hidden, then kept."""
    read = given_split if data == "gowalla" else leave_last_out
    train, test = read(chosen.folder / data, validation=MODELS[name].needs_validation)
    given = " ".join(f"{key}={value}" for key, value in params.items())
    found: list[dict[str, float]] = []
    for seed in range(chosen.seeds):
        model = MODELS[name](model_config(name, params))
        start = time.perf_counter()
        say = (lambda figures: print(figures, flush=True)) if chosen.epochs else None
        rng = np.random.default_rng(seed)
        model.fit(train, rng=rng, device=chosen.device, on_epoch=say)
        fitted = time.perf_counter() - start
        log = train.known or train.interactions
        hidden, kept = (
            evaluate(model, test, train=log, ks=(5, 10, 20), hide_seen=hide)
            for hide in (True, False)
        )
        found.append({key: value["mean"] for key, value in hidden.summary.items()})
        seconds = f"fit {fitted:.1f} s, evaluation {hidden.seconds:.1f} s"
        print(f"{data} {name} {given} seed {seed}: {figures(found[-1])} {seconds}", flush=True)
        shown = {key: value["mean"] for key, value in kept.summary.items()}
        print(f"  seen items kept: {figures(shown)}", flush=True)
        if isinstance(model, Telling):
            print(f"  {json.dumps(model.findings())}", flush=True)
    means = {key: float(np.mean([one[key] for one in found])) for key in found[0]}
    met = [
        f"{key} {means[key]:.4f} {'≥' if means[key] >= least else 'MISSES'} {least:.4f}"
        for key, least in targets.items()
    ]
    print(f"  mean of {chosen.seeds}: {figures(means)} {' '.join(met)}", flush=True)


def figures(means: dict[str, float]) -> str:
    keys = ("recall@5", "ndcg@5", "recall@10", "ndcg@10", "recall@20", "ndcg@20")
    return " ".join(f"{key} {means[key]:.4f}" for key in keys)


if __name__ == "__main__":
    main()
