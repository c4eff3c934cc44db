"""A run → its vectors, their map and clusters as a table, and what there is to say about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from core.embed import (
    Clusters,
    Drift,
    Finding,
    Map,
    Vectors,
    aligned,
    clusters,
    diagnosis,
    item_vectors,
    names_of,
    nearest,
    neighbour_accuracy,
    quality,
    user_vectors,
    words,
)
from core.embed.layout import LANDMARKS
from core.embed.map_quality import SAMPLE
from core.errors import BadInput
from core.models.common.attributes import attributes, categories
from core.pipeline.embedding_report import (
    AttributeAccuracy,
    ClusterReport,
    DriftReport,
    EmbeddingReport,
    MapReport,
)
from core.pipeline.epochs import continue_map, drift_of, vectors_after
from core.pipeline.labels import Labels
from core.pipeline.loaded_run import LoadedRun
from core.types import PAD, Array, Features, Progress, silent

OF = ("items", "users")
AXES = ("x", "y", "z")
VOTERS = 10  # neighbours that vote for what an attribute is


@dataclass(frozen=True, eq=False)
class Embedding:
    """A run's vectors as a table, and what there is to say about them.

    The table has a row per thing: item_id or user_id, label, v0 … vD-1, and with a map x, y[, z],
    cluster (0 the largest) and cluster_label.
    """

    frame: pd.DataFrame
    report: EmbeddingReport


def vectors_of(
    loaded: LoadedRun, of: str = "items", component: str = "", *, seed: int = 0
) -> Vectors:
    """The run's items, or the dataset's users by their whole histories, in code order.

    Raises:
        BadInput: the model has no vectors, no such component, or of is neither.
    """
    if of not in OF:
        raise BadInput(f"vectors are of items or of users, not of {of!r}")
    if of == "items":
        return item_vectors(loaded.model, component, seed=seed)
    everyone = loaded.load_dataset().interactions.queries()
    return user_vectors(loaded.model, everyone, component, seed=seed)


def embedding(
    loaded: LoadedRun,
    *,
    of: str = "items",
    component: str = "",
    epoch: int | None = None,
    axes: int = 0,
    seed: int = 0,
    on_stage: Progress | None = None,
) -> Embedding:
    """The vectors as a table, and what there is to say about them.

    Args:
        loaded: A run.
        of: items or users.
        component: One of core.embed.components; the usual one if empty.
        epoch: One that was kept: what the items were after it, laid on what they are in the end.
        axes: 2 or 3 for a map and clusters, 0 for neither.
        seed: Of the SVD, the map and the clusters.
        on_stage: Told what is being done, and how far it is.

    Raises:
        BadInput: as vectors_of and vectors_after.
    """
    stage = on_stage or silent
    stage("vectors", None)
    if epoch is not None and of != "items":
        raise BadInput(f"epochs are kept of items, not of {of}")
    own = vectors_of(loaded, of, component, seed=seed)
    vectors = own if epoch is None else vectors_after(loaded, epoch, component)
    drift = drift_of(loaded, component, seed=seed) if of == "items" else None
    ids, labels = _ids_and_labels(loaded, of)
    columns: dict[str, Any] = {f"{of[:-1]}_id": ids, "label": labels}
    columns |= {f"v{dim}": values for dim, values in enumerate(vectors.values.T)}
    findings = _diagnosis(loaded, vectors.values, of, seed, drift)
    accuracies = attribute_accuracies(loaded, vectors.values, of, seed=seed)
    map_report, cluster_reports = None, tuple[ClusterReport, ...]()
    if axes:
        start = None if epoch is None else _map(own.values, axes, seed, stage)[0]
        points, map_report = _map(vectors.values, axes, seed, stage, start)
        stage("clusters", None)
        groups, cluster_reports = _clusters(loaded, vectors.values, of, labels, seed)
        columns |= dict(zip(AXES, points.T, strict=False))
        names = [cluster_reports[code].label for code in groups.codes.tolist()]
        columns |= {"cluster": groups.codes, "cluster_label": names}
    report = EmbeddingReport(
        run=loaded.run.id,
        model=loaded.run.config.model,
        of=of,
        component=vectors.component,
        epoch=epoch,
        rows=len(vectors),
        dim=vectors.values.shape[1],
        kept=vectors.kept,
        diagnosis=findings,
        drift=DriftReport.of(drift, ids, labels) if drift else None,
        attributes=accuracies,
        map=map_report,
        clusters=cluster_reports,
    )
    return Embedding(pd.DataFrame(columns), report)


def _ids_and_labels(loaded: LoadedRun, of: str) -> tuple[Array, list[str]]:
    """The ids of all items or users in code order, and what they are called."""
    if of == "users":
        ids = loaded.load_dataset().users.ids
        return ids, list(map(str, ids))
    labels = Labels(loaded).labels(np.arange(len(loaded.items)))
    return loaded.items.ids, [labels[code] for code in range(len(loaded.items))]


def _diagnosis(
    loaded: LoadedRun, vectors: Array, of: str, seed: int, drift: Drift | None
) -> tuple[Finding, ...]:
    taken = Labels(loaded).taken if of == "items" else None
    moved = [drift.finding] if drift and drift.finding else []
    return (*diagnosis(vectors, taken, seed=seed), *moved)


def attribute_accuracies(
    loaded: LoadedRun, vectors: Array, of: str = "items", *, seed: int = 0
) -> tuple[AttributeAccuracy, ...]:
    """How well each categorical attribute is predicted by neighbours, the best predicted first.

    By the vote of the ten nearest vectors, for at most 2,000 things; see
    core.embed.neighbour_accuracy. Of an attribute with several values the most frequent of a
    thing's own counts; one with fewer than two values is left out.
    """
    described = categories(features_known(loaded, of))
    if described is None:
        return ()
    sample = np.sort(np.random.default_rng(seed).permutation(len(vectors))[:SAMPLE])
    near = nearest(vectors, vectors[sample], VOTERS, sample).items
    accuracies = []
    for name, columns in attributes(described.names).items():
        own = described.matrix[:, columns].toarray() > 0
        values = np.where(own.any(axis=1), (own * own.sum(axis=0)).argmax(axis=1), PAD)
        accuracy = neighbour_accuracy(near, values, sample)
        if len(columns) > 1 and accuracy.things:
            accuracies.append(AttributeAccuracy(name, accuracy))
    return tuple(sorted(accuracies, key=lambda attribute: -attribute.accuracy.gain))


def _map(
    vectors: Array, axes: int, seed: int, stage: Progress, start: Array | None = None
) -> tuple[Array, MapReport]:
    if start is None:
        points = Map.fit(vectors, axes, seed=seed, on_stage=stage).points
    else:
        points = continue_map(start, vectors, seed=seed, on_stage=stage)
    stage("quality", None)
    laid_out = min(len(points), LANDMARKS)
    return points, MapReport(axes, laid_out, quality(vectors, points, seed=seed))


def _clusters(
    loaded: LoadedRun, vectors: Array, of: str, labels: list[str], seed: int
) -> tuple[Clusters, tuple[ClusterReport, ...]]:
    groups = clusters(vectors, seed=seed)
    typical = [labels[code] for code in groups.typical(vectors).tolist()]
    names = names_of(groups, words(features_known(loaded, of)), typical)
    rows = enumerate(zip(names, groups.sizes.tolist(), strict=True))
    return groups, tuple(ClusterReport(code, name, size) for code, (name, size) in rows)


def features_known(loaded: LoadedRun, of: str) -> Features | None:
    """What is known of the items or users; None if nothing, or if the dataset is gone."""
    if Labels(loaded).info is None:
        return None
    data = loaded.load_dataset()
    return data.item_features if of == "items" else data.user_features


def align_map(frame: pd.DataFrame, other: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """A table of `embedding` whose map is turned, mirrored and stretched onto another one's.

    By the things that both have: two runs', epochs' or components' maps. With it the gap that is
    left, 0 where both are alike, 1 where nothing fits; see core.embed.aligned.

    Raises:
        BadInput: one is of items and the other of users, there is no map, or too little is shared.
    """
    key = frame.columns[0]
    axes = [axis for axis in AXES if axis in frame]
    if other.columns[0] != key or not axes or axes != [axis for axis in AXES if axis in other]:
        raise BadInput(
            "two maps are laid on each other if both are of items or of users, and both "
            "have the same axes: make both with a map of as many axes"
        )
    ids = frame[key].astype(str), other[key].astype(str)
    row_of = dict(zip(ids[1], range(len(other)), strict=True))
    rows = [row for row, ident in enumerate(ids[0]) if ident in row_of]
    shared = np.array(rows, np.int64), np.array([row_of[ids[0][row]] for row in rows], np.int64)
    moved, gap = aligned(frame[axes].to_numpy(), other[axes].to_numpy(), shared)
    return frame.assign(**dict(zip(axes, moved.T, strict=True))), gap
