"""What a run's items were after its kept epochs, laid on what they are in the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import BadInput
from core.pipeline.loaded_run import LoadedRun
from core.runs import weights
from core.types import Array, Floats

if TYPE_CHECKING:
    from core.embed import Drift
    from core.embed.layout import OnStep
    from core.embed.vectors import Vectors


def vectors_after(loaded: LoadedRun, epoch: int, component: str = "") -> Vectors:
    """The items' vectors after this epoch, turned and mirrored to lie on the run's own.

    Raises:
        BadInput: the epoch was not kept, or the component is not the one that epochs are kept of.
    """
    from core.embed import Vectors, align, components, item_vectors
    from core.embed.neighbours import unit

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
    from core.embed import components, drift

    run = loaded.run
    if len(run.epochs) < 2 or component not in ("", components(loaded.model)[0]):
        return None
    assert run.own_epoch is not None, "it has epochs"
    return drift(weights.load_snapshots(run), run.own_epoch, seed=seed)


def drift_told(drift: Drift, ids: Array, labels: Sequence[str]) -> dict[str, Any]:
    """As JSON: {steps: [{before, after, cosine, overlap}], moved: [{item, label, cosine}]}."""
    told = ("before", "after", "cosine", "overlap")
    steps = [{name: getattr(step, name) for name in told} for step in drift.steps]
    rows = drift.half.moved if drift.half else np.zeros(0, np.int64)
    cosines = drift.half.cosines[rows].tolist() if drift.half else []
    moved = [
        {"item": item, "label": labels[row], "cosine": cosine}
        for row, item, cosine in zip(rows.tolist(), ids[rows].tolist(), cosines, strict=True)
    ]
    return {"steps": steps, "moved": moved}


def continue_map(
    start: Array, vectors: Array, *, seed: int = 0, on_step: OnStep | None = None
) -> Floats:
    """A map (N, d) of these vectors (N, D) begun from another one of the same things.

    It is then laid on that one, so that only what moved has moved.
    """
    from core.embed import Map, aligned

    made = Map.fit(vectors, start.shape[1], seed=seed, start=start, on_step=on_step)
    everything = np.arange(len(start))
    return aligned(made.points, start, (everything, everything))[0]
