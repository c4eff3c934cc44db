"""What does the model think is alike?"""

from __future__ import annotations

import streamlit as st

from core.artifact import Run
from dashboard import cache, maps, state
from dashboard.components.context import Context, context
from dashboard.components.labels import run_label
from dashboard.components.map_items import neighbour_tables, selection, twin
from dashboard.components.map_view import colour_box, draw, matches, search_box
from dashboard.components.page import empty, heading, link
from dashboard.components.people import escaped
from dashboard.maps import Background, Placed
from dashboard.state import t

PATIENCE_S = 2.0  # after which a map that is not there yet says how far it is
POLL = "500ms"


def main(now: Context) -> None:
    able = [run for run in now.runs if maps.has_vectors(run)]
    if now.dataset is None or not able:
        heading("embeddings", t("embeddings.answer.none"))
        empty(t("embeddings.empty.what"), t("embeddings.empty.why"))
        if now.dataset is None:
            link("data", t("action.add_data"), icon=":material/upload:")
        else:
            link("train", t("action.go_train"), icon=":material/model_training:")
        return
    run = _run(now, able)
    making = cache.placing(now.workspace, run)
    placed = making.get(PATIENCE_S)
    if placed is None:
        heading("embeddings", t("embeddings.answer.soon", run=run_label(run)))
        _await(making)
    else:
        _page(run, placed, now)


def _run(now: Context, able: list[Run]) -> Run:
    """The chosen run, else the newest that has vectors."""
    by_id = {run.id: run for run in able}
    if now.run and now.run.id not in by_id:
        said = t("embeddings.no_vectors", run=run_label(now.run), other=run_label(able[0]))
        st.info(said, icon=":material/info:")
    return by_id.get(now.run.id if now.run else "", able[0])


@st.fragment(run_every=POLL)
def _await(making: Background) -> None:
    st.status(t(f"embeddings.step.{making.step}"), state="running")
    if making.error is not None or making.get() is not None:
        st.rerun()


def _page(run: Run, placed: Placed, now: Context) -> None:
    heading("embeddings", _answer(run, placed))
    colour, size, search = st.columns([3, 2, 5], vertical_alignment="bottom")
    with colour:
        by = colour_box(placed)
    sized = size.toggle(t("embeddings.size"), value=True, key="map_sized")
    with search:
        asked = search_box(placed)
    matches(placed, asked)
    row = placed.row(state.get("item"))
    chosen = draw(placed, by, row, sized=sized, name=run_label(run))
    st.caption(t("embeddings.method", share=placed.kept, dims=placed.vectors.shape[1]))
    if row >= 0:
        neighbour_tables(placed, row, run_label(run))
    if chosen is not None:
        selection(placed, chosen)
    twin(placed, by)
    link("recommendations", t("action.recommendations"), icon=":material/recommend:")


def _answer(run: Run, placed: Placed) -> str:
    said = t("embeddings.answer", run=run_label(run), n=len(placed.codes))
    found = cache.shared_values(placed)
    if found is None:
        return said
    name, near, chance = found
    return f"{said} {t('embeddings.answer.shared', name=escaped(name), near=near, chance=chance)}"


main(context())
