"""Figures of several runs as frames: what the Compare page draws."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from core.runs.artifact import Run
from core.types import Interval
from dashboard import cache
from dashboard.components.labels import model_label, run_label, text_or
from dashboard.state import t
from dashboard.text import Text, literal, plain

HEADLINE = "ndcg@10"  # by which a run leads
HITS = "hit_rate@10"
DIRECTIONLESS = (  # that say how lists are, not how good: no best is marked
    *("coverage", "novelty", "popularity_bias", "diversity", "gini", "calibration"),
)
HEADLINES = ("ndcg", "recall", "hit_rate", "map", "mrr")  # what Holm's correction counts

LOWER_IS_BETTER = ("gini", "calibration", "popularity_bias", "rmse", "mae")


MANY, MANY_SHARE = 10, 0.1  # people: a group of fewer is no headline of its own


@dataclass(frozen=True)
class Group:
    """How many people a part of the holdout has, and what a run is worth to them on average."""

    n: int
    mean: float


def best(runs: Sequence[Run], metric: str) -> Run | None:
    """The run with the best mean; None where none of them has this metric."""
    means = {run.id: interval.mean for run in runs if (interval := measured(run).get(metric))}
    if not means:
        return None
    choose = min if metric.partition("@")[0] in LOWER_IS_BETTER else max
    wanted = choose(means, key=lambda run: float(means[run]))
    return next(run for run in runs if run.id == wanted)


def best_marked(runs: Sequence[Run], metric: str) -> list[str]:
    """The ids of the runs with the best mean, where that says which is better; else none."""
    having = [run for run in runs if metric in measured(run)]
    if metric.partition("@")[0] in DIRECTIONLESS or len(having) < 2 or not comparable(having):
        return []
    top = best(having, metric)
    mean = measured(top)[metric].mean if top else None
    return [run.id for run in having if measured(run)[metric].mean == mean]


def leader(runs: Sequence[Run]) -> Run | None:
    """The best of the most runs that were asked the same, by the headline; None without any."""
    evaluated = [run for run in runs if run.metrics]
    return best(most_alike(evaluated), HEADLINE) if evaluated else None


def by_figure(runs: Sequence[Run], metric: str) -> list[Run]:
    """Those of the runs that have this metric, the greatest mean first."""
    means = {run.id: measured(run)[metric].mean for run in runs if metric in measured(run)}
    return sorted((run for run in runs if run.id in means), key=lambda run: -means[run.id])


def hits_sentence(run: Run, runs: Sequence[Run]) -> Text | None:
    """Of 100 people how many find what came next, beside the bestsellers where they were asked.

    None before it is evaluated.
    """
    hits = measured(run).get(HITS)
    if hits is None:
        return None
    k = HITS.partition("@")[2]
    said = {"hits": f"{100 * hits.mean:.0f}", "k": k, "best": run_label(run)}
    bestsellers = [
        (other, measured(other)[HITS])
        for other in asked_alike(runs, run)
        if other.config.model == "popularity" and HITS in measured(other)
    ]
    if not bestsellers or run.config.model == "popularity":
        return t("report.answer.hits", **said)
    other, beside = bestsellers[0]
    base = f"{100 * beside.mean:.0f}"
    return t("report.answer.hits.beside", **said, baseline=run_label(other), base=base)


def measured(run: Run) -> Mapping[str, Interval]:
    """The figures of a run: "ndcg@10" → mean, low, high; empty before it is evaluated."""
    return run.metrics.metrics if run.metrics else {}


def figures(runs: Sequence[Run], metric: str) -> pd.DataFrame:
    """Run (label), id, mean, low, high of one metric, for those runs that have it."""
    rows = []
    for run in runs:
        if interval := measured(run).get(metric):
            rows.append({"run": run_label(run), "id": run.id, **asdict(interval)})
    return pd.DataFrame(rows, columns=["run", "id", "mean", "low", "high"])


def metric_names(runs: Sequence[Run], hidden: Container[str] = ()) -> list[str]:
    """The metrics of these runs without their k, each once, in the order they were stored.

    Without those that are hidden, since they say nothing of this log.
    """
    names = (name.partition("@")[0] for run in runs for name in measured(run))
    return [name for name in dict.fromkeys(names) if name not in hidden]


def short_names(runs: Sequence[Run]) -> dict[str, str]:
    """Run id → its name or its model's, with the beginning of the id where others are called so."""
    names = {
        run.id: plain(model_label(run.config.model)) if run.name == run.config.model else run.name
        for run in runs
    }
    times = Counter(names.values())
    return {
        ident: plain(name) if times[name] == 1 else f"{plain(name)} · {ident[:6]}"
        for ident, name in names.items()
    }


def full_name(name: str, k: int, runs: Sequence[Run]) -> str:
    """Such as "ndcg@10", or "auc" where the metric has no k."""
    return name if any(name in measured(run) for run in runs) else f"{name}@{k}"


def lengths(runs: Sequence[Run]) -> list[int]:
    """The list lengths k that all these runs were evaluated at."""
    each = [{int(name.partition("@")[2]) for name in measured(run) if "@" in name} for run in runs]
    return sorted(set.intersection(*each)) if each else []


def comparable(runs: Sequence[Run]) -> bool:
    """Whether they were asked the same questions: the same split, seen items treated alike."""
    return len({_questions(run) for run in runs}) == 1


def _questions(run: Run) -> tuple[object, object]:
    return run.meta["split"]["fingerprint"], run.metrics.hide_seen if run.metrics else None


def evaluations(runs: Sequence[Run]) -> tuple[str, ...]:
    """What tells these evaluations apart from others of the same runs."""
    return tuple(f"{run.id} {_questions(run)}" for run in runs)


def asked_alike(runs: Sequence[Run], as_run: Run) -> list[Run]:
    """Those of these runs that were asked the same questions as this one."""
    return [run for run in runs if _questions(run) == _questions(as_run)]


def most_alike(runs: Sequence[Run]) -> list[Run]:
    """The most of these runs that were asked the same questions; the newest of equally many."""
    return max((asked_alike(runs, run) for run in runs), key=len)


def cold_and_warm(run: Run, metric: str) -> tuple[Group, Group] | None:
    """People without any history and all others, where both are many and the metric tells them."""
    rows = [
        row
        for row in (run.metrics.slices if run.metrics else ())
        if row.by == "activity" and row.metric == metric
    ]
    cold = [row for row in rows if row.part == "0 events"]
    warm = [row for row in rows if row.part != "0 events"]
    n_cold, n_warm = sum(row.n for row in cold), sum(row.n for row in warm)
    if min(n_cold, n_warm) < max(MANY, MANY_SHARE * (n_cold + n_warm)):
        return None
    mean = sum(row.n * row.mean for row in warm) / n_warm
    return Group(n_cold, cold[0].mean), Group(n_warm, mean)


def differences(runs: Sequence[Run], baseline: Run, k: int) -> pd.DataFrame:
    """Each run against the baseline, user by user, in the headline metrics.

    run, id, metric, mean (of the differences), low, high, p; empty where there is nothing to pair.
    """
    columns = ["run", "id", "metric", "mean", "low", "high", "p"]
    if len(runs) < 2 or not comparable(runs):
        return pd.DataFrame(columns=columns)
    labels = {run.id: run_label(run) for run in runs}
    key = evaluations(runs)
    found = cache.paired(list(runs), key, baseline.id, tuple(f"{name}@{k}" for name in HEADLINES))
    rows = [(labels[c.run], c.run, c.metric, c.difference, c.low, c.high, c.p_holm) for c in found]
    return pd.DataFrame(rows, columns=columns)


def sliced(runs: Sequence[Run]) -> pd.DataFrame:
    """by, group, metric, run, mean, low, high, n: every run on the parts of the holdout."""
    rows = [
        {**asdict(row), "group": plain(part_label(row.by, row.part)), "run": run_label(run)}
        for run in runs
        for row in (run.metrics.slices if run.metrics else ())
    ]
    return pd.DataFrame(rows, columns=["by", "group", "metric", "run", "mean", "low", "high", "n"])


def in_order(by: str, groups: Sequence[str]) -> list[str]:
    """The groups of a slice, each once: bands of activity by their numbers, others as they come."""
    once = list(dict.fromkeys(groups))
    if by != "activity":
        return once
    return sorted(once, key=lambda group: int(re.findall(r"\d+", group.replace(",", ""))[0]))


def part_label(by: str, part: str) -> Text:
    """What a part of a slice is called; the values of an attribute are the log's own words."""
    if by == "activity":
        return t("part.events", n=part.removesuffix(" events"))
    return (
        text_or(f"part.{part.replace(' ', '_')}", part)
        if by.startswith("target ")
        else literal(part)
    )
