"""A run → what it is worth, alone and against others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from core.data.store import Workspace
from core.errors import BadInput, Corrupt
from core.evaluate import compare as paired
from core.evaluate import evaluate as measure
from core.evaluate import slices
from core.pipeline.evaluation_export import export_evaluation
from core.pipeline.loaded_run import load_run
from core.pipeline.training import split_as
from core.recommend.rerank import Rerank
from core.runs import weights
from core.runs.artifact import Run
from core.runs.metrics import RunMetrics
from core.types import Interval, Progress, silent


def evaluate(
    workspace: Workspace,
    run: Run,
    *,
    ks: Sequence[int] = (5, 10, 20),
    hide_seen: bool = True,
    rerank: Rerank | None = None,
    device: str = "auto",
    export: Path | None = None,
    on_stage: Progress | None = None,
) -> RunMetrics:
    """What the run is worth on the events that its split held out; stored beside the run too.

    With re-ranking nothing is stored: the figures that runs are compared by are the models' own.

    Args:
        workspace: Where run and dataset are.
        run: A finished run.
        ks: Lengths of the lists, each at least 1.
        hide_seen: Leave the items of a person's history out of the lists.
        rerank: How the lists are re-ranked.
        device: auto, cpu or cuda.
        export: A folder to be made, with all that was asked and what was right; see
            core.pipeline.evaluation_export.
        on_stage: Told what is being done, and how far it is.

    Raises:
        BadInput: nothing was held out, the data do not have what the re-ranking goes by, or the
            folder cannot be made.
    """
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
    say("evaluate", None)
    evaluation = measure(
        loaded.model,
        parts.test,
        train=parts.train,
        ks=tuple(ks),
        hide_seen=hide_seen,
        reorder=reranker if rerank and rerank.strength else None,  # 0: ties as the model left them
        item_features=data.item_features,
        ratings=data.info.value_kind == "rating",
        on_progress=say,
    )
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
        users=evaluation.users,
        users_without_targets=evaluation.users_without_targets,
        taste_attribute=evaluation.taste_attribute,
        metrics={name: Interval(**ends) for name, ends in evaluation.summary.items()},
        target_hidden_share=evaluation.target_hidden_share,
        score_tie_rate=evaluation.score_tie_rate,
        seconds=round(evaluation.seconds, 3),
        slices=tuple(
            slices(
                evaluation,
                parts.test,
                parts.train,
                item_features=data.item_features,
                user_features=data.user_features,
            )
        ),
    )
    if export:
        say("export", None)
        export_evaluation(export, evaluation, metrics, parts.test, data, loaded.items)
    if rerank:
        return metrics
    users = parts.test.queries.users[evaluation.ranking.queries]
    per_user = pd.DataFrame({"user_id": data.users.decode(users), **evaluation.per_user})
    weights.save_metrics(workspace, run, metrics, per_user)
    return metrics


def compare(
    workspace: Workspace, runs: Sequence[Run], *, metrics: Sequence[str] | None = None
) -> pd.DataFrame:
    """Each run against the first, user by user, in these metrics (ndcg@10 and recall@10).

    Returns:
        run, metric, users, baseline_mean, mean, difference, low, high (95 % of the difference),
        p, and p_holm: p corrected for all rows.

    Raises:
        BadInput: one run twice, or runs not evaluated on the same people in the same way.
    """
    if len({run.id for run in runs}) < len(runs):
        raise BadInput(
            f"a run is named twice among {', '.join(run.id for run in runs)}: name others"
        )
    tables = [_per_user(run) for run in runs]
    for run, table in zip(runs[1:], tables[1:], strict=True):
        if _conditions(run) != _conditions(runs[0]) or not table.index.equals(tables[0].index):
            raise BadInput(
                f"runs {runs[0].id} and {run.id} were not evaluated on the same events in the "
                "same way: compare runs of one dataset and split, seen items hidden in both or none"
            )
    values = {
        run.id: {str(name): table[name].to_numpy() for name in table}
        for run, table in zip(runs, tables, strict=True)
    }
    rows = paired(values, runs[0].id, metrics=metrics or ("ndcg@10", "recall@10"))
    return pd.DataFrame([asdict(row) for row in rows])


def _per_user(run: Run) -> pd.DataFrame:
    table = run.per_user()
    if table is None:
        raise BadInput(f"run {run.id} is not evaluated yet: evaluate it first")
    return table.set_index("user_id")


def _conditions(run: Run) -> tuple[str, bool | None]:
    return run.meta["split"]["fingerprint"], run.metrics.hide_seen if run.metrics else None
