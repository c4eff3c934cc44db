"""EASE, the fit, against the usual few lines of numpy: seconds and memory at equal weights.

python benchmarks/ease.py DATA_FOLDER, where DATA_FOLDER/ml-1m/events.parquet has user_id, item_id,
position. numpy: the Gram matrix from scipy.sparse, numpy.linalg.inv, divide by the diagonal, all in
float32. Each in a process of its own, three times; the quickest counts; memory beyond imports and
data. Target: ratio of seconds ≤ 1.0.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from scipy import sparse

from core.models import MODELS
from core.types import Interactions, TrainData

L2, REPEATS = 200.0, 3


def read(folder: Path) -> Interactions:
    """ML-1M; the order of a user's events does not matter here."""
    table = pq.read_table(folder / "ml-1m" / "events.parquet")
    users = np.unique(table["user_id"].to_numpy(), return_inverse=True)[1]
    items = np.unique(table["item_id"].to_numpy(), return_inverse=True)[1]
    order = np.argsort(users, kind="stable")
    ones = np.ones(len(users), np.float32)
    n_users, n_items = int(users.max()) + 1, int(items.max()) + 1
    return Interactions(users[order], items[order], ones, n_users, n_items)


def ours(log: Interactions) -> np.ndarray:
    """Weights (I, I), by Recscope."""
    model = MODELS["ease"](MODELS["ease"].Config(l2=L2))
    return model.fit(TrainData(log), rng=np.random.default_rng(0)).state()["weights"]


def theirs(log: Interactions) -> np.ndarray:
    """Weights (I, I), by numpy."""
    x = sparse.csr_matrix((log.weights, (log.users, log.items)), shape=(log.n_users, log.n_items))
    gram = (x.T @ x).toarray()
    gram[np.diag_indices_from(gram)] += L2
    inverse = np.linalg.inv(gram)
    weights: np.ndarray = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


def measure(work: Callable[[Interactions], np.ndarray], folder: Path, out: str) -> None:
    """Save the weights; print seconds and MiB as JSON."""
    log = read(folder)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak so far is forgotten
    before = memory("VmRSS:")
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        weights = work(log)
        seconds.append(time.perf_counter() - start)
    peak = memory("VmHWM:") - before
    np.save(out, weights)
    print(json.dumps({"seconds": min(seconds), "mib": peak}))


def memory(kind: str) -> float:
    """MiB of this process, now (VmRSS:) or at most (VmHWM:)."""
    lines = [line.split() for line in Path("/proc/self/status").read_text("ascii").splitlines()]
    return next(int(line[1]) / 1024 for line in lines if line and line[0] == kind)


def main() -> None:
    if len(sys.argv) == 4:  # a child
        measure({"ours": ours, "theirs": theirs}[sys.argv[2]], Path(sys.argv[1]), sys.argv[3])
        return
    if len(sys.argv) != 2:
        sys.exit("usage: python benchmarks/ease.py DATA_FOLDER")
    found, weights = [], []
    with tempfile.TemporaryDirectory() as folder:
        for who in ("ours", "theirs"):
            out = f"{folder}/{who}.npy"
            command = [sys.executable, __file__, sys.argv[1], who, out]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found.append(json.loads(done.stdout))
            weights.append(np.load(out))
    us, them = found
    print(
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; ML-1M, "
        f"{len(weights[0])} items, largest difference of a weight "
        f"{np.abs(weights[0] - weights[1]).max():.1e} (largest weight {weights[1].max():.2f})\n"
        f"recscope {us['seconds']:.2f} s {us['mib']:.0f} MiB; numpy {them['seconds']:.2f} s "
        f"{them['mib']:.0f} MiB; ratio of seconds {us['seconds'] / them['seconds']:.2f}, "
        f"of memory {us['mib'] / them['mib']:.2f}"
    )


if __name__ == "__main__":
    main()
