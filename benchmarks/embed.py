"""Maps and neighbours: as good as the best, as quick as the quickest? Each figure beside its must.

python benchmarks/embed.py DATA [--only NAME,...] [--quick] [--device cuda]
python benchmarks/embed.py --only million [--items 1000000] [--threads 2] [--device cuda]

maps       items of `unified` on ml-1m, in 2 and 3 axes, beside umap-learn, pacmap, torchdr and
           openTSNE, each in a process of its own: seconds from its start (import and compilation
           count), of a CPU and on the clock, memory, trustworthiness@15, recall@15
exact      1,000 neighbours against brute force in float64
index      recall@10 on those vectors, then on 1 M × 64 in clumps, made up: recall, ms a query
million    a map of 1 M × 64 in 2,000 clumps: seconds, on the clock and of CPUs, memory at its peak,
           trustworthiness@15 on 2,000 of them; a new point placed: ms

DATA is a folder with ml-1m, on which the model is trained here, or a table that
`recscope embed RUN --out FILE.parquet` wrote. The peers are those that are installed (umap-learn,
pacmap, torchdr with matplotlib, openTSNE); all start from the principal axes and get unit vectors.
--quick takes fewer made-up vectors, to see that it runs. What is asked of 2 cores, a machine with
more shows by --threads 2.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import apart, forget_peak, machine, resident_mib

from core.types import Array, Floats

K, SEED = 15, 1
MILLION, QUICK = 1_000_000, 120_000


def ours(x: Floats, axes: int) -> Array:
    from core.embed.layout import Map

    return Map.fit(x, axes, seed=SEED).points


def umap_learn(x: Floats, axes: int) -> Array:
    import umap

    return np.asarray(umap.UMAP(n_components=axes, init="pca", random_state=SEED).fit_transform(x))


def pacmap(x: Floats, axes: int) -> Array:
    import pacmap

    return np.asarray(pacmap.PaCMAP(axes, random_state=SEED).fit_transform(x, init="pca"))


def localmap(x: Floats, axes: int) -> Array:
    import pacmap

    return np.asarray(pacmap.LocalMAP(axes, random_state=SEED).fit_transform(x, init="pca"))


def _torchdr(kind: str) -> Callable[[Floats, int], Array]:
    def made(x: Floats, axes: int) -> Array:
        import torchdr

        way = getattr(torchdr, kind)
        return np.asarray(way(n_components=axes, init="pca", random_state=SEED).fit_transform(x))

    return made


def opentsne(x: Floats, axes: int) -> Array:
    import openTSNE

    return np.asarray(openTSNE.TSNE(axes, initialization="pca", random_state=SEED).fit(x))


WAYS: dict[str, Callable[[Floats, int], Array]] = {
    "recscope": ours,
    "umap-learn": umap_learn,
    "pacmap": pacmap,
    "localmap (pacmap)": localmap,
    "torchdr UMAP": _torchdr("UMAP"),
    "torchdr PACMAP": _torchdr("PACMAP"),
    "openTSNE": opentsne,  # 2 axes only
}


def one_map(way: str, file: str, axes: int) -> None:
    """In a process of its own: prints what one way makes of the vectors, as JSON."""
    warnings.simplefilter("ignore")  # theirs
    x = np.load(file)
    points = WAYS[way](x, axes)
    spent = time.process_time()
    wall = time.clock_gettime(time.CLOCK_BOOTTIME) - _began()
    found = {"seconds": wall, "cpu": spent, "mib": resident_mib("VmHWM:")}
    print(json.dumps(found | judged(x, points)))


def _began() -> float:
    """When this process started, in seconds after the machine did."""
    import os

    fields = Path("/proc/self/stat").read_text("ascii").rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


def judged(x: Floats, points: Array) -> dict[str, float]:
    """By scikit-learn, not by what is measured."""
    from sklearn.manifold import trustworthiness
    from sklearn.neighbors import NearestNeighbors

    near = [
        NearestNeighbors(n_neighbors=K).fit(v).kneighbors(return_distance=False)
        for v in (x, np.asarray(points, np.float64))
    ]
    same = (near[0][:, :, None] == near[1][:, None, :]).any(axis=2).mean()
    trust = trustworthiness(x, points, n_neighbors=K)
    return {"trustworthiness": float(trust), "recall": float(same)}


def trained(data: Path) -> Floats:
    """The items of `unified`, as unit vectors."""
    from core.embed import item_vectors
    from core.embed.neighbours import unit

    if data.is_file():
        from protocols import columns

        table = columns(data)
        names = sorted(
            (c for c in table if c[0] == "v" and c[1:].isdigit()), key=lambda c: int(c[1:])
        )
        return unit(np.stack([table[name] for name in names], axis=1))
    from protocols import leave_last_out

    from core.models import MODELS
    from core.runs.config import model_config

    train, _ = leave_last_out(data / "ml-1m", validation=True)
    config = model_config("unified", {"epochs": 8, "loss": "sampled", "refit": False})
    model = MODELS["unified"](config).fit(train, rng=np.random.default_rng(0))
    return unit(item_vectors(model).values)


def clumped(n: int, dim: int = 64) -> Floats:
    """Made-up vectors in 2,000 clumps of unequal size, as trained ones lie."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((2000, dim), dtype=np.float32)
    chosen = rng.choice(2000, n, p=rng.dirichlet(np.full(2000, 0.5)))
    x = centres[chosen]
    x += 0.6 * rng.standard_normal(x.shape, dtype=np.float32)
    return x


def maps(x: Floats, options: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/vectors.npy"
        np.save(file, x)
        for axes in (2, 3):
            found = {}
            for way in WAYS:
                if way == "openTSNE" and axes == 3:
                    continue
                one = apart("embed.py", file, "--way", way, "--axes", str(axes))
                if "failed" in one:
                    print(f"map in {axes} axes, {way}: {one['failed']}", flush=True)
                    continue
                found[way] = one
                print(
                    f"map of {len(x):,} in {axes} axes, {way}: {one['seconds']:.1f} s "
                    f"({one['cpu']:.1f} s of a CPU), {one['mib']:.0f} MiB, trustworthiness@{K} "
                    f"{one['trustworthiness']:.4f}, recall@{K} {one['recall']:.4f}",
                    flush=True,
                )
            _against(found, axes)


def _against(found: dict[str, Any], axes: int) -> None:
    own, peers = found["recscope"], [one for way, one in found.items() if way != "recscope"]
    if not peers:
        return
    best = max(one["trustworthiness"] for one in peers)
    quickest = min(one["seconds"] for one in peers)
    print(
        f"map in {axes} axes: trustworthiness {own['trustworthiness']:.4f} to the best one's "
        f"{best:.4f}, must be no lower; {own['seconds'] / quickest:.2f} of the quickest one's "
        "time, must ≤ 1.2",
        flush=True,
    )


def exact(x: Floats, options: Any) -> None:
    from core.embed.neighbours import nearest

    asked = np.random.default_rng(SEED).permutation(len(x))[:1000]
    began = time.perf_counter()
    found = nearest(x, x[asked], 10, asked)
    seconds = time.perf_counter() - began
    table = x.astype(np.float64)
    table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-300)
    cosines = (table[asked] @ table.T).round(12)
    cosines[np.arange(len(asked)), asked] = -np.inf
    same = found.items == np.argsort(-cosines, axis=1, kind="stable")[:, :10]
    print(
        f"exact, {len(asked):,} of {len(x):,}: {same.mean():.4%} as brute force in float64, must "
        f"100 %; {1e3 * seconds / len(asked):.2f} ms a query"
    )


def index(x: Floats, options: Any) -> None:
    made_up = clumped(QUICK if options.quick else MILLION)
    for name, vectors in (("trained", x), ("made up", made_up)):
        _index(name, vectors)


def _index(name: str, x: Floats) -> None:
    from core.embed.index import Index, recall
    from core.embed.neighbours import nearest

    forget_peak("cpu")
    began = time.perf_counter()
    made = Index(x)
    built = time.perf_counter() - began
    peak = resident_mib("VmHWM:")
    asked = np.random.default_rng(SEED + 1).permutation(len(x))[:500]
    wanted = nearest(x, x[asked], 10, asked)
    times = []
    for row in asked[:200]:
        began = time.perf_counter()
        made.nearest(x[[row]], 10, np.array([row]))
        times.append(time.perf_counter() - began)
    reached = recall(made.nearest(x[asked], 10, asked), wanted)
    print(
        f"index of {len(x):,} × {x.shape[1]}, {name}: built in {built:.1f} s, {peak:.0f} MiB; "
        f"recall@10 {reached:.4f} (says {made.recall:.4f}), must ≥ .95; "
        f"{1e3 * np.median(times):.2f} ms a query, at worst {1e3 * max(times):.1f}, must ≤ 50",
        flush=True,
    )


def million(x: Floats, options: Any) -> None:
    from core.embed.layout import Map
    from core.embed.map_quality import quality

    vectors = clumped(options.items or (QUICK if options.quick else MILLION))
    forget_peak("cpu")
    began, spent = time.perf_counter(), time.process_time()
    made = Map.fit(vectors, device=options.device)
    seconds, spent = time.perf_counter() - began, time.process_time() - spent
    peak = resident_mib("VmHWM:")
    must = 60 if options.device == "cuda" else 1500
    judged = quality(vectors, made.points)
    print(
        f"map of {len(vectors):,} × 64 on {machine(options.device)}: {seconds:.0f} s, must ≤ "
        f"{must}; {spent:.0f} s of {torch.get_num_threads()} CPUs; {peak:.0f} MiB, "
        f"trustworthiness@{K} {judged.trustworthiness:.4f}, recall@{K} {judged.recall:.4f}",
        flush=True,
    )
    before, times = made.points.copy(), []
    for row in range(20):
        began = time.perf_counter()
        made.place(vectors[[row]])
        times.append(time.perf_counter() - began)
    moved = float(np.abs(before - made.points).max())
    print(
        f"a new point placed: {1e3 * np.median(times):.1f} ms, the first {1e3 * times[0]:.1f}, "
        f"must ≤ 100; the others moved by {moved}, must 0"
    )


PARTS = {"maps": maps, "exact": exact, "index": index, "million": million}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--items", type=int, help="of million")
    parser.add_argument("--threads", type=int, help="of a CPU")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--way", help=argparse.SUPPRESS)  # a child
    parser.add_argument("--axes", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        one_map(options.way, str(options.data), options.axes)
        return
    if options.threads:
        torch.set_num_threads(options.threads)
    print(machine(options.device))
    chosen = options.only.split(",")
    x = np.zeros((0, 0), "f4")
    if {"maps", "exact", "index"} & set(chosen):
        if options.data is None:
            parser.error("DATA is missing; only million does without it")
        x = trained(options.data)
    for name in chosen:
        PARTS[name](x, options)


if __name__ == "__main__":
    main()
