"""Whether `auto` keeps its word, by the command line as a user would, on logs as they come.

python benchmarks/auto.py DATA_FOLDER [--only LOG,…] [--minutes 0.5,2,4]
    [--split leave-last-out,last-visit,by-time] [--busy] [--no-singles] [--json FILE]

For each log, split and budget, no setting given but the minutes:
  time    of `recscope train --model auto`, from its start to its end, over what it was given
          (≤ 1.05), and the most memory (≤ 2 GiB); with --busy while another process has one core
  shown   the figure that auto shows for itself, and those of its components, beside an ordinary
          evaluation of the same people: the components fitted again without the validation events,
          the weights of each half of the people from the other half (≤ 1 standard error)
  ahead   of each of its components, and of single runs of each model in its list, with defaults and
          as auto has them: NDCG@10 on test, paired, in standard errors (never below -1; over the
          best single run above 2 on two thirds)
A log without clock times is split in the first way alone. Gowalla has no order: its rows are
shuffled, train and test together, so that each person's last one is any.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from machine import Figures, apart, machine

from core.data.processes import child_environment
from core.data.store import Workspace
from core.evaluate import compare, evaluate
from core.models.ensemble.fusion import SCALED_ON, Fusion, weigh
from core.models.ensemble.score_fusion import ScoreFusion
from core.pipeline import features_of, load_run, split_as
from core.runs.artifact import find_run
from core.types import Holdout, Interactions, Recommender, TrainData, silent

SPLITS = ("leave-last-out", "last-visit", "by-time")
LATE, MEMORY_MIB, SHOWN, WORSE, BETTER, SHARE = 1.05, 2048, 1.0, -1.0, 2.0, 2 / 3  # must be kept to
PATIENCE = 10  # times as long as auto a single run may take
NORMAL = 2 * 1.959964  # width of a 95 % interval in standard errors
METRIC = "ndcg@10"
Words = list[str]


@dataclass(frozen=True)
class Log:
    """How one of the logs is ingested."""

    files: Callable[[Path, Path], Words]  # its folder, one for what is written → `ingest`'s words
    clock: bool = False  # whether it can be split by time


def in_order(folder: Path, _: Path) -> Words:
    return [str(folder / "events.parquet"), "--items", str(folder / "items.parquet")]


def shuffled(folder: Path, out: Path) -> Words:
    parts = [pd.read_parquet(folder / f"{name}.parquet") for name in ("train", "test")]
    file = out / "gowalla.csv"
    pd.concat(parts).sample(frac=1, random_state=0).to_csv(file, index=False)
    return [str(file)]


def films(folder: Path, _: Path) -> Words:
    return [str(folder / "ratings.csv"), "--items", str(folder / "movies.csv")]


LOGS = {
    "amazon-beauty": Log(in_order),
    "amazon-toys": Log(in_order),
    "ml-1m": Log(in_order),
    "gowalla": Log(shuffled),
    "movielens-latest-small": Log(films, clock=True),
    "online-retail": Log(lambda folder, _: [str(folder / "online_retail.parquet")], clock=True),
    "rees46-sample": Log(lambda folder, _: [str(folder / "2019-Oct.csv")], clock=True),
}


def main() -> None:
    if len(sys.argv) == 4 and sys.argv[1] == "inside":  # a child
        print(json.dumps(inside(Workspace.open(sys.argv[2]), sys.argv[3])))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", type=among(LOGS), default=list(LOGS), help="logs")
    parser.add_argument("--minutes", default="0.5,2,4", help="budgets, with commas between")
    parser.add_argument("--split", type=among(SPLITS), default=list(SPLITS[:1]))
    parser.add_argument("--busy", action="store_true", help="another process has one core")
    parser.add_argument("--singles", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--json", type=Path, help="write all figures here too")
    chosen = parser.parse_args()
    print(f"{machine('cpu')}, load {os.getloadavg()[0]:.1f} before", flush=True)
    done: list[Figures] = []
    for name in chosen.only:
        with tempfile.TemporaryDirectory() as folder:
            done += of_log(name, chosen, Path(folder))
    print("\n".join(verdict(done)))
    if chosen.json:
        chosen.json.write_text(json.dumps(done, indent=1), "utf-8")


def among(known: Any) -> Callable[[str], Words]:
    """Names with commas between, each of which must be known."""

    def names(text: str) -> Words:
        if unknown := ", ".join(name for name in text.split(",") if name not in known):
            raise argparse.ArgumentTypeError(f"no {unknown}; there are {', '.join(known)}")
        return text.split(",")

    return names


def of_log(name: str, chosen: Any, folder: Path) -> Iterator[Figures]:
    """The figures of each split and budget."""
    log, home = LOGS[name], folder / "workspace"
    said, _ = recscope(home, "ingest", *log.files(chosen.folder / name, folder), "--name", name)
    print(f"\n{name}: {said.get('failed') or said.get('dataset')}", flush=True)
    for split in chosen.split:
        if "failed" in said or (split != SPLITS[0] and not log.clock):
            continue
        for minutes in map(float, chosen.minutes.split(",")):
            row: Figures = {"log": name, "split": split, "minutes": minutes, "busy": chosen.busy}
            row |= trained(home, row)
            if "failed" not in row:
                row |= apart("auto.py", "inside", str(home), row["run"])
            print("\n".join(lines(row)), flush=True)
            if "failed" not in row and chosen.singles:
                row["singles"] = singles(home, row)
                print("\n".join(margins(row, "singles")), flush=True)
            yield row


def trained(home: Path, row: Figures) -> Figures:
    """`auto`'s run and what it took."""
    words = ("--model", "auto", "--set", f"minutes={row['minutes']:g}", "--split", row["split"])
    with busy() if row["busy"] else nullcontext():
        said, took = recscope(home, "train", row["log"], *words)
    return said if "failed" in said else took | {key: said[key] for key in ("run", "findings")}


@contextmanager
def busy() -> Iterator[None]:
    """Inside, another process keeps one core busy."""
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        other.kill()
        other.wait()


def recscope(home: Path, *words: str, limit: float = 1e6) -> tuple[Figures, Figures]:
    """What a command says as JSON, or its sentence as "failed"; and its seconds and memory.

    It is stopped after so many seconds.
    """
    command = [sys.executable, "-m", "recscope", *words, "--data-dir", str(home), "--json"]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        child = subprocess.Popen(command, stdout=out, stderr=err, env=child_environment())
        clock = threading.Timer(limit, child.terminate)
        clock.start()
        _, status, usage = os.wait4(child.pid, 0)
        clock.cancel()
        wall = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        for file in (out, err):
            file.seek(0)
        took = {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "mib": usage.ru_maxrss / 1024}
        if child.returncode:
            return {
                "failed": (err.read().decode().strip().splitlines() or ["no word why"])[-1]
            }, took
        return json.loads(out.read()), took


def inside(workspace: Workspace, ident: str) -> Figures:
    """What the command line does not tell: the same people's evaluation, and each component's."""
    run = find_run(workspace, ident)
    loaded = load_run(workspace, run)
    data, model, config = loaded.load_dataset(), loaded.model, run.config
    assert isinstance(model, Fusion)
    parts = split_as(data, config)
    assert parts.validation is not None
    assert parts.test is not None
    items, users, _ = features_of(workspace, data, config, silent)
    known = TrainData(parts.train, items, users)  # without a word of what validation asks for
    rng = np.random.default_rng(config.seed)
    probes: dict[str, Recommender] = {}
    for name, component in model.components.items():
        anew = type(component)(component.config)
        probes[name] = anew.fit(known, rng=rng, device=config.device)
    asked = parts.validation[np.flatnonzero(np.diff(parts.validation.offsets))]
    sample = parts.train.queries(np.sort(rng.permutation(parts.train.n_users)[:SCALED_ON]))
    fusion = ScoreFusion.alike(model.config, tuple(probes.values()), sample, config.device)
    findings = model.findings()
    told = {c.name: c.validation for c in findings.components} | {"auto": findings.validation}
    worth = {name: of_each(probe, asked, parts.train) for name, probe in probes.items()}
    worth["auto"] = crossed(fusion, asked, parts.train, rng)
    test = {name: of_each(one, parts.test, parts.train) for name, one in model.components.items()}
    test["auto"] = of_each(model, parts.test, parts.train)
    rows = compare({name: {METRIC: each} for name, each in test.items()}, "auto")
    return {
        "people": len(asked),
        "shown": {name: beside(told[name], each) for name, each in worth.items()},
        "components": {r.run: margin(r.difference, r.low, r.high) | {METRIC: r.mean} for r in rows},
        METRIC: float(test["auto"].mean()),
    }


def of_each(model: Any, holdout: Holdout, log: Interactions) -> Any:
    """NDCG@10 of each person who is asked, as evaluation has it, (B,)."""
    return evaluate(model, holdout, train=log, ks=(10,), ratings=False).per_user[METRIC]


def crossed(fusion: ScoreFusion, asked: Holdout, log: Interactions, rng: Any) -> Any:
    """The same (B,), each half of the people by the weights that are best for the other half."""
    half = rng.permutation(len(asked)) < len(asked) // 2
    figures = np.zeros(len(asked))
    for own in (half, ~half):
        weights, _ = weigh(fusion, asked[np.flatnonzero(~own)], log.n_items, rng)
        weighed = replace(fusion, weights=weights)
        figures[own] = of_each(weighed, asked[np.flatnonzero(own)], log)
    return figures


def beside(told: float | None, each: Any) -> Figures:
    """What is shown, what people's figures (B,) say, how many standard errors apart they are."""
    error = max(float(each.std()) / len(each) ** 0.5, 1e-9)
    told = 0.0 if told is None else told
    return {
        "told": told,
        "evaluated": float(each.mean()),
        "off": (told - float(each.mean())) / error,
    }


def singles(home: Path, row: Figures) -> Figures:
    """How far auto is ahead of each model in its list, with its defaults and as auto has it.

    What takes ten times as long as auto may is left out, and said.
    """
    limit = 60 * PATIENCE * row["minutes"]
    runs: dict[str, str] = {}
    for choice in row["findings"]["choices"]:
        own = [f"{key}={value}" for key, value in choice["params"].items()]
        for name, words in ((choice["model"], []), (choice["name"] + " as in auto", own)):
            given = ["--set", *words] if words else []
            if name in runs or (name.endswith("auto") and not own):
                continue
            asked = ("--model", choice["model"], "--split", row["split"], *given, "--evaluate")
            said, _ = recscope(home, "train", row["log"], *asked, limit=limit)
            if "failed" in said:
                print(f"  {name}: {said['failed']}", flush=True)
            elif said["run"] not in runs.values():
                runs[name] = said["run"]
    recscope(home, "evaluate", row["run"])
    said, _ = recscope(home, "compare", row["run"], *runs.values(), "--metrics", METRIC)
    rows = zip(runs, said.get("comparisons", ()), strict="failed" not in said)
    return {
        name: margin(r["difference"], r["low"], r["high"]) | {METRIC: r["mean"]} for name, r in rows
    }


def margin(difference: float, low: float, high: float) -> Figures:
    """How far auto is ahead of what has this difference to it, and in standard errors."""
    error = (high - low) / NORMAL
    return {"ahead": -difference, "errors": -difference / error if error else 0.0}


def lines(row: Figures) -> Words:
    """A row as text."""
    head = f"{row['log']}, {row['split']}, {row['minutes']:g} min{', busy' * row['busy']}"
    if "failed" in row:
        return [f"{head}: FAILED, {row['failed']}"]
    promised = 60 * row["minutes"]
    own, parts = row["shown"]["auto"], row["shown"]
    worst = max(parts, key=lambda name: abs(parts[name]["off"]))
    return [
        f"{head}: {row['wall']:.1f} s of {promised:g} = {row['wall'] / promised:.3f}, "
        f"CPU {row['cpu']:.1f} s, {row['mib']:.0f} MiB",
        f"  shown {own['told']:.4f}, evaluated {own['evaluated']:.4f} ({own['off']:+.2f} standard "
        f"errors, {row['people']} people); furthest off: {worst} {parts[worst]['off']:+.2f}",
        f"  on test {row[METRIC]:.4f}",
        *margins(row, "components"),
    ]


def margins(row: Figures, kind: str) -> Words:
    """How far auto is ahead of its components, or of single runs, the best first."""
    ranked = sorted(row[kind].items(), key=lambda pair: -pair[1][METRIC])
    return [
        f"    over {'its ' * (kind == 'components')}{name} ({one[METRIC]:.4f}): "
        f"{one['ahead']:+.4f}, {one['errors']:+.1f} standard errors"
        for name, one in ranked
    ]


def verdict(rows: list[Figures]) -> Words:
    """What was promised, and whether it is kept."""
    whole = [row for row in rows if "failed" not in row]
    if not whole:
        return ["nothing was measured"]
    slow = max(row["wall"] / 60 / row["minutes"] for row in whole)
    most = max(row["mib"] for row in whole)
    off = max(abs(row["shown"]["auto"]["off"]) for row in whole)
    alone = [row["singles"].values() for row in whole if row.get("singles")]
    others = [*alone, *(row["components"].values() for row in whole)]
    least = min((one["errors"] for each in others for one in each), default=0.0)
    promises = [
        (f"longest, of what was given: {slow:.3f}", slow <= LATE),
        (f"most memory: {most:.0f} MiB", most <= MEMORY_MIB),
        (f"shown figure furthest off: {off:.2f} standard errors", off <= SHOWN),
        (f"least ahead of any: {least:+.1f} standard errors", least >= WORSE),
    ]
    if alone:
        best = [max(runs, key=lambda one: one[METRIC])["errors"] for runs in alone]
        sure = float(np.mean([errors > BETTER for errors in best]))
        promises.append(
            (f"surely above the best single run: {sure:.0%} of the rows", sure >= SHARE)
        )
    said = [f"{text}: {'kept' if good else 'BROKEN'}" for text, good in promises]
    return [f"\n{len(whole)} of {len(rows)} trained", *said]


if __name__ == "__main__":
    main()
