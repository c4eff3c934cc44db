"""Two maps that show the same items: one laid on the other, and how alike their spaces are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from core.embed import SpaceComparison, aligned, compare_spaces
from core.types import PAD, Array, Floats, Ints, Progress
from dashboard.map.colouring import STEPS, Colouring, value_counts
from dashboard.map.item_map import ItemMap

K = 15  # neighbours that are held against each other
FEWEST = 3  # items that both must know
ALL_UP_TO = 10_000  # items that are all looked at; of more a sample
SAMPLE, OF_SELECTION = 2000, 500
SEED = 0


@dataclass(frozen=True, eq=False)
class Pair:
    """A map of N items, and one of M items that is turned, mirrored and scaled to lie on it."""

    first: ItemMap
    second: ItemMap
    to_first: Array  # (M,) int32: the row of the first for each of the second, or PAD
    to_second: Array  # (N,) the other way round
    gap: float  # between the two, as in core.embed.aligned; 0 … 1

    @property
    def identity(self) -> str:
        """The same for equal pairs, and no others."""
        return f"{self.first.identity} | {self.second.identity}"

    @property
    def spaces(self) -> tuple[str, str]:
        """The same for equal spaces, whichever kind of map shows them."""
        first, second = (m.identity.removesuffix(m.layout) for m in (self.first, self.second))
        return first, second

    @property
    def shared(self) -> Ints:
        """The rows of the first whose items the second knows too, (S,)."""
        return np.flatnonzero(self.to_second != PAD)

    @cached_property
    def learnt(self) -> tuple[Ints, Floats, Floats]:
        """The rows (L,) of what both have learnt something of, and its vectors in either space."""
        first, second, rows = self.first, self.second, self.shared
        own = first.near.vectors.values[first.codes[rows]]
        other = second.near.vectors.values[second.codes[self.to_second[rows]]]
        there = own.any(axis=1) & other.any(axis=1)
        return rows[there], own[there], other[there]


def aligned_pair(first: ItemMap, second: ItemMap) -> Pair | None:
    """The second map on the first, by the items that both know; None if those are too few.

    It is as large as the first: the scale of least squares makes small what fits badly.
    """
    to_first = _rows(first, second)
    own = np.flatnonzero(to_first != PAD)
    if len(own) < FEWEST:
        return None
    to_second = np.full(len(first.codes), PAD, np.int32)
    to_second[to_first[own]] = own
    flat, onto = (np.stack([m.x, m.y], axis=1) for m in (second, first))
    moved, gap = aligned(flat, onto, (own, to_first[own]))
    centre = moved[own].mean(axis=0)
    spread, wanted = _spread(moved[own]), _spread(onto[to_first[own]])
    x, y = ((moved - centre) * (wanted / spread if spread else 1.0) + centre).astype(np.float32).T
    laid = replace(second, x=np.ascontiguousarray(x), y=np.ascontiguousarray(y))
    return Pair(first, laid, to_first, to_second, gap)


def _rows(first: ItemMap, second: ItemMap) -> Array:
    """The row of the first for each item of the second, (M,) int32, PAD where there is none."""
    own, other = first.loaded.items, second.loaded.items
    if np.array_equal(own.ids, other.ids):
        return first.rows[second.codes].astype(np.int32)
    codes = own.encode(other.ids)
    return np.where(codes == PAD, PAD, first.rows[codes])[second.codes].astype(np.int32)


def _spread(points: Floats) -> float:
    return float(np.sqrt(np.square(points - points.mean(axis=0), dtype=np.float64).sum()))


@dataclass(frozen=True, eq=False)
class SpaceSimilarity:
    """How far a pair's spaces agree on who is near whom."""

    rows: Ints  # (L,) of the first map: what both have learnt something of
    near: SpaceComparison  # of n of those, by their positions in rows

    @property
    def whole(self) -> bool:
        """Whether each was looked at, and not a sample."""
        return len(self.near.sample) == len(self.rows)

    @property
    def looked_at(self) -> Ints:
        """The rows (n,) of the first map that were looked at."""
        return self.rows[self.near.sample]

    @property
    def kept(self) -> float:
        """Of an item's K nearest in the first space, the share that is in the second, 0 … 1."""
        return float(self.near.kept.mean()) if len(self.near.sample) else 0.0

    @property
    def chance(self) -> float:
        """What `kept` is for two spaces that have nothing to do with each other."""
        return min(1.0, K / max(1, len(self.rows) - 1))

    def changed(self, n: int, among: Array) -> tuple[Ints, Array]:
        """The n rows whose neighbours changed most, of equals the more popular, and their share.

        Args:
            n: How many.
            among: The mask (N,) of the rows that are looked for.
        """
        there = np.flatnonzero(among[self.looked_at])
        rows, kept = self.looked_at[there], self.near.kept[there]
        order = np.lexsort((rows, kept))[:n]
        return rows[order], kept[order]


def space_similarity(pair: Pair, on_stage: Progress) -> SpaceSimilarity:
    """By all items that both have learnt something of, or a sample of them if they are many."""
    on_stage("compare", None)
    rows, first, second = pair.learnt
    sample = np.arange(len(rows))
    if len(rows) > ALL_UP_TO:
        sample = np.sort(np.random.default_rng(SEED).permutation(len(rows))[:SAMPLE])
    return SpaceSimilarity(rows, compare_spaces(first, second, sample, K))


@dataclass(frozen=True)
class SelectionMoved:
    """What became of a selection on the other map; shares lie in 0 … 1."""

    learnt: int  # of the selected items, those that both have learnt something of
    looked_at: int  # of those
    kept: float  # of their K nearest, the share that is among those on the other map
    together: tuple[float, float]  # of their K nearest on either, the share that is selected too


def selection_moved(
    pair: Pair, similarity: SpaceSimilarity, chosen: Array
) -> SelectionMoved | None:
    """Where the chosen items (N,) of the first map lie on the second; None if it knows none."""
    near, inside = similarity.near, chosen[similarity.rows]
    rows = np.flatnonzero(inside)
    learnt = len(rows)
    if not similarity.whole:
        sample = np.random.default_rng(SEED).permutation(rows)[:OF_SELECTION]
        near = compare_spaces(*pair.learnt[1:], np.sort(sample), K)
        rows = np.arange(len(near.sample))
    if not learnt:
        return None
    return SelectionMoved(
        learnt, len(rows), float(near.kept[rows].mean()), near.among(inside, rows)
    )


def carry_colours(colouring: Colouring, pair: Pair) -> tuple[Colouring, int]:
    """The first map's colours on the second, and how many points only the second has.

    Those have the value after the last of the palette; of a scale the value of "not known".
    """
    only = STEPS if colouring.scaled else len(colouring.palette(False))
    values = np.append(colouring.values, np.uint8(only))[pair.to_first]
    there = pair.to_first != PAD
    counts = value_counts(values[there]) if colouring.counts else {}
    sizes = (
        None if colouring.sizes is None else np.append(colouring.sizes, np.uint8(0))[pair.to_first]
    )
    return replace(colouring, values=values, counts=counts, sizes=sizes), int((~there).sum())


def to_first_map(pair: Pair, chosen: Array) -> Array:
    """What is chosen on the second map (M,), on the first, (N,)."""
    on_first = np.zeros(len(pair.first.codes), bool)
    rows: Ints = pair.to_first[chosen]
    on_first[rows[rows != PAD]] = True
    return on_first
