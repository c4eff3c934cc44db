"""Why an item is not on a list: which other value of one of its attributes would bring it in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from core.models.common.attributes import attributes
from core.models.common.item_parts import unembedded
from core.recommend.top_k import score_blocks
from core.types import Extensible, FeatureBlock, Features, Ints, Queries, Recommender

KINDS = ("categorical", "multi_hot")  # fields of Features whose values have names
MOST_VALUES = 50  # of an attribute that are tried, the most frequent of the catalogue
TOLD = 3


@dataclass(frozen=True)
class AttributeChange:
    """Had the item this value instead of its own, it would be in the top k; asked again, alone.

    That is what the model says of such an item, with the same id and all else as it is.
    """

    kind: str  # the field of Features that the attribute stands in
    name: str  # of the attribute
    old: str | None  # the value that it has, of several the one that goes; None: it has none
    new: str
    rank_after: int


@dataclass(frozen=True)
class AttributeChanges:
    """The best of all changes of one attribute that were tried."""

    changes: tuple[AttributeChange, ...]  # TOLD at most, the best first; () where none is enough
    enough: int  # of those that were tried
    tried: int

    def to_json(self) -> dict[str, Any]:
        """As `recscope counterfactual --add --json` has it."""
        return asdict(self)


@dataclass(frozen=True)
class Change:
    """One value exchanged for another, as columns of a block."""

    kind: str
    old: int | None
    new: int


def attribute_changes(
    model: Recommender,
    query: Queries,
    item: int,
    features: Features | None,
    *,
    n_items: int,
    k: int = 10,
    learnt: int | None = None,
) -> AttributeChanges | None:
    """Single attributes of the item that with another value would bring it into the top k.

    Each is asked of the model as a new item in this one's place that keeps its id and all else; the
    other items stay as they are. Of an attribute of several values one goes and one comes.

    Args:
        model: Fitted or loaded.
        query: One history.
        item: Its code; not in the history.
        features: Of the items, as the model was given them.
        n_items: Items in the catalogue.
        k: Length of the list.
        learnt: How many of the items the model learnt from, the first; all if not given.

    Returns:
        None where the model hears of no attribute with named values.
    """
    if features is None or not isinstance(model, Extensible):
        return None
    heard = {(part.kind, part.name) for part in model.parts(features) if part.kind in KINDS}
    changes = list(_changes(features, item, heard))
    if not changes:
        return None
    ask = _Ranks(model, query, item, features, n_items, learnt)
    ranks = ask(changes)
    enough = np.flatnonzero(ranks <= k)
    best: list[AttributeChange] = []
    for at in enough[np.argsort(ranks[enough], kind="stable")].tolist():
        if len(best) == TOLD:
            break
        [rank] = ask([changes[at]]).tolist()
        if rank <= k:  # else many at once were rounded differently
            best.append(_named(features, changes[at], rank))
    return AttributeChanges(tuple(best), len(enough), len(changes))


def _changes(features: Features, item: int, heard: set[tuple[str, str]]) -> Iterator[Change]:
    """Each own value for each of the most frequent others, attribute by attribute."""
    for kind, block in features.blocks():
        if kind not in KINDS:
            continue
        matrix = sparse.csr_matrix(block.matrix != 0)
        having, own = np.bincount(matrix.indices, minlength=matrix.shape[1]), matrix[[item]].indices
        for name, columns in attributes(block.names, kind).items():
            if (kind, name) not in heard:
                continue
            there = columns[np.isin(columns, own)].tolist()
            others = columns[~np.isin(columns, own)]
            others = others[np.argsort(-having[others], kind="stable")][:MOST_VALUES]
            for new in others.tolist():
                yield from (Change(kind, old, new) for old in there or [None])


class _Ranks:
    """The item's rank with some of its attributes changed."""

    def __init__(
        self,
        model: Extensible,
        query: Queries,
        item: int,
        features: Features,
        n_items: int,
        learnt: int | None,
    ) -> None:
        self.model, self.query, self.item, self.features = model, query, item, features
        self.n_items, self.learnt = n_items, n_items if learnt is None else learnt
        allowed = np.ones(n_items, bool)
        allowed[[*query.items.tolist(), item]] = False
        self._allowed, self._before = allowed, allowed & (np.arange(n_items) < item)

    def __call__(self, changes: Sequence[Change]) -> Ints:
        """The rank of each (M,), from 1, among itself and all items but this and the history's."""
        rows = with_rows(self.features, self.item, changes)
        like = np.full(len(changes), self.item)
        extended: Any = self.model.with_items(rows, self.learnt, like)
        [(_, block)] = score_blocks(extended, self.query, self.n_items + len(changes))
        scores = block[0].cpu().numpy()
        own, others = scores[self.n_items :], scores[: self.n_items]
        best, before = np.sort(others[self._allowed]), np.sort(others[self._before])
        ahead = len(best) - np.searchsorted(best, own, side="right")
        equal = np.searchsorted(before, own, "right") - np.searchsorted(before, own, "left")
        ranks: Ints = 1 + ahead + equal  # of equals the lower code comes first
        return ranks


def with_rows(features: Features, item: int, changes: Sequence[Change]) -> Features:
    """The features (I) and behind them this item's with each of the changes, (I + M)."""
    features = unembedded(features)
    copies = np.full(len(changes), item)
    blocks = {}
    for kind, block in features.blocks():
        more = block.matrix[copies]
        if kind in KINDS:
            more = sparse.lil_matrix(more)
            for row, change in enumerate(changes):
                if change.kind == kind:
                    more[row, change.new] = 1
                    if change.old is not None:
                        more[row, change.old] = 0
        stack = sparse.vstack if sparse.issparse(more) else np.concatenate
        matrix = stack([block.matrix, more])
        matrix = sparse.csr_matrix(matrix) if sparse.issparse(matrix) else matrix
        blocks[kind] = FeatureBlock(block.names, matrix)
    return replace(features, **blocks)


def _named(features: Features, change: Change, rank: int) -> AttributeChange:
    names = getattr(features, change.kind).names
    attribute, _, new = names[change.new].partition("=")
    old = None if change.old is None else names[change.old].partition("=")[2]
    return AttributeChange(change.kind, attribute, old, new, rank)
