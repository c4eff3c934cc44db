"""Is everything there that Recscope needs? What was looked at, what was found, what helps."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psutil

from core.data.durable import sha256_file
from core.data.store import Workspace, connect
from core.errors import CoreError
from core.runs import artifact
from core.runs.identity import code_version

GIB = 2**30


@dataclass(frozen=True)
class Check:
    """One thing looked at; `advice` is empty where all is well."""

    name: str
    found: str
    ok: bool = True
    advice: str = ""


def examine(path: Path | None) -> list[Check]:
    """All the checks, of this machine and of the workspace at this path."""
    return [
        Check("recscope", code_version()),
        Check("python", platform.python_version()),
        _torch(),
        Check("duckdb", str(connect().sql("SELECT version()").fetchall()[0][0])),
        *_resources(),
        _chromium(),
        *_workspace(path),
    ]


def _torch() -> Check:
    import torch

    if not torch.cuda.is_available():
        return Check("torch", f"{torch.__version__}, CPU, {torch.get_num_threads()} threads")
    total = torch.cuda.get_device_properties(0).total_memory / GIB
    return Check("torch", f"{torch.__version__}, {torch.cuda.get_device_name()}, {total:.0f} GiB")


def _resources() -> Iterator[Check]:
    memory = psutil.virtual_memory()
    enough = memory.available > GIB
    yield Check(
        "memory",
        f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free",
        enough,
        "" if enough else "less than 1 GiB is free: close what else needs memory",
    )
    yield Check("cores", str(psutil.cpu_count() or 1))


def _chromium() -> Check:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    advice = "" if found else "only the browser tests need it: apt install chromium"
    return Check("chromium", found or "not found", advice=advice)


def _workspace(path: Path | None) -> Iterator[Check]:
    try:
        workspace = Workspace.open(path)
        if not workspace.read_only:
            probe = workspace.path / f".doctor-{uuid4().hex[:8]}"
            probe.write_text("")
            probe.unlink()
    except (CoreError, OSError) as error:
        yield Check("workspace", str(error), False, "choose another folder with --data-dir")
        return
    free = shutil.disk_usage(workspace.path).free / GIB
    advice = "" if free > 1 else "less than 1 GiB is free on that disk: make room"
    yield Check("workspace", f"{workspace.path}, {free:.1f} GiB free", free > 1, advice)
    yield _whole(workspace)


def _whole(workspace: Workspace) -> Check:
    """Every file of every dataset and run against its hash."""
    unreadable = [*workspace.unreadable_datasets(), *artifact.unreadable_runs(workspace)]
    broken = [one.problem for one in unreadable]
    for info in workspace.datasets():
        with suppress(CoreError):
            for name, expected in info.meta["sha256"].items():
                file = info.folder / name
                if not file.exists() or sha256_file(file) != expected:
                    broken.append(f"dataset {info.name} ({info.id}): {name}")
    runs = artifact.list_runs(workspace)
    for run in runs:
        try:
            artifact.verify(run)
        except CoreError as error:
            broken.append(str(error))
    counted = f"{len(workspace.datasets())} datasets, {len(runs)} runs"
    if broken:
        return Check("contents", "; ".join(broken), False, "ingest or train these again")
    return Check("contents", f"{counted}, all as they were written")
