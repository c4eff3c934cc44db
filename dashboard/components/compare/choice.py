"""Which runs are beside each other, by what, and against which baseline: all in the URL."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.runs.artifact import Run
from dashboard import state
from dashboard.components import comparison
from dashboard.components.context import Context, runs_of_link
from dashboard.components.labels import metric_label, run_label
from dashboard.components.people import K_ELSEWHERE
from dashboard.state import t
from dashboard.text import literal

MOST_RUNS = 8


def of_tags(evaluated: Sequence[Run]) -> list[Run]:
    """Those of the runs that have all tags of the address; pills to choose tags, if there are."""
    tags_of = {run.id: set(run.notes.tags) for run in evaluated}
    offered = sorted({tag for tags in tags_of.values() for tag in tags})
    asked = list(dict.fromkeys(state.many("tag")))
    if unknown := [tag for tag in asked if tag not in offered]:
        asked = [tag for tag in asked if tag in offered]
        state.amiss("tag", ", ".join(unknown), left=asked)
    if offered:
        key = f"tags_{state.mark(offered)}"
        st.session_state[key] = asked
        st.pills(
            t("compare.tags"),
            offered,
            selection_mode="multi",
            format_func=lambda tag: literal(tag),
            key=key,
            help=t("compare.tags.help"),
            on_change=lambda: state.put_many("tag", st.session_state[key]),
        )
    return [run for run in evaluated if set(asked) <= tags_of[run.id]]


def choose_runs(now: Context, evaluated: Sequence[Run]) -> list[Run]:
    """Those of the address, else the most that were asked the same; with the pinned baseline."""
    labels = state.apart({run.id: run_label(run) for run in evaluated})
    pinned = next((run for run in evaluated if run.id == state.get("baseline")), None)
    alike = comparison.asked_alike(evaluated, pinned) if pinned else []
    chosen = runs_of_link(now, evaluated) or alike or comparison.most_alike(evaluated)
    chosen = chosen[:MOST_RUNS]
    if pinned is not None and pinned not in chosen:
        chosen = [pinned, *chosen[: MOST_RUNS - 1]]
    key = f"pick_runs_{state.mark(labels)}"
    st.session_state[key] = [run.id for run in chosen]

    def changed() -> None:
        ids = st.session_state[key]
        state.put("runs", ",".join(ids) or None)
        if pinned is not None and pinned.id not in ids:
            state.put("baseline", None)

    st.multiselect(
        t("compare.runs", n=MOST_RUNS),
        list(labels),
        format_func=labels.__getitem__,
        key=key,
        max_selections=MOST_RUNS,
        on_change=changed,
    )
    return chosen


def choose_measure(
    runs: Sequence[Run], evaluated: Sequence[Run], hidden: Sequence[str]
) -> tuple[str, int, Run]:
    """The metric, the list length k and the baseline, from three boxes."""
    metric_box, k_box, baseline_box = st.columns(3)
    names = comparison.metric_names(runs, hidden)
    with metric_box:
        name = state.pick(
            "metric",
            names,
            metric_label,
            current=state.one_of("metric", names, "ndcg", elsewhere=hidden),
            title=t("compare.metric"),
        )
    lengths = [str(k) for k in comparison.lengths(runs)]
    with k_box:
        current = state.one_of("k", lengths, "10", elsewhere=K_ELSEWHERE)
        k = state.pick("k", lengths, str, current=current, title=t("compare.k"))
    labels = {run.id: run_label(run) for run in runs}
    floor = next((run.id for run in runs if run.config.model == "popularity"), runs[-1].id)
    with baseline_box:
        baseline = state.pick(
            "baseline",
            list(labels),
            labels.__getitem__,
            current=state.one_of(
                "baseline", list(labels), floor, elsewhere=[run.id for run in evaluated]
            ),
            title=t("compare.baseline"),
        )
    picked = next(run for run in runs if run.id == (baseline or floor))
    return name or names[0], int(k or lengths[0]), picked
