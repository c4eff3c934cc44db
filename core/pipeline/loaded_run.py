"""A run → what each person would get."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.data import dataset
from core.data.dataset import Dataset, histories, kinds
from core.data.store import Workspace
from core.errors import BadInput, Corrupt, NotFound
from core.pipeline.item_rules import catalogue_rules
from core.recommend.rerank import Rerank, Reranker
from core.recommend.ruled_lists import CatalogueRules
from core.recommend.rules import ITEM, Rules
from core.recommend.top_k import recommend as recommend_codes
from core.runs import weights
from core.runs.artifact import Run
from core.runs.config import settle_device
from core.types import PAD, Array, Ints, Queries, Recommendations, Recommender, Vocab

_log = logging.getLogger("recscope")

NO_RULES = Rules()
_BLOCK_ROWS = 1_000_000  # recommendations made before some are written


@dataclass(frozen=True, eq=False)
class LoadedRun:
    """A run that is loaded and can answer: the model, its catalogue, its dataset."""

    workspace: Workspace
    run: Run
    model: Recommender
    items: Vocab
    data: Dataset | None = None  # with items beside those of the log; see core.pipeline.described

    def load_dataset(self) -> Dataset:
        """The dataset that the run learnt from, read once; its items are the run's."""
        return self._dataset if self.data is None else self.data

    @property
    def described(self) -> Array:
        """The ids of the items that stand only in the table of items, in code order."""
        taken = len(self.items) if self.data is None else self.data.n_taken
        return self.items.ids[taken:]

    def is_described(self, item: int) -> bool:
        """Whether this item (a code) stands only in the table of items: nobody took it yet."""
        return self.data is not None and item >= self.data.n_taken

    @cached_property
    def _dataset(self) -> Dataset:
        data = dataset.load(self.workspace.dataset(self.run.config.dataset))
        if not np.array_equal(data.items.ids, self.items.ids):
            raise Corrupt(
                f"run {self.run.id} knows other items than its dataset has: train it again"
            )
        return data

    def reranker(self, how: Rerank, consumed: Ints | None = None) -> Reranker:
        """Re-ranks this run's lists; the items of these events (the dataset's) say what taste is.

        Raises:
            BadInput: the data do not have what the method goes by.
        """
        data = self.load_dataset()
        events = data.interactions.items if consumed is None else consumed
        return Reranker.of(how, self.model, data.item_features, events)

    def rules(self, rules: Rules, rerank: Rerank | None = None) -> CatalogueRules | None:
        """These rules as they act on the run's catalogue, beside this re-ranking; None of none.

        Raises:
            BadInput: an attribute, a value or an item that is not there, rules that contradict
                each other, or that order lists as the re-ranking does.
        """
        if not rules:
            return None
        of_items = any(rule.attribute != ITEM for rule in rules.rules)
        info = self.workspace.dataset(self.run.config.dataset) if of_items else None
        ruled = catalogue_rules(rules, self.items, info)
        if rerank and ruled.reorders:
            raise BadInput(
                f"lists are ordered either by {rerank.method} or by rules such as "
                f"{next(r for r in rules.texts if not r.startswith(('exclude', 'only')))!r}: "
                "leave one of them out (exclude and only go with a re-ranking)"
            )
        return ruled

    def top_k(
        self,
        queries: Queries,
        k: int,
        *,
        hide_seen: bool = True,
        reranker: Reranker | None = None,
        rules: CatalogueRules | None = None,
    ) -> Recommendations:
        """The k best items of the run's catalogue for each query, as codes; see core.recommend."""
        return recommend_codes(
            self.model,
            queries,
            min(k, len(self.items)),
            n_items=len(self.items),
            hide_seen=hide_seen,
            reorder=reranker,
            rules=rules,
        )


def load_run(workspace: Workspace, run: Run, *, device: str = "auto") -> LoadedRun:
    """The run, loaded and checked, to be asked as often as one likes."""
    model, items = weights.load_model(run, device=settle_device(device))
    return LoadedRun(workspace, run, model, items)


def recommend(
    workspace: Workspace,
    run: Run,
    *,
    users: Sequence[object] | None = None,
    histories: Path | None = None,
    k: int = 10,
    hide_seen: bool = True,
    rerank: Rerank | None = None,
    rules: Rules = NO_RULES,
    device: str = "auto",
) -> pd.DataFrame:
    """user_id, item_id, rank (from 1), score: the k best for each person; see recommendations."""
    loaded = load_run(workspace, run, device=device)
    people, queries = queries_for(loaded, users=users, histories=histories)
    return recommendation_table(
        loaded, people, queries, k=k, hide_seen=hide_seen, rerank=rerank, rules=rules
    )


def recommendation_table(
    loaded: LoadedRun,
    people: Any,
    queries: Queries,
    *,
    k: int = 10,
    hide_seen: bool = True,
    rerank: Rerank | None = None,
    rules: Rules = NO_RULES,
) -> pd.DataFrame:
    """What `recommendations` gives, as one table; `attrs["rules"]` is the report of the rules."""
    reranker = loaded.reranker(rerank) if rerank else None
    ruled = loaded.rules(rules, rerank)
    blocks = recommendations(
        *(loaded, people, queries), k=k, hide_seen=hide_seen, reranker=reranker, rules=ruled
    )
    frame = pd.concat(list(blocks), ignore_index=True)
    if ruled:
        frame.attrs["rules"] = ruled.report(k, shorter(frame, len(queries), k)).to_json()
    return frame


def shorter(lists: pd.DataFrame, people: int, k: int) -> int:
    """How many of so many people have fewer than k rows in what `recommendations` gives."""
    return people - int((lists["rank"] == k).sum())


def queries_for(
    loaded: LoadedRun, *, users: Sequence[object] | None = None, histories: Path | None = None
) -> tuple[Any, Queries]:
    """The ids (B,) of those to recommend for, and what each did, as queries.

    Args:
        loaded: A run.
        users: Ids of people in the dataset, in the order wanted, each once; all of them if not
            given. Their whole history counts, also what the split held out.
        histories: A table user_id, item_id[, timestamp] of people never seen, instead.

    Raises:
        NotFound: an id that the dataset does not have.
    """
    if histories is not None:
        return _strangers(loaded, histories)
    vocab, interactions = loaded.load_dataset().users, loaded.load_dataset().interactions
    if users is None:
        return vocab.ids, interactions.queries()
    wanted = list(dict.fromkeys(map(str, users)))
    codes = vocab.encode(wanted)
    unknown = [name for name, code in zip(wanted, codes, strict=True) if code == PAD]
    if unknown:
        examples = ", ".join(map(repr, unknown[:5])) + (" …" if len(unknown) > 5 else "")
        raise NotFound(
            f"{len(unknown)} of {len(wanted)} users are not in dataset {loaded.run.dataset_name}: "
            f"{examples}; it has ids such as {', '.join(map(str, vocab.ids[:3]))}, and people whom "
            "it does not know come as histories"
        )
    return vocab.decode(codes), interactions.queries(codes)


def _strangers(loaded: LoadedRun, path: Path) -> tuple[Any, Queries]:
    weights: dict[str, float] = {}
    names: tuple[list[str], list[str]] = ([], [])
    with suppress(NotFound):  # strangers are served even when the dataset is gone
        info = loaded.workspace.dataset(loaded.run.config.dataset)
        weights, names = info.weights, kinds(info)
    people, queries, unknown = histories(path, loaded.items, weights, names)
    if unknown:
        _log.warning(
            "%d events of %s are of items that run %s does not know, and do not count",
            *(unknown, path.name, loaded.run.id),
        )
    return people, queries


def recommendations(
    loaded: LoadedRun,
    people: Any,
    queries: Queries,
    *,
    k: int = 10,
    hide_seen: bool = True,
    reranker: Reranker | None = None,
    rules: CatalogueRules | None = None,
) -> Iterator[pd.DataFrame]:
    """user_id, item_id, rank, score of these queries, in frames of about a million rows.

    The order is that of the queries, then of the rank. Fewer than k rows come where a person has
    fewer items left. There is always at least one frame, maybe without rows. With a re-ranker or
    rules there is also model_rank, the item's place in the model's own order; the score stays the
    model's.
    """
    step = max(1, _BLOCK_ROWS // max(1, min(k, len(loaded.items))))
    for start in range(0, max(len(queries), 1), step):
        block = slice(start, min(start + step, len(queries)))
        lists = loaded.top_k(queries[block], k, hide_seen=hide_seen, reranker=reranker, rules=rules)
        rows, ranks = np.nonzero(lists.items != PAD)
        columns = {
            "user_id": people[block][rows],
            "item_id": loaded.items.decode(lists.items[rows, ranks]),
            "rank": ranks + 1,
            "score": lists.scores[rows, ranks],
        }
        if lists.places is not None:
            columns["model_rank"] = lists.places[rows, ranks]
        yield pd.DataFrame(columns)
