"""What a model goes by over many users: tabs, each worked out once it is opened."""

from __future__ import annotations

import numpy as np
import streamlit as st

from core.explain.survey.overview import Overview
from dashboard import cache
from dashboard.components.explain.case import Case
from dashboard.components.explain.everyone.cases import cases
from dashboard.components.explain.everyone.cohorts import cohorts
from dashboard.components.explain.everyone.faithful import faithful
from dashboard.components.explain.everyone.items import items
from dashboard.components.explain.everyone.others import others
from dashboard.components.explain.everyone.values import values
from dashboard.state import mark, t

TABS = {
    "values": values,
    "items": items,
    "cases": cases,
    "cohorts": cohorts,
    "others": others,
    "faithful": faithful,
}


def everyone(case: Case) -> None:
    """It takes a while, and says how far it is."""
    slot = st.empty()
    under_way = cache.survey(case.workspace, case.run)
    for _ in under_way:
        slot.progress(under_way.share or 0.0, text=t("explain.all.working"))
    slot.empty()
    if under_way.last is not None:
        _survey(case, under_way.last)


def _survey(case: Case, overview: Overview) -> None:
    share = float(np.mean(overview.base_share))
    said = {"users": len(overview.rows), "k": overview.k, "base": share, "history": 1 - share}
    st.markdown(t("explain.all.lead", **said))
    names = [str(t(f"explain.all.tab.{name}")) for name in TABS]
    tabs = st.tabs(names, key=f"all_tabs_{mark(names)}", on_change="rerun")
    for tab, draw in zip(tabs, TABS.values(), strict=True):
        if tab.open:
            with tab:
                draw(case, overview)
