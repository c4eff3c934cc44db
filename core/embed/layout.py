"""The map: points in 2-D or 3-D that have the neighbours their vectors have."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core.embed.neighbours import unit
from core.embed.pca import PCA
from core.errors import BadInput
from core.models.common.gram import chunks
from core.models.common.tensors import tensor
from core.types import Array, Floats, Ints, Progress, silent

LANDMARKS = 100_000  # vectors that are laid out; of more, the others are placed among them
NEAR = 15  # neighbours that a point is drawn to
NEAR_PLACED = 5  # neighbours among which a new point is placed
DRAWN = 512  # other points that push it away in each step, standing for all
STEPS = 400
TOGETHER, GATHERING = 12.0, 1 / 3  # how much stronger the pull is at first, for what share of STEPS
COOLING = 0.2  # the share of STEPS, at the end, over which they shorten to nothing
START = 1e-4  # spread of the first points, so small that they can still pass through each other
CELLS = {"cpu": 2**20, "cuda": 2**28}  # pairs of points at a time
MIB = {"cpu": 64, "cuda": 4096}  # of cosines at a time


@dataclass(frozen=True, eq=False)
class Map:
    """N vectors as points, and where a new one lies among them."""

    points: Floats  # (N, d)
    laid_out: Ints  # the rows that were laid out, rising; the others were placed
    seed: int
    vectors: Floats = field(repr=False)  # (N, D)
    device: str = "cpu"

    @classmethod
    def fit(
        cls,
        vectors: Array,
        dim: int = 2,
        *,
        seed: int = 0,
        device: str = "cpu",
        start: Array | None = None,
        on_stage: Progress | None = None,
    ) -> Self:
        """A map that keeps neighbours by cosine; equal seeds give equal maps on one device.

        t-SNE (van der Maaten, Hinton, JMLR 9, 2008) from the principal axes. Differs: each of the
        15 nearest pulls alike instead of by perplexity; what pushes apart is reckoned exactly for
        them, and for all others by 512 points drawn anew in each step, which is unbiased, costs
        O(N) a step and does without trees and grids, in any number of axes, on a CPU or GPU.

        Args:
            vectors: (N, D). Of more than 100,000 so many are drawn and laid out, the others placed.
            dim: 2 or 3.
            seed: Of all that is drawn.
            device: Where it is made.
            start: Points (N, dim) to begin with, of another run's or epoch's map, so that the new
                one keeps its shape; the principal axes, made small, if not given.
            on_stage: Told of the stage "map" after each step.

        Raises:
            BadInput: no vectors, another dim, an entry that is not finite.
        """
        if not len(vectors) or dim not in (2, 3):
            raise BadInput(
                f"a map has 2 or 3 axes and a point or more, not {dim} of {len(vectors)}"
            )
        generator = torch.Generator().manual_seed(seed)
        n, vectors = len(vectors), np.asarray(vectors, np.float32)
        chosen = np.sort(torch.randperm(n, generator=generator)[:LANDMARKS].numpy())
        table = unit(vectors[chosen])
        begin = None if start is None else np.asarray(start, np.float32)[chosen]
        points = _laid_out(table, dim, begin, generator, device, on_stage or silent)
        whole = np.zeros((n, dim), np.float32)
        whole[chosen] = points
        fitted = cls(whole, chosen, seed, vectors, device)
        others = np.setdiff1d(np.arange(n), chosen, assume_unique=True)
        whole[others] = fitted.place(vectors[others])
        return fitted

    @cached_property
    def _table(self) -> Tensor:
        return tensor(unit(self.vectors[self.laid_out]), self.device)

    def place(self, vectors: Array) -> Floats:
        """Where these vectors (B, D) lie, (B, d), while nothing moves.

        The mean of the 5 nearest that were laid out, by 1 / (1 - cosine): one that is there
        already gets its own place.
        """
        points = self.points[self.laid_out].astype(np.float64)
        placed = np.zeros((len(vectors), points.shape[1]), np.float32)
        k = min(NEAR_PLACED, len(points))
        rows = unit(vectors)
        for chunk in chunks(len(rows), len(points), MIB[self._table.device.type]):
            cosines, near = (tensor(rows[chunk], self.device) @ self._table.T).topk(k, dim=1)
            weights = 1 / (1 - cosines.double().cpu().numpy()).clip(1e-6)
            weights /= weights.sum(axis=1, keepdims=True)
            placed[chunk] = np.einsum("bk,bkd->bd", weights, points[near.cpu().numpy()])
        return placed


def _axes(table: Floats, dim: int, device: str) -> Floats:
    """The first principal axes (N, dim); 0 where there are no more."""
    n = min(dim, table.shape[1]) if len(table) > 1 else 0
    points = np.zeros((len(table), dim), np.float32)
    if n:
        points[:, :n] = PCA.fit(table, n, device=device).project(table)
    return points


class Graph(NamedTuple):
    """Who is drawn to whom: neighbours of either, edge by edge, by rising first end."""

    ends: Tensor  # (E,) the first
    others: Tensor  # (E,) the second
    pull: Tensor  # (E,) adds up to 1
    starts: Tensor  # (N + 1,) where each first end's edges begin

    @classmethod
    def of(cls, table: Floats, device: str) -> Self:
        """The 15 nearest of each unit vector (N, D), each pair both ways."""
        n, near = len(table), min(NEAR, len(table) - 1)
        rows = tensor(table, device)
        nearest = torch.empty(n, near, dtype=torch.long, device=device)
        for chunk in chunks(n, n, MIB[rows.device.type]):
            cosines = rows[chunk] @ rows.T
            own = torch.arange(chunk.start, chunk.stop, device=device)
            cosines[own - chunk.start, own] = -torch.inf
            nearest[chunk] = cosines.topk(near, dim=1).indices
        ends = torch.arange(n, device=device).repeat_interleave(near)
        pairs = torch.cat([ends * n + nearest.ravel(), nearest.ravel() * n + ends])
        keys, counts = torch.unique(pairs, return_counts=True)
        ends = keys // n
        starts = torch.searchsorted(ends, torch.arange(n + 1, device=device))
        return cls(ends, keys % n, counts / counts.sum(), starts)

    def drawn(self, weights: Tensor, points: Tensor) -> Tensor:
        """Σ over each point's edges of weight (E,) · (point - other), (N, d)."""
        table = functional.pad(points, (1, 0), value=1.0)
        sums = functional.embedding_bag(
            self.others,
            table,
            self.starts,
            mode="sum",
            per_sample_weights=weights,
            include_last_offset=True,
        )
        return sums[:, :1] * points - sums[:, 1:]


def _laid_out(
    table: Floats,
    dim: int,
    start: Array | None,
    generator: torch.Generator,
    device: str,
    on_stage: Progress,
) -> Floats:
    """The points (N, dim) of unit vectors (N, D)."""
    n = len(table)
    begin = _axes(table, dim, device) if start is None else start
    if n < 4:
        return begin
    points = tensor(begin, device)
    if start is None:
        noise = 0.01 * torch.randn(points.shape, generator=generator).to(device)
        points = points - points.mean(dim=0)
        points = START * (points / points.std(dim=0).max().clamp(min=1e-12) + noise)
    gathered = 0 if start is not None else round(GATHERING * STEPS)
    graph = Graph.of(table, device)
    moving, gains = torch.zeros_like(points), torch.ones_like(points)
    for step in range(STEPS):
        gathering = step < gathered
        drawn = torch.randperm(n, generator=generator)[: min(DRAWN, n - 1)].to(device)
        slope = _slope(points, graph, drawn, TOGETHER if gathering else 1.0)
        rate = max(50.0, n / 12 if gathering else n / 4)
        rate *= min(1.0, (STEPS - step) / (COOLING * STEPS))
        along = slope * moving > 0  # against the slope things should move
        gains = torch.where(along, gains * 0.8, gains + 0.2).clamp(min=0.01)
        moving = (0.5 if gathering else 0.8) * moving - rate * gains * slope
        points = points + moving
        points = points - points.mean(dim=0)
        on_stage("map", (step + 1) / STEPS)
    laid_out: Floats = points.cpu().numpy()
    return laid_out


def _slope(points: Tensor, graph: Graph, drawn: Tensor, together: float) -> Tensor:
    """The gradient of t-SNE's loss at these points, (N, d).

    4 Σ_j (together · p_ij q_ij - q_ij² / Z) (y_i - y_j), q_ij = 1 / (1 + |y_i - y_j|²), Z their
    sum. Neighbours count themselves; each drawn point that is none stands for as many that are not.
    """
    n = len(points)
    q = 1 / (1 + (points[graph.ends] - points[graph.others]).square().sum(dim=1))
    is_drawn = torch.zeros(n, device=points.device)
    is_drawn[drawn] = 1
    hit = is_drawn[graph.others]  # (E,) neighbours that are among the drawn
    hits = functional.pad(hit.double().cumsum(0), (1, 0))[graph.starts].diff().float()
    rest, heard = n - 1 - graph.starts.diff(), len(drawn) - hits - is_drawn
    stands_for = torch.where(heard > 0, rest / heard.clamp(min=1), 0.0)  # (N,)
    sums, push = _pushed(points, points[drawn])
    own = stands_for[graph.ends] * hit * q  # what the drawn neighbours were counted as
    z = (stands_for * (sums - is_drawn)).sum() - own.sum() + q.sum()
    near = together * graph.pull * q - (q - own) * q / z
    return 4 * (graph.drawn(near, points) - stands_for[:, None] * push / z)


def _pushed(points: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """Σ_j q_ij (N,) and Σ_j q_ij² (y_i - y_j) (N, d) over the drawn points (M, d).

    1 + |a - b|² is one product, of (a, |a|² + 1, 1) and (-2 b, 1, |b|²), which takes six tenths of
    the time that distances do.
    """
    from_each = functional.pad(points, (0, 2), value=1.0)
    from_each[:, -2] += points.square().sum(dim=1)
    to_each = functional.pad(-2 * drawn, (0, 2), value=1.0)
    to_each[:, -1] = drawn.square().sum(dim=1)
    beside = functional.pad(drawn, (1, 0), value=1.0)
    rows = max(1, CELLS[points.device.type] // len(drawn))
    room = points.new_empty(min(rows, len(points)), len(drawn))
    sums, pushes = [], []
    for block, at in zip(torch.split(from_each, rows), torch.split(points, rows), strict=True):
        q = torch.mm(block, to_each.T, out=room[: len(block)]).reciprocal_()
        sums.append(q.sum(dim=1))
        far = q.square_() @ beside
        pushes.append(far[:, :1] * at - far[:, 1:])
    return torch.cat(sums), torch.cat(pushes)
