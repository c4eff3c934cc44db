"""How fast, and in how much memory: each figure from a fresh process of its own.

python benchmarks/speed.py DATA_FOLDER target [--device cpu|cuda] [--only NAME]
    from the start of a process until a model's figure on the test events is printed
python benchmarks/speed.py DATA_FOLDER peers [--device cpu|cuda] [--seconds 45] --python PYTHON
    unified, RecTools' SASRec and RecBole's SASRec: same shape, same seconds (PYTHON: see peers.py)
python benchmarks/speed.py DATA_FOLDER equal [--seconds 120] --python PYTHON
    who ranks best after the same seconds: unified, RecTools' SASRec and eSASRec, each as its
    authors have it for these data; OMP_NUM_THREADS=1 counts the seconds of each process alone
python benchmarks/speed.py DATA_FOLDER million [--device cpu|cuda]
    a made-up log over a million items: unified learns and ranks
python benchmarks/speed.py DATA_FOLDER floor [--device cpu|cuda] [--only NAME]
    a training step of unified against what the machine can do at all (floor.py)
python benchmarks/als.py DATA_FOLDER
    als against `implicit`

--quick makes all of it small, to see that it runs: its figures say nothing. With --device cuda the
same commands measure a GPU. Sizes and settings are in settings.toml; the data, in protocols.py.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import params_of, settings
from floor import floor
from machine import Figures, apart, machine, peak_mib
from protocols import CUTS, plain_log

from core.errors import CoreError
from core.evaluate import evaluate
from core.models.unified import Unified
from core.recommend.top_k import recommend
from core.runs.config import model_config
from core.types import Array, Holdout, TrainData

QUICK = {"epochs": 1, "refit": False}


def main() -> None:
    if len(sys.argv) == 4 and sys.argv[1] in PARTS:  # a child
        print(json.dumps(PARTS[sys.argv[1]](Path(sys.argv[2]), json.loads(sys.argv[3]))))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("what", choices=ASKED)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--only", default="", help="a data set")
    parser.add_argument("--python", default=sys.executable, help="of the peers' environment")
    parser.add_argument("--seconds", type=float, help="of training of each of the peers")
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs")
    chosen = parser.parse_args()
    print(f"{machine(chosen.device)}, load {os.getloadavg()[0]:.1f}", flush=True)
    ASKED[chosen.what](chosen)


def part(what: str, chosen: Any, given: Figures) -> Figures | None:
    """The figures of a child; where it failed, its sentence is printed instead."""
    found = apart("speed.py", what, str(chosen.folder), json.dumps(given))
    if "failed" in found:
        print(f"{what} failed: {found['failed']}", flush=True)
        return None
    return found


def memory(found: Figures) -> str:
    rss, gpu = found["mib"]
    return f"peak {rss:.0f} MiB" + (f", on the GPU {gpu:.0f} MiB" if gpu else "")


def ask_target(chosen: Any) -> None:
    for row in settings()["target"]:
        if row["device"] != chosen.device or chosen.only not in ("", row["data"]):
            continue
        given = row | ({"params": row["params"] | QUICK} if chosen.quick else {})
        if found := part("target", chosen, given):
            ((figure, least),) = row["reach"].items()
            met = found[figure] >= least and found["process"] <= row["seconds"]
            print(
                f"{row['data']}: {figure} {found[figure]:.4f} (≥ {least}) after "
                f"{found['process']:.1f} s (≤ {row['seconds']}) {'met' if met else 'MISSED'}; "
                f"fit {found['fit']:.1f} s, best epoch {found['epochs']}, {memory(found)}",
                flush=True,
            )


def target(folder: Path, row: Figures) -> Figures:
    """Fit, stop when validation says so, evaluate on the test events with seen items hidden."""
    train, test = CUTS[row["data"]](folder / row["data"], validation=True)
    start = time.perf_counter()
    model = Unified(model_config("unified", row["params"]))
    model.fit(train, rng=np.random.default_rng(0), device=row["device"])
    seconds = time.perf_counter() - start
    assert train.train_and_validation is not None
    found = evaluate(model, test, train=train.train_and_validation, ks=(10,))
    means = {name: figures["mean"] for name, figures in found.summary.items()}
    return {
        **{name: means[name] for name in row["reach"]},
        **{"fit": seconds, "epochs": model.best_epoch, "mib": peak_mib(row["device"])},
    }


def ask_peers(chosen: Any) -> None:
    peers = settings()[chosen.what]
    seconds = 2.0 if chosen.quick else chosen.seconds or peers["seconds"]
    train, test = CUTS[peers["data"]](chosen.folder / peers["data"], validation=False)
    log = train.interactions
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "log.npz", Path(folder) / "lists.npy"
        arrays: Any = {"users": log.users, "items": log.items, "times": log.times}
        assert train.item_features is not None
        assert train.item_features.multi_hot is not None
        kinds = train.item_features.multi_hot.matrix.tocoo()
        arrays |= {"of": kinds.row, "kinds": kinds.col}  # which item is of which kind
        np.savez(source, **arrays, targets=test.targets, n_items=np.array(log.n_items))
        print(f"{peers['data']}, {peers['shape']}, {seconds:g} s of training each", flush=True)
        first, best = 0.0, 0.0
        for name, who, own in contenders(peers):
            given = {**peers["shape"], "seconds": seconds, "device": chosen.device}
            python = sys.executable if who == "recscope" else chosen.python
            words = (who, str(source), str(out), json.dumps(given | {"ours": own, "theirs": own}))
            found = apart("peers.py", *words, python=python)
            if "failed" in found:
                print(f"{name}: {found['failed']}", flush=True)
                continue
            speed = found["targets"] / found["seconds"]
            first = first or speed
            recall, ndcg = quality(np.load(out), test)
            best = best or ndcg
            print(
                f"{name}: {speed:,.0f} events/s over {found['seconds']:.1f} s, "
                f"{speed / first:.2f} × the first; recall@10 {recall:.4f}, ndcg@10 {ndcg:.4f} "
                f"(the first {best / max(ndcg, 1e-9):.2f} ×), "
                f"{memory(found)}",
                flush=True,
            )


def contenders(peers: Figures) -> Iterator[tuple[str, str, Figures]]:
    """Their names, the part of peers.py, and what each is told beside the shape."""
    for who in ("ours", "theirs"):
        for own in peers[who]:
            part = {"who": "recscope" if who == "ours" else "rectools"} | own
            yield part.pop("name"), part.pop("who"), part


def quality(lists: Array, test: Holdout) -> tuple[float, float]:
    """Recall@10 and NDCG@10 of lists (users, 10), one target each."""
    hits, ranks = np.nonzero(lists == test.targets[:, None])
    return len(hits) / len(lists), float((1 / np.log2(ranks + 2)).sum() / len(lists))


def ask_million(chosen: Any) -> None:
    sizes = settings()["million"] | {"device": chosen.device}
    if chosen.quick:
        sizes |= {"items": 50_000, "users": 2_000, "asked": 64}
    if found := part("million", chosen, sizes):
        print(
            f"{sizes['items']:,} items, {sizes['users'] * sizes['events']:,} events: one pass in "
            f"{found['fit']:.1f} s ({found['per_step']:.2f} s a step); {sizes['asked']} histories "
            f"ranked in {found['ranked']:.2f} s; {memory(found)}, of which before training "
            f"{found['before']:.0f} MiB",
            flush=True,
        )


def million(folder: Path, sizes: Figures) -> Figures:
    """One pass over a made-up log in which few items have most of the events, and one ranking."""
    rng = np.random.default_rng(0)
    n_users, n_items, length = sizes["users"], sizes["items"], sizes["events"]
    users = np.repeat(np.arange(n_users), length)
    items = (n_items * rng.random(len(users)) ** 3).astype(np.int64)
    times = np.tile(np.arange(length), n_users)
    log = plain_log(users, items, n_users, n_items, times)
    config = model_config("unified", sizes["params"])
    before, start = peak_mib(sizes["device"])[0], time.perf_counter()
    model = Unified(config)
    model.fit(TrainData(log), rng=rng, device=sizes["device"])
    fitted = time.perf_counter()
    found = recommend(model, log.queries(np.arange(sizes["asked"])), 10, n_items=n_items)
    ended = time.perf_counter()
    assert np.isfinite(found.scores).all()
    return {
        "fit": fitted - start,
        "per_step": (fitted - start) / -(-n_users // config.batch),
        "ranked": ended - fitted,
        "before": before,
        "mib": peak_mib(sizes["device"]),
    }


def ask_floor(chosen: Any) -> None:
    for row in settings()["row"]:
        given = chosen.only or "amazon-beauty"
        if row["model"] != "unified" or row["data"] != given or row.get("cold"):
            continue
        params = params_of(row, chosen.device)
        asked = {"data": given, "device": chosen.device, "params": params, "steps": 20}
        if found := part("floor", chosen, asked | ({"steps": 2} if chosen.quick else {})):
            print("\n".join(found["lines"]) + f"\n{memory(found)}", flush=True)


PARTS: dict[str, Callable[[Path, Figures], Figures]] = {
    "target": target,
    "million": million,
    "floor": floor,
}
ASKED: dict[str, Callable[[Any], None]] = {
    "target": ask_target,
    "peers": ask_peers,
    "equal": ask_peers,
    "million": ask_million,
    "floor": ask_floor,
}

if __name__ == "__main__":
    try:
        main()
    except CoreError as error:
        sys.exit(f"speed.py: {error}")
