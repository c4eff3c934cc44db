"""What does the model think is alike?"""

from __future__ import annotations

import streamlit as st

from core.runs.artifact import Run
from dashboard import cache, state
from dashboard.components.context import Context, context
from dashboard.components.labels import run_label
from dashboard.components.page import empty, first_step, heading, link
from dashboard.components.people import person, user_box
from dashboard.map import epochs as map_epochs
from dashboard.map.arithmetic import vector_sum
from dashboard.map.beside import (
    beside_toggle,
    pair_with,
    second_run,
    selection_moved,
    similarity_section,
    titles,
)
from dashboard.map.colours import personal_colours, ringed_row
from dashboard.map.controls import (
    colour_box,
    layout_box,
    matches,
    search_box,
    space_box,
    space_label,
)
from dashboard.map.item_map import JUDGED_AT_ONCE, LAYOUTS, SOLID, ItemMap, has_vectors
from dashboard.map.items import diagnosis_section, map_table, neighbour_tables, selection
from dashboard.map.layouts import ThreeAxes
from dashboard.map.making import PATIENCE_S, axes_of, neighbour_map_or_axes, show_progress
from dashboard.map.pairs import Pair
from dashboard.map.solid import draw_solid
from dashboard.map.view import PersonOverlay, draw, person_overlay
from dashboard.state import t
from dashboard.text import Text


def main(now: Context) -> None:
    able = [run for run in now.runs if has_vectors(run, now.runs)]
    if now.dataset is None or not able:
        heading("embeddings", t("embeddings.answer.none"))
        empty(t("embeddings.empty.what"), t("embeddings.empty.why"))
        first_step(now.dataset)
        return
    run = _run(now, able)
    epoch = map_epochs.chosen_epoch(run)
    work = axes_of(now, run, state.get("space") or "", epoch)
    item_map = work.get(PATIENCE_S)
    if item_map is None:
        heading("embeddings", t("embeddings.answer.soon", run=run_label(run)))
        show_progress(work)
    else:
        _page(run, item_map, now, able)


def _run(now: Context, able: list[Run]) -> Run:
    """The chosen run, else the newest that has vectors."""
    by_id = {run.id: run for run in able}
    if now.run and now.run.id not in by_id:
        sentence = t("embeddings.no_vectors", run=run_label(now.run), other=run_label(able[0]))
        st.info(sentence, icon=":material/info:")
    return by_id.get(now.run.id if now.run else "", able[0])


def _page(run: Run, item_map: ItemMap, now: Context, able: list[Run]) -> None:
    top = st.container()
    layouts = (*LAYOUTS, SOLID)
    layout = state.one_of("layout", layouts, layouts[0]) or layouts[0]
    beside = second_run(now) if layout != SOLID else None
    kind, space, epoch, more = st.columns([4, 4, 3, 2], vertical_alignment="bottom")
    with kind:
        layout_box(layout)
    with space:
        space_box(item_map, space_label(now))
    with epoch:
        map_epochs.epoch_box(item_map)
    with more:
        if layout != SOLID:
            beside_toggle(run, beside, able)
    with st.container():  # what comes and goes in it does not move the map
        shown = neighbour_map_or_axes(item_map) if layout == "neighbours" else item_map
        pair = pair_with(beside, shown, now, able) if beside else None
    with top:
        heading("embeddings", _answer(run, shown))
    _map(run, shown, now, layout, pair)
    diagnosis_section(shown, at_once=len(shown.codes) <= JUDGED_AT_ONCE)
    map_epochs.drift_section(shown)
    link("recommendations", t("action.recommendations"), icon=":material/recommend:")


def _map(run: Run, item_map: ItemMap, now: Context, layout: str, pair: Pair | None) -> None:
    colour, size, who, search = st.columns([3, 2, 2, 4], vertical_alignment="bottom")
    with colour:
        by = colour_box(item_map)
    sized = size.toggle(t("embeddings.size"), value=True, key="map_sized")
    personal = who.toggle(t("embeddings.person"), key="map_person")
    with search:
        sought = search_box(item_map)
    with st.container():
        matches(item_map, sought)
        combined = vector_sum(item_map)
        person = _person(run, item_map, now) if personal else PersonOverlay(marks=combined.marks)
        by = personal_colours(item_map, by, boxed=personal)
    item = state.get("item")
    row, name = item_map.row(item), run_label(run)
    if item and row < 0:
        state.amiss("item", item, "embeddings.unknown_item")
    ring, chosen = ringed_row(item_map, by, row), None
    solid = cache.three_axes(item_map) if layout == SOLID else None
    if solid is None:
        both = titles(pair, now) if pair else ()
        chosen = draw(
            item_map, by, ring, sized=sized, name=name, person=person, pair=pair, titles=both
        )
    else:
        draw_solid(item_map, by, ring, sized=sized, name=name, person=person)
    map_epochs.epoch_caption(item_map)
    st.caption(_method(item_map, solid))
    similarity = similarity_section(pair) if pair else None
    if row >= 0:
        neighbour_tables(item_map, row, name, pair.second if pair else None)
    combined.show(marked=not personal)
    if chosen is not None:
        selection(item_map, chosen)
        if pair and similarity:
            selection_moved(pair, similarity, chosen)
    map_table(item_map, by, solid.points if solid else None)


def _person(run: Run, item_map: ItemMap, now: Context) -> PersonOverlay:
    """What a person took and would get, to be drawn over the map."""
    user = person(item_map.loaded.load_dataset().info)
    box, words = st.columns([3, 8], vertical_alignment="bottom")
    with box:
        user_box(item_map.loaded.load_dataset().info, user)
    overlay = person_overlay(now, run, item_map, user)
    n, k = len(overlay.trail), len(overlay.marks)
    words.caption(t("embeddings.person.told", user=user, n=n, k=k))
    return overlay


def _method(item_map: ItemMap, solid: ThreeAxes | None) -> Text:
    """How far the map can be believed."""
    dims = item_map.near.vectors.values.shape[1]
    if solid:
        return t("embeddings.method.solid", share=solid.share, dims=dims)
    if item_map.quality is None:
        return t("embeddings.method.axes", share=item_map.share, dims=dims)
    if item_map.quality.trustworthiness is None:
        return t("embeddings.method.few", n=item_map.quality.points)
    return t(
        "embeddings.method.neighbours",
        trust=item_map.quality.trustworthiness,
        recall=item_map.quality.recall,
        k=item_map.quality.k,
    )


def _answer(run: Run, item_map: ItemMap) -> Text:
    n = len(item_map.codes)
    answer = t("embeddings.answer", run=run_label(run), n=n)
    attributes = cache.attribute_accuracies(item_map) if n <= JUDGED_AT_ONCE else ()
    if not attributes:
        return answer
    best = attributes[0]
    return t(
        "embeddings.answer.told",
        said=answer,
        name=best.name,
        right=best.accuracy.right,
        commonest=best.accuracy.commonest,
    )


main(context())
