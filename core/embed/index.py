"""Nearest neighbours among too many vectors to compare them all: nearly all of them, quickly."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.embed.neighbours import SPARE, Exact, Neighbours, checked, settle, unit
from core.types import Array, Ints

EXACT_UP_TO = 200_000  # vectors, of which one query is compared with all in some 40 ms
SAMPLE = 500  # vectors on which recall is measured
WANTED = 0.98  # recall@10 at which no more cells are looked into
PER_CELL = 64  # vectors per cell, at most, that the cells are learnt from
ROUNDS = 10  # of k-means


class Index:
    """N vectors in 2√N cells of a k-means; a query looks into those nearest to it.

    faiss' IVF-Flat (Douze et al., "The Faiss library", arXiv:2401.08281). As many cells are looked
    into as it takes for recall@10 ≥ .98 on 500 of the vectors themselves against Exact, all if need
    be; `recall` is what was reached there. What is found is compared in float64.
    """

    def __init__(self, vectors: Array, *, seed: int = 0) -> None:
        import faiss  # takes a while to load, and only very many vectors need it

        self.vectors = np.asarray(vectors)
        table = unit(self.vectors)
        n, dim = table.shape
        cells = max(1, round(2 * n**0.5))
        factory: Any = faiss.index_factory  # whose types know no cells
        self._index = factory(dim, f"IVF{cells},Flat", faiss.METRIC_INNER_PRODUCT)
        self._index.cp.niter, self._index.cp.seed = ROUNDS, seed + 1
        self._index.cp.max_points_per_centroid = PER_CELL
        self._index.cp.min_points_per_centroid = 1
        random = np.random.default_rng(seed)
        self._index.train(table[np.sort(random.permutation(n)[: PER_CELL * cells])])
        self._index.add(table)
        self.probes, self.recall = 1, 0.0
        self._widen(np.sort(random.permutation(n)[:SAMPLE]), cells)

    def _widen(self, sample: Ints, cells: int) -> None:
        """Looks into twice as many cells until enough is found."""
        wanted = Exact(self.vectors).nearest(self.vectors[sample], 10, sample)
        self.probes = min(8, cells)
        while True:
            self.recall = recall(self.nearest(self.vectors[sample], 10, sample), wanted)
            if self.recall >= WANTED or self.probes == cells:
                return
            self.probes = min(2 * self.probes, cells)

    def nearest(self, queries: Array, k: int, leave_out: Array | None = None) -> Neighbours:
        """The k nearest to each of queries (B, D) that are found; as Exact.nearest."""
        queries, out = checked(self.vectors, queries, leave_out)
        self._index.nprobe = self.probes
        many = min(k + SPARE, len(self.vectors))
        candidates = self._index.search(unit(queries), many)[1].astype(np.int64)
        best = Neighbours.none(len(queries), k)
        for rows in np.array_split(np.arange(len(queries)), 1 + len(queries) // 1000):
            settle(best, self.vectors, queries, out, rows, candidates[rows])
        return best


def searcher(vectors: Array, *, seed: int = 0, device: str = "cpu") -> Exact | Index:
    """The exact way up to 200,000 vectors, above that an index."""
    if len(vectors) <= EXACT_UP_TO:
        return Exact(vectors, device)
    return Index(vectors, seed=seed)


def recall(retrieved: Neighbours, wanted: Neighbours) -> float:
    """Share of the wanted neighbours that were found; 1 where none is wanted.

    What is as near as the last wanted one counts as found: ties have no order.
    """
    last = wanted.cosines[:, -1:]
    hits = (retrieved.items >= 0) & (retrieved.cosines >= last)
    there = (wanted.items >= 0).sum()
    return float(min(1.0, hits.sum() / there)) if there else 1.0
