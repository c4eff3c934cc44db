"""Runs as one file to hand on, as `recscope report` makes it: a page, or a notebook."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.data.store import DatasetInfo, Workspace
from core.report.collect import collect
from core.report.html import render
from core.report.notebook import as_text, notebook
from core.runs.artifact import Run
from dashboard import state
from dashboard.components.page import section
from dashboard.state import t


def report_section(workspace: Workspace, dataset: DatasetInfo, runs: Sequence[Run]) -> None:
    """Buttons that make the files on the click, in the language of the page."""
    language, chosen = state.language(), tuple(runs)
    section("compare.report")
    st.caption(t("compare.report.lead", n=len(chosen)))
    with st.container(horizontal=True):
        st.download_button(
            t("action.report"),
            data=lambda: made(workspace, chosen, language),
            file_name=f"report-{dataset.id}.html",
            mime="text/html",
            key="report",
            icon=":material/description:",
            on_click="ignore",
        )
        st.download_button(
            t("action.report.notebook"),
            data=lambda: made_notebook(workspace, chosen, language),
            file_name=f"report-{dataset.id}.ipynb",
            mime="application/x-ipynb+json",
            key="notebook",
            icon=":material/code_blocks:",
            help=t("compare.report.notebook"),
            on_click="ignore",
        )


def made_notebook(workspace: Workspace, runs: Sequence[Run], language: str) -> str:
    """The notebook that makes each figure of the same report again."""
    return as_text(notebook(workspace, collect(workspace, runs), language))


def made(workspace: Workspace, runs: Sequence[Run], language: str) -> str:
    """The whole file on these runs."""
    return render(collect(workspace, runs), language)
