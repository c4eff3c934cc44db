"""Why an item is not on a list: how far it is from it, and how little would bring it in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy import sparse

from core.errors import BadInput
from core.explain.additions import Additions
from core.explain.attribute_changes import AttributeChanges, attribute_changes
from core.explain.counterfactual import smallest_removal
from core.explain.history import one_history
from core.explain.item_rank import Entering
from core.explain.parts import readable_parts
from core.recommend.top_k import score_blocks
from core.types import (
    Array,
    Composed,
    Encoder,
    Features,
    Ints,
    Progress,
    Queries,
    Recommender,
    silent,
)

MOST_ADDED = 3  # events
STAGES = ("one more event", "two more events", "three more events")
MOST_TRIED = 2_000  # sequences of one length that are all tried: pairs of up to 44 items
BEAM = 5  # beginnings that the greedy search goes on from
REACH = 400  # items that it tries after each of them
ALIKE = 0.5  # cosine, from which two items are told as one
SHOWN = 5  # additions that are told


@dataclass(frozen=True)
class Addition:
    """With these events after the history the item is in the top k; asked again, alone."""

    added: tuple[int, ...]  # item codes, in the order in which they are appended
    rank_after: int
    margin_after: float  # how far the item then lies above the k-th best other
    makes_room: bool  # the item only moves up because what is added leaves the list itself


@dataclass(frozen=True)
class EnteringRemoval:
    """Had these events not happened, the item would be in the top k; asked again, alone."""

    removed: tuple[int, ...]  # positions of events, oldest first
    rank_after: int
    smallest: bool  # every smaller set was tried, and none is enough


@dataclass(frozen=True)
class PartLeftOut:
    """Were the item without this part of what it is made of, it would be in the top k."""

    kind: str  # "id", or the field of Features that it stands in
    name: str  # of the attribute
    rank_after: int


@dataclass(frozen=True)
class WhyNot:
    """How far an item is from a list, and what would bring it in."""

    k: int
    item: int
    rank: int  # among the candidates: all items but those of the history
    score: float
    last: int  # the item in place k
    margin: float  # score - that of the last, at most 0
    additions: tuple[Addition, ...]  # all of one length, the strongest first; () if none is enough
    enough: int  # of all that were tried of that length, how many are
    smallest: bool  # all shorter additions were tried, and none is enough
    diverse_by: str | None  # how items are told to be alike: "vectors", "people"; None: not at all
    removal: EnteringRemoval | None  # None: no removal that was tried is enough
    parts: tuple[PartLeftOut, ...]  # of the item; () where none is enough, or it has none
    changes: AttributeChanges | None  # of the item; None where it has no such attribute
    evaluations: int  # histories that the model was asked for
    events: int  # in the history

    def to_json(self) -> dict[str, Any]:
        """The same as JSON, in codes."""
        return asdict(self)


def why_not(
    model: Recommender,
    query: Queries,
    item: int,
    *,
    n_items: int,
    k: int = 10,
    rows: Any = None,
    features: Features | None = None,
    learnt: int | None = None,
    shown: int = SHOWN,
    on_progress: Progress = silent,
) -> WhyNot:
    """What would bring an item into the top k that is not there.

    - One more event of any other item of the catalogue, appended as the latest as `edit_history`
      does; each is tried. What was added is no candidate any more, as `recommend` has it; where the
      item only takes the place that this leaves, `makes_room` says so. If no single event is
      enough, two, then three: all sequences where they are at most 2,000 (pairs of 44 items,
      triples of 12), else greedily: after each of the 5 best beginnings the 400 best single items.
    - Of those that are enough the strongest, then the next strongest that is unlike all that were
      chosen. Two items are alike from a cosine of .5 on, by the model's item vectors if it is an
      Encoder, else by `rows`; an addition is like another if each of its items is like one of it.
    - The smallest set found of events without which it is there, see `counterfactual`.
    - Each single part of the item, where it has any, without which it is there.
    - Single attributes with another value of which it is there, see `attribute_changes`.

    Each answer is asked again, alone, before it is told. The model is asked for as many histories
    as there are items, and more if no single one is enough.

    Args:
        model: Fitted or loaded.
        query: One history.
        item: Its code; not in the history.
        n_items: Items in the catalogue.
        k: Length of the list.
        rows: A vector per item (I, D), dense or sparse, such as who took it.
        features: Of the items, for parts where the model hears any.
        learnt: How many of the items the model learnt from, the first; all if not given.
        shown: Additions told, at most.
        on_progress: Told "one more event", "two more events", … and the share that is tried.

    Raises:
        BadInput: no such item, it is in the history or in the top k already, or k below 1.
    """
    query = one_history(query)
    ranks = Entering(model, query, item, n_items, k=k)
    if item in query.items:
        raise BadInput(f"item {item} is in the history, so it is not recommended: choose another")
    now, top = ranks.alone(np.ones(ranks.n, bool))
    if now.gone[0]:
        raise BadInput(
            f"item {item} is in the top {k} already: its rank is {now.ranks[0]}; choose one below"
        )
    alike = _Alike(model, rows)
    search = _Search(Additions(model, query, item, n_items, k), alike, shown)
    additions = search.run(on_progress)
    removal = smallest_removal(ranks)
    parts = tuple(_parts(model, query, item, features, n_items, k))
    changes = attribute_changes(model, query, item, features, n_items=n_items, k=k, learnt=learnt)
    return WhyNot(
        k=k,
        item=item,
        rank=int(now.ranks[0]),
        score=float(now.scores[0]),
        last=top[-1],
        margin=0.0 - float(now.margins[0]),
        additions=additions,
        enough=search.enough,
        smallest=bool(additions) and search.complete,
        diverse_by=alike.by,
        removal=EnteringRemoval(removal.removed, removal.rank_after, removal.smallest)
        if removal.removed
        else None,
        parts=parts,
        changes=changes,
        evaluations=search.additions.evaluations + removal.evaluations,
        events=ranks.n,
    )


class _Alike:
    """How alike items are: the cosine of their vectors."""

    def __init__(self, model: Recommender, rows: Any) -> None:
        self.unit: Any = None
        self.by: str | None = None
        if isinstance(model, Encoder):
            self.unit, self.by = unit_rows(model.encode_items().cpu().numpy()), "vectors"
        elif rows is not None:
            self.unit, self.by = unit_rows(rows), "people"
        self._like: dict[int, Array] = {}

    def like(self, item: int) -> Array:
        """The items that are like this one, itself too, (I,) bool."""
        if item not in self._like:
            cosines = self.unit @ self.unit[[item]].T  # (I, 1)
            dense = cosines.toarray() if sparse.issparse(cosines) else cosines
            self._like[item] = dense[:, 0] >= ALIKE
        return self._like[item]

    def covers(self, chosen: Sequence[int], other: Sequence[int]) -> bool:
        """Whether each of the other items is one of the chosen, or like one."""
        rest = [item for item in other if item not in chosen]
        if self.unit is None:
            return not rest
        return all(any(self.like(one)[item] for one in chosen) for item in rest)


class _Search:
    """Asks for longer histories until some are known in which the item is in the top k."""

    def __init__(self, additions: Additions, alike: _Alike, shown: int) -> None:
        self.additions, self.alike, self.shown = additions, alike, shown
        self.enough = 0  # additions of the last length tried that are
        self.complete = True  # all of every shorter length were tried

    def run(self, on_progress: Progress) -> tuple[Addition, ...]:
        item, n_items = self.additions.item, self.additions.n_items
        every = np.setdiff1d(np.arange(n_items), [item])
        tried, best_first = np.zeros((1, 0), np.int64), np.zeros(1, np.int64)
        single = every  # by falling margin, once that is known
        for length in range(1, MOST_ADDED + 1):
            whole = length == 1 or len(every) ** length <= MOST_TRIED
            if whole:
                sequences = list(product(every.tolist(), repeat=length))
                tried = np.array(sequences, np.int64).reshape(-1, length)
            else:
                tried = _longer(tried[best_first[:BEAM]], single[:REACH])
            standing = self.additions(tried, STAGES[length - 1], on_progress)
            best_first = np.argsort(-standing.margins, kind="stable")
            if length == 1:
                single = every[best_first]
            enough = best_first[standing.ranks[best_first] <= self.additions.k]
            self.enough = len(enough)
            told = tuple(self._diverse(tried[enough]))
            if told:
                return told
            self.complete &= whole
        return ()

    def _diverse(self, enough: Ints) -> Iterator[Addition]:
        """Of additions (M, m), the strongest first, those unlike the ones before that hold."""
        chosen: list[tuple[int, ...]] = []
        for added in map(tuple, enough.tolist()):
            if len(chosen) >= self.shown:
                return
            if any(self.alike.covers(before, added) for before in chosen):
                continue
            alone = self.additions.alone(np.array(added))
            if alone.ranks[0] > self.additions.k:  # a batch had rounded it differently
                continue
            chosen.append(added)
            yield Addition(
                added=added,
                rank_after=int(alone.ranks[0]),
                margin_after=float(alone.margins[0]),
                makes_room=bool(alone.kept_ranks[0] > self.additions.k),
            )


def _longer(beginnings: Ints, items: Ints) -> Ints:
    """Each beginning (B, m) with each item (R,) after it, (B · R, m + 1)."""
    first = np.repeat(beginnings, len(items), axis=0)
    return np.concatenate([first, np.tile(items, len(beginnings))[:, None]], axis=1)


def unit_rows(vectors: Any) -> Any:
    """The same vectors (I, D), dense or sparse, of length 1; 0 where there is nothing."""
    if sparse.issparse(vectors):
        rows = sparse.csr_matrix(vectors, dtype=np.float64)
        length = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
        return sparse.diags(1 / np.where(length > 0, length, 1)) @ rows
    rows = np.asarray(vectors, np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1)


def _parts(
    model: Recommender,
    query: Queries,
    item: int,
    features: Features | None,
    n_items: int,
    k: int,
) -> Iterator[PartLeftOut]:
    """The parts that alone keep the item out of the top k, the strongest first."""
    if features is None or not isinstance(model, Composed):
        return
    parts = readable_parts(model, features)
    if len(parts) < 2:
        return
    scores = next(score_blocks(model, query, n_items))[1][0].cpu().numpy().astype(np.float64)
    allowed = np.ones(n_items, bool)
    allowed[query.items] = False
    allowed[item] = False
    without = model.score_of_parts(query, item, features, ~np.eye(len(parts), dtype=bool))
    lower = allowed & (np.arange(n_items) < item)
    ranks = [1 + int((scores[allowed] > s).sum() + (scores[lower] == s).sum()) for s in without]
    for at in np.argsort(ranks, kind="stable").tolist():
        if ranks[at] <= k:
            yield PartLeftOut(parts[at].kind, parts[at].name, ranks[at])
