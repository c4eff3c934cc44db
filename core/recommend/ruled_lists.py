"""Rules over one catalogue, as arrays → lists that keep them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from core.models.common.places import HIDDEN
from core.models.common.tensors import tensor
from core.recommend.rerank import BLOCK_CELLS, LAST, Cells, Rows
from core.recommend.rules import RuleCost, Rules, RulesReport
from core.recommend.top_k import CANDIDATES
from core.types import PAD, Array, Ints, Queries

PINNED = 1e9  # gain of what comes first


@dataclass(frozen=True, eq=False)
class CatalogueRules:
    """Rules as they act on a catalogue of I items.

    What is not allowed is hidden before anything is ranked. Pins come next, in their order; one
    that is hidden (of a person who had it already) is passed by. Then each place of a list goes to
    the candidate of highest worth + boost that no limit forbids, of equals to the one that the
    model ranked higher; worth as in core.recommend.rerank, of the 200 best allowed. A list ends
    where no candidate is left. Items without a value of a limited attribute are not limited.
    """

    rules: Rules
    allowed: Array  # (I,) bool
    boosts: Array  # (I,) float64, added to the worth
    limited: sparse.csr_matrix  # (I, V) 1 where an item has a value that is limited
    most: Ints  # (V,) how often it may be in a list
    pins: Ints  # (P,) item codes, allowed, and within the limits
    unlimited: Mapping[str, int]  # attribute → allowed items without a value of it

    @property
    def reorders(self) -> bool:
        """Whether lists are more than the best of what is allowed."""
        return bool(len(self.pins) or len(self.most) or self.boosts.any())

    def report(self, k: int, short: int, costs: tuple[RuleCost, ...] = ()) -> RulesReport:
        """What is told of lists of length k, of which so many are shorter."""
        return RulesReport(self.rules.texts, k, short, self.unlimited, costs)

    def hide(self, scores: Tensor) -> Tensor:
        """The scores (b, I) with -inf for what is not allowed."""
        return scores.masked_fill(~tensor(self.allowed, scores.device), HIDDEN)

    def with_pins(self, items: Tensor, best: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """These candidates and their scores (b, C), then the pins beyond them, then a PAD.

        A pin that is among the candidates, or that is hidden, is a PAD.
        """
        pins = tensor(self.pins, items.device).expand(len(items), -1)  # (b, P)
        pinned = scores.gather(1, pins)
        not_new = (items[:, :, None] == pins[:, None, :]).any(dim=1) | (pinned == HIDDEN)
        pads, hidden = items.new_full((len(items), 1), PAD), best.new_full((len(best), 1), HIDDEN)
        more = pins.masked_fill(not_new, PAD), pinned.masked_fill(not_new, HIDDEN)
        return torch.cat([items, more[0], pads], dim=1), torch.cat([best, more[1], hidden], dim=1)

    def __call__(self, candidates: Tensor, queries: Queries, k: int) -> Tensor:
        """The lists as positions (B, k) in these candidates (B, C), the last of which is PAD.

        Each at most once, but for that last one, which fills up a list that ended.
        """
        rows = Rows(self.limited, candidates.device)
        per_item = 1 + self.limited.nnz // max(1, len(self.allowed))
        step = max(1, BLOCK_CELLS // max(candidates.shape[1] * per_item, len(self.most)))
        lists = [candidates.new_empty(0, k)]
        for start in range(0, len(candidates), step):
            block = candidates[start : start + step]
            lists.append(self._choose(self._gain(block), rows.of(block), k))
        return torch.cat(lists)

    def _gain(self, candidates: Tensor) -> Tensor:
        """What each candidate (b, C) is worth with its boost; pins above all others."""
        device = candidates.device
        places = torch.arange(1, candidates.shape[1] + 1, device=device).double()
        worth = 1 - places.log() / np.log(CANDIDATES)
        gain: Tensor = worth + tensor(self.boosts, device)[candidates.clamp(min=0)]
        for nth, pin in enumerate(self.pins.tolist()):
            gain = gain.masked_fill(candidates == pin, PINNED - nth)
        gain = gain.masked_fill(candidates == PAD, -torch.inf)
        gain[:, -1] = LAST
        return gain

    def _choose(self, gain: Tensor, cells: Cells, k: int) -> Tensor:
        """Positions (b, k): at each place the highest gain that no limit forbids."""
        rows = torch.arange(len(gain), device=gain.device)
        most = tensor(self.most, gain.device)
        counts = gain.new_zeros(len(gain) * cells.width)
        full = torch.zeros_like(gain, dtype=torch.bool)
        chosen = []
        for _ in range(k):
            if len(most):
                reached = counts[cells.columns] >= most[cells.columns % cells.width]
                full = cells.sums(reached.double()) > 0
            at = gain.masked_fill(full, -torch.inf).argmax(dim=1)  # the first of equals
            gain[rows, at] = -torch.inf
            gain[:, -1] = LAST
            if len(most):
                counts += cells.row(at)
            chosen.append(at)
        return torch.stack(chosen, dim=1)
