"""Lets one file operation after another of a command fail, and looks at what is left.

`python write_faults.py FOLDER COMMAND [SHARE]` prints a JSON line per point, of all points or of a
share of them; run by test_full_disk.py. A point is the n-th file operation of Python's inside the
workspace, from which on there is no room, no permission, …; or a size that no file may exceed,
which stops what DuckDB, Arrow and safetensors write by themselves. `… room FOLDER COMMAND BYTES…`
has a small disk instead, with so many bytes of room; `… read-only FOLDER COMMAND` one that is
mounted read only. Both need the right to mount (`unshare -rm`).
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import resource
import shutil
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import torch

import core.cli.commands.embed
import core.cli.commands.evaluate
import core.cli.commands.explain
import core.cli.commands.export_dataset
import core.cli.commands.keeping
import core.cli.commands.tune  # noqa: F401  (so that no fork has to)
from core import cli
from core.data.store import Workspace
from tests.crash_points import counted, forked, log, made, run, tell, whole

FAULTS = (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EMFILE)
SIZES = (0, 100, 1_000, 4_000, 16_000)
TRAIN = ["--device", "cpu", "--evaluate"]
COMMANDS = {
    "ingest": ["ingest", "{home}/../new.csv", "--items", "{home}/../items.csv", "--name", "new"],
    "train": ["train", "earlier", "--model", "transitions", *TRAIN],
    "tune": ["tune", "earlier", "--model", "ease", "--trials", "2", *TRAIN],
    "evaluate": ["evaluate", "content", "-k", "3"],
    "embed": ["embed", "content", "--out", "{home}/out/vectors.parquet"],
    "explain": ["explain", "content", "--user", "1", "--out", "{home}/out/why.json"],
    "export-dataset": ["export-dataset", "earlier", "--to", "lenskit", "--out", "{home}/out/lens"],
    "delete": ["delete", "content", "--yes"],
    "rename": ["rename", "content", "renamed"],
    "archive": ["archive", "content"],
}


def words(command: str, home: Path) -> list[str]:
    return [word.replace("{home}", str(home)) for word in COMMANDS[command]]


def refuse(home: Path, point: int, number: int) -> None:
    """From the n-th operation on, what needs room (or permission) fails; EMFILE fails once."""

    def fail(n: int, name: str) -> None:
        event = name.split()[0]
        if n < point or (number == errno.EMFILE and (n > point or event != "open")):
            return
        if event in ("os.remove", "os.rmdir"):  # what could be made can be removed
            return
        if number == errno.ENOSPC and event not in ("open", "os.mkdir"):
            return
        raise OSError(number, os.strerror(number), name.split(" ", 1)[1])

    counted(home, fail)


def attempt(command: str, home: Path) -> dict[str, Any]:
    """The command, and how it ended."""
    torch.set_num_threads(1)
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        try:
            code = cli.main([*words(command, home), "--data-dir", str(home)])
        except BaseException:
            code = 99
            traceback.print_exc()
    return {"code": code, "err": err.getvalue()}


def faulty(command: str, home: Path, point: list[Any]) -> dict[str, Any]:
    kind, *what = point
    if kind == "operation":
        refuse(home, *what)
    elif kind == "size":
        resource.setrlimit(resource.RLIMIT_FSIZE, (what[0], resource.RLIM_INFINITY))
    return attempt(command, home)


def seen(home: Path) -> dict[str, str]:
    """What can be seen, and beside it whether everything seen is whole."""
    whole(Workspace.open(home))
    out = [path.name for path in sorted((home / "out").glob("[!.]*"))]
    return {**made(home), "out": " ".join(out)}


def again(command: str, home: Path) -> dict[str, Any]:
    with_room = attempt(command, home)
    Workspace.open(home).sweep()  # as the next command would
    left = [path.name for path in (home / "tmp").iterdir()]
    left += [path.name for path in home.rglob(".*.*") if path.name.count(".") > 2]
    return {**with_room, "seen": seen(home), "left": left}


def prepare(folder: Path) -> Path:
    base = folder / "base"
    log(20).to_csv(folder / "earlier.csv", index=False)
    log(40).to_csv(folder / "new.csv", index=False)
    kinds = [f"{item},{'abc'[item % 3]}" for item in range(1, 14)]
    (folder / "items.csv").write_text("item_id,kind\n" + "\n".join(kinds) + "\n")
    described = ["--items", str(folder / "items.csv")]
    forked(
        lambda: run(["ingest", str(folder / "earlier.csv"), *described, "--name", "earlier"], base)
    )
    forked(lambda: run(["train", "earlier", "--model", "content", *TRAIN], base))
    (base / "out").mkdir()
    return base


def points(command: str, base: Path, folder: Path, share: float) -> list[list[Any]]:
    """All operations of the command, with one fault each, and all sizes; or a share of them."""
    rehearsal = folder / "rehearsal"
    shutil.copytree(base, rehearsal)

    def count() -> list[str]:
        names: list[str] = []
        counted(rehearsal, lambda _, name: names.append(name))
        attempt(command, rehearsal)
        return names

    _, names = forked(count)
    step = max(1, round(1 / share))
    chosen = [["operation", n, FAULTS[n // step % 4]] for n in range(1, len(names) + 1, step)]
    return [*chosen, *(["size", size] for size in SIZES[:: min(step, 2)])]


def explore(folder: Path, command: str, share: float) -> None:
    base = prepare(folder)
    _, before = forked(lambda: seen(base))
    final = folder / "final"
    shutil.copytree(base, final)
    _, undisturbed = forked(lambda: again(command, final))
    tell({"before": before, "undisturbed": undisturbed})
    for point in points(command, base, folder, share):
        home = folder / "home"
        shutil.copytree(base, home)
        _, first = forked(lambda home=home, point=point: faulty(command, home, point))
        _, after = forked(lambda home=home: seen(home))
        _, second = forked(lambda home=home: again(command, home))
        tell({"point": point, "first": first, "after": after, "again": second})
        shutil.rmtree(home)


def fill(folder: Path, command: str, rooms: list[int]) -> None:
    """On a small disk: the command with so many bytes of room, then with enough."""
    small = folder / "small"
    small.mkdir()
    base = prepare(folder)
    _, before = forked(lambda: seen(base))
    final = folder / "final"
    shutil.copytree(base, final)
    _, undisturbed = forked(lambda: again(command, final))
    tell({"before": before, "undisturbed": undisturbed})
    for room in rooms:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", small], check=True)
        home = small / "home"
        shutil.copytree(base, home)
        for name in ("new.csv", "items.csv"):
            shutil.copy(folder / name, small / name)
        usage = os.statvfs(small)
        with (small / "ballast").open("wb") as ballast:
            ballast.write(bytes(max(0, usage.f_bavail * usage.f_frsize - room)))
        _, first = forked(lambda home=home: attempt(command, home))
        (small / "ballast").unlink()
        _, after = forked(lambda home=home: seen(home))
        _, second = forked(lambda home=home: again(command, home))
        tell({"point": ["room", room], "first": first, "after": after, "again": second})
        subprocess.run(["umount", small], check=True)


def forbid(folder: Path, command: str) -> None:
    """The command in a workspace that is mounted read only, then in the same, writable."""
    base = prepare(folder)
    _, before = forked(lambda: seen(base))
    final = folder / "final"
    shutil.copytree(base, final)
    _, undisturbed = forked(lambda: again(command, final))
    tell({"before": before, "undisturbed": undisturbed})
    subprocess.run(["mount", "--bind", base, base], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", base], check=True)
    _, first = forked(lambda: attempt(command, base))
    subprocess.run(["umount", base], check=True)
    _, after = forked(lambda: seen(base))
    _, second = forked(lambda: again(command, base))
    tell({"point": ["read only"], "first": first, "after": after, "again": second})


if __name__ == "__main__":
    if sys.argv[1] == "room":
        fill(Path(sys.argv[2]), sys.argv[3], [int(size) for size in sys.argv[4:]])
        sys.exit()
    if sys.argv[1] == "read-only":
        forbid(Path(sys.argv[2]), sys.argv[3])
        sys.exit()
    explore(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]) if len(sys.argv) > 3 else 1.0)
