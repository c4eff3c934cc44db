"""Whether a run's explanations say what moves it, as it is kept with the run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from core.errors import CoreError
from core.explain.survey.overview import Overview
from core.pipeline.explanations.faithfulness import PEOPLE
from core.runs.artifact import Run
from core.runs.faithfulness import MAIN, Figure, RunFaithfulness, Standing
from dashboard import cache
from dashboard.charts import swarm
from dashboard.components.explain.case import Case
from dashboard.components.faithfulness import faithful_sentence, order_label
from dashboard.components.labels import day
from dashboard.components.page import figure, table
from dashboard.state import dark, t
from dashboard.text import plain


def faithful(case: Case, overview: Overview) -> None:
    """The figures, if there are any; a button that measures them; how far that is."""
    st.markdown(t("explain.faithful.lead"))
    if case.workspace.read_only:
        st.caption(t("read_only.not_kept"))
    measured = _under_way(case) or case.run.faithfulness
    if measured is not None:
        _figures(measured)
    if measured is None or measured.older:
        key = "explain.faithful.again" if measured else "explain.faithful.measure"
        st.button(
            t(key, n=PEOPLE),
            key="measure_faithfulness",
            icon=":material/rule:",
            on_click=lambda: st.session_state.update({_asked(case.run): True}),
        )


def _asked(run: Run) -> str:
    return f"faithfulness_{run.id}_{run.artifact_hash}"


def _under_way(case: Case) -> RunFaithfulness | None:
    """What is being measured, once somebody asked for it here; None before."""
    if not st.session_state.get(_asked(case.run)):
        return None
    slot = st.empty()
    under_way = cache.measuring(case.workspace, case.run)
    try:
        for _ in under_way:
            slot.progress(under_way.share or 0.0, text=t("explain.faithful.working", n=PEOPLE))
    except CoreError as error:
        del st.session_state[_asked(case.run)]
        st.warning(t("explain.faithful.failed", problem=str(error)), icon=":material/warning:")
    slot.empty()
    return under_way.last


def _figures(measured: RunFaithfulness) -> None:
    said = {"people": measured.people, "events": measured.events, "day": day(measured.created)}
    if measured.older:
        st.warning(t("explain.faithful.older", **said), icon=":material/history:")
    st.caption(t("explain.faithful.conditions", **said))
    standings = measured.standings()
    st.markdown(faithful_sentence(measured))
    _ahead(measured, standings)
    _means(measured)


def _means(measured: RunFaithfulness) -> None:
    """Each order's figures with their standard errors."""
    names = {m: f"{m} {'↑' if measured.more_is_better[m] else '↓'}" for m in MAIN}
    frame = pd.DataFrame(
        [
            {"order": plain(order_label(order)), **{m: _plus_minus(own.get(m)) for m in MAIN}}
            for order, own in measured.means.items()
        ]
    )
    column = st.column_config.TextColumn
    columns = {"order": column(t("explain.faithful.order"))} | {m: column(names[m]) for m in MAIN}
    table(frame, alt=t("explain.faithful.table.alt"), key="faithful_means", columns=columns)
    st.caption(t("explain.faithful.measures"))


def _plus_minus(own: Figure | None) -> str:
    if own is None or math.isnan(own.mean):
        return "–"
    return f"{own.mean:.3f} ± {own.se:.3f}"


def _ahead(measured: RunFaithfulness, standings: Sequence[Standing]) -> None:
    """How many standard errors values are ahead, by order and measure."""
    rows = [
        {
            "group": group,
            "measure": m,
            "errors": own.mean / own.se if own.se else 0.0,
            "text": f"{own.mean:+.3f} ± {own.se:.3f}",
        }
        for group, standing in enumerate(standings)
        for m in MAIN
        if (own := measured.ahead[standing.order].get(m)) and (own.se > 0 or own.mean == 0)
    ]
    if not rows:
        return
    drawn = swarm.ahead(
        pd.DataFrame(rows),
        names=[plain(order_label(standing.order)) for standing in standings],
        x=t("explain.faithful.axis"),
        dark=dark(),
    )
    figure(
        drawn, alt=t("explain.faithful.alt", said=faithful_sentence(measured)), key="faithful_ahead"
    )
