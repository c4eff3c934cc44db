"""Several items, wanted or wanted less → what is nearest to them together, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from core.embed import combined_neighbours as nearest_to_direction
from core.embed import over_represented
from core.embed.clusters import Term
from core.embed.vector_arithmetic import WEIGHT
from core.pipeline.explanations.explaining import item_codes
from core.pipeline.item_neighbours import Neighbourhood
from core.pipeline.labels import Labels
from core.types import Array, Ints

PROFILED, OF = 50, 20  # nearest that are looked at for what stands out; at most every 20th item


@dataclass(frozen=True)
class NamedItem:
    """An item that was named."""

    item: Any  # its id
    label: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Contribution:
    """What a named item adds to an answer's cosine."""

    item: Any  # the named item's id
    value: float


@dataclass(frozen=True)
class CombinedNeighbour:
    """An answer: an item near the direction, and why it is."""

    item: Any  # its id
    label: str
    cosine: float
    parts: tuple[Contribution, ...]  # one for each of `like` and then of `less`; Σ = cosine

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "parts": [asdict(contribution) for contribution in self.parts]}


@dataclass(frozen=True, kw_only=True)
class CombinedItems:
    """The items most like a set of named ones and least like another, the nearest first."""

    run: str
    model: str
    component: str  # the space of the vectors, one of core.embed.components
    recall: float  # of the search among the vectors; 1 where all are compared
    like: tuple[NamedItem, ...]
    less: tuple[NamedItem, ...]
    weight: float  # of what is wanted less
    vectors: tuple[CombinedNeighbour, ...]
    profiled: int  # of the nearest, those whose terms are counted
    terms: tuple[Term, ...]  # what those have more of than the catalogue

    def to_json(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "model": self.model,
            "component": self.component,
            "recall": self.recall,
            "like": [named.to_json() for named in self.like],
            "less": [named.to_json() for named in self.less],
            "weight": self.weight,
            "vectors": [answer.to_json() for answer in self.vectors],
            "profiled": self.profiled,
            "terms": [asdict(term) for term in self.terms],
        }


def combined_neighbours(
    near: Neighbourhood,
    like: Sequence[object],
    less: Sequence[object] = (),
    *,
    k: int = 10,
    weight: float | None = None,
) -> CombinedItems:
    """The items most like those in `like` and least like those in `less`.

    See core.embed.vector_arithmetic. What stands out (core.embed.over_represented) is counted
    among the 50 nearest, but no more than every 20th item, and all answers.

    Args:
        near: What is near the run's items.
        like: Ids.
        less: Ids of what is wanted less.
        k: How many answers.
        weight: Of what is wanted less; core.embed.vector_arithmetic.WEIGHT if not given.

    Raises:
        NotFound: an id that the run does not know.
        BadInput: the model has no vectors, or as core.embed.combined_neighbours.
    """
    loaded, weight = near.loaded, WEIGHT if weight is None else weight
    sides = [list(dict.fromkeys(item_codes(loaded, ids).tolist())) for ids in (like, less)]
    profiled = max(k, min(PROFILED, len(loaded.items) // OF))
    best = nearest_to_direction(
        near.search, *sides, k=profiled, weight=weight, called=loaded.items.ids.__getitem__
    )
    codes, answers = [*sides[0], *sides[1]], best.items[:k].tolist()
    labels = Labels(loaded).labels(np.array([*codes, *answers]))
    ids = dict(zip(labels, loaded.items.ids[list(labels)].tolist(), strict=True))
    named = {code: NamedItem(ids[code], labels[code]) for code in codes}

    def answer(code: int, cosine: float, values: Array) -> CombinedNeighbour:
        pairs = zip(codes, values.tolist(), strict=True)
        parts = tuple(Contribution(ids[item], value) for item, value in pairs)
        return CombinedNeighbour(ids[code], labels[code], cosine, parts)

    rows = zip(answers, best.cosines[:k].tolist(), best.parts[:k], strict=True)
    return CombinedItems(
        run=loaded.run.id,
        model=loaded.run.config.model,
        component=near.vectors.component,
        recall=near.search.recall,
        like=tuple(named[code] for code in sides[0]),
        less=tuple(named[code] for code in sides[1]),
        weight=weight,
        vectors=tuple(answer(*row) for row in rows),
        profiled=len(best.items),
        terms=_terms(near, best.items),
    )


def _terms(near: Neighbourhood, items: Ints) -> tuple[Term, ...]:
    """What these have more of than all items."""
    if near.terms is None:
        return ()
    chosen: Array = np.zeros(len(near.vectors), bool)
    chosen[items] = True
    return tuple(over_represented(chosen, near.terms))
