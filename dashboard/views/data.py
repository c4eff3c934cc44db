"""What do people do in this log, and is it fit to train on?"""

from __future__ import annotations

import streamlit as st

from core import holdings
from core.data.store import DatasetInfo
from dashboard import cache
from dashboard.components.context import Context, context
from dashboard.components.data.behaviour import behaviour_tab
from dashboard.components.data.columns import columns_tab
from dashboard.components.data.filtering import (
    PATIENCE_S,
    POLL,
    Filtered,
    filter_bar,
    filtered,
    show_counting,
)
from dashboard.components.data.importer import importer, tell_doubts
from dashboard.components.data.overview import overview_tab, rejected_tab
from dashboard.components.data.quality import quality_tab
from dashboard.components.keeping import keep, tell
from dashboard.components.page import heading, link
from dashboard.components.sample import use_sample_data
from dashboard.state import t
from dashboard.text import literal

TABS = ("overview", "behaviour", "columns", "quality", "rejected")


def main(now: Context) -> None:
    tell(now.workspace)
    if now.dataset is None:
        heading("data", t("data.answer.none"))
        use_sample_data(now.workspace)
        importer(now.workspace)
        return
    counts = now.dataset.counts
    answer = t(
        "data.answer", users=counts["users"], events=counts["rows_kept"], items=counts["items"]
    )
    heading("data", answer)
    _verdict(now.dataset)
    tell_doubts(now.dataset)
    if message := st.session_state.pop("imported", None):
        st.success(literal(message), icon=":material/check_circle:")
    key = f"add_{st.session_state.get('imports', 0)}"  # closed again after an import
    with st.expander(t("data.add"), icon=":material/upload:", on_change="rerun", key=key) as box:
        if box.open:
            importer(now.workspace)
    view = filtered(now.dataset)
    if view is not None:
        filter_bar(now.workspace, view)
    _tabs(now, now.dataset, view)
    with st.expander(t("keep.title"), icon=":material/inventory_2:", key="keep_dataset"):
        keep(now.workspace, holdings.find(now.workspace, now.dataset.id))
    link("train", t("action.go_train"), icon=":material/model_training:")


@st.fragment(run_every=POLL)
def _checking(dataset: DatasetInfo) -> None:
    """What the verdicts come to, as soon as they are there."""
    if cache.checking(dataset, dataset.created).get() is None:
        st.markdown(t("data.verdict.checking"))
    else:
        st.rerun()


def _verdict(dataset: DatasetInfo) -> None:
    if cache.checking(dataset, dataset.created).get(PATIENCE_S) is None:
        _checking(dataset)
        return
    findings = [v for v in cache.verdicts(dataset) if v.severity in ("warn", "bad")]
    st.markdown(t("data.verdict.notes", n=len(findings)) if findings else t("data.verdict.ok"))


def _tabs(now: Context, dataset: DatasetInfo, view: Filtered | None) -> None:
    """A tab is made when it is opened; those of the filter once the log is counted."""
    tabs = st.tabs(
        [t(f"data.tab.{name}") for name in TABS], on_change="rerun", key=f"tabs_{dataset.id}"
    )
    of_filter = {"overview": overview_tab, "behaviour": behaviour_tab, "columns": columns_tab}
    for name, tab in zip(TABS, tabs, strict=True):
        with tab:
            if not tab.open:
                continue
            if name in of_filter:
                if view is None:
                    show_counting(cache.coding(dataset, dataset.created))
                else:
                    of_filter[name](view)
                continue
            if view is not None and view.filter:
                st.caption(t("data.filter.whole"))
            if name == "quality":
                quality_tab(now.workspace, dataset)
            else:
                rejected_tab(dataset)


main(context())
