"""A run → its items as points that a page can print."""

from __future__ import annotations

from collections.abc import Sequence

from core import pipeline
from core.data.store import Workspace
from core.embed import components
from core.report.contents import MapContents
from core.runs.artifact import Run
from core.types import Array, Progress

MOST_ITEMS = 20_000  # of a map that is made for a report: half a minute on two cores


def item_map(
    workspace: Workspace, runs: Sequence[Run], *, on_stage: Progress
) -> tuple[MapContents | None, str]:
    """The map of the first of these runs that has vectors, or why there is none.

    Returns:
        The map; or None, and "vectors" where no run has any, "large" where it would take too long.
    """
    for run in runs:
        loaded = pipeline.load_run(workspace, run)
        if not components(loaded.model) or len(loaded.items) < 3:
            continue
        if len(loaded.items) > MOST_ITEMS:
            return None, "large"
        made = pipeline.embedding(loaded, axes=2, on_stage=on_stage)
        assert made.report.map is not None, "it was asked for"
        quality = made.report.map.quality
        return MapContents(
            run=run,
            points=_fitted(made.frame[["x", "y"]].to_numpy()),
            clusters=made.frame["cluster"].to_numpy(),
            reports=made.report.clusters,
            trustworthiness=quality.trustworthiness,
            recall=quality.recall,
            k=quality.k,
        ), ""
    return None, "vectors"


def _fitted(points: Array) -> Array:
    """The points (N, 2) moved and shrunk into the unit square, in its middle, on one scale."""
    low, high = points.min(axis=0), points.max(axis=0)
    size = max(float((high - low).max()), 1e-12)
    fitted: Array = (points - (low + high) / 2) / size + 0.5
    return fitted
