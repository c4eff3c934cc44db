"""What is to be explained: one item for one history by one run, among the first k."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import streamlit as st

from core.data.store import DatasetInfo, Workspace
from core.errors import NotFound
from core.explain.contrast import Contrast
from core.explain.shapley import MOST_ENUMERATED
from core.runs.artifact import Run
from core.types import PAD, Array, LinearInHistory, Queries, Vocab
from dashboard import cache, state
from dashboard.cache.extended import ExtendedRun
from dashboard.components.explain.edits import Edits
from dashboard.components.labels import run_label
from dashboard.components.people import length
from dashboard.state import t

LENGTHS = (5, 10, 20)


@dataclass(frozen=True, eq=False)
class Case:
    """What the page is about. Codes are the run's; the history is a stranger's."""

    workspace: Workspace
    dataset: DatasetInfo
    run: Run
    user: str
    k: int
    query: Queries
    vocab: Vocab
    items: tuple[int, ...]  # the first k, and the one asked about behind them if it is none
    item: int
    rank: int  # among all that the history does not have
    names: dict[int, str]  # of the items of the history and of the list

    @property
    def explained(self) -> tuple[int, ...]:
        """The items explained together: the first k, or one that is none of them alone.

        An item that nobody took is alone as well, as the command that says the same has it.
        """
        return self.items[: self.k] if self.listed and not self.described else (self.item,)

    @property
    def described(self) -> bool:
        """Whether nobody took it yet: only the table of items has it."""
        return cache.loaded(self.workspace, self.run).is_described(self.item)

    @property
    def of_log(self) -> Case:
        """The same with the run as it is stored, for what is asked about many people."""
        stored = self.run.stored if isinstance(self.run, ExtendedRun) else self.run
        return replace(self, run=stored)

    @property
    def column(self) -> int:
        """Where the item stands among those explained."""
        return self.explained.index(self.item)

    @property
    def exactly(self) -> bool:
        """Whether the explanation is a matter of moments, with nothing to estimate."""
        model = cache.loaded(self.workspace, self.run).model
        return isinstance(model, LinearInHistory) or len(self.query.items) <= MOST_ENUMERATED

    @property
    def contrast(self) -> Contrast:
        """What scores are held against."""
        return Contrast.of(cache.loaded(self.workspace, self.run).model)

    @property
    def listed(self) -> bool:
        """Whether it is one of the first k."""
        return self.rank <= self.k and not self.in_history

    @property
    def in_history(self) -> bool:
        """Whether it is in the history itself."""
        return self.item in self.query.items

    def name(self, item: int) -> str:
        """What this item is called."""
        self.learn([item])
        return self.names[item]

    def learn(self, items: Iterable[int]) -> None:
        """Looks up what these are called, at once."""
        unknown = [item for item in items if item not in self.names]
        if unknown:
            self.names.update(names(self.dataset, self.vocab, unknown))

    def id(self, item: int) -> str:
        """Its id, as the URL has it."""
        return str(self.vocab.ids[item])

    def when(self, event: int) -> str:
        """The day of an event of the history; "" where the log has no clock."""
        if self.query.times is None or self.dataset.time_kind != "clock":
            return ""
        moment = datetime.fromtimestamp(int(self.query.times[event]), UTC)
        return moment.strftime("%Y-%m-%d")


def case_of(
    workspace: Workspace,
    dataset: DatasetInfo,
    run: Run,
    user: str,
    *,
    k: int | None = None,
    edited: bool = False,
) -> Case | None:
    """The case that the URL describes; None where the run has nothing to recommend.

    Args:
        workspace: Where all of it is.
        dataset: What the run learnt from.
        run: Who recommends.
        user: Whose history it is about.
        k: How long the list is; the URL's length if not given.
        edited: Whether it is about the history as the URL edits it, not as it was.
    """
    with st.spinner(t("recommendations.computing", run=run_label(run))):
        run = _extended(workspace, dataset, run)
        vocab = cache.loaded(workspace, run).items
        query = cache.history_query(workspace, run, user)
        if edited:
            query = Edits.read(len(query.items), vocab).applied(query)
        k = k or length(LENGTHS)
        best = cache.first_items(workspace, run, query, k)
    item = _asked(vocab)
    if item is None:
        if not len(best):
            return None
        item = int(best[0])
    items = tuple(best.tolist())
    items = items if item in items else (*items, item)
    rank = items.index(item) + 1
    if rank > len(best):
        rank = cache.rank(workspace, run, query, item)
    called = names(dataset, vocab, [*items, *query.items.tolist()])
    return Case(workspace, dataset, run, user, k, query, vocab, items, item, rank, called)


def _extended(workspace: Workspace, dataset: DatasetInfo, run: Run) -> Run:
    """The run with the item of the URL, where only the table of items has it."""
    item_id, vocab = state.get("item"), cache.loaded(workspace, run).items
    if item_id is None or vocab.encode([item_id])[0] != PAD:
        return run
    described = cache.described_item(dataset, item_id)
    if described is None:
        return run
    extended = ExtendedRun.of(run, (described,))
    try:
        cache.loaded(workspace, extended)
    except NotFound:
        state.amiss("item", item_id, "explain.described_item")
        return run
    return extended


def _asked(vocab: Vocab) -> int | None:
    """The item of the URL, if the run knows it; if not, the page says so."""
    item_id = state.get("item")
    if item_id is None:
        return None
    code = int(vocab.encode([item_id])[0])
    if code != PAD:
        return code
    state.amiss("item", item_id, "explain.unknown_item")
    return None


def names(dataset: DatasetInfo, vocab: Vocab, items: list[int] | Array) -> dict[int, str]:
    """Item code → what it is called."""
    codes = np.unique(np.asarray(items, np.int64))
    ids = vocab.decode(codes).tolist()
    labels = cache.labels(dataset, tuple(ids)) if ids else {}
    pairs = zip(codes.tolist(), map(str, ids), strict=True)
    return {code: labels.get(key, key) for code, key in pairs}
