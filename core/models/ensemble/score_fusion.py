"""Models whose scores are put on one scale and added, or that work in two stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from core.models.common.settings import Settings, setting
from core.models.common.tensors import tensor
from core.models.ensemble.fusion_weights import EDGES, segment
from core.types import Array, Queries, Ranker, Recommender

SEGMENTS = len(EDGES) + 1
RANK_OFFSET = 60  # as in the paper
TINY = 1e-30


@dataclass(frozen=True)
class ScoreFusionConfig(Settings):
    """How scores are added up."""

    method: str = setting(
        "scores",
        "scores adds weighted scores; ranks adds reciprocal ranks, all alike",
        choices=("scores", "ranks"),
    )
    scale: str = setting(
        "history",
        "history puts each person's scores on a scale of their own, frozen all on the same",
        choices=("history", "frozen"),
    )


@dataclass(frozen=True, eq=False)
class ScoreFusion:
    """Models whose scores are made comparable and added."""

    config: Any
    models: tuple[Recommender, ...]
    weights: Tensor  # (segments, C)
    scale: Tensor  # (segments, C, 2): mean and spread where the scale is frozen

    @classmethod
    def alike(
        cls, config: Any, models: Sequence[Recommender], queries: Queries, device: str
    ) -> ScoreFusion:
        """All of one weight; a frozen scale is that of these queries."""
        n = len(models)
        weights = torch.full((SEGMENTS, n), 1 / n, device=device)
        fusion = cls(config, tuple(models), weights, weights.new_zeros(SEGMENTS, n, 2))
        return replace(fusion, scale=fusion._scale(queries)) if config.scale == "frozen" else fusion

    def _scale(self, queries: Queries) -> Tensor:
        """Each segment's mean and spread of each model's scores; an empty segment has all's."""
        where = tensor(segment(queries), self.weights.device)
        scales = []
        for model in self.models:
            pairs = [_moments(model.score(block)) for block in _parts(queries)]
            mean, spread = (torch.cat(kind)[:, 0] for kind in zip(*pairs, strict=True))
            rows = [where == number for number in range(SEGMENTS)]
            rows = [row if row.any() else torch.ones_like(row) for row in rows]
            parts = [torch.stack([mean[r].mean(), spread[r].mean()]) for r in rows]
            scales.append(torch.stack(parts))
        return torch.stack(scales, dim=1)

    def scaled(self, c: int, queries: Queries) -> Tensor:
        """Component c on the common scale, (B, I)."""
        with torch.no_grad():
            scores = self.models[c].score(queries)
        if self.config.method == "ranks":
            ordered = scores.sort(dim=1).values
            ahead = scores.shape[1] - torch.searchsorted(ordered, scores, right=True)
            return 1 / (RANK_OFFSET + 1.0 + ahead)
        mean, spread = self._common(c, queries, scores)
        on_scale: Tensor = (scores - mean) / spread
        return on_scale

    def _common(self, c: int, queries: Queries, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and spread by which component c's scores are made comparable, (B, 1) each."""
        if self.config.scale == "frozen":
            mean, spread = self.scale[tensor(segment(queries), scores.device), c].T[:, :, None]
        else:
            mean, spread = _moments(scores)
        return mean, spread.clamp_min(TINY)

    def rescaled(self, c: int, query: Queries, scores: Tensor, values: Array, item: int) -> Array:
        """Other scores (M,) of one item on the common scale, where all items keep scores (1, I)."""
        if self.config.method == "ranks":
            others = np.sort(np.delete(scores[0].double().cpu().numpy(), item))
            ahead = len(others) - np.searchsorted(others, values.astype(np.float32), side="right")
            rescaled: Array = 1 / (RANK_OFFSET + 1.0 + ahead)
        else:
            mean, spread = (float(moment) for moment in self._common(c, query, scores))
            rescaled = (values - mean) / spread
        return rescaled

    def component_scores(self, queries: Queries) -> Tensor:
        """All components on the common scale, (C, B, I)."""
        return torch.stack([self.scaled(c, queries) for c in range(len(self.models))])

    def score(self, queries: Queries) -> Tensor:
        """The weighted sum, or what the second model makes of the first one's best, (B, I)."""
        if self.config.method == "stages":
            first, second = self.models
            return staged(first, second, queries, self.config.candidates)
        weights = self.weights[tensor(segment(queries), self.weights.device)]
        total: Tensor | None = None
        for c in np.flatnonzero(self.weights.any(dim=0).cpu().numpy()):
            weighted = self.scaled(int(c), queries).mul_(weights[:, c : c + 1])
            total = weighted if total is None else total.add_(weighted)
        assert total is not None, "weights of a segment add up to 1"
        return total


def staged(first: Recommender, second: Recommender, queries: Queries, candidates: int) -> Tensor:
    """Scores (B, I): of the first model's best those of the second, all others below, as by first.

    A second model that is a Ranker ranks them, as in Covington et al., RecSys 2016. Each history's
    others are moved as a whole, to 1 and more under the lowest of its candidates.
    """
    with torch.no_grad():
        scores = first.score(queries)
        items = scores.topk(min(candidates, scores.shape[1]), dim=1).indices
        ranked = (
            second.rank(queries, items.cpu().numpy())
            if isinstance(second, Ranker)
            else second.score(queries).gather(1, items)
        )
        below = ranked.amin(dim=1, keepdim=True) - 1 - scores.amax(dim=1, keepdim=True)
        return (scores + below).scatter(1, items, ranked)


def _moments(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and spread of each row, (B, 1) each."""
    mean = scores.mean(dim=1, keepdim=True)
    spread = torch.linalg.vector_norm(scores - mean, dim=1, keepdim=True) / scores.shape[1] ** 0.5
    return mean, spread


def _parts(queries: Queries) -> list[Queries]:
    return [queries[low : low + 64] for low in range(0, len(queries), 64)]
