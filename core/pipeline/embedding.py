"""A run → its vectors, their map and clusters as a table; an item → what is near it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import BadInput, NotFound
from core.pipeline.epochs import continue_map, drift_of, drift_told, vectors_after
from core.pipeline.explaining import item_codes
from core.pipeline.labels import Labels
from core.pipeline.loaded_run import LoadedRun
from core.types import PAD, Array, FeatureBlock, Features, Progress, silent

if TYPE_CHECKING:
    import pandas as pd

    from core.data.dataset import Dataset
    from core.embed import Drift, Exact, Index
    from core.embed.item_similarity import Overlap
    from core.embed.neighbours import Neighbours
    from core.embed.vectors import Vectors

OF = ("items", "users")
AXES = ("x", "y", "z")
TOLD_BY = 10  # neighbours that vote for what an attribute is


def vectors_of(
    loaded: LoadedRun, of: str = "items", component: str = "", *, seed: int = 0
) -> Vectors:
    """The run's items, or the dataset's users by their whole histories, in code order.

    Raises:
        BadInput: the model has no vectors, no such component, or of is neither.
    """
    from core.embed import item_vectors, user_vectors

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
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The vectors as a table, and what there is to say about them.

    Args:
        loaded: A run.
        of: items or users.
        component: One of core.embed.components; the usual one if empty.
        epoch: One that was kept: what the items were after it, laid on what they are in the end.
        axes: 2 or 3 for a map and clusters, 0 for neither.
        seed: Of the SVD, the map and the clusters.
        on_stage: Told what is being done, and how far it is.

    Returns:
        A row per thing: item_id or user_id, label, v0 … vD-1, and with a map x, y[, z], cluster
        (0 the largest) and cluster_label; and {run, model, of, component, epoch, rows, dim, kept,
        diagnosis: [{key, severity, numbers, sentence}], drift: as drift_told or None, attributes:
        [{name, right, commonest, gain, things}], map: {axes, laid_out, trustworthiness, recall, k,
        points} or None, clusters: [{cluster, label, size}]}: kept as in Vectors, attributes told
        from the ten nearest vectors of at most 2,000 things, see core.embed.map_quality.told.
    """
    import pandas as pd

    stage = on_stage or silent
    stage("vectors", None)
    if epoch is not None and of != "items":
        raise BadInput(f"epochs are kept of items, not of {of}")
    own = vectors_of(loaded, of, component, seed=seed)
    found = own if epoch is None else vectors_after(loaded, epoch, component)
    drift = drift_of(loaded, component, seed=seed) if of == "items" else None
    ids, labels = _called(loaded, of)
    columns: dict[str, Any] = {f"{of[:-1]}_id": ids, "label": labels}
    columns |= {f"v{place}": values for place, values in enumerate(found.values.T)}
    about: dict[str, Any] = {
        "run": loaded.run.id,
        "model": loaded.run.config.model,
        "of": of,
        "component": found.component,
        "epoch": epoch,
        "rows": len(found),
        "dim": found.values.shape[1],
        "kept": found.kept,
        "diagnosis": _diagnosed(loaded, found.values, of, seed, drift),
        "drift": drift and drift_told(drift, ids, labels),
        "attributes": attributes_told(loaded, found.values, of, seed=seed),
        "map": None,
        "clusters": [],
    }
    if axes:
        start = None if epoch is None else _mapped(own.values, axes, seed, stage)[0]
        shown, about["map"] = _mapped(found.values, axes, seed, stage, start)
        stage("clusters", None)
        codes, about["clusters"] = _clustered(loaded, found.values, of, labels, seed)
        names = [one["label"] for one in about["clusters"]]
        columns |= dict(zip(AXES, shown.T, strict=False))
        columns |= {"cluster": codes, "cluster_label": [names[code] for code in codes.tolist()]}
    return pd.DataFrame(columns), about


def _called(loaded: LoadedRun, of: str) -> tuple[Array, list[str]]:
    """The ids of all items or users in code order, and what they are called."""
    if of == "users":
        ids = loaded.load_dataset().users.ids
        return ids, list(map(str, ids))
    labels = Labels(loaded).labels(np.arange(len(loaded.items)))
    return loaded.items.ids, [labels[code] for code in range(len(loaded.items))]


def _diagnosed(
    loaded: LoadedRun, vectors: Array, of: str, seed: int, drift: Drift | None
) -> list[dict[str, Any]]:
    from core.embed.diagnosis import diagnosis

    taken = Labels(loaded).taken if of == "items" else None
    moved = [drift.finding] if drift and drift.finding else []
    return [
        {
            "key": one.key,
            "severity": one.severity,
            "numbers": dict(one.numbers),
            "sentence": one.sentence,
        }
        for one in (*diagnosis(vectors, taken, seed=seed), *moved)
    ]


def attributes_told(
    loaded: LoadedRun, vectors: Array, of: str = "items", *, seed: int = 0
) -> list[dict[str, Any]]:
    """How well each categorical attribute is told from neighbours, the best told first.

    Of one with several values the most frequent of a thing's own counts; one with fewer than two
    values is left out.
    """
    from core.embed.map_quality import SAMPLE, neighbour_accuracy
    from core.embed.neighbours import nearest
    from core.models.common.attributes import attributes, categories

    described = categories(_features(loaded, of))
    if described is None:
        return []
    asked = np.sort(np.random.default_rng(seed).permutation(len(vectors))[:SAMPLE])
    near = nearest(vectors, vectors[asked], TOLD_BY, asked).items
    found = []
    for name, columns in attributes(described.names).items():
        own = described.matrix[:, columns].toarray() > 0
        values = np.where(own.any(axis=1), (own * own.sum(axis=0)).argmax(axis=1), PAD)
        judged = neighbour_accuracy(near, values, asked)
        if len(columns) > 1 and judged.things:
            found.append({"name": name, **asdict(judged), "gain": judged.gain})
    return sorted(found, key=lambda one: -one["gain"])


def _mapped(
    vectors: Array, axes: int, seed: int, stage: Progress, start: Array | None = None
) -> tuple[Array, dict[str, Any]]:
    from core.embed.layout import LANDMARKS, Map
    from core.embed.map_quality import quality

    def on_step(share: float) -> None:
        stage("map", share)

    if start is None:
        points = Map.fit(vectors, axes, seed=seed, on_step=on_step).points
    else:
        points = continue_map(start, vectors, seed=seed, on_step=on_step)
    stage("quality", None)
    judged = asdict(quality(vectors, points, seed=seed))
    return points, {"axes": axes, "laid_out": min(len(points), LANDMARKS), **judged}


def _clustered(
    loaded: LoadedRun, vectors: Array, of: str, labels: list[str], seed: int
) -> tuple[Array, list[dict[str, Any]]]:
    from core.embed.clusters import clusters, names_of, words

    groups = clusters(vectors, seed=seed)
    typical = [labels[code] for code in groups.typical(vectors).tolist()]
    names = names_of(groups, words(_features(loaded, of)), typical)
    told = zip(names, groups.sizes.tolist(), strict=True)
    return groups.codes, [
        {"cluster": code, "label": name, "size": size} for code, (name, size) in enumerate(told)
    ]


def _features(loaded: LoadedRun, of: str) -> Features | None:
    """What is known of the items or users; None if nothing, or if the dataset is gone."""
    if Labels(loaded).info is None:
        return None
    return (
        loaded.load_dataset().item_features
        if of == "items"
        else loaded.load_dataset().user_features
    )


def align_map(frame: pd.DataFrame, other: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """A table of `embedding` whose map is turned, mirrored and stretched onto another one's.

    By the things that both have: two runs', epochs' or components' maps. With it the gap that is
    left, 0 where both are alike, 1 where nothing fits; see core.embed.aligned.

    Raises:
        BadInput: one is of items and the other of users, there is no map, or too little is shared.
    """
    from core.embed.pca import aligned

    key = frame.columns[0]
    axes = [axis for axis in AXES if axis in frame]
    if other.columns[0] != key or not axes or axes != [axis for axis in AXES if axis in other]:
        raise BadInput(
            "two maps are laid on each other if both are of items or of users, and both "
            "have the same axes: make them with embed --map"
        )
    ids = frame[key].astype(str), other[key].astype(str)
    places = dict(zip(ids[1], range(len(other)), strict=True))
    rows = [row for row, ident in enumerate(ids[0]) if ident in places]
    shared = np.array(rows, np.int64), np.array([places[ids[0][row]] for row in rows], np.int64)
    moved, gap = aligned(frame[axes].to_numpy(), other[axes].to_numpy(), shared)
    return frame.assign(**dict(zip(axes, moved.T, strict=True))), gap


def neighbours(
    loaded: LoadedRun, item: object, *, k: int = 10, component: str = "", seed: int = 0
) -> dict[str, Any]:
    """What is near one item; see Near, which is to be kept where more are asked."""
    return Neighbourhood(loaded, component, seed=seed).of(item, k)


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """What is near items: to the model, by what is known of them, by who took them.

    Made once, asked often: what a list needs is made when it is first asked for.
    """

    loaded: LoadedRun
    component: str = ""
    epoch: int | None = None  # of the kept ones: as the items were after it
    many: bool = False  # will be asked often: above 200,000 items worth an index
    seed: int = 0

    @cached_property
    def vectors(self) -> Vectors:
        """The items'.

        Raises:
            BadInput: the model has no vectors, no such component, or the epoch was not kept.
        """
        if self.epoch is not None:
            return vectors_after(self.loaded, self.epoch, self.component)
        return vectors_of(self.loaded, component=self.component, seed=self.seed)

    @cached_property
    def search(self) -> Exact | Index:
        """What finds the nearest of the vectors."""
        from core.embed import Exact, searcher

        values = self.vectors.values
        return searcher(values, seed=self.seed) if self.many else Exact(values)

    @cached_property
    def known(self) -> FeatureBlock | None:
        """The categories and words of each item, (I, F) of 0 and 1; None where nothing is known."""
        from core.embed import words

        return words(_features(self.loaded, "items"))

    @cached_property
    def _content(self) -> Overlap | str:
        """The items by what is known of them, or why not."""
        from core.embed import item_similarity as alike

        try:
            return alike.content(self._data.item_features, self._data.interactions)
        except NotFound as error:
            return str(error)
        except BadInput:
            return "nothing is known of the items of this dataset but who took them"

    @cached_property
    def _together(self) -> Overlap | str:
        """The items by who took them, or why not."""
        from core.embed import item_similarity as alike

        try:
            return alike.together(self._data.interactions)
        except NotFound as error:
            return str(error)

    @property
    def _data(self) -> Dataset:
        return self.loaded.load_dataset()

    def of(self, item: object, k: int = 10) -> dict[str, Any]:
        """What is near an item.

        Returns:
            {run, model, item, label, component, recall, vectors: [{item, label, cosine}], content:
            the same, together: the same with both, the people who took both; why: {list: a
            sentence}}. Each list has the nearest first, at most k; one that is empty is in why.
            recall is 1 where all vectors are compared.

        Raises:
            NotFound: an id that the run does not know.
            BadInput: the model has no vectors, or no such component.
        """
        code, found = int(item_codes(self.loaded, [item])[0]), self.vectors
        own, lists, why = np.array([code]), dict[str, list[dict[str, Any]]](), dict[str, str]()
        lists["vectors"] = []
        if found.values[code].any():
            near = self.search.nearest(found.values[own], k, own)
            lists["vectors"] = _told(self.loaded, near)
        else:
            why["vectors"] = f"nobody took item {item} where the model learnt: its vector is 0"
        for name, by, nothing in (
            ("content", self._content, "no other item has anything that is known of this one"),
            ("together", self._together, "nobody who took this item took another"),
        ):
            lists[name] = [] if isinstance(by, str) else _told(self.loaded, by.nearest(own, k))
            if not lists[name]:
                why[name] = by if isinstance(by, str) else nothing
        self._count_both(code, lists["together"])
        label = Labels(self.loaded).labels(own)[code]
        return {
            "run": self.loaded.run.id,
            "model": self.loaded.run.config.model,
            "item": self.loaded.items.ids[[code]].tolist()[0],
            "label": label,
            "component": found.component,
            "recall": self.search.recall,
            **lists,
            "why": why,
        }

    def _count_both(self, code: int, together: list[dict[str, Any]]) -> None:
        """Adds to each how many people took it and this item."""
        if together:
            assert not isinstance(self._together, str), "it has neighbours"
            others = self.loaded.items.encode([one["item"] for one in together])
            shared = self._together.shared(code, others)
            for one, people in zip(together, shared.tolist(), strict=True):
                one["both"] = people


def _told(loaded: LoadedRun, near: Neighbours) -> list[dict[str, Any]]:
    """The neighbours of one item as JSON."""
    there = near.items[0] >= 0
    codes, cosines = near.items[0][there], near.cosines[0][there]
    labels = Labels(loaded).labels(codes) if len(codes) else {}
    ids = loaded.items.ids[codes].tolist()
    told = zip(ids, codes.tolist(), cosines.tolist(), strict=True)
    return [{"item": ident, "label": labels[code], "cosine": cos} for ident, code, cos in told]
