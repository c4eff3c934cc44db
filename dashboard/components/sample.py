"""The way out of an empty page: the sample data, with a first set of models."""

from __future__ import annotations

import streamlit as st

from core import jobs
from core.data.features.roots import SAMPLES
from core.data.ingest.ingest import ingest
from core.data.store import Workspace
from core.runs.request import RunRequest
from dashboard import state
from dashboard.components.progress import progress_bar
from dashboard.components.read_only import writing_button
from dashboard.state import t

FIRST_MODELS = ("popularity", "transitions", "item_knn", "ease")


def use_sample_data(workspace: Workspace) -> None:
    """A button that reads the sample log at once and trains on it in the background."""
    folder = SAMPLES / "movielens-latest-small"
    if not folder.is_dir():
        return
    icon = ":material/movie:"
    if writing_button(t("action.sample"), workspace, type="primary", key="sample", icon=icon):
        info = ingest(
            workspace,
            [folder / "ratings.csv"],
            items=folder / "movies.csv",
            name="MovieLens",
            progress=progress_bar("data.importing"),
        )
        for model in FIRST_MODELS:
            jobs.start_training(workspace, RunRequest(info.id, model))
        state.choose_dataset(info.id)
        st.rerun()
