"""One item's rank when one or a few more events had followed a history."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from core.explain.history import one_history
from core.explain.what_if import edit_history
from core.models.common.places import HIDDEN
from core.recommend.top_k import score_blocks
from core.types import Array, Ints, Progress, Queries, Recommender, silent

EVENTS_AT_ONCE = 1_000_000  # of all the longer histories that are put together at a time


@dataclass(frozen=True, eq=False)
class Standing:
    """How an item fares with each of M longer histories."""

    ranks: Ints  # (M,) from 1, among itself and all items that the longer history does not have
    margins: Array  # (M,) float64, how far it lies above the k-th best other; inf if there is none
    kept_ranks: Ints  # (M,) what the ranks were if the added items stayed on the list


class Additions:
    """Asks for one history with more events after it, appended as `edit_history` does.

    As `recommend` has it, an item that was added is no candidate any more, like those of the
    history; the item asked about is always one. Who did it plays no part.
    """

    def __init__(self, model: Recommender, query: Queries, item: int, n_items: int, k: int) -> None:
        self.model, self.query, self.item = model, one_history(query), item
        self.n_items, self.k = n_items, k
        self.evaluations = 0  # histories that the model was asked for

    def __call__(self, added: Array, stage: str = "", on_progress: Progress = silent) -> Standing:
        """With each row of added (M, m) codes, in their order; some at a time."""
        added = np.asarray(added, np.int64)
        length = len(self.query.items) + added.shape[1]
        step = max(1, EVENTS_AT_ONCE // max(1, length))
        figures = np.zeros((len(added), 3))
        for start in range(0, len(added), step):
            rows = added[start : start + step]
            queries = self.longer(rows)
            for block, scores in score_blocks(self.model, queries, self.n_items):
                own = slice(start + block.start, start + block.stop)
                figures[own] = self._figures(scores, rows[block]).cpu().numpy()
                on_progress(stage, own.stop / len(added))
        self.evaluations += len(added)
        ranks, kept = figures[:, [0, 2]].T.astype(np.int64)
        return Standing(ranks, figures[:, 1], kept)

    def alone(self, added: Array) -> Standing:
        """The same of one row (m,), asked in a batch of its own."""
        return self(np.asarray(added, np.int64)[None])

    def longer(self, added: Array) -> Queries:
        """The histories with each row of added (M, m) after them."""
        once = edit_history(self.query, add=[0] * added.shape[1], n_items=self.n_items)
        queries = once.subsets(np.ones((len(added), len(once.items)), bool))
        items = queries.items.reshape(len(added), -1)  # a copy of its own
        if added.shape[1]:
            items[:, -added.shape[1] :] = added
        return queries

    def _figures(self, scores: Tensor, added: Array) -> Tensor:
        """Rank, margin, and the rank were nothing taken by what was added, (b, 3) float64."""
        own = scores[:, self.item, None]
        out = torch.zeros(self.n_items, dtype=torch.bool)
        out[torch.from_numpy(self.query.items.astype(np.int64))] = True
        out[self.item] = True
        others = scores.masked_fill(out.to(scores.device), HIDDEN)
        kept = self._ahead(others, own)
        codes = torch.from_numpy(added).to(scores.device)
        others.scatter_(1, codes, HIDDEN)
        rival = torch.full_like(own[:, 0], HIDDEN)
        if self.k < self.n_items:
            rival = others.topk(self.k).values[:, -1]
        margin = own[:, 0].double() - rival.double()
        return torch.stack(
            [1 + self._ahead(others, own).double(), margin, 1 + kept.double()], dim=1
        )

    def _ahead(self, others: Tensor, own: Tensor) -> Tensor:
        """How many score higher, or as high with a lower code, (b,)."""
        return (others > own).sum(dim=1) + (others[:, : self.item] == own).sum(dim=1)
