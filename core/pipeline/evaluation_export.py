"""What an evaluation asked and what was right, as Parquet: to measure the same again elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.data.dataset import Dataset
from core.data.durable import write_json_atomically
from core.data.export.folder import ExportedFile, new_folder
from core.evaluate import Evaluation
from core.evaluate.metrics import UNREACHABLE
from core.runs.metrics import RunMetrics
from core.types import PAD, Holdout, Vocab

ABOUT = {
    "queries.parquet": "a row for each person who is asked about: `query` from 0, how many events "
    "the history holds, how many targets there are, how many items could be listed",
    "histories.parquet": "the events that each query may see, oldest first",
    "targets.parquet": "the items that came next, each once a query; `place` is where the run "
    "ranked it among all that could be listed, from 1, a tie against it; missing where it could "
    "not be listed",
    "lists.parquet": "the run's own lists, `rank` from 1",
    "items.parquet": "every item that is ranked; with hide_seen those of a query's own history are "
    "left out of its list",
}


def export_evaluation(
    out: Path,
    evaluation: Evaluation,
    metrics: RunMetrics,
    holdout: Holdout,
    data: Dataset,
    items: Vocab,
) -> tuple[ExportedFile, ...]:
    """Writes a folder from which every metric of `evaluation` can be derived without Recscope.

    Args:
        out: The folder to be made; it must not be there, or be empty.
        evaluation: What was measured on the holdout.
        metrics: The same as it is reported; goes to protocol.json with what the files hold.
        holdout: The queries and their targets.
        data: The dataset, for the ids of people.
        items: The run's items.

    Returns:
        The files and their numbers of rows.

    Raises:
        BadInput: the folder is taken or cannot be made.
    """
    tables = {
        "queries.parquet": _queries(evaluation, holdout, data),
        "histories.parquet": _histories(evaluation, holdout, data, items),
        "targets.parquet": _targets(evaluation, items),
        "lists.parquet": _lists(evaluation, items),
        "items.parquet": pd.DataFrame({"item_id": items.ids}),
    }
    with new_folder(out) as folder:
        for name, table in tables.items():
            table.to_parquet(folder / name, index=False)
        about = {**metrics.to_json(), "files": ABOUT}
        about.pop("slices")
        write_json_atomically(folder / "protocol.json", about)
    return tuple(ExportedFile(name, len(table)) for name, table in tables.items())


def _queries(evaluation: Evaluation, holdout: Holdout, data: Dataset) -> pd.DataFrame:
    asked = holdout.queries[evaluation.ranking.queries]
    places = evaluation.ranking.places
    return pd.DataFrame(
        {
            "query": np.arange(len(asked)),
            "user_id": data.users.decode(asked.users),
            "events": asked.lengths,
            "targets": places.n_targets,
            "candidates": places.candidates,
        }
    )


def _histories(
    evaluation: Evaluation, holdout: Holdout, data: Dataset, items: Vocab
) -> pd.DataFrame:
    asked = holdout.queries[evaluation.ranking.queries]
    columns: dict[str, Any] = {
        "query": np.repeat(np.arange(len(asked)), asked.lengths),
        "item_id": items.decode(asked.items),
        "weight": asked.weights,
    }
    if asked.times is not None:
        clock = data.info.time_kind == "clock"
        columns["timestamp"] = pd.to_datetime(asked.times, unit="s") if clock else asked.times
    if asked.events is not None and data.event_names:
        names = np.array([*data.event_names, None], object)  # code -1, no type, is the last
        columns["event"] = names[asked.events]
    if asked.values is not None:
        columns["value"] = asked.values
    return pd.DataFrame(columns)


def _targets(evaluation: Evaluation, items: Vocab) -> pd.DataFrame:
    ranking, places = evaluation.ranking, evaluation.ranking.places
    reached = places.places != UNREACHABLE
    return pd.DataFrame(
        {
            "query": np.repeat(np.arange(len(places.n_targets)), places.n_targets),
            "item_id": items.decode(ranking.targets),
            "place": pd.array(np.where(reached, places.places, 0), "Int64").copy(),
        }
    ).assign(place=lambda frame: frame["place"].where(reached))


def _lists(evaluation: Evaluation, items: Vocab) -> pd.DataFrame:
    rows, ranks = np.nonzero(evaluation.ranking.items != PAD)
    return pd.DataFrame(
        {
            "query": rows,
            "rank": ranks + 1,
            "item_id": items.decode(evaluation.ranking.items[rows, ranks]),
        }
    )
