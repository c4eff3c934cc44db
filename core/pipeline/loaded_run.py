"""A run → what each person would get."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.data.store import Workspace
from core.errors import Corrupt, NotFound
from core.runs import weights
from core.runs.artifact import Run
from core.runs.config import settle_device
from core.types import PAD, Ints, Queries, Recommender, Vocab

if TYPE_CHECKING:
    import pandas as pd

    from core.data.dataset import Dataset
    from core.recommend.rerank import Rerank, Reranker

_log = logging.getLogger("recscope")

_BLOCK_ROWS = 1_000_000  # recommendations made before some are written


@dataclass(frozen=True, eq=False)
class LoadedRun:
    """A run that is loaded and can answer: the model, its catalogue, its dataset."""

    workspace: Workspace
    run: Run
    model: Recommender
    items: Vocab

    def load_dataset(self) -> Dataset:
        """The dataset that the run learnt from, read once; its items are the run's."""
        return self._dataset

    @cached_property
    def _dataset(self) -> Dataset:
        from core.data import dataset

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
        from core.recommend.rerank import Reranker

        data = self.load_dataset()
        events = data.interactions.items if consumed is None else consumed
        return Reranker.of(how, self.model, data.item_features, events)


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
    device: str = "auto",
) -> pd.DataFrame:
    """user_id, item_id, rank (from 1), score: the k best for each person; see recommendations."""
    import pandas as pd

    loaded = load_run(workspace, run, device=device)
    people, queries = queries_for(loaded, users=users, histories=histories)
    reranker = loaded.reranker(rerank) if rerank else None
    blocks = recommendations(loaded, people, queries, k=k, hide_seen=hide_seen, reranker=reranker)
    return pd.concat(list(blocks), ignore_index=True)


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
    known = loaded.load_dataset().users
    if users is None:
        return known.ids, loaded.load_dataset().interactions.queries()
    asked = list(dict.fromkeys(map(str, users)))
    codes = known.encode(asked)
    unknown = [name for name, code in zip(asked, codes, strict=True) if code == PAD]
    if unknown:
        some = ", ".join(map(repr, unknown[:5])) + (" …" if len(unknown) > 5 else "")
        raise NotFound(
            f"{len(unknown)} of {len(asked)} users are not in dataset {loaded.run.dataset_name}: "
            f"{some}; it has ids such as {', '.join(map(str, known.ids[:3]))}, and people whom it "
            "does not know come with --histories"
        )
    return known.decode(codes), loaded.load_dataset().interactions.queries(codes)


def _strangers(loaded: LoadedRun, path: Path) -> tuple[Any, Queries]:
    from core.data.dataset import histories, kinds

    weights: dict[str, float] = {}
    names: tuple[list[str], list[str]] = ([], [])
    with suppress(NotFound):  # strangers are served even when the dataset is gone
        info = loaded.workspace.dataset(loaded.run.config.dataset)
        weights, names = info.weights, kinds(info)
    people, queries, unknown = histories(path, loaded.items, weights, names)
    if unknown:
        _log.warning(
            "%d events of %s are of items that run %s does not know, and do not count",
            *(unknown, path, loaded.run.id),
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
) -> Iterator[pd.DataFrame]:
    """user_id, item_id, rank, score of these queries, in frames of about a million rows.

    The order is that of the queries, then of the rank. Fewer than k rows come where a person has
    fewer items left. There is always at least one frame, maybe without rows. With a re-ranker there
    is also model_rank, the item's place in the model's own order; the score stays the model's.
    """
    import pandas as pd

    from core.recommend.top_k import recommend as best

    n_items = len(loaded.items)
    k = min(k, n_items)
    step = max(1, _BLOCK_ROWS // max(k, 1))
    for start in range(0, max(len(queries), 1), step):
        part = slice(start, min(start + step, len(queries)))
        found = best(
            loaded.model, queries[part], k, n_items=n_items, hide_seen=hide_seen, reorder=reranker
        )
        rows, places = np.nonzero(found.items != PAD)
        columns = {
            "user_id": people[part][rows],
            "item_id": loaded.items.decode(found.items[rows, places]),
            "rank": places + 1,
            "score": found.scores[rows, places],
        }
        if found.places is not None:
            columns["model_rank"] = found.places[rows, places]
        yield pd.DataFrame(columns)
