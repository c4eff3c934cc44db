"""What does the model think is alike?"""

from __future__ import annotations

import streamlit as st

from core.artifact import Run
from dashboard import cache, maps, state
from dashboard.background import Background
from dashboard.components import map_epochs
from dashboard.components.context import Context, context
from dashboard.components.labels import run_label, text_or
from dashboard.components.map_arithmetic import asked
from dashboard.components.map_colours import of_person, ringed
from dashboard.components.map_items import neighbour_tables, selection, sound, twin
from dashboard.components.map_solid import draw_solid
from dashboard.components.map_view import (
    Way,
    colour_box,
    draw,
    layout_box,
    matches,
    search_box,
    space_box,
    way_of,
)
from dashboard.components.page import empty, first_step, heading, link
from dashboard.components.people import escaped, person, user_box
from dashboard.maps import Placed
from dashboard.solid import Solid
from dashboard.state import t

PATIENCE_S = 2.0  # after which a map that is not there yet says how far it is
POLL = "500ms"
JUDGED_AT_ONCE = 100_000  # items whose vectors are judged without being asked; it takes O(N)


def main(now: Context) -> None:
    able = [run for run in now.runs if maps.has_vectors(run, now.runs)]
    if now.dataset is None or not able:
        heading("embeddings", t("embeddings.answer.none"))
        empty(t("embeddings.empty.what"), t("embeddings.empty.why"))
        first_step(now.dataset)
        return
    run = _run(now, able)
    epoch = map_epochs.chosen(run)
    making = cache.placing(now.workspace, run, state.get("space") or "", epoch)
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
def _await(making: Background[Placed]) -> None:
    """How far it is, until it is there."""
    said = t(f"embeddings.step.{making.step}")
    if making.share is None:
        st.status(said, state="running")
    else:
        st.progress(min(1.0, making.share), text=said)
    if making.error is not None or making.get() is not None:
        st.rerun()


def _page(run: Run, placed: Placed, now: Context) -> None:
    top = st.container()
    kind, space, epoch = st.columns([5, 5, 3], vertical_alignment="bottom")
    layouts = (*maps.LAYOUTS, maps.SOLID)
    layout = state.known("layout", layouts, layouts[0]) or layouts[0]
    with kind:
        layout_box(layout)
    with space:
        _space(placed, now)
    with epoch:
        map_epochs.epoch_box(placed)
    shown = _arranged(placed) if layout == "neighbours" else placed
    with top:
        heading("embeddings", _answer(run, shown))
    _map(run, shown, now, layout)
    sound(shown, at_once=len(shown.codes) <= JUDGED_AT_ONCE)
    map_epochs.drift(shown)
    link("recommendations", t("action.recommendations"), icon=":material/recommend:")


def _space(placed: Placed, now: Context) -> None:
    from core.embed import components

    runs = {one.id: run_label(one) for one in now.runs}

    def named(space: str) -> str:
        part, _, rest = space.partition(":")
        kind = text_or(f"embeddings.space.{rest or part}", rest or part)
        return kind if part not in runs else f"{runs[part]} · {kind}" if rest else runs[part]

    space_box(components(placed.ready.model), placed.near.vectors.component, named)


def _arranged(placed: Placed) -> Placed:
    """The map that keeps neighbours if it is there, else the axes, and how far it is."""
    key = f"arrange_{placed.identity}"
    few = len(placed.codes) <= maps.AT_ONCE
    if not (few or st.session_state.get(key) or maps.is_arranged(placed)):
        if not st.button(t("embeddings.arrange", n=len(placed.codes)), key="arrange"):
            return placed
        st.session_state[key] = True
    making = cache.arranging(placed)
    made = making.get(PATIENCE_S / 2)
    if made is None:
        _await(making)
    return made or placed


def _map(run: Run, placed: Placed, now: Context, layout: str) -> None:
    colour, size, who, search = st.columns([3, 2, 2, 4], vertical_alignment="bottom")
    with colour:
        by = colour_box(placed)
    sized = size.toggle(t("embeddings.size"), value=True, key="map_sized")
    personal = who.toggle(t("embeddings.person"), key="map_person")
    with search:
        sought = search_box(placed)
    matches(placed, sought)
    wanted = asked(placed)
    way = _way(run, placed, now) if personal else Way(marks=wanted.marks)
    by = of_person(placed, by, boxed=personal)
    row = placed.row(state.get("item"))
    ring = ringed(placed, by, row)
    solid = cache.solid(placed) if layout == maps.SOLID else None
    chosen = None
    if solid is None:
        chosen = draw(placed, by, ring, sized=sized, name=run_label(run), way=way)
    else:
        draw_solid(placed, by, ring, sized=sized, name=run_label(run), way=way)
    map_epochs.looking_back(placed)
    st.caption(_method(placed, solid))
    if row >= 0:
        neighbour_tables(placed, row, run_label(run))
    wanted.show(marked=not personal)
    if chosen is not None:
        selection(placed, chosen)
    twin(placed, by, solid.places if solid else None)


def _way(run: Run, placed: Placed, now: Context) -> Way:
    """What a person took and would get, to be drawn over the map."""
    user = person(placed.ready.dataset.info)
    box, said = st.columns([3, 8], vertical_alignment="bottom")
    with box:
        user_box(placed.ready.dataset.info, user)
    way = way_of(now, run, placed, user)
    said.caption(
        t("embeddings.person.told", user=escaped(user), n=len(way.trail), k=len(way.marks))
    )
    return way


def _method(placed: Placed, solid: Solid | None) -> str:
    """How far the map can be believed."""
    dims = placed.near.vectors.values.shape[1]
    if solid:
        return t("embeddings.method.solid", share=solid.share, dims=dims)
    if placed.quality is None:
        return t("embeddings.method.axes", share=placed.share, dims=dims)
    found = placed.quality
    return t(
        "embeddings.method.neighbours",
        trust=found.trustworthiness,
        recall=found.recall,
        k=found.k,
    )


def _answer(run: Run, placed: Placed) -> str:
    said = t("embeddings.answer", run=run_label(run), n=len(placed.codes))
    found = cache.told(placed) if len(placed.codes) <= JUDGED_AT_ONCE else []
    if not found:
        return said
    best = found[0]
    return t(
        "embeddings.answer.told",
        said=said,
        name=escaped(best["name"]),
        right=best["right"],
        commonest=best["commonest"],
    )


main(context())
