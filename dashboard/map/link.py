"""The way from another page to a run's map: the map itself as a picture, once it has been made."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import streamlit as st

from core.runs.artifact import Run
from dashboard import cache, served, state
from dashboard.components.context import Context
from dashboard.components.labels import run_label
from dashboard.components.page import link
from dashboard.map.controls import group_label
from dashboard.map.item_map import has_vectors
from dashboard.map.layouts import made_before
from dashboard.map.still import still_map
from dashboard.state import dark, t
from dashboard.text import linked, picture


def map_link(now: Context, run: Run) -> None:
    """The picture of the run's items, or the way to where it is made; nothing waits for it."""
    if not has_vectors(run, now.runs):
        st.caption(t("home.map.none", run=run_label(run)))
        return
    stored = made_before(cache.loaded(now.workspace, run))
    if stored is None:
        st.caption(t("home.map.lead"))
        link("embeddings", t("home.map.make"), icon=":material/scatter_plot:", run=run.id)
        return
    drawn = served.publish_picture(still_map(stored, group_label, dark=dark()), "image/svg+xml")
    alt = t("home.map.alt", n=len(stored.points), run=run_label(run))
    query = {"dataset": run.config.dataset, "run": run.id, "language": state.language()}
    address = f"embeddings?{urlencode(query, quote_via=quote)}"
    with st.container(key="still_map"):
        st.markdown(linked(picture(drawn, alt), address))
