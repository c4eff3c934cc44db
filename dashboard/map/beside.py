"""A second map beside the first: which one, how alike both are, and where a selection went."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core.embed import components
from core.errors import CoreError
from core.runs.artifact import Run
from core.types import Array
from dashboard import cache, state
from dashboard.components.context import Context, find
from dashboard.components.errors import show_error
from dashboard.components.labels import run_label
from dashboard.components.page import section, table
from dashboard.map.controls import go_to, layout_box, layout_label, space_box, space_label
from dashboard.map.item_map import JUDGED_AT_ONCE, LAYOUTS, ItemMap, has_vectors
from dashboard.map.making import PATIENCE_S, axes_of, neighbour_map_or_axes, show_progress
from dashboard.map.pairs import Pair, SpaceSimilarity
from dashboard.state import t
from dashboard.text import literal, strong

NAMES = ("beside", "beside_space", "beside_layout")  # in the URL
CHANGED = 10  # items whose neighbours changed most, shown
OFTEN = 10  # events from where an item's neighbours are more than chance


def second_run(now: Context) -> Run | None:
    """The run that the URL names to compare with; if it cannot be, one sentence says why."""
    named = state.get("beside")
    if not named:
        return None
    every_run = cache.finished_runs(now.workspace)
    run = find(now.runs, named) or find(every_run, named)
    if run is not None and has_vectors(run, every_run):
        return run
    state.forget(*NAMES)
    if run is None:
        state.amiss("beside", named, "context.unknown_run")
    else:
        label = run_label(run)
        st.info(t("embeddings.beside.no_vectors", run=label), icon=":material/info:")
    return None


def beside_toggle(first: Run, second: Run | None, able: Sequence[Run]) -> None:
    """Whether there is a second map; at first the newest other run's, if there is one."""
    key, on = "map_beside", second is not None
    st.session_state[key] = on

    def changed() -> None:
        if st.session_state[key] == on:  # the browser echoes what it was told
            return
        others = [run.id for run in able if run.id != first.id]
        state.forget(*NAMES)
        if not on:
            state.put("beside", next(iter(others), first.id))

    st.toggle(t("embeddings.beside"), key=key, on_change=changed)


def pair_with(run: Run, shown: ItemMap, now: Context, able: Sequence[Run]) -> Pair | None:
    """The second map laid on the first, as chosen; None while it is not there, and a sentence.

    Args:
        run: The second map's.
        shown: The first map.
        now: The page's context.
        able: The runs of this dataset that have vectors.
    """
    which, layout, space = st.columns(3, vertical_alignment="bottom")
    with which:
        _run_box(run, now, able)
    try:
        own = run.id == shown.loaded.run.id
        component = state.get("beside_space") or (_other_space(shown) if own else "")
        work = axes_of(now, run, component, name="beside_space")
        item_map = work.get(PATIENCE_S)
    except CoreError as error:
        show_error(error)
        return None
    if item_map is None:
        show_progress(work)
        return None
    return _pair(item_map, shown, now, space, layout)


def _pair(
    item_map: ItemMap,
    shown: ItemMap,
    now: Context,
    space: st.delta_generator.DeltaGenerator,
    layout: st.delta_generator.DeltaGenerator,
) -> Pair | None:
    """With its space and kind of map chosen."""
    same = _title(item_map) == _title(shown)
    first = state.one_of("layout", LAYOUTS, LAYOUTS[0]) or LAYOUTS[0]
    other = next(name for name in LAYOUTS if name != first) if same else first
    kind = state.one_of("beside_layout", LAYOUTS, other) or other
    with space:
        title = t("embeddings.beside.space")
        space_box(item_map, space_label(now), name="beside_space", title=title)
    with layout:
        layout_box(kind, name="beside_layout", title=t("embeddings.beside.layout"))
    if kind == "neighbours":
        item_map = neighbour_map_or_axes(item_map, key="arrange_beside")
    pair = cache.aligned_pair(shown, item_map)
    if pair is None:
        st.warning(t("embeddings.beside.nothing_shared"), icon=":material/link_off:")
    elif same and item_map.layout == shown.layout and kind == first:
        st.info(t("embeddings.beside.same"), icon=":material/info:")
    return pair


def _title(item_map: ItemMap) -> tuple[str, str]:
    return item_map.loaded.run.id, item_map.near.vectors.component


def _other_space(shown: ItemMap) -> str:
    """Of the same run another space, if it has one."""
    own = shown.near.vectors.component
    return next((name for name in components(shown.loaded.model) if name != own), own)


def _run_box(run: Run, now: Context, able: Sequence[Run]) -> None:
    """The runs of this dataset, of the version it was made from and of those made from it."""
    own, every_run = now.dataset, cache.finished_runs(now.workspace)
    kin = {info.id for info in now.datasets if own and own.id == info.parent}
    kin |= {own.parent} if own and own.parent else set()
    related = [other for other in every_run if other.config.dataset in kin]
    candidates = (*able, *related, run)
    runs = {other.id: other for other in candidates if has_vectors(other, every_run)}
    of_this_dataset = {other.id for other in now.runs}

    def label(ident: str) -> str:
        name = run_label(runs[ident])
        return name if ident in of_this_dataset else f"{runs[ident].dataset_name} · {name}"

    state.pick(
        "beside",
        list(runs),
        label,
        current=run.id,
        title=t("embeddings.beside.run"),
        forgets=NAMES[1:],
    )


def titles(pair: Pair, now: Context) -> tuple[str, str]:
    """What both maps are called: their runs, and the space and kind of map where they differ."""

    def names(item_map: ItemMap) -> tuple[str, str, str]:
        name, space = (
            run_label(item_map.loaded.run),
            space_label(now)(item_map.near.vectors.component),
        )
        return name, space, layout_label(item_map.layout)

    first, second = names(pair.first), names(pair.second)
    differ = [n for n in range(len(first)) if n == 0 or first[n] != second[n]]
    return " · ".join(first[n] for n in differ), " · ".join(second[n] for n in differ)


def similarity_section(pair: Pair) -> SpaceSimilarity | None:
    """How alike the two spaces are, and the items whose neighbours changed most; None if unknown.

    Above as many items as are judged at once it is looked into only if somebody asks.
    """
    section("embeddings.alike")
    if len(set(pair.spaces)) == 1:
        st.caption(t("embeddings.alike.same") + " " + t("embeddings.alike.gap", gap=pair.gap))
        return None
    if len(pair.first.codes) > JUDGED_AT_ONCE and not st.toggle(
        t("embeddings.sound.look"), key="map_alike"
    ):
        return None
    work = cache.space_similarity(pair.spaces, pair)
    similarity = work.get(PATIENCE_S)
    if similarity is None:
        show_progress(work)
        return None
    if not len(similarity.rows):
        st.info(t("embeddings.alike.nothing"), icon=":material/info:")
        return None
    n, k = similarity.near.first.shape
    kept, chance = similarity.kept, similarity.chance
    st.markdown(t("embeddings.alike.told", kept=kept, chance=chance, k=k))
    sampled = "" if similarity.whole else ".sample"
    about = t(f"embeddings.alike.of{sampled}", n=n, all=len(similarity.rows))
    st.caption(about + " " + t("embeddings.alike.gap", gap=pair.gap))
    _changed(pair, similarity)
    return similarity


def _changed(pair: Pair, similarity: SpaceSimilarity) -> None:
    """The items whose neighbours changed most; one that is clicked is ringed on both maps."""
    often = pair.first.events >= OFTEN
    enough = int(often[similarity.looked_at].sum()) >= CHANGED
    rows, kept = similarity.changed(CHANGED, often if enough else np.ones_like(often))
    ids, key = [str(ident) for ident in pair.first.ids(rows)], "map_changed"

    def chosen() -> None:
        for row, _ in st.session_state[key]["selection"]["cells"]:
            if 0 <= row < len(ids):
                go_to(ids[row])

    st.markdown(strong(t("embeddings.changed")))
    how = t("embeddings.changed.how")
    st.caption(how + " " + t("embeddings.changed.often", events=OFTEN) if enough else how)
    share = st.column_config.ProgressColumn(
        t("embeddings.kept"), format="%.0f %%", min_value=0, max_value=100
    )
    table(
        pd.DataFrame(
            {"label": pair.first.names(rows), "kept": 100 * kept, "events": pair.first.events[rows]}
        ),
        alt=t("embeddings.changed.alt"),
        key=key,
        columns={"kept": share},
        on_select=chosen,
    )


def selection_moved(pair: Pair, similarity: SpaceSimilarity, chosen: Array) -> None:
    """Where the selected items (N,) of the first map lie on the second."""
    st.markdown(strong(t("embeddings.moved")))
    with st.spinner(t("embeddings.neighbours.seeking")):
        moved = cache.selection_moved(pair, np.packbits(chosen).tobytes(), similarity)
    if moved is None:
        st.caption(t("embeddings.moved.nothing"))
        return
    kept, here, there = st.columns(3)
    for column, name, value, beside in (
        (kept, "kept", moved.kept, t("embeddings.moved.all", value=similarity.kept)),
        (here, "here", moved.together[0], None),
        (there, "there", moved.together[1], None),
    ):
        column.metric(
            t(f"embeddings.moved.{name}"),
            literal(f"{value:.0%}"),
            delta=literal(beside) if beside else None,
            delta_color="off",
            delta_arrow="off",
            border=True,
            height="stretch",
        )
    caption = t("embeddings.moved.how", n=moved.looked_at, k=similarity.near.first.shape[1])
    if lost := int(chosen.sum()) - moved.learnt:
        caption += " " + t("embeddings.moved.lost", n=lost)
    st.caption(caption)
