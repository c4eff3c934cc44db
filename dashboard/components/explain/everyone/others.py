"""Whether another run of the same data has the same reasons for what this one recommends."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.explain.survey.agreement import Agreement, CaseAgreement
from core.explain.survey.overview import Overview
from core.runs.artifact import Run
from dashboard import cache, state
from dashboard.components.explain.case import Case
from dashboard.components.explain.everyone.ways import MOST
from dashboard.components.labels import run_label
from dashboard.components.page import table
from dashboard.components.people import why_address
from dashboard.state import mark, t
from dashboard.text import plain


def others(case: Case, overview: Overview) -> None:
    """A box of runs; once one is chosen, how far its reasons agree, and where they do least."""
    runs = [run for run in cache.finished_runs(case.workspace) if _comparable(case, run)]
    if not runs:
        st.caption(t("explain.all.others.none"))
        return
    other = _choose(runs)
    if other is None:
        return
    slot = st.empty()
    under_way = cache.agreeing(case.workspace, case.run, other, overview)
    for _ in under_way:
        slot.progress(under_way.share or 0.0, text=t("explain.all.others.working"))
    slot.empty()
    if under_way.last is not None:
        _agreement(case, other, under_way.last)


def _comparable(case: Case, run: Run) -> bool:
    return run.config.dataset == case.run.config.dataset and run.id != case.run.id


def _choose(runs: list[Run]) -> Run | None:
    labels = state.apart({run.id: run_label(run) for run in runs})
    chosen = st.selectbox(
        t("explain.all.others"),
        list(labels),
        index=None,
        format_func=labels.__getitem__,
        key=f"all_other_{mark(labels)}",
    )
    return next((run for run in runs if run.id == chosen), None)


def _agreement(case: Case, other: Run, own: Agreement) -> None:
    runs = {"run": run_label(case.run), "other": run_label(other)}
    if not own.people:
        st.markdown(t("explain.all.others.nobody", **runs))
        return
    figures = {"rho": f"{own.rho:+.2f}", "ceiling": f"{own.ceiling:+.2f}", "shared": own.shared}
    ends = {"low": f"{own.low:+.2f}", "high": f"{own.high:+.2f}"}
    said = {**runs, **figures, **ends, "people": own.people}
    st.markdown(t(f"explain.all.others.{own.verdict}", **said))
    if own.left_out:
        st.caption(t("explain.all.others.left_out", n=own.left_out))
    apart = own.cases[:MOST]
    named = (each.strongest for each in apart), (each.other_strongest for each in apart)
    case.learn(item for side in named for item in side if item is not None)
    case.learn(each.item for each in apart)
    frame = pd.DataFrame([_row(case, each) for each in apart])
    column = st.column_config
    names = {name: plain(t(f"explain.all.others.{name}")) for name in _NAMES}
    columns = {name: column.TextColumn(label) for name, label in names.items()}
    columns["open"] = column.LinkColumn(names["open"], display_text="→", width="small")
    columns["other_rank"] = column.NumberColumn(names["other_rank"], format="localized")
    table(
        frame,
        alt=t("explain.all.others.alt", n=len(frame), other=runs["other"]),
        key=f"all_others_{other.id}",
        columns=columns,
    )
    st.caption(t("explain.all.others.lead"))


_NAMES = ("open", "agree", "common", "own_cause", "other_cause", "other_rank")


def _row(case: Case, each: CaseAgreement) -> dict[str, object]:
    """One person and item; ✗ where the order of the causes is surely another."""
    data = cache.loaded(case.workspace, case.run).load_dataset()
    user = str(data.users.decode(data.interactions.queries().users[each.row : each.row + 1])[0])
    mark_of = "≠ " if each.differs else ""
    return {
        "open": why_address(case.dataset, case.run, user, case.id(each.item)),
        "user_id": user,
        "label": case.name(each.item),
        "agree": f"{mark_of}{each.rho:+.2f} ± {each.se:.2f}",
        "common": f"{each.shared:.0%}",
        "own_cause": None if each.strongest is None else case.name(each.strongest),
        "other_cause": None if each.other_strongest is None else case.name(each.other_strongest),
        "other_rank": each.other_rank,
    }
