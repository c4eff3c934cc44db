"""An item → what is near it: to the model, by what is known of it, by who took it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from core.data.dataset import Dataset
from core.embed import Exact, Index, Neighbours, Vectors, item_similarity, searcher, words
from core.embed.item_similarity import Overlap
from core.errors import BadInput, NotFound
from core.pipeline.epochs import vectors_after
from core.pipeline.explanations.explaining import item_codes
from core.pipeline.labels import Labels
from core.pipeline.loaded_run import LoadedRun
from core.pipeline.run_embedding import features_known, vectors_of
from core.types import FeatureBlock


@dataclass(frozen=True)
class Neighbour:
    """An item that is near another one."""

    item: Any  # its id
    label: str
    cosine: float
    both: int | None = None  # people who took both; None where that is not what counts

    def to_json(self) -> dict[str, Any]:
        near = {"item": self.item, "label": self.label, "cosine": self.cosine}
        return near if self.both is None else {**near, "both": self.both}


@dataclass(frozen=True, kw_only=True)
class ItemNeighbours:
    """What is near an item, the nearest first."""

    run: str
    model: str
    item: Any  # its id
    label: str
    component: str  # the space of the vectors, one of core.embed.components
    recall: float  # of the search among the vectors; 1 where all are compared
    vectors: tuple[Neighbour, ...]  # to the model
    content: tuple[Neighbour, ...]  # by what is known of the items
    together: tuple[Neighbour, ...]  # by who took both
    why: Mapping[str, str]  # name of an empty list → a sentence

    def to_json(self) -> dict[str, Any]:
        lists = {"vectors": self.vectors, "content": self.content, "together": self.together}
        return {
            "run": self.run,
            "model": self.model,
            "item": self.item,
            "label": self.label,
            "component": self.component,
            "recall": self.recall,
            **{name: [near.to_json() for near in items] for name, items in lists.items()},
            "why": dict(self.why),
        }


def neighbours(
    loaded: LoadedRun, item: object, *, k: int = 10, component: str = "", seed: int = 0
) -> ItemNeighbours:
    """What is near one item; keep a Neighbourhood where more are asked."""
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
        values = self.vectors.values
        return searcher(values, seed=self.seed) if self.many else Exact(values)

    @cached_property
    def terms(self) -> FeatureBlock | None:
        """The categories and words of each item, (I, F) of 0 and 1; None where nothing is known."""
        return words(features_known(self.loaded, "items"))

    @cached_property
    def _content(self) -> Overlap | str:
        """The items by what is known of them, or why not."""
        try:
            return item_similarity.content(self._data.item_features, self._data.interactions)
        except NotFound as error:
            return str(error)
        except BadInput:
            return "nothing is known of the items of this dataset but who took them"

    @cached_property
    def _together(self) -> Overlap | str:
        """The items by who took them, or why not."""
        try:
            return item_similarity.together(self._data.interactions)
        except NotFound as error:
            return str(error)

    @property
    def _data(self) -> Dataset:
        return self.loaded.load_dataset()

    def of(self, item: object, k: int = 10) -> ItemNeighbours:
        """What is near an item: at most k in each list, the nearest first.

        Raises:
            NotFound: an id that the run does not know.
            BadInput: the model has no vectors, or no such component.
        """
        code, vectors = int(item_codes(self.loaded, [item])[0]), self.vectors
        lists, why = dict[str, tuple[Neighbour, ...]](), dict[str, str]()
        own = np.array([code])
        lists["vectors"] = ()
        if vectors.values[code].any():
            lists["vectors"] = self._labelled(self.search.nearest(vectors.values[own], k, own))
        else:
            why["vectors"] = f"nobody took item {item} where the model learnt: its vector is 0"
        for name, by, nothing in (
            ("content", self._content, "no other item has anything that is known of this one"),
            ("together", self._together, "nobody who took this item took another"),
        ):
            lists[name] = () if isinstance(by, str) else self._labelled(by.nearest(own, k))
            if not lists[name]:
                why[name] = by if isinstance(by, str) else nothing
        return ItemNeighbours(
            run=self.loaded.run.id,
            model=self.loaded.run.config.model,
            item=self.loaded.items.ids[own].tolist()[0],
            label=Labels(self.loaded).labels(own)[code],
            component=vectors.component,
            recall=self.search.recall,
            vectors=lists["vectors"],
            content=lists["content"],
            together=self._counted(code, lists["together"]),
            why=why,
        )

    def _labelled(self, near: Neighbours) -> tuple[Neighbour, ...]:
        """The neighbours of one item, with their ids and labels."""
        there = near.items[0] >= 0
        codes, cosines = near.items[0][there], near.cosines[0][there]
        labels = Labels(self.loaded).labels(codes) if len(codes) else {}
        rows = zip(
            self.loaded.items.ids[codes].tolist(), codes.tolist(), cosines.tolist(), strict=True
        )
        return tuple(Neighbour(item, labels[code], cosine) for item, code, cosine in rows)

    def _counted(self, code: int, together: tuple[Neighbour, ...]) -> tuple[Neighbour, ...]:
        """With how many people took each of them and this item."""
        if not together:
            return together
        assert not isinstance(self._together, str), "it has neighbours"
        others = self.loaded.items.encode([near.item for near in together])
        people = self._together.shared(code, others).tolist()
        return tuple(replace(near, both=both) for near, both in zip(together, people, strict=True))
