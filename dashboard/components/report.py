"""Runs as one file to hand on, as `recscope report` makes it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.data.store import DatasetInfo, Workspace
from core.report.collect import collect
from core.report.html import render
from core.runs.artifact import Run
from dashboard import state
from dashboard.components.page import section
from dashboard.state import t


def report_section(workspace: Workspace, dataset: DatasetInfo, runs: Sequence[Run]) -> None:
    """A button that makes the file on the click, in the language of the page."""
    language, chosen = state.language(), tuple(runs)
    section("compare.report")
    st.caption(t("compare.report.lead", n=len(chosen)))
    st.download_button(
        t("action.report"),
        data=lambda: made(workspace, chosen, language),
        file_name=f"report-{dataset.id}.html",
        mime="text/html",
        key="report",
        icon=":material/description:",
        on_click="ignore",
    )


def made(workspace: Workspace, runs: Sequence[Run], language: str) -> str:
    """The whole file on these runs."""
    return render(collect(workspace, runs), language)
