"""Item-kNN, fit and top 20 for every user, against `implicit` (the peer): seconds and memory.

python benchmarks/neighbours.py DATA_FOLDER, where DATA_FOLDER/{ml-1m,amazon-beauty}/events.parquet
have user_id, item_id, position. Both see all but each user's last event, keep 100 neighbours, hide
seen items and may use every core; implicit counts an item as a neighbour of its own, so it is given
101. Each runs in a process of its own, three in turn, twice in each; the quickest counts. Memory is
the highest that a process needed beyond its imports and its data. Target: ratio of seconds ≤ 1.0 at
equal recall.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from scipy import sparse

from core.models import MODELS
from core.recommend.top_k import recommend
from core.types import Interactions, TrainData

K, NEIGHBOURS, ROUNDS, REPEATS = 20, 100, 3, 2
Work = Callable[[Interactions, str], np.ndarray]
SIMILARITIES = {"cosine": "CosineRecommender", "tfidf": "TFIDFRecommender"}


def read(folder: Path, name: str) -> tuple[Interactions, np.ndarray]:
    """All but each user's last event, and the item of that, (U,)."""
    table = pq.read_table(folder / name / "events.parquet")
    user, item, position = (table[c].to_numpy() for c in ("user_id", "item_id", "position"))
    order = np.lexsort((position, user))
    users = np.unique(user[order], return_inverse=True)[1]
    items = np.unique(item, return_inverse=True)[1][order]
    ones = np.ones(len(users), np.float32)
    log = Interactions(users, items, ones, int(users.max()) + 1, int(items.max()) + 1)
    ages = log.queries().ages
    return log.where(ages > 0), items[ages == 0]


def ours(train: Interactions, similarity: str) -> np.ndarray:
    """The 20 best items of each user, (U, 20), by Recscope."""
    config = MODELS["item_knn"].Config(
        similarity=similarity, k=NEIGHBOURS, shrink=0.0, history_decay=1.0
    )
    model = MODELS["item_knn"](config).fit(TrainData(train), rng=np.random.default_rng(0))
    return recommend(model, train.queries(), K, n_items=train.n_items).items


def theirs(train: Interactions, similarity: str) -> np.ndarray:
    """The 20 best items of each user, (U, 20), by implicit."""
    from implicit import nearest_neighbours

    matrix = sparse.csr_matrix(
        (train.weights.astype(np.float64), (train.users, train.items)),
        shape=(train.n_users, train.n_items),
    )
    model = getattr(nearest_neighbours, SIMILARITIES[similarity])(K=NEIGHBOURS + 1, num_threads=0)
    model.fit(matrix, show_progress=False)
    lists: np.ndarray = model.recommend(np.arange(train.n_users), matrix, N=K)[0]
    return lists


def measure(work: Work, folder: Path, name: str, similarity: str) -> None:
    """Print seconds, MiB and recall@20 as JSON."""
    train, target = read(folder, name)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak so far is forgotten
    before = memory("VmRSS:")
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        items = work(train, similarity)
        seconds.append(time.perf_counter() - start)
    hit = (items == target[:, None]).any(axis=1)
    peak = memory("VmHWM:") - before
    print(json.dumps({"seconds": min(seconds), "mib": peak, "recall": float(hit.mean())}))


def memory(kind: str) -> float:
    """MiB of this process, now (VmRSS:) or at most (VmHWM:)."""
    lines = [line.split() for line in Path("/proc/self/status").read_text("ascii").splitlines()]
    return next(int(line[1]) / 1024 for line in lines if line and line[0] == kind)


def best_of_rounds(folder: str, name: str, similarity: str) -> list[dict[str, float]]:
    """The figures of ours and theirs, taken in turn so that a busy machine slows both."""
    found: dict[str, list[dict[str, float]]] = {"ours": [], "theirs": []}
    for _ in range(ROUNDS):
        for who, figures in found.items():
            command = [sys.executable, __file__, folder, name, similarity, who]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            figures.append(json.loads(done.stdout.splitlines()[-1]))
    return [min(figures, key=lambda f: f["seconds"]) for figures in found.values()]


def main() -> None:
    if len(sys.argv) == 5:  # a child
        warnings.simplefilter("ignore")  # implicit's, about the format it is given
        work = {"ours": ours, "theirs": theirs}[sys.argv[4]]
        measure(work, Path(sys.argv[1]), sys.argv[2], sys.argv[3])
        return
    if len(sys.argv) != 2:
        sys.exit("usage: python benchmarks/neighbours.py DATA_FOLDER")
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name in ("ml-1m", "amazon-beauty"):
        for similarity in SIMILARITIES:
            us, them = best_of_rounds(sys.argv[1], name, similarity)
            for who, f in (("recscope", us), ("implicit", them)):
                print(
                    f"{name} {similarity} {who}: {f['seconds']:.2f} s, {f['mib']:.0f} MiB, "
                    f"recall@{K} {f['recall']:.4f}"
                )
            seconds, mib = us["seconds"] / them["seconds"], us["mib"] / them["mib"]
            print(f"{name} {similarity} ratio of seconds {seconds:.2f}, of memory {mib:.2f}")


if __name__ == "__main__":
    main()
