"""Which model is better, for whom, and is the difference real?"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core import jobs
from core.data.store import DatasetInfo
from core.runs.artifact import Run
from core.runs.machines import Machines
from core.runs.metrics import meaningless
from core.runs.request import RunRequest
from dashboard.charts import compare as charts
from dashboard.components import comparison
from dashboard.components.compare.choice import choose_measure, choose_runs, of_tags
from dashboard.components.compare.front import front_section
from dashboard.components.compare.leaderboard import BEST, leaderboard, settings_table
from dashboard.components.compare.people import people_section
from dashboard.components.context import Context, context
from dashboard.components.faithfulness import faithful_line
from dashboard.components.jobs import live_jobs
from dashboard.components.keeping import choose_run, tell_done
from dashboard.components.labels import interval, metric_label, run_label, split_label, text_or
from dashboard.components.page import ROW, empty, figure, first_step, heading, link, section, table
from dashboard.components.read_only import writing_button
from dashboard.components.report import report_section
from dashboard.components.shortcuts import shortcuts_section
from dashboard.state import dark, t
from dashboard.text import Text, plain

TABS = ("tradeoff", "people", "metrics", "groups", "rules", "settings", "protocol")
REAL = 0.05  # a corrected p below it is called a real difference


def main(now: Context) -> None:
    tell_done()
    evaluated = [run for run in now.runs if run.metrics]
    if not evaluated or now.dataset is None:
        _nothing(now)
        return
    top = st.container()  # the answer is known once metric and baseline are chosen
    tagged = of_tags(evaluated)
    if not tagged:
        with top:
            heading("compare", t("compare.tags.none"))
        return
    hidden = meaningless(now.dataset.value_kind)
    runs = choose_runs(now, tagged)
    name, k, baseline = choose_measure(runs, evaluated, hidden)
    metric = comparison.full_name(name, k, runs)
    differences = comparison.differences(runs, baseline, k)
    with top:
        heading("compare", _answer(runs, baseline, metric, differences))
        _hits(runs, metric)
        _conditions(runs, baseline, metric)
    _offer_evaluation(now)
    _charts(runs, baseline, metric, differences)
    leaderboard(now.workspace, runs, baseline, metric, differences)
    _depth(now, now.dataset, runs, baseline, name, k, differences)
    report_section(now.workspace, now.dataset, runs)
    choose_run(now.workspace, now.dataset.id)
    link("recommendations", t("action.recommendations"), icon=":material/recommend:")


def _depth(
    now: Context,
    dataset: DatasetInfo,
    runs: list[Run],
    baseline: Run,
    name: str,
    k: int,
    differences: pd.DataFrame,
) -> None:
    """What not everybody asks, in tabs."""
    metric, hidden = comparison.full_name(name, k, runs), meaningless(dataset.value_kind)
    tradeoff, people, metrics, groups, rules, settings, protocol = st.tabs(
        [t(f"compare.tab.{each}") for each in TABS], key="compare_tabs"
    )
    with tradeoff:
        front_section(runs, name, metric, k)
    with people:
        people_section(dataset, runs, baseline, metric, differences)
    with metrics:
        _all_metrics(dataset, runs, k, hidden)
    with groups:
        _slices(runs)
    with rules:
        shortcuts_section(runs)
    with settings:
        settings_table(runs)
    with protocol:
        _protocol(now, runs)


def _nothing(now: Context) -> None:
    heading("compare", t("compare.answer.none"))
    empty(t("compare.empty.what"), t("compare.empty.why"))
    live_jobs(now.workspace)
    _offer_evaluation(now)
    first_step(now.dataset)


def _offer_evaluation(now: Context) -> None:
    """A button for runs that hold something out and were not evaluated yet."""
    waiting = [run for run in now.runs if not run.metrics and run.config.split != "none"]
    if not waiting or jobs.active(now.workspace):
        return
    st.caption(t("compare.unevaluated", n=len(waiting)))
    label, icon = t("action.evaluate", n=len(waiting)), ":material/rule:"
    if writing_button(label, now.workspace, key="evaluate", icon=icon):
        for run in waiting:
            jobs.start_training(now.workspace, RunRequest.again(run.config))
        st.rerun()


def _answer(runs: list[Run], baseline: Run, metric: str, differences: pd.DataFrame) -> Text:
    best = comparison.best(runs, metric)
    label = metric_label(metric)
    if best is None:
        return t("compare.answer.lacks", metric=label)
    said = {"metric": label, "best": run_label(best), "value": _value(best, metric)}
    if len(runs) == 1:
        return t("compare.answer.one", **said)
    if not comparison.comparable(runs):
        alike = len(comparison.asked_alike(runs, baseline))
        return t("compare.answer.different", n=len(runs), alike=alike, baseline=run_label(baseline))
    if best.id == baseline.id:
        return t("compare.answer.baseline", **said)
    found = differences[(differences["id"] == best.id) & (differences["metric"] == metric)]
    if found.empty:
        return t("compare.answer.leads", **said)
    p, difference = float(found["p"].iloc[0]), float(found["mean"].iloc[0])
    return t(
        "compare.answer.real" if p < REAL else "compare.answer.unsure",
        **said,
        difference=difference,
        baseline=run_label(baseline),
        p=f"{p:.4f}",
    )


def _hits(runs: list[Run], metric: str) -> None:
    """What the best is worth in people, where all were asked the same."""
    best = comparison.best(runs, metric) if comparison.comparable(runs) else None
    said = comparison.hits_sentence(best, runs) if best else None
    if said is not None:
        st.markdown(said)


def _conditions(runs: list[Run], baseline: Run, metric: str) -> None:
    """What the answer above holds under, and whom it is about."""
    best = comparison.best(runs, metric) if comparison.comparable(runs) else baseline
    if best is None or (metrics := best.metrics) is None:
        return
    said = t(
        "compare.conditions",
        n=metrics.users,
        split=split_label(metrics.split, metrics.cut),
        seen=t("compare.seen.hidden" if metrics.hide_seen else "compare.seen.shown"),
    )
    if metrics.target_hidden_share:
        said += " " + t("compare.conditions.hidden", share=metrics.target_hidden_share)
        if metric == "auc":
            said += " " + t("compare.conditions.auc")
    if metrics.split_tie_rate:
        said += " " + t("compare.conditions.ties", share=metrics.split_tie_rate)
    if groups := comparison.cold_and_warm(best, metric):
        cold, warm = groups
        said += " " + t(
            "compare.conditions.cold",
            **{"run": run_label(best), "metric": metric_label(metric)},
            **{"cold": cold.n, "cold_mean": cold.mean, "warm": warm.n, "warm_mean": warm.mean},
        )
    st.caption(said)
    machines = Machines.of(runs)
    if machines.differ:
        st.caption(t("compare.conditions.machines", each=_machines(runs, machines)))


def _machines(runs: list[Run], machines: Machines) -> str:
    """Such as "EASE · 3f9a1c on x86_64 (cpu, 2 threads)", those on the same machine together."""
    alike: dict[tuple[object, ...], list[str]] = {}
    for run, at in zip(runs, machines.runs, strict=True):
        alike.setdefault((at.device_name or at.device, at.device, at.threads), []).append(
            run_label(run)
        )
    comma = t("explain.comma")
    return comma.join(
        t(
            "compare.machine.device" if threads is None else "compare.machine",
            **{"run": comma.join(labels), "name": name, "device": device, "n": threads},
        )
        for (name, device, threads), labels in alike.items()
    )


def _value(run: Run, metric: str) -> str:
    return interval(comparison.measured(run)[metric])


def _charts(runs: list[Run], baseline: Run, metric: str, differences: pd.DataFrame) -> None:
    label = metric_label(metric)
    left, right = st.columns(2)
    frame = comparison.figures(runs, metric)
    with left:
        section("compare.chart", metric=label)
        if best := comparison.best(runs, metric):
            value = _value(best, metric)
            alt = t("compare.chart.alt", metric=label, best=run_label(best), value=value)
            figure(charts.intervals(frame, x=label, dark=dark()), alt=alt, key="intervals")
    with right:
        section("compare.difference", baseline=run_label(baseline))
        found = differences[differences["metric"] == metric]
        if not comparison.comparable(runs):
            st.warning(t("compare.different"), icon=":material/warning:")
        elif found.empty:
            st.caption(t("compare.difference.none"))
        else:
            alt = t("compare.difference.alt", baseline=run_label(baseline))
            drawn = charts.intervals(found, x=f"Δ {label}", dark=dark(), zero=True)
            figure(drawn, alt=alt, key="differences")
    if not differences.empty:
        with st.expander(t("compare.difference.table"), key="difference_table"):
            st.caption(t("compare.difference.lead"))
            _difference_table(differences, baseline)


def _difference_table(differences: pd.DataFrame, baseline: Run) -> None:
    shown = pd.DataFrame(
        {
            "run": differences["run"],
            "metric": [plain(metric_label(name)) for name in differences["metric"]],
            "difference": [f"{value:+.4f}" for value in differences["mean"]],
            "interval": [
                f"[{low:+.4f}, {high:+.4f}]"
                for low, high in zip(differences["low"], differences["high"], strict=True)
            ],
            "p": [f"{p:.4f}" for p in differences["p"]],
        }
    )
    alt = t("compare.difference.alt", baseline=run_label(baseline))
    table(shown, alt=alt, key="differences_table")


def _all_metrics(dataset: DatasetInfo, runs: list[Run], k: int, hidden: Sequence[str]) -> None:
    """A row a metric, the best of each marked; what says nothing of this log is left out."""
    section("compare.metrics")
    named = comparison.metric_names(runs, hidden)
    names = [comparison.full_name(name, k, runs) for name in named]
    frame = pd.DataFrame({"metric": [plain(metric_label(name)) for name in names]})
    best = {name: comparison.best_marked(runs, name) for name in names}
    for run in runs:
        own = comparison.measured(run)
        frame[run_label(run)] = [
            BEST * (run.id in best[name]) + interval(own[name]) if name in own else "–"
            for name in names
        ]
    alt = t("compare.metrics.alt", n=len(runs))
    table(frame, alt=alt, key="all_metrics", height=ROW * (len(frame) + 1) + 3)
    said = [t("compare.metrics.best")] if any(best.values()) else []
    if left_out := [name for name in comparison.metric_names(runs) if name in hidden]:
        listed = t("explain.comma").join(metric_label(name) for name in left_out)
        kind = dataset.value_kind or "none"
        said.append(t(f"metrics.left_out.{kind}", metrics=listed))
    st.caption(t("explain.space").join(said))


def _slices(runs: list[Run]) -> None:
    frame = comparison.sliced(runs)
    section("compare.slices")
    if frame.empty:
        st.caption(t("compare.slices.none"))
        return
    left, right = st.columns(2)
    by = left.selectbox(
        t("compare.slices.by"),
        list(frame["by"].unique()),
        key="slice",
        format_func=lambda by: plain(slice_label(by)),
    )
    metric = right.selectbox(
        t("compare.metric"),
        list(frame["metric"].unique()),
        format_func=lambda name: plain(metric_label(name)),
        key="slice_metric",
    )
    part = frame[(frame["by"] == by) & (frame["metric"] == metric)]
    groups = comparison.in_order(by, part["group"].tolist())
    drawn = charts.slices(part, y=metric_label(metric), groups=groups, dark=dark())
    alt = t("compare.slices.alt", metric=metric_label(metric), slice=slice_label(by))
    figure(drawn, alt=alt, key="slices")


def slice_label(by: str) -> Text:
    """The words for "activity" and its kin in words; an attribute keeps the log's own name."""
    return text_or(f"slice.{by.replace(' ', '_')}", by)


def _protocol(now: Context, runs: list[Run]) -> None:
    """How they were evaluated: a line for all that were alike, with what tells each of them."""
    section("compare.protocol")
    if now.dataset is None:
        return
    alike: dict[Text, list[Run]] = {}
    for run in runs:
        if (metrics := run.metrics) is None:
            continue
        how = t(
            "compare.protocol.how",
            users=metrics.users,
            items=now.dataset.counts["items"],
            split=split_label(metrics.split, metrics.cut),
            seen=t("compare.seen.hidden" if metrics.hide_seen else "compare.seen.shown"),
            hidden=metrics.target_hidden_share,
            times=metrics.split_tie_rate,
        )
        alike.setdefault(how, []).append(run)
    comma = t("explain.comma")
    for how, same in alike.items():
        ties = {run_label(run): t("compare.protocol.share", share=_ties(run)) for run in same}
        own = [t("compare.protocol.ties", run=run, share=share) for run, share in ties.items()]
        said = {
            "runs": comma.join(ties),
            "how": how,
            "ties": comma.join(own) if len(set(ties.values())) > 1 else next(iter(ties.values())),
        }
        st.markdown(Text("- ") + t("compare.protocol.line", **said))
    for run in runs:
        if said_of_run := faithful_line(run):
            st.markdown(Text("- ") + said_of_run)


def _ties(run: Run) -> float:
    """The share of the lists that end in a tie of scores."""
    return run.metrics.score_tie_rate if run.metrics else 0.0


main(context())
