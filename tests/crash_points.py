"""Kills a command at one point after another and looks at what it left; run by test_crash.py.

`python crash_points.py FOLDER ACTION` prints a JSON line per point. A point is the n-th file
operation of Python's inside the workspace, or a moment (DuckDB and safetensors write on their own).
Each command runs in a fork of this process, in which everything is imported and nothing was used.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet  # noqa: F401  (imported here, so that no fork has to)
import safetensors.numpy  # noqa: F401
import torch

import core.cli.commands.ingest
import core.cli.commands.train  # noqa: F401  (so that no fork has to)
from core import cli, jobs, pipeline
from core.data import dataset
from core.data.durable import sha256_file
from core.data.store import Workspace
from core.runs import artifact

POINTS = 44  # at least
WORKERS = 2
CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir")


def log(users: int) -> pd.DataFrame:
    rows = [
        (user, (user * 7 + step * step) % 13 + 1, 1_600_000_000 + 1000 * step + user)
        for user in range(1, users)
        for step in range(2 + user % 5)
    ]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])


def words(action: str, folder: Path) -> list[str]:
    """The command that is killed."""
    if action == "ingest":
        files = [str(folder / "new.csv"), "--items", str(folder / "items.csv")]
        return ["ingest", *files, "--name", "new"]
    return ["train", "earlier", "--model", "transitions", "--device", "cpu", "--evaluate"]


def run(arguments: list[str], home: Path) -> None:
    torch.set_num_threads(1)
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        code = cli.main([*arguments, "--data-dir", str(home)])
    assert code == 0, err.getvalue()


def counted(home: Path, at: Callable[[int, str], None]) -> None:
    """Calls `at` with the number and the name of each file operation inside the workspace."""
    count, inside = [0], str(home)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        changes = event in CHANGES or (event == "open" and written(*arguments[1:]))
        if changes and str(arguments[0]).startswith(inside):
            count[0] += 1
            at(count[0], f"{event} {str(arguments[0])[len(inside) :]}")

    sys.addaudithook(hook)


def written(mode: str | None, flags: int) -> bool:
    """Whether a file is opened to be written, or a folder to be synced."""
    return not mode or "r" not in mode or bool(flags & (os.O_WRONLY | os.O_RDWR))


def forked(work: Callable[[], Any]) -> tuple[int, Any]:
    """What the work returns in a process of its own, and how that ended."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            answer = json.dumps({"answer": work()})
        except BaseException as error:
            answer = json.dumps({"error": f"{type(error).__name__}: {error}"})
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as file:
        said = file.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    told = json.loads(said) if said else {"answer": None}
    if "error" in told:
        raise AssertionError(told["error"])
    return status, told["answer"]


def measure(arguments: list[str], home: Path) -> dict[str, Any]:
    """The command undisturbed: how many operations, how long, what came out."""
    names: list[str] = []
    counted(home, lambda _, name: names.append(name))
    began = time.perf_counter()
    run(arguments, home)
    return {"names": names, "seconds": time.perf_counter() - began, "made": made(home)}


def made(home: Path) -> dict[str, str]:
    """Everything that can be seen: datasets by what they hold, runs by their weights."""
    workspace = Workspace.open(home)
    seen = {f"dataset {info.name}": info.id for info in workspace.datasets()}
    return seen | {f"run {run.name}": run.artifact_hash for run in artifact.list_runs(workspace)}


def crash(arguments: list[str], home: Path, point: int | float) -> None:
    """The command, killed at its n-th operation, or after so many seconds."""

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if isinstance(point, float):
        threading.Timer(point, die).start()
    else:
        counted(home, lambda n, _: die() if n == point else None)
    run(arguments, home)


def look(arguments: list[str], home: Path, before: dict[str, str]) -> dict[str, Any]:
    """What can be seen after the crash, and after the same command again."""
    workspace = Workspace.open(home)
    after = made(home)
    whole(workspace)
    states = sorted(status.state for status in jobs.statuses(workspace))
    run(arguments, home)
    whole(workspace)
    left = [path.name for path in workspace.tmp_folder.iterdir()]
    return {"after": after, "states": states, "again": made(home), "left": left, "before": before}


def whole(workspace: Workspace) -> None:
    """Every file of everything that can be seen is what was written, and can be used."""
    for info in workspace.datasets():
        for name, expected in info.meta["sha256"].items():
            assert sha256_file(info.folder / name) == expected, (info.name, name)
        assert len(dataset.load(info).interactions) == info.counts["rows_kept"]
    for found in artifact.list_runs(workspace):
        assert len(pipeline.recommend(workspace, found, users=[1], k=2)) == 2
        if found.metrics:
            assert found.per_user() is not None


def tell(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def digest(home: Path, names: list[str]) -> dict[str, str]:
    return {name: hashlib.sha256((home / name).read_bytes()).hexdigest() for name in names}


def explore(
    folder: Path, action: str, base: Path, points: list[Any], known: dict[str, Any]
) -> None:
    """Every point: a fresh copy of the workspace, a crash, a look."""
    arguments = words(action, folder)
    files = [str(p.relative_to(base)) for p in base.rglob("*") if p.is_file()]
    original = digest(base, files)
    for point in points:
        home = folder / f"{action}-{point}"
        status = 0
        while status == 0:  # a moment after the end is tried again, earlier
            shutil.rmtree(home, ignore_errors=True)
            shutil.copytree(base, home)
            status, _ = forked(lambda home=home, point=point: crash(arguments, home, point))
            if isinstance(point, int):
                break
            point *= 0.8
        intact = digest(home, files) == original
        _, seen = forked(lambda home=home: look(arguments, home, known["before"]))
        name = known["names"][point - 1] if isinstance(point, int) else "moment"
        tell({"point": point, "name": name, "status": status, "intact": intact, **seen})
        shutil.rmtree(home)


def main(folder: Path, action: str) -> None:
    log(20).to_csv(folder / "earlier.csv", index=False)
    log(40).to_csv(folder / "new.csv", index=False)
    items = pd.DataFrame({"item_id": range(1, 14), "kind": list("abcdefghijklm")})
    items.to_csv(folder / "items.csv", index=False)
    base, rehearsal = folder / "base", folder / "rehearsal"
    forked(lambda: run(["ingest", str(folder / "earlier.csv"), "--name", "earlier"], base))
    forked(lambda: run(["train", "earlier", "--model", "popularity", "--device", "cpu"], base))
    _, before = forked(lambda: made(base))
    shutil.copytree(base, rehearsal)
    _, known = forked(lambda: measure(words(action, folder), rehearsal))
    known["before"] = before
    tell({"before": before, "made": known["made"], "names": known["names"]})
    n_moments = max(12, POINTS - len(known["names"]))
    moments = [known["seconds"] * (n + 0.5) / (n_moments + 1) for n in range(n_moments)]
    points = [*range(1, len(known["names"]) + 1), *moments]
    children = []
    for worker in range(WORKERS):
        if (child := os.fork()) == 0:
            code = 1
            try:
                explore(folder, action, base, points[worker::WORKERS], known)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
