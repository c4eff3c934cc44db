"""The target figures on the real files: all items ranked, float32, a tie against the target.

python benchmarks/accuracy.py DATA_FOLDER [--device cpu|cuda] [--only NAME,...] [--models NAME,...]
    [--cold] [--seeds 3] [--first 0] [--set MODEL.KEY=VALUE] [--epochs] [--json FILE]

What is measured, and with which settings, is in settings.toml; how the data are cut, in
protocols.py. Prints each seed, and a table: figures with seen items hidden, and with them kept;
LOO+ is a model fitted on training and validation events (a neural one: after validation has said
for how long), LOO one fitted without the latter. Cold items are ranked among themselves, and their
figures are multiples of what a random ranking gets. Needs numpy, scipy, torch, and pyarrow for
Parquet (protocols.py makes files that do without).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from machine import forget_peak, machine, peak_mib
from protocols import CUTS, Cut, cold_items

from core.errors import CoreError
from core.evaluate import compare, evaluate
from core.models import MODELS
from core.runs.config import model_config
from core.types import (
    Array,
    Holdout,
    Interactions,
    Queries,
    Recommender,
    ReportsFindings,
    TrainData,
)

SETTINGS = Path(__file__).with_name("settings.toml")
KS = (5, 10, 20)
FIGURES = [f"{metric}@{k}" for k in KS for metric in ("recall", "ndcg")]
COMPARED = ("recall@10", "ndcg@10")
Row = dict[str, Any]


class Among:
    """A model that ranks all but these items behind them."""

    def __init__(self, model: Recommender, items: Array) -> None:
        self.model, self.items = model, torch.from_numpy(items)

    def score(self, queries: Queries) -> torch.Tensor:
        """Scores (B, n_items); the same very low one for all other items."""
        scores = self.model.score(queries)
        items = self.items.to(scores.device)
        low = torch.full_like(scores, torch.finfo(scores.dtype).min)
        return low.index_copy_(1, items, scores[:, items])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--only", default="", help="data sets, with commas between")
    parser.add_argument("--models", default="", help="models, with commas between")
    parser.add_argument("--cold", action="store_true", help="only the rows about cold items")
    parser.add_argument(
        "--seeds", type=int, default=3, help="mean of so many: --first, the next, …"
    )
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--set", action="append", default=[], help="MODEL.KEY=VALUE, not the row's")
    parser.add_argument("--epochs", action="store_true", help="print each epoch")
    parser.add_argument("--json", type=Path, help="write all figures here too")
    chosen = parser.parse_args()
    try:
        done = [measured(chosen, row) for row in wanted(chosen)]
    except CoreError as error:
        sys.exit(f"accuracy.py: {error}")
    print("\n" + "\n".join(table(done, chosen.device)))
    print("\n".join(line for row in done for line in beaten(row, done)))
    if chosen.json:
        plain = [{key: row[key] for key in row if key != "per_user"} for row in done]
        chosen.json.write_text(json.dumps(plain, indent=1), "utf-8")


def wanted(chosen: Any) -> list[Row]:
    """The rows that were asked for."""
    rows: list[Row] = settings()["row"]
    for key, text in (("data", chosen.only), ("model", chosen.models)):
        names, known = set(filter(None, text.split(","))), {row[key] for row in rows}
        if names - known:
            unknown, there = (", ".join(sorted(some)) for some in (names - known, known))
            sys.exit(f"accuracy.py: no row has {key} {unknown}; there are {there}")
        rows = [row for row in rows if not names or row[key] in names]
    for text in chosen.set:
        if text.partition(".")[0] not in {row["model"] for row in rows} or "=" not in text:
            sys.exit(f"accuracy.py: --set {text}: no such model is measured, or no = in it")
    return [row for row in rows if row.get("cold", False) >= chosen.cold]


def settings() -> Row:
    """All of settings.toml."""
    return tomllib.loads(SETTINGS.read_text("utf-8"))


def params_of(row: Row, device: str) -> Row:
    """The model's parameters on this kind of device."""
    return {**row.get("params", {}), **row.get("cpu" if device == "cpu" else "gpu", {})}


def measured(chosen: Any, row: Row) -> Row:
    """The row, with its figures as means over the seeds."""
    kind, cold = MODELS[row["model"]], row.get("cold", False)
    own = [text.partition(".")[2] for text in chosen.set if text.startswith(row["model"] + ".")]
    params = params_of(row, chosen.device) | dict(text.split("=", 1) for text in own)
    config = model_config(row["model"], params)
    cut: Callable[..., Cut] = cold_items if cold else CUTS[row["data"]]
    cuts = [partial(cut, end=end) for end in row["ends"]] if "ends" in row else [cut]
    found: list[Row] = []
    for seed in range(chosen.first, chosen.first + chosen.seeds):
        parts = []
        for cut in cuts:
            data = cut(chosen.folder / row["data"], validation=kind.needs_validation, seed=seed)
            parts.append(of_one(chosen, kind(config), *data, seed, cold))
        found.append(one := pooled(parts))
        hidden, kept = (
            " ".join(f"{k} {v:.4f}" for k, v in one[n].items()) for n in ("hidden", "kept")
        )
        said = f"{row['data']} {row['model']} {params} seed {seed}, {one['seconds']:.1f} s"
        print(f"{said}: {hidden}\n  seen items kept: {kept}", flush=True)
        for told in (part["told"] for part in parts if part["told"]):
            print(f"  {json.dumps(told)}", flush=True)
    loo = kind.needs_validation and not getattr(config, "refit", True)
    return {**row, "params": params, "protocol": "LOO" if loo else "LOO+", **means(found)}


def of_one(
    chosen: Any, model: Recommender, train: TrainData, test: Holdout, seed: int, cold: bool
) -> Row:
    """The figures of a model of this one cut, how long it took and what it needed."""
    forget_peak(chosen.device)
    start = time.perf_counter()
    model.fit(
        train,
        rng=np.random.default_rng(seed),
        device=chosen.device,
        on_epoch=(lambda figures: print(figures.to_json(), flush=True)) if chosen.epochs else None,
    )
    seconds = time.perf_counter() - start
    found = judged(model, train.train_and_validation or train.interactions, test, cold)
    told = model.findings().to_json() if isinstance(model, ReportsFindings) else {}
    found |= {"seconds": seconds, "mib": peak_mib(chosen.device), "told": told}
    return found | {"users": test.queries.users}


def pooled(parts: list[Row]) -> Row:
    """Several cuts of a log as one: all that were asked count alike, and each person once.

    So what two models are compared by is independent: a person's mean over the periods.
    """
    if len(parts) == 1:
        return parts[0]
    sizes = [len(part["users"]) for part in parts]
    together: Row = {
        name: {
            key: float(np.average([part[name][key] for part in parts], weights=sizes))
            for key in parts[0][name]
        }
        for name in ("hidden", "kept")
    }
    users = np.concatenate([part["users"] for part in parts])
    people, place, counts = np.unique(users, return_inverse=True, return_counts=True)
    together["per_user"] = {
        key: np.bincount(place, np.concatenate([part["per_user"][key] for part in parts])) / counts
        for key in parts[0]["per_user"]
    }
    together["mib"] = [max(peak) for peak in zip(*(part["mib"] for part in parts), strict=True)]
    return together | {"seconds": sum(part["seconds"] for part in parts), "users": people}


def judged(model: Recommender, log: Interactions, test: Holdout, cold: bool) -> Row:
    """Figures with seen items hidden and kept, and each user's with them hidden."""
    unseen = np.flatnonzero(np.bincount(log.items, minlength=log.n_items) == 0)
    ranked: Any = Among(model, unseen) if cold else model
    hidden, kept = (evaluate(ranked, test, train=log, ks=KS, hide_seen=h) for h in (True, False))
    unit = by_chance(len(unseen)) if cold else dict.fromkeys(FIGURES, 1.0)
    found: Row = {
        name: {key: one.summary[key]["mean"] / unit[key] for key in FIGURES}
        for name, one in (("hidden", hidden), ("kept", kept))
    }
    if not cold:  # there each seed asks other people
        found["per_user"] = {key: hidden.per_user[key] for key in COMPARED}
    return found


def by_chance(n_items: int) -> dict[str, float]:
    """What a random ranking of so many items, one of them the target, gets on average."""
    gains = 1 / np.log2(np.arange(2, n_items + 2))
    hit = {f"recall@{k}": min(k, n_items) / n_items for k in KS}
    return hit | {f"ndcg@{k}": float(gains[:k].sum()) / n_items for k in KS}


def means(found: list[Row]) -> Row:
    """Over the seeds; of memory the highest."""
    together: Row = {
        part: {key: np.mean([one[part][key] for one in found], axis=0) for key in found[0][part]}
        for part in found[0].keys() & {"hidden", "kept", "per_user"}
    }
    together["mib"] = [max(peak) for peak in zip(*(one["mib"] for one in found), strict=True)]
    seconds = float(np.mean([one["seconds"] for one in found]))
    return together | {"seeds": len(found), "seconds": seconds}


def beaten(row: Row, done: list[Row]) -> list[str]:
    """A line for each model and figure that this row is compared with, paired by user."""
    others = [one for one in done if one["data"] == row["data"] and "per_user" in one]
    runs = {one["model"]: one["per_user"] for one in others if one["model"] in row.get("beats", ())}
    lines = []
    compared = compare({**runs, row["model"]: row.get("per_user", {})}, row["model"])
    for c in compared:
        say = "SIGNIFICANT" if c.high < 0 and c.p_holm < 0.05 else "not significant"
        lines.append(
            f"{row['data']} {row['model']} over {c.run}, {c.metric}, {c.users} users: "
            f"{c.baseline_mean:.4f} - {c.mean:.4f} = {-c.difference:.4f} "
            f"({-c.high:.4f} … {-c.low:.4f}), p {c.p:.4f}, Holm {c.p_holm:.4f}: {say}"
        )
    return lines


def table(rows: list[Row], device: str) -> list[str]:
    """Markdown; places as in what must be reached, else 10."""
    names = ["data", "model", "protocol", "seeds", "R, N hidden", "R, N kept", "must", "aim"]
    names += ["fit s", "RSS MiB", "GPU MiB", "device"]
    lines = [f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}"]
    for row in rows:
        must, aim = row.get("must", {}), row.get("aim", {})
        if device == "cpu":
            must = row.get("cpu_must", must)
        k = max(must, key=len).split("@")[1] if must else "10"
        reached = all(row["hidden"][key] >= least for key, least in must.items())
        cells = [row["data"] + (", cold items, × random" if row.get("cold") else ""), row["model"]]
        cells += [row["protocol"], str(row["seeds"])]
        cells += [pair(row[part], k) for part in ("hidden", "kept")]
        cells += [pair(must, k) + (" " + ("met" if reached else "MISSED") if must else "")]
        cells += [pair(aim, k), f"{row['seconds']:.1f}", *(f"{mib:.0f}" for mib in row["mib"])]
        lines.append(f"| {' | '.join([*cells, machine(device)])} |")
    return lines


def pair(figures: Mapping[str, float], k: str) -> str:
    """The figures at k, such as "R@10 0.1000, N@10 0.0600"."""
    short = {f"recall@{k}": f"R@{k}", f"ndcg@{k}": f"N@{k}"}
    return ", ".join(f"{short[key]} {figures[key]:.4f}" for key in short if key in figures)


if __name__ == "__main__":
    main()
