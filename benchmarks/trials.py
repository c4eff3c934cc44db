"""Small files of the kinds that people meet: is each read right, by command and by upload.

python benchmarks/trials.py TRIALS_FOLDER [--only WORD] [--browser]

Every trial of trials_truth.py is ingested by `recscope ingest --json`; its events are held, one for
one, against a second reading that uses nothing of the product. The counts must add up, and the same
files in another order must give the same events. --browser uploads a tenth of them in Chromium too.
Exits with 1 unless all are right.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from files import by_command, by_upload, served
from playwright.sync_api import TimeoutError as Late
from playwright.sync_api import sync_playwright
from trials_truth import TRIALS, Event, Trial


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("folder", type=Path)
    asked.add_argument("--only", default="")
    asked.add_argument("--browser", action="store_true")
    chosen = asked.parse_args()
    trials = [trial for trial in TRIALS if chosen.only in trial.name]
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="trials-") as folder:
        workspace = Path(folder)
        for trial in trials:
            said = check(trial, chosen.folder / "files" / trial.folder, workspace)
            wrong += said.startswith("WRONG")
            print(f"{trial.name}: {said}", flush=True)
        if chosen.browser:
            wrong += uploaded(
                [t for t in trials if not t.options][::10], chosen.folder / "files", workspace
            )
    print(f"{len(trials) - wrong} of {len(trials)} right")
    return 1 if wrong else 0


def check(trial: Trial, folder: Path, workspace: Path) -> str:
    """Whether it is right: a line that begins with "right", "refused" or "WRONG"."""
    files = [str(folder / name) for name in trial.files]
    done = ingest(files, trial.options, workspace)
    sentence = (done.stderr.strip().splitlines() or [""])[-1]
    if done.returncode == 2 and trial.refused:
        return f"refused: {sentence}"
    if done.returncode:
        return f"WRONG: exit {done.returncode}: {sentence}"
    answer = json.loads(done.stdout)
    version = workspace / "datasets" / answer["dataset"]
    kept = events(version, answer)
    differences = [difference(kept, list(truth(folder)), trial.step) for truth in trial.truths]
    if all(differences):
        return f"WRONG: {min(differences, key=len)}; mapping {answer['mapping']}"
    return (
        counted(trial, answer, version)
        or again(trial, files, workspace, kept)
        or (f"right, {len(kept)} events, {answer['rows_rejected']} rejected")
    )


def ingest(files: list[str], options: Iterable[str], workspace: Path) -> Any:
    command = [sys.executable, "-m", "core.cli", "ingest", *files, "--json", *options]
    return subprocess.run(
        [*command, "--data-dir", str(workspace)], capture_output=True, text=True, check=False
    )


def events(version: Path, answer: dict[str, Any]) -> list[Event]:
    """What the product keeps, as the truths are written."""
    frame = pd.read_parquet(version / "events.parquet")
    times: list[float | None] = [None] * len(frame)
    if "timestamp" in frame and answer["time_kind"] == "clock":
        times = [moment.tz_localize("UTC").timestamp() for moment in frame["timestamp"]]
    elif "timestamp" in frame:
        times = [float(place) for place in frame["timestamp"]]
    values = frame["value"] if "value" in frame else [None] * len(frame)
    rows = zip(frame["user_id"], frame["item_id"], times, values, strict=True)
    return [(str(u), str(i), t, None if pd.isna(v) else float(v)) for u, i, t, v in rows]


def difference(kept: list[Event], true: list[Event], step: float) -> str:
    """Nothing where both hold the same events."""
    if len(kept) != len(true):
        return f"{len(kept)} events, {len(true)} are right"
    if (users := names(kept, 0)) != names(true, 0) and not same_up_to_names(kept, true):
        odd = sorted(set(users) ^ set(names(true, 0)))[:4]
        return f"users differ: {odd}"
    timed = any(t is not None for _, _, t, _ in true)
    valued = any(v is not None for *_, v in true)
    told, wanted = (
        Counter(pick(one, step if timed else 0.0, valued) for one in side) for side in (kept, true)
    )
    if told == wanted or same_up_to_names(kept, true):
        return ""
    return f"events differ: {list(told - wanted)[:2]} where {list(wanted - told)[:2]} are right"


def names(side: list[Event], place: int) -> Counter[str]:
    return Counter(str(one[place]) for one in side)


def pick(one: Event, step: float, valued: bool) -> tuple[Any, ...]:
    user, item, time, value = one
    stamp = None if not step or time is None else round(time / step)
    return user, item, stamp, None if not valued or value is None else round(value, 6)


def same_up_to_names(kept: list[Event], true: list[Event]) -> bool:
    """Whether people without names of their own (numbers of lines) took the same items."""
    if any(time is not None for _, _, time, _ in true):
        return False

    def sets(side: list[Event]) -> Counter[tuple[str, ...]]:
        taken: dict[str, list[str]] = {}
        for user, item, _, value in side:
            taken.setdefault(user, []).append(f"{item} {'' if value is None else value}")
        return Counter(tuple(sorted(items)) for items in taken.values())

    return all(v is None for *_, v in true) and sets(kept) == sets(true)


def counted(trial: Trial, answer: dict[str, Any], version: Path) -> str:
    """Nothing where every line is kept or rejected, and side tables meet the log."""
    reasons = sum(answer["rejected"].values())
    if reasons != answer["rows_rejected"] or answer["rows_read"] != answer["rows_kept"] + reasons:
        return f"WRONG: {answer['rows_read']} read, {answer['rows_kept']} kept, {reasons} by reason"
    if trial.rejected is not None and answer["rows_rejected"] != trial.rejected:
        return f"WRONG: {answer['rejected']}, {trial.rejected} are right"
    if "lines" not in answer:
        return "WRONG: the answer has no `lines`"
    for file, lines in answer["lines"].items():
        parts = sum(n for part, n in lines.items() if part not in ("physical", "unit"))
        if parts != lines["physical"]:
            return f"WRONG: {file}: {lines} do not add up"
    for role, share in trial.met.items():
        found = described(version, role)
        if found < share:
            return f"WRONG: {found:.0%} of the log's {role} are described"
    return ""


def described(version: Path, role: str) -> float:
    """The share of the log's ids of which at least one attribute is known."""
    path = version / ("items.parquet" if role == "item_id" else "users.parquet")
    if not path.exists():
        return 0.0
    known = pd.read_parquet(path).set_index(role).dropna(how="all")
    ids = pd.read_parquet(version / "events.parquet")[role].unique()
    return float(pd.Index(ids).isin(known.index).mean())


def again(trial: Trial, files: list[str], workspace: Path, kept: list[Event]) -> str:
    """Nothing where the same files in the other order give the same events."""
    if len(files) == 1:
        return ""
    done = ingest(files[::-1], trial.options, workspace)
    if done.returncode:
        return f"WRONG: refused in the other order: {done.stderr.strip().splitlines()[-1]}"
    answer = json.loads(done.stdout)
    other = events(workspace / "datasets" / answer["dataset"], answer)
    same = Counter(map(plain, kept)) == Counter(map(plain, other))
    return "" if same else "WRONG: another order of the files gives other events"


def plain(one: Event) -> Event:
    user, item, time, value = one
    return user, item, time, None if value is None or math.isnan(value) else value


def uploaded(trials: list[Trial], folder: Path, workspace: Path) -> int:
    """How many of these trials the Data page reads otherwise than the command does."""
    wrong = 0
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for n, trial in enumerate(trials):
            paths = [folder / trial.folder / name for name in trial.files]
            said, _ = by_command(paths, workspace / "commands")
            page = browser.new_page(locale="en-US")
            page.set_default_timeout(30_000)
            # a workspace of its own, so that the page has nothing to say but this
            with served(workspace / f"page {n}") as address:
                try:
                    shown, _ = by_upload(page, address, paths)
                except Late:  # no button to click: the page refuses the files
                    shown = page.inner_text("body")
                page.close()
            refusal = said.removeprefix("recscope: ")[:60]
            same = said == shown if " of " in said else refusal in shown
            wrong += not same
            print(f"{'right' if same else 'WRONG'} in the browser: {trial.name}: {shown[-200:]}")
        browser.close()
    return wrong


if __name__ == "__main__":
    sys.exit(main())
