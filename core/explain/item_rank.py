"""Where one item stands, score and rank, when only some of a history's events had happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.errors import BadInput
from core.explain.attribution import anonymous
from core.recommend.top_k import HIDDEN, score_blocks, top_k
from core.types import Array, Ints, Queries, Recommender

EVENTS_AT_ONCE = 1_000_000  # of all the shortened histories that are put together at a time


@dataclass(frozen=True, eq=False)
class ItemRank:
    """How an item fares with each of M histories."""

    scores: Array  # (M,) float64
    ranks: Ints  # (M,) from 1, among the candidates
    margins: Array  # (M,) float64, how far its score lies above its rival's
    shares: Array  # (M,) float64, of the softmax of all scores, that is its own
    gone: Array  # (M,) bool: it is not in the top k, or does not score above `below`


class ItemRanks:
    """One item's standing for any of a history's events alone, remembered.

    The candidates are always those of the whole history: all items but its own, which stay out
    when their events go; the item asked for is one of them even if it is in the history. The rank
    is 1 + the candidates that score higher, or as high with a lower code, as in a list of
    recommendations. The rival is the k-th best of the other candidates (the margin is inf if they
    are fewer), or the one item `below`. Who did it plays no part.

    Raises:
        BadInput: not one history, or no such item, or k below 1.
    """

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
        if len(query) != 1:
            raise BadInput(f"one history is looked at at a time, not {len(query)}")
        for code in (item,) if below is None else (item, below):
            if not 0 <= code < n_items:
                raise BadInput(f"items must be codes in 0 … {n_items - 1}, not {code}")
        if k < 1:
            raise BadInput(f"k must be at least 1, not {k}")
        self.model, self.query, self.item, self.n_items = model, anonymous(query), item, n_items
        self.k, self.below, self.n = k, below, len(query.items)
        self.asked = np.zeros((0, self.n), bool)  # the events of all that was asked and remembered
        self._found = np.zeros((4, 0))  # score, rank, margin and share of each
        self._places: dict[bytes, int] = {}
        self._alone = 0

    @property
    def evaluations(self) -> int:
        """Histories that the model was asked for."""
        return len(self.asked) + self._alone

    @property
    def known(self) -> ItemRank:
        """With each of `asked`."""
        return self._standing(self._found)

    def __call__(self, keep: Array) -> ItemRank:
        """With only the events that each row of keep (M, n) marks; asks at once for what is new."""
        keep = np.asarray(keep, bool).reshape(len(keep), self.n)
        keys = [row.tobytes() for row in np.packbits(keep, axis=1)]
        new: dict[bytes, int] = {}
        for row, key in enumerate(keys):
            if key not in self._places:
                new.setdefault(key, row)
        if new:
            rows = keep[list(new.values())]
            found = self._ask(rows)
            self._places |= {key: len(self.asked) + i for i, key in enumerate(new)}
            self.asked = np.concatenate([self.asked, rows])
            self._found = np.concatenate([self._found, found], axis=1)
        return self._standing(self._found[:, [self._places[key] for key in keys]])

    def alone(self, keep: Array) -> tuple[ItemRank, list[int]]:
        """The standing with these events (n,), asked anew and alone; and the top k then.

        It replaces what is remembered, which a batch may have rounded differently.
        """
        self._alone += 1
        keep = np.asarray(keep, bool)
        query = self.query.subsets(keep[None])
        [(_, scores)] = score_blocks(self.model, query, self.n_items)
        allowed = self._others(scores)
        allowed[:, self.item] = scores[:, self.item]
        best = top_k(allowed, self.k)[0][0].tolist()
        found = self._read(scores).cpu().numpy()
        place = self._places.get(np.packbits(keep).tobytes())
        if place is not None:
            self._found[:, place] = found[:, 0]
        return self._standing(found), best

    def _ask(self, keep: Array) -> Array:
        order = np.argsort(keep.sum(axis=1), kind="stable")  # alike lengths waste no padding
        found = np.empty((4, len(keep)))
        step = max(1, EVENTS_AT_ONCE // max(1, self.n))
        for start in range(0, len(keep), step):
            rows = order[start : start + step]
            queries = self.query.subsets(keep[rows])
            for part, scores in score_blocks(self.model, queries, self.n_items):
                found[:, rows[part]] = self._read(scores).cpu().numpy()
        return found

    def _read(self, scores: Tensor) -> Tensor:
        """Score, rank, margin and share, (4, b) float64."""
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
        return torch.stack([score, (1 + ahead).double(), score - rival.double(), share])

    def _others(self, scores: Tensor) -> Tensor:
        """A copy of the scores (b, n_items) with -inf for all but the other candidates."""
        out = torch.zeros(self.n_items, dtype=torch.bool)
        out[torch.from_numpy(self.query.items.astype(np.int64))] = True
        out[self.item] = True
        return scores.masked_fill(out.to(scores.device), HIDDEN)

    def _standing(self, found: Array) -> ItemRank:
        scores, ranks, margins, shares = found
        gone = ranks > self.k if self.below is None else margins <= 0
        return ItemRank(scores, ranks.astype(np.int64), margins, shares, gone)
