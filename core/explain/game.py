"""A history as a game: what the model says when only some of the events had happened."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from core.errors import BadInput
from core.explain.candidates import candidates
from core.explain.coalitions import CoalitionMemo
from core.explain.contrast import Contrast
from core.explain.explanation import Explanation
from core.explain.history import one_history
from core.recommend.time_limit import check_time
from core.recommend.top_k import block_bytes, check_scores, score_blocks
from core.types import (
    Additive,
    Array,
    Ints,
    LinearInHistory,
    Queries,
    Recommender,
    ScoresSubsets,
)

EVENTS = 2**22  # of the coalitions that are put together at a time
AT_ONCE = 4096  # histories, of which only some items are scored


class Game:
    """v(S) of T items, remembered: how far the model lifts them above others for the events S.

    v(S) = score of the item - level of the candidates, all of them for a history of the events S
    alone; the candidates are all items but those of the whole history, the same for every S. The
    level is their mean, or the logarithm of the sum of their exp(score), so that v is that of the
    item's share, as the contrast says. With `against` v is the score less that of this item.

    Each S is asked as a history of its own, a stranger's, with those events, their times and
    nothing in the place of the others, so that it can be asked again by anyone. For an Additive
    model v has C parts per item, which add up to it. The players are the events, or groups of them.

    Raises:
        BadInput: no such item, not one history, or a share of scores that give none.
    """

    def __init__(
        self,
        model: Recommender,
        query: Queries,
        items: Array,
        n_items: int,
        groups: Array | None = None,
        *,
        against: int | None = None,
        contrast: Contrast | None = None,
    ) -> None:
        self.contrast = contrast or Contrast.of(model, against)
        if self.contrast not in (Contrast.of(model, against), Contrast.MEAN):
            raise BadInput(f"the scores of this model are not explained as {self.contrast.value!r}")
        self.model, self.query, self.n_items = model, one_history(query), n_items
        self.items: Ints = np.atleast_1d(np.asarray(items, np.int64))  # (T,)
        self.against = against
        scored = self.items if against is None else np.append(self.items, against)
        if not len(self.items) or scored.min() < 0 or scored.max() >= n_items:
            raise BadInput(f"items must be one or more codes in 0 … {n_items - 1}, not {scored}")
        self.scored_items: Ints = scored  # the items, and `against` last
        self.candidates = candidates(self.query, n_items)  # (I,) bool
        self.components = model.adding if isinstance(model, Additive) else ()
        own = np.arange(len(query.items))
        self.groups: Ints = own if groups is None else np.asarray(groups, np.int64)  # (E,)
        self.n = int(self.groups.max(initial=-1)) + 1
        self._memo = CoalitionMemo(self.n, (len(self.items) + 1, max(1, len(self.components))))

    @property
    def evaluations(self) -> int:
        """Histories that the model was asked for."""
        return len(self._memo)

    def __call__(self, keep: Array) -> Array:
        """V of each coalition, a row of keep (M, n): (M, T, C) float64; C is 1 if not Additive."""
        scores = self.scores(keep)
        lift: Array = scores[:, :-1] - scores[:, -1:]
        return lift

    def scores(self, keep: Array) -> Array:
        """What the model gives the items, and last what they are held against, (M, T + 1, C)."""
        return self._memo.of(keep, self._score)

    def shares(self, model: LinearInHistory) -> Array:
        """What each event adds to v of each item while it is the latest, (E, T)."""
        shares = model.shares(self.query, self.scored_items)
        if self.against is not None:
            lift: Array = shares[:, :-1] - shares[:, -1:]
            return lift
        codes = np.flatnonzero(self.candidates)
        total = np.zeros((len(shares), 1))
        for part in np.array_split(codes, 1 + len(codes) * len(shares) // EVENTS):
            check_time()
            total += model.shares(self.query, part).sum(axis=1, keepdims=True)
        return shares - total / len(codes)

    def explanation(
        self,
        values: Array,
        *,
        method: str,
        seed: int,
        se: Array | None = None,
        stability: Array | None = None,
        players: Ints | None = None,
    ) -> Explanation:
        """The game's values (n, T, C) as an Explanation.

        Args:
            values: By player, item and component.
            method: How they were found.
            seed: Of what was drawn.
            se: Standard errors (n, T); none where they are exact.
            stability: Of each item (T,); 1 where they are exact.
            players: The player that each event is (E,), where they are not those of the game.
        """
        ends = np.stack([np.zeros(self.n, bool), np.ones(self.n, bool)])
        base, scores = self(ends)
        raw_base, raw_scores = self.scores(ends)[:, :-1].sum(axis=2)
        return Explanation(
            items=self.items,
            players=self.groups if players is None else players,
            scores=scores.sum(axis=1),
            base=base.sum(axis=1),
            raw_scores=raw_scores,
            raw_base=raw_base,
            values=values.sum(axis=2),
            se=np.zeros(values.shape[:2]) if se is None else se,
            method=method,
            evaluations=self.evaluations,
            seed=seed,
            stability=np.ones(len(self.items)) if stability is None else stability,
            against=self.against,
            contrast=self.contrast,
            components=self.components,
            by_component=values if self.components else np.zeros((0, 0, 0)),
            base_by_component=base if self.components else np.zeros((0, 0)),
        )

    def _score(self, keep: Array) -> Array:
        """The scores (M, T + 1, C) of coalitions that were not asked for yet, some at a time."""
        order = np.argsort(keep.sum(axis=1), kind="stable")  # alike lengths waste no padding
        scores = np.empty((len(keep), *self._memo.values.shape[1:]))
        for rows in np.array_split(order, 1 + len(order) * len(self.groups) // EVENTS):
            for block, block_scores in self._blocks(keep[rows][:, self.groups]):
                scores[rows[block]] = block_scores
        return scores

    def _blocks(self, keep: Array) -> Iterator[tuple[slice, Array]]:
        """The scores (b, T + 1, C) of the histories of these events (M, E), block by block."""
        if not self.components and isinstance(self.model, ScoresSubsets):
            others = np.flatnonzero(self.candidates) if self.against is None else np.zeros(0, int)
            items, i = np.concatenate([others, self.scored_items]), len(others)
            most = min(AT_ONCE, max(1, block_bytes(self.model.device) // (4 * len(items))))
            for start in range(0, len(keep), most):
                block = slice(start, min(start + most, len(keep)))
                scores = self.model.score_subsets(self.query, keep[block], items)
                check_scores(scores, block.stop - block.start, len(items))
                chosen = scores[:, i:].double()
                if self.against is None:
                    level = self.contrast.level(scores[:, :i])
                    chosen = torch.cat([chosen, level[:, None]], dim=1)
                yield block, chosen.cpu().numpy()[:, :, None]
            return
        queries = self.query.subsets(keep)
        if not self.components:
            for block, scores in score_blocks(self.model, queries, self.n_items):
                yield block, self._chosen(scores).cpu().numpy()[:, :, None]
            return
        model = self.model
        assert isinstance(model, Additive), "it has components"
        row = 4 * max(1, self.n_items) * (len(self.components) + 1)
        for start in range(0, len(queries), step := max(1, block_bytes(model.device) // row)):
            block = slice(start, min(start + step, len(queries)))
            with torch.no_grad():
                contributions = model.contributions(queries[block])  # (C, b, I)
            for component in contributions:
                check_scores(component, block.stop - block.start, self.n_items)
            chosen = torch.stack([self._chosen(component) for component in contributions], dim=2)
            yield block, chosen.cpu().numpy()

    def _chosen(self, scores: Tensor) -> Tensor:
        """Of the scores (b, I) those of the items and what they are held against, (b, T + 1)."""
        chosen = scores[:, torch.from_numpy(self.scored_items).to(scores.device)].double()
        if self.against is not None:
            return chosen
        others = torch.from_numpy(np.flatnonzero(self.candidates)).to(scores.device)
        level = self.contrast.level(scores.index_select(1, others))
        return torch.cat([chosen, level[:, None]], dim=1)
