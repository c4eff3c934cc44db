"""A small workspace with a run of every model, and what each answers: `python make.py FOLDER`.

What a released version made is kept beside this file, to be opened by all that come after it
(test_released.py). With --again only the answers are made anew, from the workspace that is there:
on one machine they are the same to the byte, whichever version makes them.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np

USERS, ITEMS = 40, 24
SMALL = ["dim=8", "epochs=2"]
SETTINGS = {
    "als": ["dim=8"],
    "gfcf": ["rank=8"],
    "lightgcn": SMALL,
    "simgcl": SMALL,
    "recvae": [*SMALL, "hidden=16"],
    "two_tower": SMALL,
    "neumf": SMALL,
    "mlp_rating": SMALL,
    "unified": [*SMALL, "heads=2"],
    "auto": ["minutes=0.3"],
}
FUSIONS = {  # the run's name, how, of which
    "fusion": ("scores", "als,transitions,content"),
    "fusion-rrf": ("ranks", "item_knn,ease"),
    "fusion-two-stage": ("stages", "ease,unified"),
}
EXPLAINED = "u07"


def recscope(*words: object) -> str:
    """What this command prints; it must not fail."""
    from core import cli

    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()) as wrong:
        code = cli.main([str(word) for word in words])
    if code:
        raise SystemExit(f"recscope {words}: {wrong.getvalue()}")
    return said.getvalue()


def tables(folder: Path) -> tuple[Path, Path, Path]:
    """A log with all that a log may have, and tables of the items and of the users."""
    rng = np.random.default_rng(11)
    log = ["user_id,item_id,timestamp,event,rating,platform"]
    for user in range(USERS):
        for step in range(int(rng.integers(4, 11))):
            item = min(int(rng.geometric(0.12)), ITEMS)
            at = 1_600_000_000 + 86_400 * step + 3_600 * user
            event, platform = rng.choice(["view", "buy"]), rng.choice(["app", "web"])
            log.append(f"u{user:02},i{item:02},{at},{event},{rng.integers(1, 6)},{platform}")
    words = ["tea", "cup", "pot", "green", "black", "small", "large", "glass"]
    items = ["item_id,title,kind,price"]
    for item in range(1, ITEMS + 1):
        title = " ".join(rng.choice(words, 3))
        items.append(f"i{item:02},{title},{rng.choice(words[:3])},{rng.integers(1, 90)}")
    users = ["user_id,town"]
    users += [f"u{user:02},{rng.choice(['Ulm', 'Bern', 'Wien'])}" for user in range(USERS)]
    paths = folder / "log.csv", folder / "items.csv", folder / "users.csv"
    for path, lines in zip(paths, (log, items, users), strict=True):
        path.write_text("\n".join(lines) + "\n", "utf-8")
    return paths


def train_all(folder: Path) -> None:
    """The log as a dataset, a run of every model in it, and a search."""
    from core.models import MODELS

    log, items, users = tables(folder)
    recscope("ingest", log, "--items", items, "--users", users, "--name", "released",
             "--weights", "view=1,buy=3")  # fmt: skip
    words = ("--device", "cpu", "--evaluate")
    for model in MODELS:
        if model not in ("fusion", "auto"):
            chosen = ["--set", *SETTINGS[model]] if model in SETTINGS else []
            recscope("train", "released", "--model", model, *chosen, *words, "--name", model)
    for name, (method, components) in FUSIONS.items():
        chosen = ["--set", f"method={method}", f"components={components}"]
        recscope("train", "released", "--model", "fusion", *chosen, *words, "--name", name)
    chosen = ["--set", *SETTINGS["auto"]]
    recscope("train", "released", "--model", "auto", *chosen, *words, "--name", "auto")
    recscope("tune", "released", "--model", "ease", "--trials", 2, *words, "--name", "tuned")
    for path in (log, items, users):
        path.unlink()


def answer_all(folder: Path) -> None:
    """What each run recommends to everybody, and why, all that it takes to replay that."""
    answers = folder / "answers"
    shutil.rmtree(answers, ignore_errors=True)
    answers.mkdir()
    runs = {run["name"] for run in json.loads(recscope("runs", "--json"))["runs"]}
    for name in sorted(runs):
        recscope("recommend", name, "-k", 5, "--out", answers / f"{name}.csv")
        recscope("explain", name, "--user", EXPLAINED, "-k", 2, "--out", answers / f"{name}.json")
    (folder / "seal.key").unlink(missing_ok=True)  # a key goes nowhere


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--again", action="store_true", help="only the answers")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    os.environ["RECSCOPE_HOME"] = str(options.folder.resolve())
    if not options.again:
        train_all(options.folder)
    answer_all(options.folder)
