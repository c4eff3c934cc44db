"""What would this person get?"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from core.data.store import DatasetInfo
from core.errors import BadInput
from core.recommend.rerank import METHODS, Rerank
from core.recommend.rules import Rules
from core.runs.artifact import Run
from dashboard import cache, state
from dashboard.components.cards import card_style
from dashboard.components.context import Context, context, runs_of_link
from dashboard.components.download import csv_buttons
from dashboard.components.labels import run_label
from dashboard.components.page import empty, first_step, heading
from dashboard.components.people import (
    hides_seen,
    history_table,
    length,
    list_table,
    person,
    whose_list,
)
from dashboard.components.rules import rules_box, rules_cost
from dashboard.state import t

MOST_RUNS = 3
MOST_EVENTS = 200
LENGTHS = (5, 10, 20, 50)
COLUMNS = ("run", "user_id", "item_id", "rank", "score", "model_rank")  # of the CSV
STRENGTHS = tuple(f"{n / 10:g}" for n in range(11))


def main(now: Context) -> None:
    if now.dataset is None or not now.runs:
        heading("recommendations", t("recommendations.answer.none"))
        empty(t("recommendations.empty.what"), t("recommendations.empty.why"))
        first_step(now.dataset)
        return
    user, runs, k, rerank = person(now.dataset), _runs(now), length(LENGTHS), _rerank()
    top = st.container()  # the answer is known once the runs have been asked
    card_style()
    whose_list(now.dataset, user, LENGTHS, hides=True)
    which, order = st.columns([7, 3])
    with which:
        _run_box(now, runs)
    with order:
        _rerank_box(rerank)
    _strength_box(rerank)
    rules = rules_box(now.dataset, runs[0], now.workspace)
    if rerank and rules:
        st.caption(t("rules.instead"))
        rerank = None
    lists = {}
    for run in runs:
        with st.spinner(t("recommendations.computing", run=run_label(run))):
            lists[run.id] = _list(now, run, user, k, rerank, rules)
    with top:
        _answer(now.dataset, user, runs, lists, k)
    _side_by_side(now.dataset, user, runs, lists)
    if rules:
        _ruled(now, runs[0], rules, lists, k)
    _download(user, runs, lists)


def _runs(now: Context) -> list[Run]:
    """The runs of the URL, else the chosen one and the newest run of each other model."""
    if asked := runs_of_link(now, now.runs):
        return asked[:MOST_RUNS]
    newest: dict[str, Run] = {}
    for run in [*([now.run] if now.run else []), *now.runs]:
        newest.setdefault(run.config.model, run)
    return list(newest.values())[:MOST_RUNS]


def _rerank() -> Rerank | None:
    method, strength = state.one_of("rerank", ("none", *METHODS), "none"), _strength()
    return Rerank(method, float(strength)) if method and method in METHODS else None


def _strength() -> str:
    return state.one_of("strength", STRENGTHS, f"{Rerank.strength:g}") or ""


def _list(
    now: Context, run: Run, user: str, k: int, rerank: Rerank | None, rules: Rules
) -> pd.DataFrame:
    """What the run recommends; in its own order where the re-ranking has nothing to go by."""
    hide = hides_seen()
    try:
        return cache.recommendations(now.workspace, run, user, k, hide, rerank, rules)
    except BadInput:
        if rerank is None:
            raise
        sentence = t(f"rerank.{rerank.method}.nothing", run=run_label(run))
        st.warning(sentence, icon=":material/low_priority:")
        return cache.recommendations(now.workspace, run, user, k, hide)


def _rerank_box(rerank: Rerank | None) -> None:
    state.pick(
        "rerank",
        ["none", *METHODS],
        lambda name: t(f"rerank.{name}"),
        current=rerank.method if rerank else "none",
        title=t("rerank.title"),
    )


def _strength_box(rerank: Rerank | None) -> None:
    if rerank is None:
        return
    st.session_state["strength"] = _strength()
    st.select_slider(
        t("rerank.strength"),
        STRENGTHS,
        key="strength",
        help=t("rerank.strength.help"),
        on_change=lambda: state.put("strength", st.session_state["strength"]),
    )
    st.caption(t(f"rerank.{rerank.method}.about"))


def _run_box(now: Context, runs: list[Run]) -> None:
    labels = state.apart({run.id: run_label(run) for run in now.runs})
    key = f"pick_runs_{state.mark(labels)}"
    st.session_state[key] = [run.id for run in runs]
    st.multiselect(
        t("recommendations.runs", n=MOST_RUNS),
        list(labels),
        format_func=labels.__getitem__,
        key=key,
        max_selections=MOST_RUNS,
        on_change=lambda: state.put("runs", ",".join(st.session_state[key]) or None),
    )


def _answer(
    dataset: DatasetInfo, user: str, runs: list[Run], lists: Mapping[str, pd.DataFrame], k: int
) -> None:
    shared = set.intersection(*(set(found["item_id"]) for found in lists.values()))
    heading(
        "recommendations",
        t(
            "recommendations.answer",
            user=user,
            events=len(cache.history(dataset, user)),
            k=k,
            n=len(runs),
            shared=len(shared),
            run=run_label(runs[0]),
        ),
    )


def _side_by_side(
    dataset: DatasetInfo, user: str, runs: list[Run], lists: Mapping[str, pd.DataFrame]
) -> None:
    times = pd.concat([found["item_id"] for found in lists.values()]).value_counts()
    columns = st.columns([1.3, *[1] * len(runs)])
    with columns[0]:
        history_table(dataset, user, most=MOST_EVENTS)
    for column, run in zip(columns[1:], runs, strict=True):
        with column:
            found = lists[run.id]
            found = found.assign(shared=found["item_id"].map(times))
            list_table(dataset, run, user, found, len(runs))
    if len(runs) > 1 and not any("model_rank" in found for found in lists.values()):
        st.caption(t("recommendations.shared", n=len(runs)))


def _ruled(now: Context, run: Run, rules: Rules, lists: Mapping[str, pd.DataFrame], k: int) -> None:
    """What the rules did to these lists, and what they cost."""
    short = sum(len(found) < k for found in lists.values())
    st.caption(t("rules.about") + (" " + t("rules.short", n=short, k=k) if short else ""))
    rules_cost(now.workspace, run, rules, k, hide_seen=hides_seen())


def _download(user: str, runs: list[Run], lists: Mapping[str, pd.DataFrame]) -> None:
    frame = pd.concat([lists[run.id].assign(run=run.id, user_id=user) for run in runs])
    columns = [name for name in COLUMNS if name in frame]
    csv_buttons(lambda: frame[columns], name="recommendations", key="download")


main(context())
