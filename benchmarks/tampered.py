"""Files of a workspace, damaged in every way: is it noticed, and is the rest as usable as before?

`python benchmarks/tampered.py [--n 300] [--pages]` makes a small workspace, and for each of n pairs
of a file and a damage (truncated, emptied, a flipped bit, another type, of a newer version, gone)
asks the lists, a recommendation of each run, a comparison and, with --pages, two pages. Printed is
how often something was answered otherwise than before without a word, ended as a bug, or kept what
is not damaged from being used: each must be 0.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from core import cli

APP = Path(__file__).resolve().parents[1] / "dashboard" / "app.py"
VIEWS = ("home", "data", "train", "compare", "embeddings", "recommendations", "explain")
MODELS = {"popularity": [], "transitions": [], "two_tower": ["dim=4", "epochs=3"]}
NOT_FIGURES = ("log.txt",)  # what only people read


def truncated(path: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(1, max(2, len(content)))])


def emptied(path: Path, rng: random.Random) -> None:
    path.write_bytes(b"")


def flipped(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    if content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    path.write_bytes(content)


def other_type(path: Path, rng: random.Random) -> None:
    path.write_text(rng.choice(["[]", "{}", "3", "null", '"text"', "[" * 100_000, "\x00" * 99]))


def newer(path: Path, rng: random.Random) -> None:
    try:
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "schema_version": 99, "tomorrow": [1]}))
    except (ValueError, TypeError):  # no JSON object: what is not known at all
        path.write_bytes(b"NEW2" + path.read_bytes()[4:])


def a_folder(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.mkdir()


def gone(path: Path, rng: random.Random) -> None:
    path.unlink()


DAMAGES: tuple[Callable[[Path, random.Random], None], ...] = (
    *(truncated, emptied, flipped, other_type, newer, a_folder, gone),
)


def command(home: Path, *words: str) -> tuple[int, Any, str]:
    """Exit code, JSON and errors of a command; 99 for what no command should end with."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.main([*words, "--data-dir", str(home), "--json"])
        except BaseException:
            traceback.print_exc()
            code = 99
    answer = json.loads(out.getvalue()) if code == 0 else None
    return code, answer, err.getvalue()


def make(folder: Path) -> Path:
    """Two datasets, runs of three models on the first, evaluated, and a search."""
    home = folder / "whole"
    for name, users in (("first", 24), ("second", 16)):
        rows = [
            f"u{user:02},{(user * 7 + step * step) % 13},{1_600_000_000 + 1000 * step + user},"
            f"{1 + (user + step) % 5}"
            for user in range(users)
            for step in range(3 + user % 5)
        ]
        rows.append(",5,1600000000,3")  # rejected
        (folder / f"{name}.csv").write_text(
            "user_id,item_id,timestamp,rating\n" + "\n".join(rows) + "\n"
        )
    items = [f"{item},{'abc'[item % 3]}" for item in range(13)]
    (folder / "items.csv").write_text("item_id,kind\n" + "\n".join(items) + "\n")
    first = ["ingest", str(folder / "first.csv"), "--items", str(folder / "items.csv")]
    everything = [[*first, "--name", "first"], ["ingest", str(folder / "second.csv")]]
    for model, settings in MODELS.items():
        chosen = ["--set", *settings] if settings else []
        everything.append(["train", "first", "--model", model, *chosen, "--evaluate"])
    everything.append(["tune", "first", "--model", "ease", "--trials", "2"])
    for words in everything:
        device = ["--device", "cpu"] if words[0] in ("train", "tune") else []
        code, _, err = command(home, *words, *device)
        assert code == 0, err
    return home


def files(home: Path) -> list[str]:
    """Every file that a command or a page reads again."""
    kept = ("datasets", "runs", "searches")
    return sorted(
        str(path.relative_to(home))
        for folder in kept
        for path in (home / folder).glob("*/*")
        if path.is_file() and path.name not in NOT_FIGURES
    )


def owner(file: str) -> str:
    """The id of the dataset, run or search that it is a file of."""
    return Path(file).parts[1]


def answers(home: Path) -> dict[str, Any]:
    """What is asked of a workspace, by question: the answer, or the exit code and the sentence."""
    told: dict[str, Any] = {}
    for words in (["datasets"], ["runs"], ["recommend", "", "-k", "3"], ["compare"]):
        runs = sorted(told.get("runs", {}).get("all", {}))
        if words[0] == "recommend":
            for run in RUNS:
                told[f"recommend {run}"] = _answer(home, "recommend", run, "-k", "3")
        elif words[0] == "compare":
            told["compare"] = _answer(home, "compare", *RUNS) if runs else None
        else:
            told[words[0]] = _answer(home, *words)
    return told


RUNS: list[str] = []  # ids of the workspace that was made, in order


def _answer(home: Path, *words: str) -> dict[str, Any]:
    code, answer, err = command(home, *words)
    about: dict[str, Any] = {"code": code, "err": err}
    if answer is not None and words[0] in ("datasets", "runs"):
        rows = answer[words[0]]
        about["all"] = {row["id"]: _steady(row) for row in rows}
        about["unreadable"] = {one["id"]: one["problem"] for one in answer["unreadable"]}
    elif answer is not None:
        about["answer"] = answer
    return about


def _steady(row: dict[str, Any]) -> dict[str, Any]:
    """What of a row is a figure of the thing: not its size, nor when a job ran."""
    return {k: v for k, v in row.items() if k not in ("bytes", "seconds", "created", "message")}


def judge(file: str, before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with the answers once this file is damaged: kind and description."""
    ident = owner(file)
    named: dict[str, str] = {}
    for question, now in after.items():
        if now is None:
            continue
        if now["code"] not in (0, 1, 2) or "a bug" in now["err"] or "Traceback" in now["err"]:
            yield "bug", f"{question}: {now['err'][-600:]}"
    for question in ("datasets", "runs"):
        if after[question]["code"] != 0:
            yield "blocked", f"{question}: {after[question]['err'][-300:]}"
            return
        named |= after[question]["unreadable"]
    for question in ("datasets", "runs"):
        for one, row in before[question]["all"].items():
            now = after[question]["all"].get(one)
            if one != ident and now != row:
                yield "blocked", f"{one} is listed otherwise: {now}"
            if one == ident and now != row and ident not in named:
                yield "silent", f"{one} is listed otherwise: {now}"
    for run in RUNS:
        then, now = before[f"recommend {run}"], after[f"recommend {run}"]
        same = now.get("answer") == then.get("answer")
        if now["code"] == 0 and not same:
            yield "silent", f"recommend {run}"
        if now["code"] != 0 and not (ident == run or file.startswith("datasets")):
            yield "blocked", f"recommend {run}: {now['err'][-300:]}"
    then, now = before["compare"], after["compare"]
    if now and now["code"] == 0 and now.get("answer") != then.get("answer"):
        yield "silent", "compare"


def paint(home: Path, view: str, file: str) -> Iterator[tuple[str, str]]:
    """The first paint of a page: it must draw, and not say that it is broken.

    One about a dataset that is damaged itself may say just that, and which file.
    """
    from streamlit.testing.v1 import AppTest

    from dashboard.text import text

    os.environ["RECSCOPE_HOME"] = str(home)
    page = AppTest.from_file(str(APP), default_timeout=120)
    page.run()
    if view != "home" and not page.exception:
        page.switch_page(f"views/{view}.py").run()
    ours = text("en", "error.ours", kind="").split("(")[0]
    for wrong in [*page.exception, *(e for e in page.error if e.value.startswith(ours))]:
        yield "bug", f"{view}: {wrong.value}"
    said = " ".join(error.value for error in page.error)
    if not page.title and file not in said:
        yield "blocked", f"{view}: {said}"


def tamper(
    whole: Path, folder: Path, n: int, *, pages: bool, seed: int = 0
) -> tuple[Counter[str], list[str]]:
    """Damages n files, one at a time, and counts what went wrong."""
    rng = random.Random(seed)
    code, listed, err = command(whole, "runs")
    assert code == 0, err
    RUNS[:] = sorted(row["id"] for row in listed["runs"])
    before = answers(whole)
    pairs = [(file, damage) for file in files(whole) for damage in DAMAGES]
    rng.shuffle(pairs)
    counts: Counter[str] = Counter(damaged=0, bug=0, blocked=0, silent=0, named=0)
    wrong = []
    for place in range(n):
        file, damage = pairs[place % len(pairs)]
        home = folder / f"home{place}"
        shutil.copytree(whole, home)
        damage(home / file, rng)
        counts["damaged"] += 1
        after = answers(home)
        problems = list(judge(file, before, after))
        if pages:
            for view in ("home", VIEWS[1 + place % (len(VIEWS) - 1)]):
                problems += paint(home, view, file)
        counts["named"] += any(
            owner(file) in after[kind].get("unreadable", {}) for kind in ("datasets", "runs")
        )
        for kind, what in problems:
            counts[kind] += 1
            wrong.append(f"{damage.__name__} {file}: {kind}: {what}")
        shutil.rmtree(home)
    return counts, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=300, help="files that are damaged")
    parser.add_argument("--pages", action="store_true", help="also draw two pages each time")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = make(folder)
        began = time.perf_counter()
        counts, wrong = tamper(whole, folder, options.n, pages=options.pages, seed=options.seed)
        print(f"{len(files(whole))} files, {len(DAMAGES)} ways of damage")
    for line in wrong:
        print(line)
    print(f"{dict(counts)}, {time.perf_counter() - began:.0f} s")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
