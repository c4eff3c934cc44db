"""What is here, and what can be done with it?"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core import jobs
from core.data.limits import size_in_words
from core.data.store import DatasetInfo
from core.holdings import folder_size
from core.runs.artifact import Run
from dashboard import cache, state
from dashboard.components import comparison
from dashboard.components.context import Context, context
from dashboard.components.jobs import follow, live_jobs
from dashboard.components.keeping import archived, tell
from dashboard.components.labels import day, metric_label, model_label, run_label, seconds_label
from dashboard.components.page import empty, heading, link, section, table
from dashboard.components.people import history_table, list_table, person
from dashboard.components.sample import use_sample_data
from dashboard.state import t
from dashboard.text import Text, plain, strong

MOST_CARDS = 6
ROW_OF_CARDS = 3
SHOWN = "ndcg@10"
K = 8


def main(now: Context) -> None:
    follow(now.workspace)
    tell(now.workspace)
    if not now.datasets or now.dataset is None:
        heading("home", t("home.answer.empty"))
        empty(t("home.empty.what"), t("home.empty.why"))
        use_sample_data(now.workspace)
        link("data", t("action.add_data"), icon=":material/upload:")
        archived(now.workspace)
        return
    runs = cache.finished_runs(now.workspace)
    counts = now.dataset.counts
    heading(
        "home",
        t(
            "home.answer",
            datasets=t("home.count.datasets", n=len(now.datasets)),
            runs=t("home.count.runs", n=len(runs)),
            name=now.dataset.name,
            events=counts["rows_kept"],
            users=counts["users"],
            items=counts["items"],
        ),
    )
    if jobs.active(now.workspace):
        st.caption(t("home.training"))
    _datasets(now.datasets)
    recommended = st.container()  # filled last: it may have to load a model
    live_jobs(now.workspace)
    _models(now, runs)
    if now.shown_run:
        with recommended:
            _person(now, now.shown_run)
    archived(now.workspace)


def _datasets(datasets: list[DatasetInfo]) -> None:
    section("home.datasets")
    shown = datasets[:MOST_CARDS]
    for start in range(0, len(shown), ROW_OF_CARDS):
        row = shown[start : start + ROW_OF_CARDS]
        for box, info in zip(st.columns(ROW_OF_CARDS), row, strict=False):
            with box, st.container(border=True, height="stretch", key=f"card_{info.id}"):
                _card(info)
    link("data", t("action.add_data"), icon=":material/upload:")


def _card(info: DatasetInfo) -> None:
    counts = info.counts
    st.markdown(strong(info.name))
    lines = [
        t("home.card.events", n=counts["rows_kept"]),
        t("home.card.users", n=counts["users"]),
        t("home.card.items", n=counts["items"]),
    ]
    st.markdown(Text(" · ").join(lines))
    if info.time_kind == "clock":
        first, last = day(info.meta["first_time"]), day(info.meta["last_time"])
        st.caption(t("home.card.span", first=first, last=last))
    if counts["rows_rejected"]:
        st.caption(t("home.card.rejected", n=counts["rows_rejected"]))
    st.caption(t("keep.size", size=size_in_words(folder_size(info.folder))))
    link("data", t("action.look"), icon=":material/database:", dataset=info.id)
    link("train", t("action.go_train"), icon=":material/model_training:", dataset=info.id)


def _accuracy(run: Run) -> float | None:
    interval = run.metrics.metrics.get(SHOWN) if run.metrics else None
    return None if interval is None else interval.mean


def _models(now: Context, runs: list[Run]) -> None:
    section("home.models")
    if not runs:
        empty(t("home.no_runs.what"), t("home.no_runs.why"))
        link("train", t("action.go_train"), icon=":material/model_training:")
        return
    frame = pd.DataFrame(
        {
            "model": [plain(model_label(run.config.model)) for run in runs],
            "name": [run.name if run.name != run.config.model else "–" for run in runs],
            "dataset": [run.dataset_name for run in runs],
            SHOWN: [_accuracy(run) for run in runs],
            "time": [plain(seconds_label(run.seconds)) for run in runs],
            "day": [day(run.created) for run in runs],
        }
    )
    number = st.column_config.NumberColumn(metric_label(SHOWN), format="%.4f")
    table(
        frame,
        alt=t("home.models.alt", n=len(frame)),
        key="models_table",
        columns={SHOWN: number},
    )
    link("compare", t("action.compare"), icon=":material/balance:")


def _person(now: Context, run: Run) -> None:
    if now.dataset is None:
        return
    section("home.person")
    user = person(now.dataset)
    with st.spinner(t("recommendations.computing", run=run_label(run))):
        found = cache.recommendations(now.workspace, run, user, K, True)
    st.markdown(t("home.person.lead", user=user, run=run_label(run)))
    _more_accurate(now.runs, run)
    left, right = st.columns(2)
    with left:
        history_table(now.dataset, user, most=K)
    with right:
        list_table(now.dataset, run, user, found.assign(shared=1), 1)
    link("recommendations", t("action.recommendations"), icon=":material/recommend:", user=user)


def _more_accurate(runs: list[Run], run: Run) -> None:
    """Says which run did better on the same questions, where one did, and chooses it on a click."""
    mine = _accuracy(run)
    better = comparison.best(comparison.asked_alike(runs, run), SHOWN)
    theirs = _accuracy(better) if better else None
    if better is None or mine is None or theirs is None or theirs <= mine:
        return
    metric, label = metric_label(SHOWN), run_label(better)
    values = {"value": f"{theirs:.4f}", "mine": f"{mine:.4f}"}
    st.caption(t("home.person.better", run=label, metric=metric, **values))
    st.button(
        t("home.person.choose", run=label),
        key="choose_best",
        icon=":material/swap_horiz:",
        on_click=lambda: state.put("run", better.id),
    )


main(context())
