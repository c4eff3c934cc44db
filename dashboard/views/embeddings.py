"""What does the model think is alike?"""

from __future__ import annotations

import streamlit as st

from core.runs.artifact import Run
from dashboard import cache, state
from dashboard.components.context import Context, context
from dashboard.components.labels import run_label
from dashboard.components.page import empty, first_step, heading, link
from dashboard.components.people import escaped, person, user_box
from dashboard.map import epochs as map_epochs
from dashboard.map import placement as maps
from dashboard.map.arithmetic import asked
from dashboard.map.axes import ThreeAxes
from dashboard.map.beside import (
    alike,
    beside_toggle,
    pair_with,
    second_run,
    titles,
    where_to,
)
from dashboard.map.colours import of_person, ringed
from dashboard.map.items import neighbour_tables, selection, sound, twin
from dashboard.map.making import PATIENCE_S, arranged, wait_for
from dashboard.map.pairs import Pair
from dashboard.map.placement import PlacedItems
from dashboard.map.solid import draw_solid
from dashboard.map.view import (
    Way,
    colour_box,
    draw,
    layout_box,
    matches,
    search_box,
    space_box,
    space_label,
    way_of,
)
from dashboard.state import t


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
        wait_for(making)
    else:
        _page(run, placed, now, able)


def _run(now: Context, able: list[Run]) -> Run:
    """The chosen run, else the newest that has vectors."""
    by_id = {run.id: run for run in able}
    if now.run and now.run.id not in by_id:
        said = t("embeddings.no_vectors", run=run_label(now.run), other=run_label(able[0]))
        st.info(said, icon=":material/info:")
    return by_id.get(now.run.id if now.run else "", able[0])


def _page(run: Run, placed: PlacedItems, now: Context, able: list[Run]) -> None:
    top = st.container()
    layouts = (*maps.LAYOUTS, maps.SOLID)
    layout = state.one_of("layout", layouts, layouts[0]) or layouts[0]
    beside = second_run(now) if layout != maps.SOLID else None
    kind, space, epoch, more = st.columns([4, 4, 3, 2], vertical_alignment="bottom")
    with kind:
        layout_box(layout)
    with space:
        space_box(placed, space_label(now))
    with epoch:
        map_epochs.epoch_box(placed)
    with more:
        if layout != maps.SOLID:
            beside_toggle(run, beside, able)
    with st.container():  # what comes and goes in it does not move the map
        shown = arranged(placed) if layout == "neighbours" else placed
        pair = pair_with(beside, shown, now, able) if beside else None
    with top:
        heading("embeddings", _answer(run, shown))
    _map(run, shown, now, layout, pair)
    sound(shown, at_once=len(shown.codes) <= maps.JUDGED_AT_ONCE)
    map_epochs.drift(shown)
    link("recommendations", t("action.recommendations"), icon=":material/recommend:")


def _map(run: Run, placed: PlacedItems, now: Context, layout: str, pair: Pair | None) -> None:
    colour, size, who, search = st.columns([3, 2, 2, 4], vertical_alignment="bottom")
    with colour:
        by = colour_box(placed)
    sized = size.toggle(t("embeddings.size"), value=True, key="map_sized")
    personal = who.toggle(t("embeddings.person"), key="map_person")
    with search:
        sought = search_box(placed)
    with st.container():
        matches(placed, sought)
        wanted = asked(placed)
        way = _way(run, placed, now) if personal else Way(marks=wanted.marks)
        by = of_person(placed, by, boxed=personal)
    row, name = placed.row(state.get("item")), run_label(run)
    ring, chosen = ringed(placed, by, row), None
    solid = cache.solid(placed) if layout == maps.SOLID else None
    if solid is None:
        both = titles(pair, now) if pair else ()
        chosen = draw(placed, by, ring, sized=sized, name=name, way=way, pair=pair, titles=both)
    else:
        draw_solid(placed, by, ring, sized=sized, name=name, way=way)
    map_epochs.looking_back(placed)
    st.caption(_method(placed, solid))
    found = alike(pair) if pair else None
    if row >= 0:
        neighbour_tables(placed, row, name, pair.second if pair else None)
    wanted.show(marked=not personal)
    if chosen is not None:
        selection(placed, chosen)
        if pair and found:
            where_to(pair, found, chosen)
    twin(placed, by, solid.places if solid else None)


def _way(run: Run, placed: PlacedItems, now: Context) -> Way:
    """What a person took and would get, to be drawn over the map."""
    user = person(placed.ready.load_dataset().info)
    box, said = st.columns([3, 8], vertical_alignment="bottom")
    with box:
        user_box(placed.ready.load_dataset().info, user)
    way = way_of(now, run, placed, user)
    said.caption(
        t("embeddings.person.told", user=escaped(user), n=len(way.trail), k=len(way.marks))
    )
    return way


def _method(placed: PlacedItems, solid: ThreeAxes | None) -> str:
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


def _answer(run: Run, placed: PlacedItems) -> str:
    said = t("embeddings.answer", run=run_label(run), n=len(placed.codes))
    found = cache.neighbour_accuracy(placed) if len(placed.codes) <= maps.JUDGED_AT_ONCE else []
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
