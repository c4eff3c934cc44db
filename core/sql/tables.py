"""What a statement may ask: the dataset's tables, and those that a run has."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from core import pipeline
from core.data import store
from core.data.store import DatasetInfo, Workspace
from core.errors import BadInput
from core.runs import artifact
from core.runs.artifact import Run
from core.sql.answer import Column
from core.types import Progress, silent

if TYPE_CHECKING:  # it loads torch, which most statements need not await
    from core.pipeline import LoadedRun

OF_DATASET = ("events", "items", "users")
OF_RUN = ("recommendations", "metrics", "per_user", "explanations", "embeddings")
K = 10  # items of a list
MOST_PEOPLE = 20_000  # whose lists are made for a statement
_STEP = 2_000  # people whose lists are made before it is asked whether to go on


@dataclass(frozen=True)
class TableColumns:
    """A table and its columns, as a schema shows it."""

    name: str
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Asked:
    """What the tables are of."""

    workspace: Workspace
    dataset: DatasetInfo
    run: Run | None
    user: str | None  # whom $user stands for
    load: Callable[[], LoadedRun]  # the run, ready to be asked
    on_stage: Progress = silent

    def the_run(self) -> Run:
        """The run.

        Raises:
            BadInput: there is none.
        """
        if self.run is None:
            raise BadInput(f"dataset {self.dataset.name} has no finished run yet: train one first")
        return self.run


def schema(info: DatasetInfo) -> tuple[TableColumns, ...]:
    """All tables that there can be for this dataset, with their columns."""
    with closing(store.connect()) as con:
        there = [name for name in store.views(con, info) if name in OF_DATASET]
        tables = []
        for name in there:
            relation = con.table(name)
            pairs = zip(relation.columns, map(str, relation.types), strict=True)
            tables.append(TableColumns(name, tuple(Column(*pair) for pair in pairs)))
    events = {column.name: column.type for column in tables[0].columns}
    user, item = events["user_id"], events["item_id"]
    run, rank = ("run", "VARCHAR"), ("rank", "BIGINT")
    columns: dict[str, tuple[tuple[str, str], ...]] = {
        "recommendations": (run, ("user_id", user), ("item_id", item), rank, ("score", "FLOAT")),
        "metrics": (
            *(run, ("name", "VARCHAR"), ("model", "VARCHAR"), ("split", "VARCHAR")),
            *(("metric", "VARCHAR"), ("mean", "DOUBLE"), ("low", "DOUBLE"), ("high", "DOUBLE")),
            ("users", "BIGINT"),
        ),
        "per_user": (run, ("user_id", user), ("ndcg@10", "DOUBLE")),
        "explanations": (
            *(run, ("user_id", user), ("item_id", item), rank, ("score", "DOUBLE")),
            *(("base", "DOUBLE"), ("because_item_id", item), ("events", "BIGINT")),
            *(("value", "DOUBLE"), ("se", "DOUBLE")),
        ),
        "embeddings": (run, ("item_id", item), ("vector", "FLOAT[]")),
    }
    of_run = (
        TableColumns(name, tuple(Column(*column) for column in columns[name])) for name in OF_RUN
    )
    return (*tables, *of_run)


def mentioned(statement: str) -> list[str]:
    """The tables of a run whose names stand in this text, maybe as something else."""
    return [name for name in OF_RUN if re.search(rf"\b{name}\b", statement, re.IGNORECASE)]


def make(name: str, asked: Asked) -> pa.Table:
    """A table of the run.

    Raises:
        BadInput: this run has none; the sentence says why.
    """
    asked.on_stage(f"table {name}", None)
    return _MAKERS[name](asked)


def recommendations(asked: Asked) -> pa.Table:
    """run, user_id, item_id, rank, score: the ten best of everyone in the dataset."""
    run, loaded = asked.the_run(), asked.load()
    people, queries = pipeline.queries_for(loaded)
    if len(people) > MOST_PEOPLE:
        raise BadInput(
            f"the lists of {len(people)} people are not made for a statement, at most "
            f"{MOST_PEOPLE} are: recommend to all with run {run.id}, into a file"
        )
    blocks = []
    for start in range(0, len(people), _STEP):
        asked.on_stage("table recommendations", start / len(people))
        block = slice(start, start + _STEP)
        lists = pipeline.recommendation_table(loaded, people[block], queries[block], k=K)
        blocks.append(pa.Table.from_pandas(lists, preserve_index=False))
    return _with_run(run, pa.concat_tables(blocks))


def metrics(asked: Asked) -> pa.Table:
    """run, name, model, split, metric, mean, low, high, users: of each evaluated run."""
    rows = [
        {
            **{"run": run.id, "name": run.name, "model": kept.model, "split": kept.split},
            **{"metric": metric, "mean": interval.mean, "low": interval.low},
            **{"high": interval.high, "users": kept.users},
        }
        for run in artifact.list_runs(asked.workspace)
        if run.config.dataset == asked.dataset.id and (kept := run.metrics)
        for metric, interval in kept.metrics.items()
    ]
    if not rows:
        raise BadInput(
            f"no run of dataset {asked.dataset.name} is evaluated yet: evaluate one first"
        )
    return pa.Table.from_pylist(rows)


def per_user(asked: Asked) -> pa.Table:
    """run, user_id and a column for each metric: what the run is worth person by person."""
    run = asked.the_run()
    frame = run.per_user()
    if frame is None:
        raise BadInput(f"run {run.name} ({run.id}) is not evaluated: evaluate it first")
    return _with_run(run, pa.Table.from_pandas(frame, preserve_index=False))


def explanations(asked: Asked) -> pa.Table:
    """What each event of $user adds to the scores of the ten best.

    run, user_id, item_id, rank, score, base, because_item_id, events (of the history, that the
    value is of together), value, se: base + Σ value = score, for each item.
    """
    run = asked.the_run()
    if asked.user is None:
        raise BadInput("explanations are made for one person: give $user an id")
    loaded = asked.load()
    query = pipeline.history_of(loaded, asked.user)
    best = pipeline.ranked_items(loaded, query, K)
    if not len(best):
        raise BadInput(f"run {run.name} has nothing to recommend to {asked.user}")
    why = pipeline.explain_items(loaded, query, best)
    n, t = why.values.shape
    # The latest event of each player stands for it; its values lie player by player.
    latest = np.array([np.flatnonzero(why.players == player)[-1] for player in range(n)], np.int64)
    because = loaded.items.decode(query.items[latest])
    own = loaded.load_dataset().users
    user = own.decode(own.encode([asked.user]))
    columns = {
        "user_id": np.repeat(user, n * t),
        "item_id": np.repeat(loaded.items.decode(best), n),
        "rank": np.repeat(np.arange(1, t + 1), n),
        "score": np.repeat(why.scores, n),
        "base": np.repeat(why.base, n),
        "because_item_id": np.tile(because, t),
        "events": np.tile(np.bincount(why.players, minlength=n), t),
        "value": why.values.T.ravel(),
        "se": why.se.T.ravel(),
    }
    return _with_run(run, pa.table(columns))


def embeddings(asked: Asked) -> pa.Table:
    """run, item_id, vector: what the run has learnt of each item."""
    run, loaded = asked.the_run(), asked.load()
    vectors = pipeline.vectors_of(loaded).values.astype(np.float32)
    ends = np.arange(len(vectors) + 1, dtype=np.int32) * vectors.shape[1]
    lists = pa.ListArray.from_arrays(pa.array(ends), pa.array(vectors.ravel()))
    table = pa.table({"item_id": pa.array(loaded.items.ids), "vector": lists})
    return _with_run(run, table)


def _with_run(run: Run, table: pa.Table) -> pa.Table:
    return table.add_column(0, "run", pa.array([run.id] * len(table), pa.string()))


_MAKERS: dict[str, Callable[[Asked], pa.Table]] = {
    "recommendations": recommendations,
    "metrics": metrics,
    "per_user": per_user,
    "explanations": explanations,
    "embeddings": embeddings,
}
