"""Implicit matrix factorisation, the fit, against `implicit` (the peer): seconds, memory, NDCG@10.

python benchmarks/als.py DATA_FOLDER [--quick], where DATA_FOLDER/ml-1m/ has events.parquet and
items.parquet. Both see all but each user's last event, which is the target; same loss (λ the same
for all and no event older than another, the only way the peer knows), dim, sweeps and threads; for
the ranking both solve anew for each whole history and hide seen items. The peer runs in both its
ways: conjugate gradients, its default, and direct solutions. Each runs in a process of its own, in
turn; the quickest counts. Memory is the highest that the fit needed beyond imports and data.
Target: ratio of seconds ≤ 0.67 at equal NDCG@10.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import Figures, apart, forget_peak, machine, resident_mib
from protocols import CUTS

from core.evaluate import evaluate
from core.models.als import ALS
from core.types import Interactions, Queries, TrainData

UNOBSERVED, L2, ROUNDS = 0.1, 1.0, 3
AS_PEER: dict[str, float] = {"l2_exponent": 0.0, "history_decay": 1.0}  # it knows neither
SIZES = ((64, 10), (128, 10))  # dim, sweeps
QUICK = ((16, 2),)
Score = Callable[[Queries], torch.Tensor]


class Vectors:
    """The peer's model, as far as it is evaluated."""

    def __init__(self, score: Score) -> None:
        self.score = score


def ours(train: Interactions, dim: int, sweeps: int, way: str) -> Any:
    """Recscope's."""
    config = ALS.Config(dim=dim, sweeps=sweeps, unobserved=UNOBSERVED, l2=L2, **AS_PEER)
    return ALS(config).fit(TrainData(train), rng=np.random.default_rng(0))


def theirs(train: Interactions, dim: int, sweeps: int, way: str) -> Any:
    """The peer's, whose loss is the same over α, its products 1 + α times as large."""
    try:
        from implicit.als import AlternatingLeastSquares
    except ModuleNotFoundError:
        sys.exit("the peer is missing: pip install -e '.[bench]'")

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
    cut, test = CUTS["ml-1m"](folder / "ml-1m", validation=False)
    train = cut.interactions
    fit, way = WAYS[who], who.split()[-1]
    fit(train.where(train.users < 9), 4, 1, way)  # imports, threads
    ctypes.CDLL(None).malloc_trim(0)  # what reading the data left free must not hide the fit's
    forget_peak("cpu")  # that of reading the data
    before, start = resident_mib("VmRSS:"), time.perf_counter()
    model = fit(train, dim, sweeps, way)
    seconds, mib = time.perf_counter() - start, resident_mib("VmHWM:") - before
    found = evaluate(model, test, train=train, ks=(10,))
    ndcg = found.summary["ndcg@10"]["mean"]
    print(json.dumps({"seconds": seconds, "mib": mib, "ndcg": ndcg}))


def best_of_rounds(folder: str, dim: int, sweeps: int, rounds: int) -> dict[str, Figures]:
    """The figures of each, taken in turn so that a busy machine slows all."""
    found: dict[str, list[Figures]] = {who: [] for who in WAYS}
    for _ in range(rounds):
        for who, figures in found.items():
            figures.append(apart("als.py", folder, who, str(dim), str(sweeps)))
            if "failed" in figures[-1]:
                sys.exit(f"als.py: {who} failed: {figures[-1]['failed']}")
    return {who: min(figures, key=lambda f: f["seconds"]) for who, figures in found.items()}


def main() -> None:
    if len(sys.argv) == 5:  # a child
        warnings.simplefilter("ignore")  # implicit's, about the format it is given
        measure(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
        return
    quick = sys.argv[2:] == ["--quick"]
    if len(sys.argv) != 2 + quick:
        sys.exit("usage: python benchmarks/als.py DATA_FOLDER [--quick]")
    print(f"{machine('cpu')}, load {os.getloadavg()[0]:.1f}")
    for dim, sweeps in QUICK if quick else SIZES:
        found = best_of_rounds(sys.argv[1], dim, sweeps, 1 if quick else ROUNDS)
        us = found["recscope"]
        for who, f in found.items():
            print(
                f"ml-1m dim {dim}, {sweeps} sweeps, {who}: {f['seconds']:.2f} s, "
                f"{f['mib']:.0f} MiB, ndcg@10 {f['ndcg']:.4f}; recscope's ratio of seconds "
                f"{us['seconds'] / f['seconds']:.2f}, of memory {us['mib'] / f['mib']:.2f}"
            )


if __name__ == "__main__":
    main()
