"""Implicit matrix factorisation, the fit, against `implicit` (the peer): seconds, memory, NDCG@10.

python benchmarks/als.py DATA_FOLDER, where DATA_FOLDER/ml-1m/events.parquet has user_id, item_id,
position. Both see all but each user's last event, which is the target; same loss (λ the same for
all, which is the only way the peer knows), dim, sweeps and threads; for the ranking both solve anew
for each whole history and hide seen items. The peer runs in both its ways: conjugate gradients, its
default, and direct solutions. Each runs in a process of its own, in turn; the quickest counts.
Memory is the highest that the fit needed beyond imports and data. Target: ratio of seconds ≤ 0.67
at equal NDCG@10.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch

from core.evaluate import evaluate
from core.models.als import ALS
from core.types import Holdout, Interactions, Queries, TrainData

UNOBSERVED, L2, ROUNDS = 0.1, 1.0, 3
SIZES = ((64, 10), (128, 10))  # dim, sweeps
Score = Callable[[Queries], torch.Tensor]


class Vectors:
    """The peer's model, as far as it is evaluated."""

    def __init__(self, score: Score) -> None:
        self.score = score


def read(folder: Path) -> tuple[Interactions, Holdout]:
    """All but each user's last event, and the item of that."""
    table = pq.read_table(folder / "ml-1m" / "events.parquet")
    user, item, position = (table[c].to_numpy() for c in ("user_id", "item_id", "position"))
    order = np.lexsort((position, user))
    users = np.unique(user[order], return_inverse=True)[1]
    items = np.unique(item, return_inverse=True)[1][order]
    ones = np.ones(len(users), np.float32)
    log = Interactions(users, items, ones, int(users.max()) + 1, int(items.max()) + 1)
    ages = log.queries().ages
    train = log.where(ages > 0)
    return train, Holdout(train.queries(), items[ages == 0], np.arange(log.n_users + 1))


def ours(train: Interactions, dim: int, sweeps: int, way: str) -> Any:
    """Recscope's."""
    config = ALS.Config(dim=dim, sweeps=sweeps, unobserved=UNOBSERVED, l2=L2, l2_exponent=0.0)
    return ALS(config).fit(TrainData(train), rng=np.random.default_rng(0))


def theirs(train: Interactions, dim: int, sweeps: int, way: str) -> Any:
    """The peer's, whose loss is the same over α, its products 1 + α times as large."""
    from implicit.als import AlternatingLeastSquares

    matrix = train.queries().matrix(train.n_items)
    matrix.data = 1 + matrix.data / UNOBSERVED
    model = AlternatingLeastSquares(
        factors=dim,
        iterations=sweeps,
        regularization=L2 / UNOBSERVED,
        use_cg=way == "cg",
        random_state=0,
        num_threads=0,
    )
    model.fit(matrix, show_progress=False)

    def score(queries: Queries) -> torch.Tensor:
        people = model.recalculate_user(queries.users, matrix[queries.users])
        return torch.from_numpy(people @ model.item_factors.T)

    return Vectors(score)


WAYS = {"recscope": ours, "implicit cg": theirs, "implicit direct": theirs}


def measure(folder: Path, who: str, dim: int, sweeps: int) -> None:
    """Print seconds, MiB and NDCG@10 as JSON."""
    train, test = read(folder)
    fit, way = WAYS[who], who.split()[-1]
    fit(train.where(train.users < 9), 4, 1, way)  # imports, threads
    ctypes.CDLL(None).malloc_trim(0)  # what reading the data left free must not hide the fit's
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak so far is forgotten
    before, start = memory("VmRSS:"), time.perf_counter()
    model = fit(train, dim, sweeps, way)
    seconds, mib = time.perf_counter() - start, memory("VmHWM:") - before
    found = evaluate(model, test, train=train, ks=(10,))
    ndcg = found.summary["ndcg@10"]["mean"]
    print(json.dumps({"seconds": seconds, "mib": mib, "ndcg": ndcg}))


def memory(kind: str) -> float:
    """MiB of this process, now (VmRSS:) or at most (VmHWM:)."""
    lines = [line.split() for line in Path("/proc/self/status").read_text("ascii").splitlines()]
    return next(int(line[1]) / 1024 for line in lines if line and line[0] == kind)


def best_of_rounds(folder: str, dim: int, sweeps: int) -> dict[str, dict[str, float]]:
    """The figures of each, taken in turn so that a busy machine slows all."""
    found: dict[str, list[dict[str, float]]] = {who: [] for who in WAYS}
    quiet = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # as the peer asks for
    for _ in range(ROUNDS):
        for who, figures in found.items():
            command = [sys.executable, __file__, folder, who, str(dim), str(sweeps)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=quiet)
            figures.append(json.loads(done.stdout.splitlines()[-1]))
    return {who: min(figures, key=lambda f: f["seconds"]) for who, figures in found.items()}


def main() -> None:
    if len(sys.argv) == 5:  # a child
        warnings.simplefilter("ignore")  # implicit's, about the format it is given
        measure(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
        return
    if len(sys.argv) != 2:
        sys.exit("usage: python benchmarks/als.py DATA_FOLDER")
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for dim, sweeps in SIZES:
        found = best_of_rounds(sys.argv[1], dim, sweeps)
        us = found["recscope"]
        for who, f in found.items():
            print(
                f"ml-1m dim {dim}, {sweeps} sweeps, {who}: {f['seconds']:.2f} s, "
                f"{f['mib']:.0f} MiB, ndcg@10 {f['ndcg']:.4f}; recscope's ratio of seconds "
                f"{us['seconds'] / f['seconds']:.2f}, of memory {us['mib'] / f['mib']:.2f}"
            )


if __name__ == "__main__":
    main()
