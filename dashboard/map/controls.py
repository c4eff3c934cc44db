"""What is set above the map of items: its colours, space and layout, and the search."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from core.embed import components
from dashboard import cache, state
from dashboard.components.context import Context
from dashboard.components.labels import component_label, run_label, text_or
from dashboard.map.colouring import Colouring
from dashboard.map.colours import colour_label
from dashboard.map.item_map import LAYOUTS, SOLID, ItemMap
from dashboard.state import t
from dashboard.text import literal, plain

TWIN = "map_twin"  # the key of the table that says the same as the map
SOMETIMES = ("cluster", "moved")  # colours that not every map of a run has
MATCHES = 6  # of a search that are offered


def colour_box(item_map: ItemMap) -> str:
    """Chooses what the points are coloured by."""
    options = cache.colourings(item_map)
    by = state.one_of("colour", options, options[0], elsewhere=SOMETIMES) or options[0]
    state.pick("colour", options, colour_label, current=by, title=t("embeddings.colour"))
    return by


def space_box(
    item_map: ItemMap, named: Callable[[str], str], *, name: str = "space", title: str = ""
) -> None:
    """Chooses the space of the model's that is shown, where it has several."""
    spaces, current = components(item_map.loaded.model), item_map.near.vectors.component
    if len(spaces) > 1:
        state.pick(name, spaces, named, current=current, title=title or t("embeddings.space"))


def space_label(now: Context) -> Callable[[str], str]:
    """What the spaces of models are called."""
    runs = {run.id: run_label(run) for run in now.runs}

    def label(space: str) -> str:
        head, _, rest = space.partition(":")
        of = runs.get(head, component_label(head))
        if rest:
            return f"{of} · {text_or(f'embeddings.space.{rest}', rest)}"
        return of if head in runs else text_or(f"embeddings.space.{head}", of)

    return label


def layout_box(current: str, *, name: str = "layout", title: str = "") -> None:
    """Chooses the kind of map."""
    state.pick(
        name,
        LAYOUTS if name != "layout" else (*LAYOUTS, SOLID),
        layout_label,
        current=current,
        title=title or t("embeddings.layout"),
    )


def layout_label(name: str) -> str:
    return t(f"embeddings.layout.{name}")


def group_label(name: str) -> str:
    """A cluster's name; one that is like an item is said so in the page's language."""
    head, like, item = name.rpartition("like ")
    if not like or (head and not head.endswith(", ")):
        return term_label(name)
    return term_label(head) + plain(t("embeddings.like", item=item))


def term_label(name: str) -> str:
    """What stands out, with decades ("1990s") in the page's language."""
    return re.sub(
        r"\b(\d{3}0)s\b", lambda match: plain(t("embeddings.decade", year=match[1])), name
    )


def search_box(item_map: ItemMap) -> str:
    """Finds an item by its name or id, and the map moves to it; what is in the box."""
    return st.text_input(
        t("embeddings.search"),
        key="map_search",
        placeholder=t("embeddings.search.hint"),
        on_change=lambda: _go_to_best(item_map),
    )


def matches(item_map: ItemMap, query: str) -> None:
    """What else matches, to go there instead."""
    if not query:
        return
    names = _matches(item_map, query)
    if not names:
        st.caption(t("embeddings.search.nothing", text=query))
    elif len(names) > 1:
        key = f"map_found_{state.mark(names)}"
        st.pills(
            t("embeddings.search.found"),
            list(names),
            format_func=lambda ident: literal(names[ident]),
            key=key,
            label_visibility="collapsed",
            on_change=lambda: go_to(st.session_state[key]),
        )


def _matches(item_map: ItemMap, query: str) -> dict[str, str]:
    best = cache.search_items(item_map.loaded.load_dataset().info, query, MATCHES)
    pairs = zip(best["item_id"].astype(str), best["label"].astype(str), strict=True)
    return {ident: name for ident, name in pairs if item_map.row(ident) >= 0}


def _go_to_best(item_map: ItemMap) -> None:
    query = st.session_state["map_search"]
    if query:
        go_to(next(iter(_matches(item_map, query)), None))


def go_to(ident: str | None) -> None:
    """The maps move to this item, which gets a ring."""
    if ident is not None:
        state.put("item", ident)
        times = st.session_state.get("map_flights", 0) + 1
        st.session_state["map_flights"], st.session_state["map_fly"] = times, f"{ident} {times}"


def named(colouring: Colouring) -> Colouring:
    """With the names of clusters in the page's language."""
    if colouring.kind != "group":
        return colouring
    return replace(colouring, names=tuple(group_label(name) for name in colouring.names))
