"""A history as a game: what the model says when only some of the events had happened."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from core.errors import BadInput
from core.recommend.top_k import block_bytes, check_scores, score_blocks
from core.types import Additive, Array, Ints, Queries, Recommender, ScoresSubsets

EVENTS = 2**22  # of the coalitions that are put together at a time
AT_ONCE = 4096  # histories, of which only some items are scored


class Game:
    """v(S) of T items, remembered: what the model gives them for the events S of one history.

    Each S is asked as a history of its own, with those events, their times and nothing in the
    place of the others, so that it can be asked again by anyone. For an Additive model v has C
    parts per item, which add up to its score. The players are the events, or groups of them.
    """

    def __init__(
        self,
        model: Recommender,
        query: Queries,
        items: Array,
        n_items: int,
        groups: Array | None = None,
    ) -> None:
        if len(query) != 1:
            raise BadInput(f"one history is explained at a time, not {len(query)}")
        self.model, self.query, self.n_items = model, query, n_items
        self.items: Ints = np.asarray(items, np.int64)
        self.components = model.adding if isinstance(model, Additive) else ()
        own = np.arange(len(query.items))
        self.groups: Ints = own if groups is None else np.asarray(groups, np.int64)  # (E,)
        self.n = int(self.groups.max(initial=-1)) + 1
        self._places: dict[bytes, int] = {}
        self._known = np.zeros((0, len(self.items), max(1, len(self.components))))

    @property
    def evaluations(self) -> int:
        """Histories that the model was asked for."""
        return len(self._places)

    def __call__(self, keep: Array) -> Array:
        """V of each coalition, a row of keep (M, n): (M, T, C) float64; C is 1 if not Additive."""
        places = self.ask(keep)  # before `known` is looked at
        return self._known[places]

    def ask(self, keep: Array) -> Ints:
        """Where the coalitions keep (M, n) stand in `known`, (M,); asks for the new ones."""
        keep = np.asarray(keep, bool).reshape(len(keep), self.n)
        keys = [row.tobytes() for row in np.packbits(keep, axis=1)]
        new = {}
        for row, key in enumerate(keys):
            if key not in self._places and key not in new:
                new[key] = row
        if new:
            asked = keep[list(new.values())]
            order = np.argsort(asked.sum(axis=1), kind="stable")  # alike lengths waste no padding
            found = np.empty((len(asked), *self._known.shape[1:]))
            for some in np.array_split(order, 1 + len(order) * len(self.groups) // EVENTS):
                for part, values in self._scored(asked[some][:, self.groups]):
                    found[some[part]] = values
            start = len(self._known)
            self._places |= {key: start + place for place, key in enumerate(new)}
            self._known = np.concatenate([self._known, found])
        return np.fromiter((self._places[key] for key in keys), np.int64, len(keys))

    @property
    def known(self) -> Array:
        """All that was asked so far, (asked, T, C)."""
        return self._known

    def _scored(self, keep: Array) -> Iterator[tuple[slice, Array]]:
        """What the model says of the histories of these events (M, E), some at a time."""
        if not self.components and isinstance(self.model, ScoresSubsets):
            for start in range(0, len(keep), AT_ONCE):
                part = slice(start, min(start + AT_ONCE, len(keep)))
                scores = self.model.score_subsets(self.query, keep[part], self.items)
                check_scores(scores, part.stop - part.start, len(self.items))
                yield part, scores.double().cpu().numpy()[:, :, None]
            return
        queries = self.query.subsets(keep)
        if not self.components:
            for part, scores in score_blocks(self.model, queries, self.n_items):
                chosen = torch.from_numpy(self.items).to(scores.device)
                yield part, scores[:, chosen].double().cpu().numpy()[:, :, None]
            return
        model = self.model
        assert isinstance(model, Additive), "it has components"
        row = 4 * max(1, self.n_items) * (len(self.components) + 1)
        for start in range(0, len(queries), step := max(1, block_bytes(model.device) // row)):
            part = slice(start, min(start + step, len(queries)))
            with torch.no_grad():
                parts = model.contributions(queries[part])
            for one in parts:
                check_scores(one, part.stop - part.start, self.n_items)
            chosen = torch.from_numpy(self.items).to(parts.device)
            yield part, parts[:, :, chosen].permute(1, 2, 0).double().cpu().numpy()
