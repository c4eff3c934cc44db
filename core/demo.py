"""The workbench with the sample data in it: data, runs and a map, all there before the first page.

Nothing is shipped trained: a run's id follows from the code of data and models, so that what was
trained by other code would be another run. A second start finds everything there.

Run as `python -m core.demo PORT` by open_browser_soon.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
import webbrowser
from collections.abc import Callable

from core import ROOT, jobs
from core.data.ingest.ingest import ingest
from core.data.processes import child_environment
from core.data.store import DatasetInfo, Workspace
from core.errors import CoreError
from core.runs.artifact import list_runs
from core.runs.identity import code_version
from core.runs.request import RunRequest
from core.types import Progress, silent

SAMPLE_DATA = ROOT / "sample_data"
MAPPED = "movielens"  # what the tour is about: its best run has a map


def _movielens(workspace: Workspace) -> DatasetInfo:
    folder = SAMPLE_DATA / "movielens-latest-small"
    described = [folder / name for name in ("movies.csv", "tags.csv", "links.csv")]
    return ingest(workspace, [folder / "ratings.csv", *described], name="movielens")


def _online_retail(workspace: Workspace) -> DatasetInfo:
    path = SAMPLE_DATA / "online-retail" / "online_retail.parquet"
    return ingest(workspace, [path], name="online-retail")


READ: dict[str, Callable[[Workspace], DatasetInfo]] = {
    "movielens": _movielens,
    "online-retail": _online_retail,
}
# Each model is a matter of seconds. The map is drawn beside what comes after its models, and what
# is trained last is of the dataset that the first page shows.
STEPS = (
    ("movielens", ("transitions", "item_knn", "recent_popularity")),
    ("online-retail", ("popularity", "item_knn")),
    ("movielens", ("popularity",)),
)


def prepare(workspace: Workspace, progress: Progress = silent) -> None:
    """Both sample datasets, each with evaluated runs, and a map; what is there already stays.

    Args:
        workspace: Where.
        progress: Told what is being made, and the share done.

    Raises:
        CoreError: the workspace has no room for it, or may not be written.
    """
    if is_prepared(workspace):
        return
    whole, done = sum(1 + len(models) for _, models in STEPS) + 1, 0
    drawing = None
    for name, models in STEPS:
        progress(f"reading {name}", done / whole)
        info = READ[name](workspace)
        for model in models:
            done += 1
            progress(f"training {model} on {name}", done / whole)
            _train(workspace, info, model)
        done += 1
        drawing = drawing or _draw_map(workspace)
    progress(f"drawing the map of {MAPPED}", done / whole)
    if drawing is not None and drawing.wait() != 0:
        raise CoreError(f"the map of {MAPPED} could not be drawn: the lines above say why")


def is_prepared(workspace: Workspace) -> bool:
    """Whether this code's runs are there, evaluated, on each of the datasets, and a map."""
    evaluated = [
        run
        for run in list_runs(workspace)
        if run.metrics and run.meta["code_version"] == code_version()
    ]
    there = {(run.dataset_name, run.config.model) for run in evaluated}
    mapped = any(run.dataset_name == MAPPED and (run.folder / "maps").is_dir() for run in evaluated)
    wanted = {(name, model) for name, models in STEPS for model in models}
    return mapped and wanted <= there and set(READ) <= {info.name for info in workspace.datasets()}


def _train(workspace: Workspace, info: DatasetInfo, model: str) -> None:
    """Trains in this process: a job's own process would load torch anew."""
    from core import pipeline  # loads torch, which a second start need not await

    config = RunRequest(info.id, model).config()
    found = pipeline.finished_run(workspace, config, None)
    if found and found.metrics:
        return
    with jobs.train_inline(workspace, config, info.name) as report:
        run = pipeline.fit(workspace, config, on_stage=report.stage, on_epoch=report.epoch)
        pipeline.evaluate(workspace, run, on_stage=report.stage)


def _draw_map(workspace: Workspace) -> subprocess.Popen[bytes]:
    """Begins it, by the pages, which stand above and know how they keep it."""
    command = [sys.executable, "-m", "dashboard.map.ahead", str(workspace.path), MAPPED]
    return subprocess.Popen(command, env=child_environment())


def open_browser_soon(port: int) -> None:
    """Starts a process that shows the page, once the server answers."""
    command = [sys.executable, "-m", "core.demo", str(port)]
    subprocess.Popen(command, env=child_environment())


def _open_browser(port: int, patience_s: float = 30.0) -> None:
    """Shows the page, once the server answers, where there is a screen to show it on."""
    if sys.platform == "linux" and not (os.getenv("DISPLAY") or os.getenv("WAYLAND_DISPLAY")):
        return
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            webbrowser.open(f"http://127.0.0.1:{port}/?step=1")
            return


if __name__ == "__main__":
    _open_browser(int(sys.argv[1]))
