"""The map of a dataset's best run, drawn before a page asks for it.

Run as `python -m dashboard.map.ahead WORKSPACE DATASET`.
"""

from __future__ import annotations

import sys

from core.data.store import Workspace
from core.pipeline import load_run
from core.runs.artifact import list_runs
from core.types import silent
from dashboard.components.comparison import leader
from dashboard.map.item_map import has_vectors
from dashboard.map.layouts import made_before, neighbour_map, principal_axes


def draw_ahead(workspace: Workspace, dataset: str) -> None:
    """Makes and keeps the map of the run that the pages show first, if it has vectors.

    Raises:
        NotFound: no such dataset.
    """
    info = workspace.dataset(dataset)
    runs = [run for run in list_runs(workspace) if run.config.dataset == info.id]
    run = leader(runs)
    if run is None or not has_vectors(run, runs):
        return
    loaded = load_run(workspace, run)
    if made_before(loaded) is None:
        neighbour_map(principal_axes(loaded, "", silent), silent)


if __name__ == "__main__":
    draw_ahead(Workspace.open(sys.argv[1]), sys.argv[2])
