"""The settings of a run as the start of another training: the address says of which."""

from __future__ import annotations

import streamlit as st

from core.runs.artifact import Run
from dashboard import state
from dashboard.components.context import Context, find
from dashboard.components.labels import run_label
from dashboard.state import t


def cloned_run(now: Context) -> Run | None:
    """The run whose settings the form begins with; it says so, and offers to forget it."""
    asked = state.get("clone")
    if not asked:
        return None
    run = find(now.runs, asked)
    if run is None:
        state.amiss("clone", asked, "context.unknown_run")
        return None
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info(t("train.cloned", run=run_label(run)), icon=":material/content_copy:")
        st.button(
            t("action.unclone"),
            key="unclone",
            icon=":material/close:",
            on_click=lambda: state.put("clone", None),
        )
    return run
