"""What models share whose items are vectors from a tower, held against a history's vector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from core.models.common.item_parts import rows_like
from core.models.common.rating_baselines import ITEM_RATINGS
from core.models.common.tensors import tensor
from core.models.neural.gradient_model import POPULARITY, START, GradientModel
from core.models.neural.item_tower import ItemTower, content
from core.models.neural.start_state import Scores
from core.types import PAD, Array, Features, Interactions, ItemPart, Queries, TrainData

TAKEN = (START[1], POPULARITY, ITEM_RATINGS)  # a number an item, by who took it; else 0


class TowerNet(nn.Module, ABC):
    """A network with a tower of the items."""

    tower: ItemTower

    @abstractmethod
    def items(self, table: Tensor) -> Tensor:
        """Unit vectors (n, dim) of rows of the tower, to be held against a history's."""


Net = TypeVar("Net", bound=TowerNet)


class ItemTowerModel(GradientModel[Net]):
    """A model whose score is the inner product of what a history says and an item's vector."""

    needs_features: ClassVar[bool] = True

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self._table = self._vectors = torch.zeros(0, 0)  # of the items, as inputs and as answers

    @abstractmethod
    def encode(self, queries: Queries) -> Tensor:
        """What each history says, (B, dim); the start vector's of one without events."""

    def _encode_subsets(self, query: Queries, keep: Array) -> Tensor:
        """What some of the events of one history say, keep (M, E), (M, dim)."""
        return self.encode(query.subsets(keep))

    def _match(self, net: Net, units: Tensor, vectors: Tensor) -> Tensor:
        """Scores (B, n) that histories' vectors (B, dim) give items with vectors (n, dim)."""
        return units @ vectors.T

    def _tower(self, train: TrainData, log: Interactions) -> ItemTower:
        """A tower with fresh weights for the items, told what the config lets it be told."""
        features = train.item_features if self.config.content else None
        tower = ItemTower(self.config.dim, *content(features, log.n_items))
        tower.known.copy_(torch.from_numpy(np.bincount(log.items, minlength=log.n_items) > 0))
        return tower

    def _refresh(self, net: Net) -> None:
        with torch.no_grad():
            self._table = net.tower()
            self._vectors = net.items(self._table)

    def _scores(self, net: Net, queries: Queries) -> Tensor:
        return self._match(net, self.encode(queries), self._vectors)

    def _start_scores(self, net: Net) -> tuple[Scores, int]:
        vectors = self._vectors.double()
        return lambda vector: self._match(net, vector[None], vectors)[0], vectors.shape[1]

    def encode_items(self) -> Tensor:
        """The items as unit vectors (I, dim)."""
        self._fitted()
        return self._vectors

    def item_terms(self) -> dict[str, Tensor]:
        """What the item tower sums up: id, content and what is embedded, (I, dim) each."""
        return self._fitted().tower.terms()

    def score_subsets(self, query: Queries, keep: Array, items: Array) -> Tensor:
        """What `score` gives these items for some of the events of one history."""
        net, keep = self._fitted(), np.asarray(keep, bool)
        chosen = tensor(np.asarray(items, np.int64), self._scores_of_none.device)
        vectors, of_none = self._vectors[chosen], self._scores_of_none[chosen]
        with torch.no_grad():
            scores = self._match(net, self._encode_subsets(query, keep), vectors)
        scores[tensor(keep.sum(axis=1) == 0, scores.device)] = of_none
        return scores

    def with_items(
        self, features: Features, learnt: int | None = None, like: Array | None = None
    ) -> Self:
        """Items nobody took, by what the tower makes of their attributes alone.

        To an empty history they have no offset, and no rating of theirs is known.
        """
        self.parts(features)  # they are those that it learnt from
        state = self.state()
        like = np.full(features.n_rows - len(self._vectors), PAD) if like is None else like
        taken = {
            name: np.append(state[name], rows_like(state[name], like))
            for name in TAKEN
            if name in state
        }
        extended = ItemTower.extended(state, features, learnt, like)
        return type(self)(self.config).load(state | taken | extended, device=self.device)

    def parts(self, features: Features | None) -> tuple[ItemPart, ...]:
        """What the items are made of: the id, and the attributes that the model learnt from."""
        return tuple(self._fitted().tower.parts(features))

    def score_of_parts(
        self, query: Queries, item: int, features: Features | None, keep: Array
    ) -> Array:
        """Scores (M,) of an item of only some parts: those left out miss in the tower's sum.

        To an empty history the item's offset is added, whatever the parts; popularity, where it
        stands in for a start state, is the same whatever the parts.
        """
        net, empty = self._fitted(), not len(query.items)
        if empty and self._start is None:
            return np.full(len(keep), float(self._scores_of_none[item]))
        with torch.no_grad():
            vectors = net.items(net.tower.of_parts(item, features, keep))
            scores = self._match(net, self.encode(query), vectors)
            if empty and self._start is not None:
                scores = scores + self._start.offsets[item]
        as_array: Array = scores[0].double().cpu().numpy()
        return as_array
