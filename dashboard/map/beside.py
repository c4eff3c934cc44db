"""A second map beside the first: which one, how alike both are, and where a selection went."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core.errors import CoreError
from core.runs.artifact import Run
from core.types import Array
from dashboard import cache, state
from dashboard.components.context import Context, find
from dashboard.components.errors import show_error
from dashboard.components.labels import run_label
from dashboard.components.page import section, table
from dashboard.components.people import escaped
from dashboard.map import placement as maps
from dashboard.map.making import PATIENCE_S, arranged, wait_for
from dashboard.map.pairs import Likeness, Pair
from dashboard.map.placement import PlacedItems
from dashboard.map.view import go_to, layout_box, layout_label, space_box, space_label
from dashboard.state import t

NAMES = ("beside", "beside_space", "beside_layout")  # in the URL
CHANGED = 10  # items whose neighbours changed most, shown
OFTEN = 10  # events from where an item's neighbours are more than chance


def second_run(now: Context) -> Run | None:
    """The run that the URL names to compare with; if it cannot be, one sentence says why."""
    asked = state.get("beside")
    if not asked:
        return None
    everyone = cache.finished_runs(now.workspace)
    run = find(now.runs, asked) or find(everyone, asked)
    if run is not None and maps.has_vectors(run, everyone):
        return run
    state.forget(*NAMES)
    if run is None:
        st.warning(t("context.unknown_run", value=escaped(asked)), icon=":material/link_off:")
    else:
        said = t("embeddings.beside.no_vectors", run=escaped(run_label(run)))
        st.info(said, icon=":material/info:")
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


def pair_with(run: Run, shown: PlacedItems, now: Context, able: Sequence[Run]) -> Pair | None:
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
        own = run.id == shown.ready.run.id
        component = state.get("beside_space") or (_other_space(shown) if own else "")
        making = cache.placing(now.workspace, run, component)
        placed = making.get(PATIENCE_S)
    except CoreError as error:
        show_error(error)
        return None
    if placed is None:
        wait_for(making)
        return None
    return _laid(placed, shown, now, space, layout)


def _laid(
    placed: PlacedItems,
    shown: PlacedItems,
    now: Context,
    space: st.delta_generator.DeltaGenerator,
    layout: st.delta_generator.DeltaGenerator,
) -> Pair | None:
    """With its space and kind of map chosen."""
    same = _title(placed) == _title(shown)
    asked = state.one_of("layout", maps.LAYOUTS, maps.LAYOUTS[0]) or maps.LAYOUTS[0]
    other = next(name for name in maps.LAYOUTS if name != asked) if same else asked
    kind = state.one_of("beside_layout", maps.LAYOUTS, other) or other
    with space:
        title = t("embeddings.beside.space")
        space_box(placed, space_label(now), name="beside_space", title=title)
    with layout:
        layout_box(kind, name="beside_layout", title=t("embeddings.beside.layout"))
    if kind == "neighbours":
        placed = arranged(placed, key="arrange_beside")
    pair = cache.beside(shown, placed)
    if pair is None:
        st.warning(t("embeddings.beside.nothing_shared"), icon=":material/link_off:")
    elif same and placed.layout == shown.layout and kind == asked:
        st.info(t("embeddings.beside.same"), icon=":material/info:")
    return pair


def _title(placed: PlacedItems) -> tuple[str, str]:
    return placed.ready.run.id, placed.near.vectors.component


def _other_space(shown: PlacedItems) -> str:
    """Of the same run another space, if it has one."""
    from core.embed import components

    own = shown.near.vectors.component
    return next((name for name in components(shown.ready.model) if name != own), own)


def _run_box(run: Run, now: Context, able: Sequence[Run]) -> None:
    """The runs of this dataset, of the version it was made from and of those made from it."""
    own, everyone = now.dataset, cache.finished_runs(now.workspace)
    kin = {info.id for info in now.datasets if own and own.id == info.parent}
    kin |= {own.parent} if own and own.parent else set()
    near = [one for one in everyone if one.config.dataset in kin]
    runs = {one.id: one for one in (*able, *near, run) if maps.has_vectors(one, everyone)}
    here = {one.id for one in now.runs}

    def label(ident: str) -> str:
        one = runs[ident]
        said = run_label(one)
        return said if ident in here else f"{one.dataset_name} · {said}"

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

    def parts(placed: PlacedItems) -> tuple[str, str, str]:
        name, space = run_label(placed.ready.run), space_label(now)(placed.near.vectors.component)
        return name, space, layout_label(placed.layout)

    first, second = parts(pair.first), parts(pair.second)
    told = [n for n in range(len(first)) if n == 0 or first[n] != second[n]]
    return " · ".join(first[n] for n in told), " · ".join(second[n] for n in told)


def alike(pair: Pair) -> Likeness | None:
    """How alike the two spaces are, and the items whose neighbours changed most; None if unknown.

    Above as many items as are judged at once it is looked into only if somebody asks.
    """
    section("embeddings.alike")
    if len(set(pair.spaces)) == 1:
        said = f"{t('embeddings.alike.same')} {t('embeddings.alike.gap', gap=pair.gap)}"
        st.caption(said)
        return None
    if len(pair.first.codes) > maps.JUDGED_AT_ONCE and not st.toggle(
        t("embeddings.sound.look"), key="map_alike"
    ):
        return None
    making = cache.likeness(pair.spaces, pair)
    found = making.get(PATIENCE_S)
    if found is None:
        wait_for(making)
        return None
    if not len(found.rows):
        st.info(t("embeddings.alike.nothing"), icon=":material/info:")
        return None
    n, k = len(found.near.asked), found.near.first.shape[1]
    st.markdown(t("embeddings.alike.told", kept=found.kept, chance=found.chance, k=k))
    sampled = "" if found.whole else ".sample"
    about = t(f"embeddings.alike.of{sampled}", n=n, all=len(found.rows))
    st.caption(f"{about} {t('embeddings.alike.gap', gap=pair.gap)}")
    _changed(pair, found)
    return found


def _changed(pair: Pair, found: Likeness) -> None:
    """The items whose neighbours changed most; one that is clicked is ringed on both maps."""
    often = pair.first.events >= OFTEN
    enough = int(often[found.looked_at].sum()) >= CHANGED
    rows, kept = found.changed(CHANGED, often if enough else np.ones_like(often))
    ids, key = [str(ident) for ident in pair.first.ids(rows)], "map_changed"

    def chosen() -> None:
        for row, _ in st.session_state[key]["selection"]["cells"]:
            if 0 <= row < len(ids):
                go_to(ids[row])

    st.markdown(f"**{t('embeddings.changed')}**")
    how = t("embeddings.changed.how")
    st.caption(f"{how} {t('embeddings.changed.often', events=OFTEN)}" if enough else how)
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


def where_to(pair: Pair, found: Likeness, chosen: Array) -> None:
    """Where the selected items (N,) of the first map lie on the second."""
    st.markdown(f"**{t('embeddings.moved')}**")
    with st.spinner(t("embeddings.neighbours.seeking")):
        told = cache.moved(pair, np.packbits(chosen).tobytes(), found)
    if told is None:
        st.caption(t("embeddings.moved.nothing"))
        return
    kept, here, there = st.columns(3)
    for column, name, value, beside in (
        (kept, "kept", told.kept, t("embeddings.moved.all", value=found.kept)),
        (here, "here", told.together[0], None),
        (there, "there", told.together[1], None),
    ):
        column.metric(
            t(f"embeddings.moved.{name}"),
            f"{value:.0%}",
            delta=beside,
            delta_color="off",
            delta_arrow="off",
            border=True,
            height="stretch",
        )
    said = t("embeddings.moved.how", n=told.looked_at, k=found.near.first.shape[1])
    if lost := int(chosen.sum()) - told.known:
        said = f"{said} {t('embeddings.moved.lost', n=lost)}"
    st.caption(said)
