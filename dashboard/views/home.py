"""What is here, and what can be done with it?"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.data.limits import size_in_words
from core.data.store import DatasetInfo
from core.holdings import folder_size
from core.runs.artifact import Run
from dashboard import cache, state
from dashboard.components import comparison
from dashboard.components.comparison import HEADLINE
from dashboard.components.context import Context, context
from dashboard.components.data.quality import findings_sentence
from dashboard.components.jobs import follow
from dashboard.components.keeping import archived, tell
from dashboard.components.labels import day, metric_label, model_label, run_label, seconds_label
from dashboard.components.page import empty, heading, link, section, table
from dashboard.components.sample import use_sample_data
from dashboard.components.shortcuts import shortcuts_sentence
from dashboard.state import t
from dashboard.text import Text, plain, strong

MOST_CARDS = 6
ROW_OF_CARDS = 3


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
    run, counts = now.shown_run, now.dataset.counts
    about = {
        "name": now.dataset.name,
        **{"events": counts["rows_kept"], "users": counts["users"], "items": counts["items"]},
    }
    if run is None:
        heading("home", t("home.answer.untrained", **about))
        _found(now.dataset)
    else:
        # Deferred: it loads torch, whose seconds a first page without runs need not cost.
        from dashboard.components.story import story
        from dashboard.map.link import map_link

        heading("home", t("home.answer", run=run_label(run), **about))
        fill_in_why = story(now, now.dataset, run)
        worth, learnt, data = st.columns([4, 3, 3], gap="medium")
        with worth:
            _beside(run, now.runs)
            _more_accurate(now.runs, run)
        with learnt:
            st.markdown(strong(t("home.map")))
            map_link(now, run)
        fill_in_why()
        with data:
            _found(now.dataset)
    _datasets(now.datasets)
    _models(cache.finished_runs(now.workspace))
    archived(now.workspace)


def _beside(run: Run, runs: list[Run]) -> None:
    """What it is worth in people, and beside rules that need no learning."""
    hits = comparison.hits_sentence(run, runs)
    rules = run.metrics.shortcuts if run.metrics else None
    if hits is None and rules is None:
        return
    st.markdown(strong(t("home.beside")))
    if hits is not None:
        st.markdown(hits)
    link("compare", t("action.compare"), icon=":material/balance:")
    if rules is not None:
        st.caption(shortcuts_sentence(run, rules))


def _found(dataset: DatasetInfo) -> None:
    """How many findings the log has, and the way to them."""
    st.markdown(strong(t("home.data")))
    st.markdown(findings_sentence(dataset))
    link("data", t("action.look"), icon=":material/database:")


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
    interval = run.metrics.metrics.get(HEADLINE) if run.metrics else None
    return None if interval is None else interval.mean


def _models(runs: list[Run]) -> None:
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
            HEADLINE: [_accuracy(run) for run in runs],
            "time": [plain(seconds_label(run.seconds)) for run in runs],
            "day": [day(run.created) for run in runs],
        }
    )
    number = st.column_config.NumberColumn(metric_label(HEADLINE), format="%.4f")
    table(
        frame,
        alt=t("home.models.alt", n=len(frame)),
        key="models_table",
        columns={HEADLINE: number},
    )
    link("compare", t("action.compare"), icon=":material/balance:")


def _more_accurate(runs: list[Run], run: Run) -> None:
    """Says which run did better on the same questions, where one did, and chooses it on a click."""
    mine = _accuracy(run)
    better = comparison.best(comparison.asked_alike(runs, run), HEADLINE)
    theirs = _accuracy(better) if better else None
    if better is None or mine is None or theirs is None or theirs <= mine:
        return
    metric, label = metric_label(HEADLINE), run_label(better)
    values = {"value": f"{theirs:.4f}", "mine": f"{mine:.4f}"}
    st.caption(t("home.person.better", run=label, metric=metric, **values))
    st.button(
        t("home.person.choose", run=label),
        key="choose_best",
        icon=":material/swap_horiz:",
        on_click=lambda: state.put("run", better.id),
    )


main(context())
