"""Is it learning, and when will it be done?"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core import jobs
from core.data.info import is_archived
from core.data.limits import size_in_words
from core.data.store import DatasetInfo
from core.errors import BadInput
from core.holdings import folder_size
from core.runs.config import model_class
from dashboard import cache, state
from dashboard.components.context import Context, context
from dashboard.components.jobs import ended_label, live_jobs, state_label
from dashboard.components.keeping import choose_run, resume_button, tell
from dashboard.components.labels import day, metric_label, model_label, seconds_label, split_label
from dashboard.components.page import empty, heading, link, section, table
from dashboard.components.read_only import writing_button
from dashboard.components.train.clone import cloned_run
from dashboard.components.train.conditions import conditions_form, planned_split
from dashboard.components.train.encoders_form import encoders_form
from dashboard.components.train.findings import show_findings
from dashboard.components.train.keys import keyed
from dashboard.components.train.model_form import model_form
from dashboard.components.train.search import found, search_form
from dashboard.state import t
from dashboard.text import Text, literal, plain

FIRST_CHOICE = ("popularity", "item_knn", "ease")


def main(now: Context) -> None:
    tell(now.workspace)
    heading("train", _answer(now))
    if now.dataset is None:
        empty(t("train.empty.what"), t("train.empty.why"))
        link("data", t("action.add_data"), icon=":material/upload:")
        return
    if jobs.active(now.workspace):
        section("train.live")
    live_jobs(now.workspace, cancel=True)
    _ended(now)
    if now.run:
        show_findings(now.run)
    _start(now, now.dataset)
    found(now.workspace, now.dataset, now.runs)
    _all_runs(now)
    choose_run(now.workspace, now.dataset.id)


def _answer(now: Context) -> Text:
    active = jobs.active(now.workspace)
    if active:
        return t("train.answer.active", n=len(active))
    if now.runs and now.dataset:
        last = now.runs[0]
        return t(
            "train.answer.done",
            n=len(now.runs),
            dataset=now.dataset.name,
            model=model_label(last.config.model),
            seconds=seconds_label(last.seconds),
        )
    return t("train.answer.none")


def _ended(now: Context) -> None:
    """How the run of the URL ended, if it did not end well."""
    status = cache.job(now.workspace, state.get("run"))
    if status and status.state in ("failed", "killed", "cancelled"):
        st.warning(
            t(
                "search.ended" if status.kind == jobs.SEARCH else "train.ended",
                name=model_label(status.model),
                state=state_label(status.state),
                message=ended_label(status),
            ),
            icon=":material/warning:",
        )
        resume_button(now.workspace, status.run_id, key="resume")


def _start(now: Context, dataset: DatasetInfo) -> None:
    section("train.start")
    cloned = cloned_run(now)
    names = cache.model_names()
    first = (cloned.config.model,) if cloned else FIRST_CHOICE
    chosen = st.multiselect(
        t("train.models"),
        names,
        default=[name for name in first if name in names],
        format_func=lambda name: plain(model_label(name)),
        key=keyed("models", cloned),
        help=t("train.models.help"),
        placeholder=t("train.models.placeholder"),
    )
    planned = planned_split(dataset, cloned)
    alike = [run for run in now.runs if run.config.split == planned]
    params = {model: model_form(model, alike, cloned) for model in chosen}
    reading = [m for m in chosen if model_class(m).needs_features and "components" not in params[m]]
    # a fusion reads what its components do
    encoders = dict.fromkeys(reading, encoders_form(dataset, cloned)) if reading else {}
    conditions = conditions_form(dataset, chosen, cloned)
    workspace = now.workspace
    pressed = writing_button(
        t("action.train", n=len(chosen)),
        workspace,
        type="primary",
        key="start",
        icon=":material/play_arrow:",
        disabled=not chosen,
    )
    if pressed:
        run = None
        try:
            for model in chosen:
                asked = conditions.request(dataset, model, params[model], encoders.get(model, {}))
                run = jobs.start_training(workspace, asked)
        except BadInput as error:
            st.error(literal(error), icon=":material/error:")
            return
        finally:
            if run is not None:
                state.put("run", run)  # the last that has started
        st.rerun()
    if chosen:
        search_form(dataset, params, encoders, conditions)


def _all_runs(now: Context) -> None:
    section("train.runs")
    mine = [
        s
        for s in (jobs.statuses(now.workspace) if now.dataset else [])
        if s.kind == jobs.RUN and now.dataset and s.dataset == now.dataset.id
        if not is_archived(jobs.folder_of(now.workspace, s.run_id))
    ]
    finished = {run.id: run for run in now.runs}
    if not mine and not finished:
        empty(t("train.no_runs.what"), t("train.no_runs.why"))
        return
    rows = []
    for status in mine:
        run = finished.get(status.run_id)
        ndcg = run.metrics.metrics.get("ndcg@10") if run and run.metrics else None
        rows.append(
            {
                "run": status.run_id[:6],
                "model": plain(model_label(status.model)),
                "name": status.name if status.name != status.model else "–",
                "state": plain(state_label(status.state)),
                "split": plain(split_label(run.config.split, run.config.cut)) if run else "–",
                "ndcg@10": ndcg.mean if ndcg else None,
                "seconds": run.seconds if run else status.seconds,
                "day": day(status.queued),
                "size": size_in_words(folder_size(jobs.folder_of(now.workspace, status.run_id))),
                "message": plain(ended_label(status)),
            }
        )
    frame = pd.DataFrame(rows)
    said = {"message": frame["message"] != "", "name": frame["name"] != "–"}
    frame = frame.drop(columns=[column for column, any_row in said.items() if not any_row.any()])
    table(
        frame,
        alt=t("train.runs.alt", n=len(rows)),
        key="all_runs",
        columns={
            "ndcg@10": st.column_config.NumberColumn(metric_label("ndcg@10"), format="%.4f"),
            "seconds": st.column_config.NumberColumn(t("column.seconds"), format="%.1f"),
        },
    )
    if finished:
        link("compare", t("action.compare"), icon=":material/balance:")
        link("recommendations", t("action.recommendations"), icon=":material/recommend:")


main(context())
