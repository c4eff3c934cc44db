"""A run → what it is worth, alone and against others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from core.data.dataset import Dataset
from core.data.durable import write_json_atomically
from core.data.export.folder import new_folder
from core.data.read_only import EVALUATE, check_writable
from core.data.store import Workspace
from core.errors import BadInput, Corrupt
from core.evaluate import Evaluation, slices
from core.evaluate import compare as paired
from core.evaluate import evaluate as measure
from core.models.common.places import UNREACHABLE
from core.pipeline.loaded_run import NO_RULES, load_run
from core.pipeline.shortcuts import run_shortcuts
from core.pipeline.training import split_as
from core.recommend.rerank import Rerank
from core.recommend.ruled_lists import CatalogueRules
from core.recommend.rules import RuleCost, Rules, RulesReport
from core.runs import weights
from core.runs.artifact import Run
from core.runs.metrics import RunMetrics, meaningless
from core.types import PAD, Holdout, Interval, Progress, Vocab, silent

_OF_ALL_ITEMS = ("auc",)

EXPORTED = {
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


def evaluate(
    workspace: Workspace,
    run: Run,
    *,
    ks: Sequence[int] = (5, 10, 20),
    hide_seen: bool = True,
    rerank: Rerank | None = None,
    rules: Rules = NO_RULES,
    device: str = "auto",
    export: Path | None = None,
    on_stage: Progress | None = None,
) -> RunMetrics:
    """What the run is worth on the events that its split held out; stored beside the run too.

    With re-ranking or rules nothing is stored: the figures that runs are compared by are the
    models' own. What rules cost is measured against the same lists without them, person by person.

    Args:
        workspace: Where run and dataset are.
        run: A finished run.
        ks: Lengths of the lists, each at least 1.
        hide_seen: Leave the items of a person's history out of the lists.
        rerank: How the lists are re-ranked.
        rules: What the lists must keep.
        device: auto, cpu or cuda.
        export: A folder to be made, with all that was asked and what was right; see EXPORTED.
        on_stage: Told what is being done, and how far it is.

    Raises:
        BadInput: nothing was held out, the data do not have what the re-ranking goes by, rules
            that cannot be kept, or the folder cannot be made.
    """
    if rules and export:
        raise BadInput(
            "an export is for libraries that rank every item, which rules forbid: export without "
            "them"
        )
    if rerank is None and not rules:
        check_writable(workspace.path, EVALUATE)
    say = on_stage or silent
    if run.config.split == "none":
        raise BadInput(
            f"run {run.id} learnt from everything (split none), so nothing is left to test it "
            "on: train with leave-last-out or by-time"
        )
    say("load", None)
    loaded = load_run(workspace, run, device=device)
    data = loaded.load_dataset()
    parts = split_as(data, run.config)
    if parts.fingerprint != run.meta["split"]["fingerprint"] or parts.test is None:
        raise Corrupt(f"run {run.id} was split by another version of Recscope: train it again")
    reranker = loaded.reranker(rerank, parts.train.items) if rerank else None
    ruled = loaded.rules(rules, rerank)
    say("evaluate", None)
    measured = partial(
        measure,
        loaded.model,
        parts.test,
        train=parts.train,
        ks=tuple(ks),
        hide_seen=hide_seen,
        reorder=reranker if rerank and rerank.strength else None,  # 0: ties as the model left them
        item_features=data.item_features,
        ratings=not meaningless(data.info.value_kind),
        on_progress=say,
    )
    evaluation = measured(rules=ruled)
    report = _cost(ruled, evaluation, measured()) if ruled else None
    beside = None  # simple rules of what comes next know nothing of these
    if not ruled:
        beside = run_shortcuts(workspace, data.info, evaluation, parts, loaded.model, say)
    say("slices", None)
    metrics = RunMetrics(
        run=run.id,
        name=run.name,
        dataset=run.config.dataset,
        model=run.config.model,
        split=run.config.split,
        cut=run.config.cut,
        split_tie_rate=parts.tie_rate,
        hide_seen=hide_seen,
        rerank=reranker.report if reranker else None,
        rules=report,
        users=evaluation.users,
        users_without_targets=evaluation.users_without_targets,
        taste_attribute=evaluation.taste_attribute,
        metrics={name: Interval(**evaluation.summary[name]) for name in _told(ruled, evaluation)},
        target_hidden_share=evaluation.target_hidden_share,
        score_tie_rate=evaluation.score_tie_rate,
        seconds=round(evaluation.seconds, 3),
        list_ms=round(evaluation.list_ms, 4),
        slices=tuple(
            slices(
                evaluation,
                parts.test,
                parts.train,
                item_features=data.item_features,
                user_features=data.user_features,
            )
        ),
        shortcuts=beside,
    )
    if export:
        say("export", None)
        _export(export, evaluation, metrics, parts.test, data, loaded.items)
    if rerank or rules:
        return metrics
    users = parts.test.queries.users[evaluation.ranking.queries]
    per_user = pd.DataFrame({"user_id": data.users.decode(users), **evaluation.per_user})
    weights.save_metrics(workspace, run, metrics, per_user)
    return metrics


def _told(ruled: CatalogueRules | None, evaluation: Evaluation) -> list[str]:
    """The metrics to be told: none of the order of all items where rules end lists before that."""
    hidden = _OF_ALL_ITEMS if ruled and ruled.reorders else ()
    return [name for name in evaluation.summary if name not in hidden]


def _cost(ruled: CatalogueRules, evaluation: Evaluation, own: Evaluation) -> RulesReport:
    """What these rules did to each metric: the paired difference over people, where it is one."""
    pairs = paired({"own": own.per_user, "ruled": evaluation.per_user}, "own")
    ends = {row.metric: (row.low, row.high) for row in pairs}
    costs = []
    for name in _told(ruled, evaluation):
        before, after = own.summary[name]["mean"], evaluation.summary[name]["mean"]
        costs.append(RuleCost(name, before, after, after - before, *ends.get(name, (None, None))))
    short = int((evaluation.ranking.items[:, -1] == PAD).sum())
    return ruled.report(evaluation.ks[-1], short, tuple(costs))


def _export(
    out: Path,
    evaluation: Evaluation,
    metrics: RunMetrics,
    holdout: Holdout,
    data: Dataset,
    items: Vocab,
) -> None:
    """Writes a folder from which every metric of `evaluation` can be derived without Recscope.

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
        about = {**metrics.to_json(), "files": EXPORTED}
        about.pop("slices")
        about.pop("shortcuts")
        write_json_atomically(folder / "protocol.json", about)


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
