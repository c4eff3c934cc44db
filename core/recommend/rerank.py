"""The best items → a list that is more varied (MMR), or has the person's own mix (calibrated).

Each place of the list goes to the candidate of highest (1 - strength) · worth - strength · cost, of
equals to the one that the model ranked higher. A candidate's worth is 1 - ln(place) / ln(200) of
its place in the model's own order: 1 for the first, 0 for the 200th, the same for every model,
whatever its scores are like. What it costs beside the list so far is the method's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from core.errors import BadInput
from core.models.common.attributes import TASTE_SMOOTHING, categories, mix, taste, traits
from core.models.common.tensors import ragged_range, tensor
from core.models.common.vectors import unit_rows
from core.recommend.top_k import CANDIDATES
from core.types import PAD, Encoder, Features, Ints, Queries, Recommender, RerankReport

BLOCK_CELLS = 2**22  # attribute values of candidates at once, or values of dense rows
LAST = -1e9  # gain of a candidate that is none

Basis = tuple[sparse.csr_matrix, str]  # (I, F) what is known of each item, and what that is


@dataclass(frozen=True)
class Rerank:
    """How lists are re-ranked.

    Raises:
        BadInput: no such method, or a strength outside 0 … 1.
    """

    method: str  # a name in METHODS
    strength: float = 0.3  # 0 leaves the model's order, 1 forgets it

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise BadInput(
                f"there is no re-ranking {self.method!r}: choose one of {', '.join(METHODS)}"
            )
        if not 0 <= self.strength <= 1:
            raise BadInput(
                f"the strength of a re-ranking must be a number from 0 to 1, not {self.strength}"
            )


class Reranker:
    """Re-ranks lists of one model over one catalogue."""

    def __init__(self, how: Rerank, basis: Basis) -> None:
        self.how = how
        self.matrix, self.by = basis
        self._rows: Rows | None = None

    @classmethod
    def of(cls, how: Rerank, model: Recommender, features: Features | None, consumed: Ints) -> Self:
        """A re-ranker for this model.

        Args:
            how: Method and strength.
            model: Its item vectors stand in where there are no attributes (mmr).
            features: Attributes of the items.
            consumed: The items of all events, (E,): say which attribute is taste (calibrated).

        Raises:
            BadInput: the method has nothing to go by.
        """
        return cls(how, METHODS[how.method].basis(model, features, consumed))

    @property
    def report(self) -> RerankReport:
        """How lists are re-ranked, and what that goes by."""
        return RerankReport(self.how.method, self.how.strength, self.by)

    def __call__(self, candidates: Tensor, queries: Queries, k: int) -> Tensor:
        """The new lists as positions (B, k) in these candidates (B, C), each at most once.

        The candidates are item codes in the model's order, C ≥ k; PAD comes after all others.
        """
        if self._rows is None or self._rows.device != candidates.device:
            self._rows = Rows(self.matrix, candidates.device)
        c = candidates.shape[1]
        worth = 1 - torch.arange(1, c + 1, device=candidates.device).log() / np.log(CANDIDATES)
        lists = [candidates.new_empty(0, k)]
        for block in self._blocks(len(candidates), c):
            cells = self._rows.of(candidates[block])
            costs = METHODS[self.how.method](cells, self.matrix, queries[block])
            gain = ((1 - self.how.strength) * worth.double()).expand(cells.lengths.shape)
            gain = gain.masked_fill(candidates[block] == PAD, LAST)
            lists.append(_greedy(gain, self.how.strength, costs, k))
        return torch.cat(lists)

    def _blocks(self, n: int, c: int) -> Iterator[slice]:
        per_item = 1 + self.matrix.nnz // max(1, self.matrix.shape[0])
        step = max(1, BLOCK_CELLS // max(c * per_item, self.matrix.shape[1]))
        return (slice(start, start + step) for start in range(0, n, step))


def _greedy(gain: Tensor, strength: float, costs: Costs, k: int) -> Tensor:
    """Positions (b, k): at each place the candidate of highest gain - strength · cost."""
    rows = torch.arange(len(gain), device=gain.device)
    chosen = []
    for _ in range(k):
        cost = costs.now().round(decimals=9)  # else the last bits decide between equals
        at = (gain - strength * cost).argmax(dim=1)  # the first of equals
        gain[rows, at] = -torch.inf
        costs.take(at)
        chosen.append(at)
    return torch.stack(chosen, dim=1)


class Rows:
    """A sparse matrix (I, F) on a device, whose rows are taken for blocks of candidates."""

    def __init__(self, matrix: sparse.csr_matrix, device: torch.device) -> None:
        self.device = device
        self.width = matrix.shape[1]
        self._starts = tensor(matrix.indptr[:-1].astype(np.int64), device)
        self._lengths = tensor(np.diff(matrix.indptr).astype(np.int64), device)
        self._columns, self._values = (tensor(a, device) for a in (matrix.indices, matrix.data))

    def of(self, items: Tensor) -> Cells:
        """The cells of these items (b, C); PAD has none."""
        there = items.clamp(min=0)
        lengths = self._lengths[there].masked_fill(items == PAD, 0)
        take = ragged_range(self._starts[there].flatten(), lengths.flatten())
        query = torch.arange(len(items), device=items.device)
        own = query.repeat_interleave(lengths.sum(dim=1)) * self.width
        return Cells(own + self._columns[take], self._values[take].double(), lengths, self.width)


@dataclass(frozen=True, eq=False)
class Cells:
    """What is known of candidates (b, C): their sparse rows, one after the other."""

    columns: Tensor  # (N,) in a flat (b, F)
    values: Tensor  # (N,)
    lengths: Tensor  # (b, C) cells of each candidate
    width: int  # F

    def sums(self, values: Tensor) -> Tensor:
        """Σ of these values (N,) over the cells of each candidate, (b, C)."""
        total = torch.segment_reduce(values, "sum", lengths=self.lengths.flatten())
        return total.view_as(self.lengths)

    def row(self, chosen: Tensor) -> Tensor:
        """The row of one candidate (b,) of each query, as a flat (b, F)."""
        lengths = self.lengths.flatten()
        at = torch.arange(len(chosen), device=chosen.device) * self.lengths.shape[1] + chosen
        take = ragged_range((lengths.cumsum(0) - lengths)[at], lengths[at])
        row = self.values.new_zeros(len(chosen) * self.width)
        return row.index_put((self.columns[take],), self.values[take])


class Costs(Protocol):
    """What a method holds against each candidate beside the list so far."""

    @staticmethod
    def basis(model: Recommender, features: Features | None, consumed: Ints) -> Basis:
        """What the method goes by; BadInput where there is nothing."""
        ...

    def __init__(self, cells: Cells, matrix: sparse.csr_matrix, queries: Queries) -> None: ...

    def now(self) -> Tensor:
        """The cost of each candidate, (b, C), finite."""
        ...

    def take(self, chosen: Tensor) -> None:
        """These candidates (b,) now stand in the lists."""
        ...


class Likeness:
    """The greatest cosine to an item of the list, 0 … 1, 0 beside an empty one.

    Cosine of the attributes as in the metric diversity. An item of which nothing is known costs
    what the others do on average: it is neither like nor unlike them. Source: maximal marginal
    relevance, Carbonell and Goldstein, SIGIR 1998, with λ = 1 - strength; a negative cosine of item
    vectors counts as 0.
    """

    def __init__(self, cells: Cells, matrix: sparse.csr_matrix, queries: Queries) -> None:
        self._cells = cells
        self._known = cells.lengths > 0
        self._most = torch.zeros_like(cells.lengths, dtype=torch.double)

    @staticmethod
    def basis(model: Recommender, features: Features | None, consumed: Ints) -> Basis:
        """The attributes, else the item vectors of the model."""
        rows = traits(features)
        if rows is not None:
            return rows, "attributes"
        if isinstance(model, Encoder):
            return unit_rows(sparse.csr_matrix(model.encode_items().cpu().numpy())), "item vectors"
        raise BadInput(
            "mmr cannot tell how alike two items are: it needs attributes of the items (a "
            "table of items beside the log), or a model with vectors of items, such as als"
        )

    def now(self) -> Tensor:
        """The cost of each candidate, (b, C)."""
        number = self._known.sum(dim=1, keepdim=True).clamp(min=1)
        mean = self._most.sum(dim=1, keepdim=True) / number
        return torch.where(self._known, self._most, mean)

    def take(self, chosen: Tensor) -> None:
        """These candidates (b,) now stand in the lists."""
        newest = self._cells.row(chosen)[self._cells.columns]
        self._most = torch.maximum(self._most, self._cells.sums(newest * self._cells.values))


class Miscalibration:
    """How far the list's mix would be from the history's with this candidate in it, in nats.

    KL(p ‖ q̃) as in the metric calibration, so p is the mix of the whole history's items. Source:
    Steck, "Calibrated Recommendations", RecSys 2018, the greedy choice of its §3, with
    λ = strength; the scores there are worths here.
    """

    def __init__(self, cells: Cells, matrix: sparse.csr_matrix, queries: Queries) -> None:
        histories = queries.matrix(matrix.shape[0])
        histories.data[:] = 1
        self._cells = cells
        self._p = tensor(mix(histories @ matrix), cells.values.device)  # (b, F)
        self._own = self._p.flatten()[cells.columns]  # (N,)
        self._counts = torch.zeros_like(self._p)

    @staticmethod
    def basis(model: Recommender, features: Features | None, consumed: Ints) -> Basis:
        """The attribute that calibration is measured on."""
        described = categories(features)
        attribute = None if described is None else taste(described, consumed)
        if attribute is None:
            raise BadInput(
                "calibrated has no mix to keep: it needs an attribute of the items with several "
                "values, such as a category (from a table of items beside the log)"
            )
        return attribute.shares, attribute.name

    def now(self) -> Tensor:
        """The cost of each candidate, (b, C)."""
        listed = self._counts.sum(dim=1, keepdim=True)  # items of which something is known
        _, unchanged = self._mixed(listed)
        mixed, base = self._mixed(listed + 1)  # one more, whose own share comes next
        weight = (listed + 1) * mixed / (1 - TASTE_SMOOTHING)
        weight = torch.where(self._p > 0, weight, 1.0)  # what p does not have counts nothing
        share = self._cells.values / weight.flatten()[self._cells.columns]
        nearer = self._cells.sums(share.log1p_().mul_(self._own))
        return torch.where(self._cells.lengths > 0, base - nearer, unchanged)

    def _mixed(self, listed: Tensor) -> tuple[Tensor, Tensor]:
        """q̃ (b, F) of the counts over so many items, and how far it is from p, (b, 1)."""
        q = self._counts / listed.clamp(min=1)
        mixed = (1 - TASTE_SMOOTHING) * q + TASTE_SMOOTHING * self._p
        distance = torch.xlogy(self._p, self._p) - torch.xlogy(self._p, mixed)
        return mixed, distance.sum(dim=1, keepdim=True)

    def take(self, chosen: Tensor) -> None:
        """These candidates (b,) now stand in the lists."""
        self._counts += self._cells.row(chosen).view_as(self._counts)


METHODS: dict[str, type[Likeness] | type[Miscalibration]] = {
    "mmr": Likeness,
    "calibrated": Miscalibration,
}
