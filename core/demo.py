"""The workbench with the sample data in it: what is quick first, the rest as jobs that can be seen.

Run as `python -m core.demo WORKSPACE PORT` by prepare_in_background. A second run finds everything
there and does nothing.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
import urllib.request
import webbrowser

from core import ROOT, jobs
from core.data.ingest.ingest import ingest
from core.data.processes import child_environment
from core.data.store import DatasetInfo, Workspace
from core.errors import CoreError
from core.runs.request import RunRequest

SAMPLE_DATA = ROOT / "sample_data"
AT_ONCE = ("popularity", "transitions")
AS_JOBS = {
    "movielens": ("item_knn", "content", "recent_popularity", "user_knn"),
    "online-retail": ("popularity", "recent_popularity", "item_knn", "transitions"),
}
SLOW = (("online-retail", "ease"), ("movielens", "ease"))  # half a minute each on two cores


def prepare_in_background(workspace: Workspace, port: int) -> None:
    """Starts filling the workspace in a process of its own, which ends with the server's."""
    command = [sys.executable, "-m", "core.demo", str(workspace.path), str(port)]
    subprocess.Popen(command, env=child_environment())


def prepare(workspace: Workspace) -> None:
    """Both sample datasets, two runs at once, and jobs for the others."""
    movielens = _movielens(workspace)
    for model in AT_ONCE:
        _train_here(workspace, movielens, model)
    infos = {"movielens": movielens}
    _start(workspace, movielens, AS_JOBS["movielens"])
    infos["online-retail"] = _online_retail(workspace)
    _start(workspace, infos["online-retail"], AS_JOBS["online-retail"])
    for name, model in SLOW:
        _start(workspace, infos[name], (model,))


def _start(workspace: Workspace, info: DatasetInfo, models: tuple[str, ...]) -> None:
    for model in models:
        jobs.start_training(workspace, RunRequest(info.id, model))


def _movielens(workspace: Workspace) -> DatasetInfo:
    folder = SAMPLE_DATA / "movielens-latest-small"
    described = [folder / name for name in ("movies.csv", "tags.csv", "links.csv")]
    return ingest(workspace, [folder / "ratings.csv", *described], name="movielens")


def _online_retail(workspace: Workspace) -> DatasetInfo:
    path = SAMPLE_DATA / "online-retail" / "online_retail.parquet"
    return ingest(workspace, [path], name="online-retail")


def _train_here(workspace: Workspace, info: DatasetInfo, model: str) -> None:
    """Trains in this process: a job's own process would load torch anew."""
    from core import pipeline

    config = RunRequest(info.id, model).config()
    found = pipeline.finished_run(workspace, config, None)
    if found and found.metrics:
        return
    with jobs.train_inline(workspace, config, info.name) as report:
        run = pipeline.fit(workspace, config, on_stage=report.stage, on_epoch=report.epoch)
        pipeline.evaluate(workspace, run, on_stage=report.stage)


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


def _end_with(server: int) -> None:
    """Nobody is left to show the rest to; what is half done is found and done next time."""
    while os.getppid() == server:
        time.sleep(0.5)
    os._exit(0)


def main() -> None:
    for work, argument in ((_end_with, os.getppid()), (_open_browser, int(sys.argv[2]))):
        threading.Thread(target=work, args=(argument,), daemon=True).start()
    try:
        prepare(Workspace.open(sys.argv[1]))
    except CoreError as error:
        logging.getLogger("recscope").error("the sample data could not be prepared: %s", error)
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
