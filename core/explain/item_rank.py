"""One item's score and rank when only some of a history's events had happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.errors import BadInput
from core.explain.candidates import candidates
from core.explain.coalitions import CoalitionMemo
from core.explain.contrast import Contrast
from core.explain.history import one_history
from core.models.common.places import HIDDEN
from core.recommend.top_k import score_blocks, top_k
from core.types import Array, Ints, Queries, Recommender

EVENTS_AT_ONCE = 1_000_000  # of all the shortened histories that are put together at a time
FIGURES = ("score", "rank", "margin", "share", "lift")  # that are remembered of each history


@dataclass(frozen=True, eq=False)
class ItemRank:
    """How an item fares with each of M histories."""

    scores: Array  # (M,) float64
    ranks: Ints  # (M,) from 1, among the candidates
    margins: Array  # (M,) float64, how far its score lies above its rival's; below, of `Entering`
    shares: Array  # (M,) float64, of the softmax of all scores, that is its own
    lifts: Array  # (M,) float64, how far its score lies above the candidates' (Contrast)
    gone: Array  # (M,) bool: it is not in the top k, or does not score above `below`; or `Entering`


class ItemRanks:
    """One item's score and rank for any of a history's events alone, remembered.

    The candidates are always those of the whole history: all items but its own, which stay out
    when their events go; the item asked for is one of them even if it is in the history. The rank
    is 1 + the candidates that score higher, or as high with a lower code, as in a list of
    recommendations. The rival is the k-th best of the other candidates (the margin is inf if they
    are fewer), or the one item `below`. Who did it plays no part.

    Raises:
        BadInput: not one history, or no such item, or k below 1.
    """

    entering = False  # whether what is wanted of the item is to come in rather than to go

    def __init__(
        self,
        model: Recommender,
        query: Queries,
        item: int,
        n_items: int,
        *,
        k: int = 10,
        below: int | None = None,
    ) -> None:
        for code in (item,) if below is None else (item, below):
            if not 0 <= code < n_items:
                raise BadInput(f"items must be codes in 0 … {n_items - 1}, not {code}")
        if k < 1:
            raise BadInput(f"k must be at least 1, not {k}")
        self.model, self.query, self.item, self.n_items = model, one_history(query), item, n_items
        self.k, self.below, self.n = k, below, len(query.items)
        self._candidates = candidates(self.query, n_items)
        self._contrast = Contrast.of(model)
        self._memo = CoalitionMemo(self.n, (len(FIGURES),))
        self._alone = 0

    @property
    def evaluations(self) -> int:
        """Histories that the model was asked for."""
        return len(self._memo) + self._alone

    @property
    def coalitions(self) -> Array:
        """The events of all histories that were asked for and are remembered, (A, n) bool."""
        return self._memo.coalitions

    @property
    def remembered(self) -> ItemRank:
        """With each of `coalitions`."""
        return self._item_rank(self._memo.values)

    def __call__(self, keep: Array) -> ItemRank:
        """With only the events that each row of keep (M, n) marks; asks at once for what is new."""
        return self._item_rank(self._memo.of(keep, self._ask))

    def alone(self, keep: Array) -> tuple[ItemRank, list[int]]:
        """With these events (n,), asked anew and alone, and the top k then.

        It replaces what is remembered, which a batch may have rounded differently.
        """
        self._alone += 1
        keep = np.asarray(keep, bool)
        query = self.query.subsets(keep[None])
        [(_, scores)] = score_blocks(self.model, query, self.n_items)
        allowed = self._others(scores)
        allowed[:, self.item] = scores[:, self.item]
        best = top_k(allowed, self.k)[0][0].tolist()
        figures = self._figures(scores).cpu().numpy()
        self._memo.replace(keep, figures[0])
        return self._item_rank(figures), best

    def _ask(self, keep: Array) -> Array:
        """FIGURES of the histories of these events (M, n), (M, 5)."""
        order = np.argsort(keep.sum(axis=1), kind="stable")  # alike lengths waste no padding
        figures = np.empty((len(keep), len(FIGURES)))
        step = max(1, EVENTS_AT_ONCE // max(1, self.n))
        for start in range(0, len(keep), step):
            rows = order[start : start + step]
            queries = self.query.subsets(keep[rows])
            for block, scores in score_blocks(self.model, queries, self.n_items):
                figures[rows[block]] = self._figures(scores).cpu().numpy()
        return figures

    def _figures(self, scores: Tensor) -> Tensor:
        """FIGURES from scores (b, n_items), (b, 5) float64."""
        own, others = scores[:, self.item, None], self._others(scores)
        ahead = (others > own).sum(dim=1) + (others[:, : self.item] == own).sum(dim=1)
        if self.below is not None:
            rival = scores[:, self.below]
        elif self.k < self.n_items:
            rival = others.topk(self.k).values[:, -1]
        else:
            rival = torch.full_like(own[:, 0], HIDDEN)
        score = own[:, 0].double()
        share = (score - torch.logsumexp(scores.double(), dim=1)).exp()
        rank, margin = (1 + ahead).double(), score - rival.double()
        lift = score - self._contrast.level(scores[:, self._candidates])
        return torch.stack([score, rank, margin, share, lift], dim=1)

    def _others(self, scores: Tensor) -> Tensor:
        """A copy of the scores (b, n_items) with -inf for all but the other candidates."""
        out = torch.zeros(self.n_items, dtype=torch.bool)
        out[torch.from_numpy(self.query.items.astype(np.int64))] = True
        out[self.item] = True
        return scores.masked_fill(out.to(scores.device), HIDDEN)

    def _item_rank(self, figures: Array) -> ItemRank:
        scores, ranks, margins, shares, lifts = figures.T
        gone = ranks > self.k if self.below is None else margins <= 0
        return ItemRank(scores, ranks.astype(np.int64), margins, shares, lifts, gone)


class Entering(ItemRanks):
    """The same with the aim turned round: `gone` says that the item is in the top k."""

    entering = True

    def _item_rank(self, figures: Array) -> ItemRank:
        scores, ranks, margins, shares, lifts = figures.T
        return ItemRank(scores, ranks.astype(np.int64), -margins, shares, lifts, ranks <= self.k)
