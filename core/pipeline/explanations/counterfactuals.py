"""A run, a history, an item → what would take it off the list, or bring it in; with labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import BadInput
from core.explain import counterfactual as removing
from core.explain import why_not as entering
from core.explain.attribute_changes import AttributeChanges
from core.explain.item_rank import ItemRanks
from core.explain.why_not import PartLeftOut
from core.pipeline.described import embeddings_left_out
from core.pipeline.explanations.as_json import NamedItem
from core.pipeline.explanations.explaining import item_codes
from core.pipeline.explanations.sentences import unseen_sentence
from core.pipeline.labels import Labels
from core.pipeline.loaded_run import LoadedRun
from core.pipeline.named import HistoryEvent, Names
from core.types import Progress, Queries, silent


@dataclass(frozen=True)
class ItemCounterfactual:
    """The smallest removal found that takes an item out of the first k; asked again, alone."""

    run: str
    user: Any  # whose history it is
    item: Any  # its id
    label: str
    k: int
    found: bool  # False: the item stays, even without any history
    removed: tuple[HistoryEvent, ...]  # oldest first
    rank_before: int
    rank_after: int  # without any history where nothing was found
    replaced_by: NamedItem | None
    smallest: bool  # every smaller set was tried, and none is enough
    events: int  # in the history
    evaluations: int  # histories that the model was asked for
    note: str | None = None  # of an item that nobody took yet: by what the model knows it

    def to_json(self) -> dict[str, Any]:
        """As `recscope counterfactual --json` has it."""
        return vars(self) | {
            "removed": [event.to_json() for event in self.removed],
            "replaced_by": self.replaced_by and self.replaced_by.to_json(),
        }


@dataclass(frozen=True)
class NamedAddition:
    """Events after the history with which the item is in the first k; asked again, alone."""

    added: tuple[NamedItem, ...]  # in the order in which they are appended
    rank_after: int
    margin_after: float  # above the k-th best other
    makes_room: bool  # the item only moves up because what is added leaves the list itself

    def to_json(self) -> dict[str, Any]:
        return vars(self) | {"added": [item.to_json() for item in self.added]}


@dataclass(frozen=True)
class NamedRemoval:
    """Events without which the item is in the first k; asked again, alone."""

    removed: tuple[HistoryEvent, ...]
    rank_after: int
    smallest: bool  # every smaller set was tried, and none is enough

    def to_json(self) -> dict[str, Any]:
        return vars(self) | {"removed": [event.to_json() for event in self.removed]}


@dataclass(frozen=True)
class ItemWhyNot:
    """How far an item is from the first k, and what little would bring it in."""

    run: str
    user: Any  # whose history it is
    item: Any  # its id
    label: str
    k: int
    rank: int
    score: float
    last: NamedItem  # the item in place k
    margin: float  # score - that of the last, at most 0
    additions: tuple[NamedAddition, ...]  # the strongest first, each unlike those before
    enough: int  # of all additions of that length that were tried, how many are
    smallest: bool  # every shorter addition was tried, and none is enough
    diverse_by: str | None  # what says that items are alike: "vectors", "people", or nothing
    removal: NamedRemoval | None
    parts: tuple[PartLeftOut, ...]  # of the item, each of which alone keeps it out
    changes: AttributeChanges | None  # another value of one attribute; None where it has none
    events: int  # in the history
    evaluations: int  # histories that the model was asked for
    note: str | None = None  # of an item that nobody took yet: by what the model knows it

    def to_json(self) -> dict[str, Any]:
        """As `recscope counterfactual --add --json` has it."""
        return vars(self) | {
            "last": self.last.to_json(),
            "additions": [one.to_json() for one in self.additions],
            "removal": self.removal and self.removal.to_json(),
            "parts": [dict(vars(part)) for part in self.parts],
            "changes": self.changes and self.changes.to_json(),
        }


def is_listed(loaded: LoadedRun, query: Queries, item: object, k: int) -> bool:
    """Whether an item (an id) is among the first k, as `recommend` has it.

    Raises:
        NotFound: an id that the run does not know.
        BadInput: the item is in the history, so it cannot be recommended.
    """
    code = int(item_codes(loaded, [item])[0])
    _check_new(loaded, query, code)
    ranks = ItemRanks(loaded.model, query, code, len(loaded.items), k=k)
    return not ranks.alone(np.ones(ranks.n, bool))[0].gone[0]


def counterfactual(
    loaded: LoadedRun, query: Queries, item: object, *, k: int = 10, user: object = None
) -> ItemCounterfactual:
    """What takes a listed item (an id) out of the first k; see core.explain.counterfactual.

    Raises:
        NotFound: an id that the run does not know.
        BadInput: the history is empty, the item is in it or not listed, or k is below 1.
    """
    code = int(item_codes(loaded, [item])[0])
    _check_new(loaded, query, code)
    if not len(query.items):
        raise BadInput("the history is empty, so nothing in it can be taken away")
    if not is_listed(loaded, query, item, k):
        raise BadInput(
            f"item {item} is not in the top {k}, so nothing can take it out: ask what would bring "
            "it in, or raise k"
        )
    n_items = len(loaded.items)
    answer = removing.counterfactual(loaded.model, query, code, n_items=n_items, k=k)
    new = [] if answer.replaced_by is None else [answer.replaced_by]
    names = Names(loaded, query, [code, *new])
    own = names.item(code)
    return ItemCounterfactual(
        run=loaded.run.id,
        user=user,
        item=own.item,
        label=own.label,
        k=k,
        found=answer.exists,
        removed=tuple(names.events(answer.removed)),
        rank_before=answer.rank_before,
        rank_after=answer.rank_after,
        replaced_by=names.item(new[0]) if new else None,
        smallest=answer.smallest,
        events=answer.events,
        evaluations=answer.evaluations,
        note=_note(loaded, code),
    )


def why_not(
    loaded: LoadedRun,
    query: Queries,
    item: object,
    *,
    k: int = 10,
    user: object = None,
    on_stage: Progress = silent,
) -> ItemWhyNot:
    """What would bring an item (an id) into the first k; see core.explain.why_not.

    Raises:
        NotFound: an id that the run does not know.
        BadInput: the item is in the history, or listed already, or k below 1.
    """
    code = int(item_codes(loaded, [item])[0])
    _check_new(loaded, query, code)
    if is_listed(loaded, query, item, k):
        raise BadInput(
            f"item {item} is in the top {k} already, so nothing need bring it in: choose one below"
        )
    rows, features, learnt = None, None, None
    if Labels(loaded).info is not None:
        data = loaded.load_dataset()
        rows = data.interactions.queries().matrix(len(loaded.items)).T.tocsr()
        features, learnt = data.item_features, data.n_taken
    answer = entering.why_not(
        loaded.model,
        query,
        code,
        n_items=len(loaded.items),
        k=k,
        rows=rows,
        features=features,
        learnt=learnt,
        on_progress=on_stage,
    )
    added = (extra for one in answer.additions for extra in one.added)
    names = Names(loaded, query, [code, answer.last, *added])
    own = names.item(code)
    return ItemWhyNot(
        run=loaded.run.id,
        user=user,
        item=own.item,
        label=own.label,
        k=k,
        rank=answer.rank,
        score=answer.score,
        last=names.item(answer.last),
        margin=answer.margin,
        additions=tuple(_additions(names, answer.additions)),
        enough=answer.enough,
        smallest=answer.smallest,
        diverse_by=answer.diverse_by,
        removal=_removal(names, answer.removal),
        parts=answer.parts,
        changes=answer.changes,
        events=answer.events,
        evaluations=answer.evaluations,
        note=_note(loaded, code),
    )


def _additions(names: Names, additions: Sequence[entering.Addition]) -> Iterator[NamedAddition]:
    for one in additions:
        added = tuple(map(names.item, one.added))
        yield NamedAddition(added, one.rank_after, one.margin_after, one.makes_room)


def _removal(names: Names, removal: entering.EnteringRemoval | None) -> NamedRemoval | None:
    if removal is None:
        return None
    events = tuple(names.events(removal.removed))
    return NamedRemoval(events, removal.rank_after, removal.smallest)


def _note(loaded: LoadedRun, code: int) -> str | None:
    if not loaded.is_described(code):
        return None
    return unseen_sentence(loaded.run.config.model, embeddings_left_out(loaded, code))


def _check_new(loaded: LoadedRun, query: Queries, code: int) -> None:
    if code in query.items:
        raise BadInput(
            f"item {loaded.items.ids[code]} is in the history, so it is not recommended: choose "
            "another"
        )
