"""Who gains and who loses by a run, beside the baseline, and the way to these people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import pandas as pd
import streamlit as st

from core.data.store import DatasetInfo
from core.runs.artifact import Run
from core.runs.metrics import OF_RATINGS
from dashboard import cache, state
from dashboard.charts import compare as charts
from dashboard.components import comparison
from dashboard.components.download import csv_buttons
from dashboard.components.labels import metric_label, run_label
from dashboard.components.page import figure, listing, section
from dashboard.state import dark, t
from dashboard.text import linked, plain, strong

SHOWN = 8  # people on each side


def people_section(
    dataset: DatasetInfo, runs: Sequence[Run], baseline: Run, metric: str, differences: pd.DataFrame
) -> None:
    """For how many people the rival is better, for how many worse, and who they are."""
    section("compare.people", baseline=run_label(baseline))
    rivals = [run for run in comparison.asked_alike(runs, baseline) if run.id != baseline.id]
    rivals = comparison.by_figure(rivals, metric)
    if not rivals:
        st.caption(t("compare.people.none"))
        return
    if metric.partition("@")[0] in (*comparison.DIRECTIONLESS, *OF_RATINGS):
        st.caption(t("compare.people.no_better", metric=metric_label(metric)))
        return
    rival = _choose(rivals, baseline)
    key = comparison.evaluations([rival, baseline])
    frame = cache.by_person(rival, baseline, key, metric)
    better, worse = (frame["difference"] > 0).sum(), (frame["difference"] < 0).sum()
    _say(rival, baseline, metric, len(frame), int(better), int(worse), differences)
    left, right = st.columns(2)
    with left:
        st.markdown(strong(t("compare.people.won")))
        _listed(dataset, rival, baseline, metric, frame.head(min(SHOWN, better)), "won")
    with right:
        st.markdown(strong(t("compare.people.lost")))
        lost = frame.tail(min(SHOWN, worse)).iloc[::-1]
        _listed(dataset, rival, baseline, metric, lost, "lost")
    st.caption(t("compare.people.lead"))
    name = f"people-{rival.id}-{baseline.id}"
    csv_buttons(lambda: frame.assign(metric=metric), name=name, key="people_csv")


def _choose(rivals: Sequence[Run], baseline: Run) -> Run:
    """The run that is held against the baseline: the address's, else the best."""
    labels = {run.id: run_label(run) for run in rivals}
    current = state.one_of("rival", list(labels), rivals[0].id, elsewhere=[baseline.id])
    chosen = state.pick(
        "rival",
        list(labels),
        labels.__getitem__,
        current=current,
        title=t("compare.people.rival"),
    )
    return next(run for run in rivals if run.id == (chosen or rivals[0].id))


def _say(
    rival: Run,
    baseline: Run,
    metric: str,
    of: int,
    better: int,
    worse: int,
    differences: pd.DataFrame,
) -> None:
    """How many, as a sentence and as a bar."""
    said = t(
        "compare.people.counts",
        **{"metric": metric_label(metric), "run": run_label(rival), "of": of},
        **{"better": better, "worse": worse, "alike": of - better - worse},
    )
    own = differences[(differences["id"] == rival.id) & (differences["metric"] == metric)]
    if not own.empty and own["low"].iloc[0] <= 0 <= own["high"].iloc[0]:
        said += t("explain.space") + t("compare.people.unsure")
    st.markdown(said)
    counts = {
        plain(t("compare.people.better")): better,
        plain(t("compare.people.alike")): of - better - worse,
        plain(t("compare.people.worse")): worse,
    }
    figure(charts.wins(counts, dark=dark()), alt=said, key="people_bar")


def _listed(
    dataset: DatasetInfo, rival: Run, baseline: Run, metric: str, rows: pd.DataFrame, side: str
) -> None:
    if rows.empty:
        st.caption(t("compare.people.nobody"))
        return
    names = [
        linked(user, lists_address(dataset, user, (rival, baseline))) for user in rows["user_id"]
    ]
    shown: dict[str, Iterable[Any]] = {
        t("column.user_id"): names,
        run_label(rival): [f"{value:.4f}" for value in rows["run"]],
        run_label(baseline): [f"{value:.4f}" for value in rows["baseline"]],
    }
    listing(shown, alt=t(f"compare.people.{side}.alt", n=len(rows), metric=metric_label(metric)))


def lists_address(dataset: DatasetInfo, user: object, runs: Sequence[Run]) -> str:
    """The address of what these runs would recommend to this person."""
    query = {
        "dataset": dataset.id,
        "user": str(user),
        "runs": ",".join(run.id for run in runs),
        "language": state.language(),
    }
    return f"recommendations?{urlencode(query, quote_via=quote)}"
