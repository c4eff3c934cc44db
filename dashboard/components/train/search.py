"""A search for better settings: what is asked, how it goes, what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from core import jobs, tune
from core.data.store import DatasetInfo, Workspace
from core.errors import BadInput
from core.runs.artifact import Run
from core.tune.result import SearchResult
from core.types import Params
from dashboard import cache, state
from dashboard.charts.search import best_so_far, importance
from dashboard.components.labels import (
    day,
    metric_label,
    model_label,
    run_label,
    seconds_label,
    text_or,
)
from dashboard.components.page import figure, link, section, table
from dashboard.components.read_only import writing_button
from dashboard.components.train.conditions import Conditions
from dashboard.state import dark, mark, t
from dashboard.text import Text, literal, plain


def search_form(
    dataset: DatasetInfo,
    params: Mapping[str, Params],
    encoders: Mapping[str, Mapping[str, str]],
    conditions: Conditions,
) -> None:
    """Asks what to search, and starts it.

    Args:
        dataset: Where.
        params: Model → the settings that are not searched.
        encoders: Model → what it is to read, as `encoders_form` gives it.
        conditions: Of all trials.
    """
    with st.expander(t("search.title"), icon=":material/manage_search:"):
        models = list(params)
        searched = [place for place, model in enumerate(models) if model in tune.SPACES]
        model = st.selectbox(
            t("column.model"),
            models,
            index=searched[0] if searched else 0,
            format_func=lambda name: plain(model_label(name)),
            key=f"search_model_{mark(models)}",
        )
        if model in tune.INSTEAD:
            st.info(text_or(f"search.instead.{model}", tune.INSTEAD[model]), icon=":material/info:")
            return
        st.markdown(t("search.lead"))
        space, fixed = _space(model)
        first, second = st.columns(2)
        trials = first.number_input(
            t("search.trials"), min_value=1, value=20, step=1, key="search_trials"
        )
        minutes = second.number_input(
            t("param.minutes"),
            min_value=0.0,
            value=None,
            step=1.0,
            key="search_minutes",
            help=t("search.minutes.help"),
            placeholder=t("search.minutes.placeholder"),
        )
        workspace, icon = cache.workspace(), ":material/manage_search:"
        if not writing_button(t("action.search"), workspace, key="search", icon=icon):
            return
        others = {key: value for key, value in params[model].items() if key not in space}
        try:
            asked = conditions.request(dataset, model, {**others, **fixed}, encoders.get(model, {}))
            search = tune.plan_search(
                workspace,
                asked,
                space=space,
                trials=int(trials),
                minutes=minutes,
                evaluate=True,
            )
            state.put("run", tune.start_search(workspace, search))
        except BadInput as error:
            st.error(literal(error), icon=":material/error:")
            return
    st.rerun()


def _space(model: str) -> tuple[dict[str, str], dict[str, str]]:
    """What is searched and where, and what is fixed instead; an empty box is neither."""
    boxes = st.columns(2)
    written = {
        name: boxes[place % 2].text_input(_setting(name), value=usual, key=f"space_{model}_{name}")
        for place, (name, usual) in enumerate(tune.SPACES[model].items())
    }
    space = {name: text for name, text in written.items() if ".." in text or "|" in text}
    return space, {
        k: text.strip() for k, text in written.items() if text.strip() and k not in space
    }


def trial_curve(workspace: Workspace, search: str) -> None:
    """The best so far by trial; nothing before the first, or once the best settings are trained."""
    told = [line for line in jobs.epochs(workspace, search) if "trial" in line]
    if not told:
        return
    last = told[-1]
    st.caption(t("search.trial", trial=last["trial"], trials=last["trials"], best=last["best"]))
    if len(told) < 2:
        return
    drawn = best_so_far(
        pd.DataFrame(told, columns=["trial", "validation", "best"]).astype({"validation": float}),
        x=t("column.trial"),
        y=metric_label("ndcg@10"),
        each=t("search.each"),
        best=t("search.best_so_far"),
        dark=dark(),
    )
    figure(drawn, alt=t("search.curve.alt", n=len(told), best=last["best"]), key=f"trials_{search}")


def found(workspace: Workspace, dataset: DatasetInfo, runs: Sequence[Run]) -> None:
    """What the finished searches of this dataset found; nothing if there are none."""
    results = {result.search: result for result in tune.finished_searches(workspace, dataset.id)}
    if not results:
        return
    section("search.found")
    chosen = next(iter(results))
    if len(results) > 1:
        asked = state.get("run")
        chosen = st.selectbox(
            t("search.which"),
            list(results),
            index=list(results).index(asked) if asked in results else 0,
            format_func=lambda ident: plain(_label(results[ident])),
            key=f"found_{mark(results)}",
        )
    result = results[chosen]
    _best(result)
    _run(next((run for run in runs if run.id == result.run), None))
    _importance(result)
    _trials(result)


def _label(result: SearchResult) -> str:
    return f"{model_label(result.model)} · {day(result.created)} · {result.search[:6]}"


def _best(result: SearchResult) -> None:
    best, start = result.best, result.default_validation
    told = {"model": model_label(result.model), "best": best.validation, "start": start}
    if start is None:
        st.markdown(t("search.best", **told))
    elif best.validation > start:
        st.markdown(t("search.better", **told))
    else:
        st.markdown(t("search.no_better", **told))
    counts = {key: getattr(result, key) for key in ("trials", "pruned", "failed")}
    st.caption(t("search.counts", **counts, seconds=seconds_label(result.seconds)))
    rows = [
        {
            "setting": plain(_setting(name)),
            "default": str(result.defaults[name]),
            "best": str(value),
        }
        for name, value in best.params.items()
    ]
    table(pd.DataFrame(rows), alt=t("search.settings.alt", n=len(rows)), key="best_settings")


def _run(run: Run | None) -> None:
    """The way to the run of the best settings."""
    if run is None:
        st.caption(t("search.run_gone"))
        return
    label = t("search.run", run=run_label(run))
    link("recommendations", label, icon=":material/recommend:", run=run.id)


def _importance(result: SearchResult) -> None:
    shares = result.importance
    if not shares:
        st.caption(t("search.importance.none"))
        return
    frame = pd.DataFrame(
        {"setting": [plain(_setting(name)) for name in shares], "share": shares.values()}
    )
    drawn = importance(frame, x=t("search.importance"), dark=dark())
    first = max(shares, key=shares.__getitem__)
    alt = t("search.importance.alt", setting=_setting(first), share=shares[first])
    figure(drawn, alt=alt, key="importance")


def _trials(result: SearchResult) -> None:
    rows = [
        {
            "trial": trial.trial,
            "state": plain(t(f"state.{trial.state}")),
            "ndcg@10": trial.validation,
            **{plain(_setting(name)): value for name, value in trial.params.items()},
            "seconds": trial.seconds,
            "message": trial.message,
        }
        for trial in result.history
    ]
    frame = pd.DataFrame(rows)
    if not frame["message"].any():
        frame = frame.drop(columns="message")
    table(
        frame,
        alt=t("search.trials.alt", n=len(rows)),
        key="trials",
        columns={
            "ndcg@10": st.column_config.NumberColumn(metric_label("ndcg@10"), format="%.4f"),
            "seconds": st.column_config.NumberColumn(t("column.seconds"), format="%.1f"),
        },
    )


def _setting(name: str) -> Text:
    return text_or(f"param.{name}", name.replace("_", " "))
