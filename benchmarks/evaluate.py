"""Evaluation of all ML-1M users, every item ranked, on the CPU: seconds, memory, and what is saved.

python benchmarks/evaluate.py DATA_FOLDER, where DATA_FOLDER/ml-1m/events.parquet has user_id,
item_id, position. EASE is fitted on all but each user's last event. Two evaluations follow, each
with scoring included: Recscope's (every metric at 5, 10 and 20, with intervals) and the
straightforward one (score everything, argsort everything, recall and NDCG at 10, a plain
bootstrap), which must give the same two means. Prints the seconds of both, their ratio, and the
peak memory of each beyond what was there before. Target: under 10 s.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from core.data.split import split_log
from core.evaluate import evaluate
from core.models import MODELS
from core.types import Holdout, Interactions, Recommender, TrainData


def read(folder: Path) -> Interactions:
    """The log of ML-1M, its order as times."""
    table = pd.read_parquet(folder / "ml-1m" / "events.parquet")
    table = table.sort_values(["user_id", "position"], kind="stable")
    users, items = pd.factorize(table.user_id)[0], pd.factorize(table.item_id, sort=True)[0]
    return Interactions(
        users=users.astype(np.int64),
        items=items.astype(np.int64),
        weights=np.ones(len(table), np.float32),
        n_users=int(users.max()) + 1,
        n_items=int(items.max()) + 1,
        times=table.position.to_numpy(np.int64),
    )


def argsort_everything(model: Recommender, holdout: Holdout, n_items: int) -> dict[str, float]:
    """Recall and NDCG at 10, one target per query, ties against it, with a plain bootstrap."""
    scores = model.score(holdout.queries).numpy().copy()
    scores[holdout.queries.rows, holdout.queries.items] = -np.inf
    target = np.zeros_like(scores, dtype=bool)
    target[np.arange(len(holdout)), holdout.targets] = True
    scores[target] = np.nextafter(scores[target], -np.inf)  # below what it tied with
    order = np.argsort(-scores, axis=1, kind="stable")
    place = (order == holdout.targets[:, None]).argmax(axis=1) + 1
    values = {"recall@10": place <= 10, "ndcg@10": np.where(place <= 10, 1 / np.log2(place + 1), 0)}
    rng = np.random.default_rng(0)
    for value in values.values():
        draws = [value[rng.integers(len(value), size=len(value))].mean() for _ in range(1000)]
        np.quantile(draws, [0.025, 0.975])
    return {name: float(value.mean()) for name, value in values.items()}


def measured(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What the work returns, its seconds, and the MiB it needed beyond what was there before."""
    process, done = psutil.Process(), threading.Event()
    before = peak = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    return result, seconds, (peak - before) / 2**20


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python benchmarks/evaluate.py DATA_FOLDER")
    log = read(Path(sys.argv[1]))
    parts = split_log(log, "leave-last-out", validation=False)
    test, train = parts.test, parts.train
    assert test is not None
    model = MODELS["ease"](MODELS["ease"].Config())
    model.fit(TrainData(train), rng=np.random.default_rng(0))
    print(f"{len(test)} users, {log.n_items} items, {len(log)} events, EASE, seen items hidden")
    naive, theirs, their_memory = measured(lambda: argsort_everything(model, test, log.n_items))
    found, ours, our_memory = measured(lambda: evaluate(model, test, train=train))
    for name, value in naive.items():
        figures = found.summary[name]
        assert abs(figures["mean"] - value) < 1e-6, (name, figures["mean"], value)
        print(f"{name} {value:.4f} [{figures['low']:.4f}, {figures['high']:.4f}]")
    print(f"scores tied at the cut: {found.score_tie_rate:.1%}")
    print(f"recscope, {len(found.summary)} figures: {ours:.2f} s, {our_memory:.0f} MiB")
    print(f"argsort, 2 figures: {theirs:.2f} s, {their_memory:.0f} MiB")
    print(f"ratio of seconds {ours / theirs:.2f}, of memory {our_memory / their_memory:.2f}")


if __name__ == "__main__":
    main()
