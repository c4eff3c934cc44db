"""Runs of one dataset → what a report on them says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from core import pipeline
from core.data import queries
from core.data.durable import utc_now
from core.data.quality.report import quality_report
from core.data.quality.verdict import SEVERITIES
from core.data.store import DatasetInfo, Workspace
from core.errors import BadInput
from core.evaluate.comparison import Comparison
from core.report.contents import DataContents, EvaluatedRun, Leaderboard, Report, Step
from core.report.item_map import item_map
from core.report.people import people_of
from core.runs.artifact import Run
from core.runs.identity import code_version
from core.runs.machines import Machines
from core.runs.metrics import meaningless
from core.types import Progress, silent

HEADLINES = ("ndcg", "recall", "hit_rate", "map", "mrr")  # that are compared, and corrected for
BASELINES = ("popularity", "recent_popularity")  # everyone gets the same: the floor
PERIODS = 60  # bars of the chart of events, at most
USUAL_K = 10


def collect(
    workspace: Workspace,
    runs: Sequence[Run],
    *,
    users: Sequence[object] | None = None,
    on_stage: Progress | None = None,
) -> Report:
    """What there is to say about these runs; stored figures are read, reasons and map are made.

    Args:
        workspace: Where the runs and their dataset are.
        runs: Finished runs of one dataset, each once.
        users: Ids of the people who are shown; drawn by a fixed seed if not given.
        on_stage: Told "data", "compare", "explain" and the stages of the map.

    Raises:
        BadInput: no run, a run twice, or runs of several datasets.
        NotFound: the dataset is gone, or somebody is not in it.
        Corrupt: stored figures are not what was written.
    """
    _check(runs)
    say = on_stage or silent
    say("data", None)
    data = _data(workspace.dataset(runs[0].config.dataset))
    say("compare", None)
    leaderboard = _leaderboard(workspace, runs, meaningless(data.info.value_kind))
    told_of = leaderboard.best.run if leaderboard.best else runs[0]
    say("explain", None)
    people = people_of(workspace, told_of, users=users, on_stage=say)
    picture, no_map = item_map(workspace, _first(told_of, runs), on_stage=say)
    return Report(
        created=utc_now(),
        version=code_version(),
        runs=tuple(runs),
        notes=tuple(run.check_notes() for run in runs),
        data=data,
        leaderboard=leaderboard,
        people=people,
        item_map=picture,
        no_map=no_map,
        machines=Machines.of(runs),
    )


def _check(runs: Sequence[Run]) -> None:
    if not runs:
        raise BadInput("a report is about at least one run: name one")
    if len({run.id for run in runs}) < len(runs):
        named = ", ".join(run.id for run in runs)
        raise BadInput(f"a run is named twice among {named}: name each once")
    for run in runs[1:]:
        if run.config.dataset != runs[0].config.dataset:
            raise BadInput(
                f"runs {runs[0].id} and {run.id} are of datasets {runs[0].dataset_name} "
                f"({runs[0].config.dataset}) and {run.dataset_name} ({run.config.dataset}): a "
                "report is about runs of one dataset"
            )


def _first(run: Run, runs: Sequence[Run]) -> list[Run]:
    """The same runs with this one before the others."""
    return [run, *(other for other in runs if other.id != run.id)]


def _data(info: DatasetInfo) -> DataContents:
    verdicts = sorted(quality_report(info), key=lambda each: -SEVERITIES.index(each.severity))
    tail = queries.long_tail(info)
    n_items = int(tail["rank"].max())
    return DataContents(
        info=info,
        overview=queries.overview(info),
        verdicts=tuple(verdicts),
        activity=_activity(queries.activity(info, PERIODS)),
        tail=tuple(
            Step(f"{rank:,}", rank / n_items, share)
            for rank, share in zip(tail["rank"].tolist(), tail["share"].tolist(), strict=True)
        ),
    )


def _activity(frame: pd.DataFrame) -> tuple[Step, ...]:
    """Its periods by when they began, in seconds or order numbers."""
    starts = frame["period"].tolist()
    if not starts:
        return ()
    clock = isinstance(starts[0], datetime)
    days = clock and all(start.hour == 0 for start in starts)
    names = [f"{start:%Y-%m-%d}" if days else str(start) for start in starts]
    at = [start.timestamp() if clock else float(start) for start in starts]
    return tuple(map(Step, names, at, map(float, frame["events"].tolist())))


def _leaderboard(workspace: Workspace, runs: Sequence[Run], hidden: Sequence[str]) -> Leaderboard:
    """Without the metrics that are hidden, since they say nothing of this log."""
    measured = [(run, own) for run in runs if (own := run.check_metrics())]
    evaluated = [EvaluatedRun(run, own.without(hidden)) for run, own in measured]
    names = {name.partition("@")[0] for _, own in measured for name in own.metrics}
    left_out = tuple(name for name in hidden if name in names)
    k = _list_length(evaluated)
    metric = f"{HEADLINES[0]}@{k}"
    if not evaluated or len({_questions(each) for each in evaluated}) > 1:
        return Leaderboard(tuple(evaluated), not evaluated, k, metric, None, (), left_out, None)
    evaluated.sort(key=lambda each: -each.metrics.metrics[metric].mean)
    baseline, differences, runner_up = _baseline(evaluated, runs), list[Comparison](), None
    if len(evaluated) > 1:
        others = _first(baseline.run, [each.run for each in evaluated])
        differences = _compared(workspace, others, _shared(evaluated, k))
        if baseline not in evaluated[:2]:
            (runner_up,) = _compared(workspace, [evaluated[1].run, evaluated[0].run], [metric])
    return Leaderboard(
        *(tuple(evaluated), True, k, metric, baseline, tuple(differences), left_out, runner_up)
    )


def _shared(evaluated: Sequence[EvaluatedRun], k: int) -> list[str]:
    """The headline metrics that all of them have."""
    names = (f"{name}@{k}" for name in HEADLINES)
    return [name for name in names if all(name in each.metrics.metrics for each in evaluated)]


def _compared(
    workspace: Workspace, runs: Sequence[Run], metrics: Sequence[str]
) -> list[Comparison]:
    """The others against the first of these; as `recscope compare` has it."""
    rows = pipeline.compare(workspace, runs, metrics=metrics).to_dict("records")
    return [Comparison(**{str(name): value for name, value in row.items()}) for row in rows]


def _questions(each: EvaluatedRun) -> tuple[str, bool]:
    return each.run.meta["split"]["fingerprint"], each.metrics.hide_seen


def _list_length(evaluated: Sequence[EvaluatedRun]) -> int:
    """Ten if all runs were measured at it, else the shortest list that all were measured at.

    Raises:
        BadInput: there is no such list.
    """
    lengths = [
        {int(k) for name in each.metrics.metrics if (k := name.partition("@")[2])}
        for each in evaluated
    ]
    shared = set.intersection(*lengths) if lengths else {USUAL_K}
    if not shared:
        named = ", ".join(each.run.id for each in evaluated)
        raise BadInput(
            f"runs {named} were evaluated at no list length in common: evaluate them with one -k"
        )
    return USUAL_K if USUAL_K in shared else min(shared)


def _baseline(ranked: Sequence[EvaluatedRun], runs: Sequence[Run]) -> EvaluatedRun:
    """The best of the simple ones among them, or the first that was named."""
    simple = [each for each in ranked if each.run.config.model in BASELINES]
    return next(iter(simple), min(ranked, key=lambda each: runs.index(each.run)))
