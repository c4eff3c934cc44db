"""What do people do in this log, and is it fit to train on?"""

from __future__ import annotations

import streamlit as st

from core import holdings
from core.data.store import DatasetInfo
from dashboard import cache
from dashboard.components.context import Context, context
from dashboard.components.data.columns import columns_tab
from dashboard.components.data.importer import importer, tell_doubts
from dashboard.components.data.overview import overview_tab, rejected_tab
from dashboard.components.data.quality import quality_tab
from dashboard.components.keeping import keep, tell
from dashboard.components.page import heading, link
from dashboard.components.sample import use_sample_data
from dashboard.state import t
from dashboard.text import Text, literal


def main(now: Context) -> None:
    tell(now.workspace)
    if now.dataset is None:
        heading("data", t("data.answer.none"))
        use_sample_data(now.workspace)
        importer(now.workspace)
        return
    heading("data", _answer(now.dataset))
    tell_doubts(now.dataset)
    if message := st.session_state.pop("imported", None):
        st.success(literal(message), icon=":material/check_circle:")
    key = f"add_{st.session_state.get('imports', 0)}"  # closed again after an import
    with st.expander(t("data.add"), icon=":material/upload:", on_change="rerun", key=key) as box:
        if box.open:
            importer(now.workspace)
    _tabs(now, now.dataset)
    with st.expander(t("keep.title"), icon=":material/inventory_2:", key="keep_dataset"):
        keep(now.workspace, holdings.find(now.workspace, now.dataset.id))
    link("train", t("action.go_train"), icon=":material/model_training:")


def _answer(dataset: DatasetInfo) -> Text:
    findings = [v for v in cache.verdicts(dataset) if v.severity in ("warn", "bad")]
    verdict = t("data.verdict.notes", n=len(findings)) if findings else t("data.verdict.ok")
    counts = dataset.counts
    return t(
        "data.answer",
        users=counts["users"],
        events=counts["rows_kept"],
        items=counts["items"],
        verdict=verdict,
    )


def _tabs(now: Context, dataset: DatasetInfo) -> None:
    names = ("overview", "quality", "rejected", "columns")
    overview, quality, rejected, columns = st.tabs(
        [t(f"data.tab.{name}") for name in names], on_change="rerun", key=f"tabs_{dataset.id}"
    )
    with overview:
        if overview.open:
            overview_tab(dataset)
    with quality:
        if quality.open:
            quality_tab(now.workspace, dataset)
    with rejected:
        if rejected.open:
            rejected_tab(dataset)
    with columns:
        if columns.open:
            columns_tab(dataset)


main(context())
