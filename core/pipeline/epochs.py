"""What a run's items were after its kept epochs, laid on what they are in the end."""

from __future__ import annotations

import numpy as np

from core.embed import Drift, Map, Vectors, align, aligned, components, drift, item_vectors
from core.embed.neighbours import unit
from core.errors import BadInput
from core.pipeline.loaded_run import LoadedRun
from core.runs import weights
from core.types import Array, Floats, Progress


def vectors_after(loaded: LoadedRun, epoch: int, component: str = "") -> Vectors:
    """The items' vectors after this epoch, turned and mirrored to lie on the run's own.

    Raises:
        BadInput: the epoch was not kept, or the component is not the one that epochs are kept of.
    """
    run = loaded.run
    if not run.epochs:
        raise BadInput(
            f"run {run.id} has no epochs to look back at: they are kept of a model that learns in "
            "epochs and gives its items vectors, if three of them fit into 64 MB"
        )
    if epoch not in run.epochs:
        kept = ", ".join(map(str, run.epochs))
        raise BadInput(f"of run {run.id} the epochs {kept} were kept, not {epoch}")
    usual, own = components(loaded.model)[0], item_vectors(loaded.model).values
    if component not in ("", usual):
        raise BadInput(f"epochs are kept of the component {usual} alone, not of {component!r}")
    then = weights.load_snapshots(run)[epoch]
    turn = align(unit(then), unit(own))
    return Vectors(np.asarray(then @ turn, np.float32), usual)


def drift_of(loaded: LoadedRun, component: str = "", *, seed: int = 0) -> Drift | None:
    """How the items moved while the run learnt; None where no two epochs of this were kept."""
    run = loaded.run
    if len(run.epochs) < 2 or component not in ("", components(loaded.model)[0]):
        return None
    assert run.own_epoch is not None, "it has epochs"
    return drift(weights.load_snapshots(run), run.own_epoch, seed=seed)


def continue_map(
    start: Array, vectors: Array, *, seed: int = 0, on_stage: Progress | None = None
) -> Floats:
    """A map (N, d) of these vectors (N, D) begun from another one of the same things.

    It is then laid on that one, so that only what moved has moved.
    """
    points = Map.fit(vectors, start.shape[1], seed=seed, start=start, on_stage=on_stage).points
    everything = np.arange(len(start))
    return aligned(points, start, (everything, everything))[0]
