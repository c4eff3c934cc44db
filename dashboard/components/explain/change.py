"""What would take an item off the list: which events, where it would stand, what comes instead."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.explain.counterfactual import Counterfactual
from dashboard.components.explain.case import Case
from dashboard.components.page import ROW, section, table
from dashboard.state import t
from dashboard.text import literal


def change_details(case: Case, counterfactual: Counterfactual | None) -> None:
    """The counterfactual with its figures, and a way to try it out."""
    section("explain.change")
    if counterfactual is None:
        st.caption(t("explain.change.unlisted" if not case.listed else "explain.change.no_history"))
        return
    if not counterfactual.exists:
        st.markdown(t("explain.change.stays", rank=counterfactual.rank_after, k=counterfactual.k))
        return
    before, after, share = st.columns(3)
    before.metric(
        t("explain.change.before"), literal(f"{counterfactual.rank_before:,}"), border=True
    )
    after.metric(t("explain.change.after"), literal(f"{counterfactual.rank_after:,}"), border=True)
    share.metric(
        t("explain.change.gone"),
        literal(f"{len(counterfactual.removed):,} / {counterfactual.events:,}"),
        border=True,
    )
    if counterfactual.replaced_by is not None:
        st.markdown(t("explain.change.instead", item=case.name(counterfactual.replaced_by)))
    key = "explain.change.smallest" if counterfactual.smallest else "explain.change.searched"
    st.caption(t(key, n=counterfactual.evaluations))
    _removed(case, counterfactual)


def _removed(case: Case, counterfactual: Counterfactual) -> None:
    """The events that would have to be gone."""
    items = case.query.items[list(counterfactual.removed)]
    columns: dict[str, object] = {"number": [event + 1 for event in counterfactual.removed]}
    days = [case.when(event) for event in counterfactual.removed]
    if any(days):
        columns["timestamp"] = days
    columns["label"] = [case.name(int(item)) for item in items]
    alt = t("explain.change.alt", n=len(items))
    height = ROW * (min(len(items), 10) + 1) + 3
    table(pd.DataFrame(columns), alt=alt, key=f"removed_{case.item}", height=height)
