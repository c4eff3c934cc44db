"""What the map is about, as tables: an item's neighbours, a selection, and the map's own twin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.embed.clusters import Term
from core.embed.selection import SelectionNumbers
from core.pipeline import Neighbour
from core.types import Array, Floats
from dashboard import cache
from dashboard.components.data.quality import COLOURS, ICONS
from dashboard.components.download import csv_buttons
from dashboard.components.page import listing, section, table
from dashboard.map.colouring import Colouring
from dashboard.map.colours import colour_label, colouring_of
from dashboard.map.controls import TWIN, named, term_label
from dashboard.map.item_map import ItemMap
from dashboard.map.point_map import value_names
from dashboard.state import t
from dashboard.text import Text, literal, plain, strong

NEIGHBOURS = 10
MOST_ROWS = 1000  # shown of a table; a download has all of them
MOST_VALUES = 12
MOST_HEARD = 50  # items of a selection that are heard as a history


def neighbour_tables(item_map: ItemMap, row: int, run: str, other: ItemMap | None = None) -> None:
    """The items most like one, by the model, by what is known of them, and by who took both.

    Args:
        item_map: Whose vectors.
        row: The item.
        run: What the run is called.
        other: A second map that may know the item too.
    """
    (name,), (ident,) = item_map.names([row]), item_map.ids(np.array([row]))
    section("embeddings.neighbours", item=name)
    with st.spinner(t("embeddings.neighbours.seeking")):
        near = cache.neighbours(item_map, str(ident), NEIGHBOURS)
        lists = {"vectors": near.vectors}
        if other is not None and other.row(str(ident)) >= 0:
            lists["beside"] = cache.neighbours(other, str(ident), NEIGHBOURS).vectors
        lists |= {"content": near.content, "together": near.together}
    ids = {by: {neighbour.item for neighbour in lists[by]} for by in lists}
    for column, by in zip(st.columns(len(lists)), lists, strict=True):
        others = set().union(*(ids[name] for name in ids if name != by))
        with column:
            st.markdown(strong(t(f"embeddings.by.{by}")))
            _neighbours(lists[by], others, t(f"embeddings.by.{by}.alt", item=name, run=run))
    st.caption(t("embeddings.neighbours.bold"))


def _neighbours(neighbours: Sequence[Neighbour], marked: set[Any], alt: str) -> None:
    if not neighbours:
        st.caption(t("embeddings.neighbours.none"))
        return
    shown: dict[str, list[Any]] = {
        t("column.item"): [
            strong(near.label) if near.item in marked else literal(near.label)
            for near in neighbours
        ],
        t("column.similarity"): [f"{near.cosine:.2f}" for near in neighbours],
    }
    if neighbours[0].both is not None:
        shown[t("column.both")] = [f"{near.both:,.0f}" for near in neighbours]
    listing(shown, alt=alt)


def selection(item_map: ItemMap, chosen: Array) -> None:
    """What is selected: its numbers beside the rest's, what stands out in it, its items."""
    rows = np.flatnonzero(chosen)
    section("embeddings.selection", n=len(rows))
    bits = np.packbits(chosen).tobytes()
    _numbers(*cache.selection_numbers(item_map, bits))
    profile, items = st.columns(2)
    with profile:
        st.markdown(strong(t("embeddings.stands_out")))
        _profile(cache.over_represented(item_map, bits), chosen)
        recommended(item_map, bits, len(rows), key="map_for_set")
    with items:
        st.markdown(strong(t("embeddings.selected_items")))
        with st.container(key="map_selected_items"):
            table(
                _items(item_map, rows[:MOST_ROWS]),
                alt=t("embeddings.selected_items.alt", n=len(rows)),
                key="map_selected",
                height=385,
            )
        csv_buttons(lambda: _items(item_map, rows), name="selection", key="map_download_selection")


def recommended(item_map: ItemMap, bits: bytes, n: int, *, key: str) -> None:
    """What the model would give somebody who took these."""
    if not st.toggle(t("embeddings.for_set"), key=key):
        return
    rows = cache.recommended_rows(item_map, bits, MOST_HEARD, NEIGHBOURS)
    names = item_map.names(rows)
    shown: dict[str, Sequence[Any]] = {
        t("column.rank"): range(1, len(rows) + 1),
        t("column.item"): names,
    }
    caption = t("embeddings.for_set.alt", n=min(n, MOST_HEARD))
    listing(shown, alt=caption)
    st.caption(caption)


def _numbers(own: SelectionNumbers, rest: SelectionNumbers) -> None:
    if not own.events:
        return
    share = own.events / (own.events + rest.events)
    shown: list[tuple[Text, str, Text | None]] = [
        (t("embeddings.events_share"), f"{share:.1%}", None)
    ]
    for name, form in (("users", ",.0f"), ("median_events", ",.0f"), ("mean_value", ".2f")):
        selected, others = getattr(own, name), getattr(rest, name)
        if np.isfinite(selected):
            beside = t("embeddings.rest", value=format(others, form)) if rest.items else None
            shown.append((t(f"embeddings.{name}"), format(selected, form), beside))
    for column, (label, value, beside) in zip(st.columns(len(shown)), shown, strict=True):
        column.metric(
            literal(label),
            literal(value),
            delta=literal(beside) if beside else None,
            delta_color="off",
            delta_arrow="off",
            border=True,
            height="stretch",
        )


def _profile(terms: list[Term], chosen: Array) -> None:
    if not terms:
        st.caption(t("embeddings.stands_out.nothing"))
        return
    n_chosen, n_rest = int(chosen.sum()), int((~chosen).sum())
    shown = pd.DataFrame(
        {
            "value": [term_label(term.name) for term in terms],
            "selected": [100 * term.inside / n_chosen for term in terms],
            "rest_share": [100 * (term.overall - term.inside) / n_rest for term in terms],
        }
    ).head(MOST_VALUES)
    percent = {
        name: st.column_config.NumberColumn(t(f"embeddings.{name}"), format="%.1f %%")
        for name in ("selected", "rest_share")
    }
    table(
        shown,
        alt=t("embeddings.stands_out.alt"),
        key="map_profile",
        columns={**percent, "value": st.column_config.Column(t("embeddings.trait"))},
    )


def diagnosis_section(item_map: ItemMap, *, at_once: bool) -> None:
    """What a trainer looks at first: whether the vectors are sound, the gravest first.

    Args:
        item_map: Whose.
        at_once: Whether it is looked into without being asked.
    """
    section("embeddings.sound")
    if not at_once and not st.toggle(t("embeddings.sound.look"), key="map_sound"):
        return
    for finding in cache.diagnosis(item_map):
        sign, words = st.columns([1, 9])
        sign.badge(
            t(f"embeddings.severity.{finding.severity}"),
            color=COLOURS[finding.severity],
            icon=f":material/{ICONS[finding.severity]}:",
        )
        words.markdown(t(f"embeddings.sound.{finding.key}", **finding.numbers))


def map_table(item_map: ItemMap, by: str, points: Floats | None = None) -> None:
    """The map as a table, for those who do not see it or want its numbers.

    Args:
        item_map: The map.
        by: What it is coloured by.
        points: Of the items in three axes (N, 3), if these are shown.
    """
    section("embeddings.twin")
    n = len(item_map.codes)
    st.caption(t("embeddings.twin.count", shown=min(n, MOST_ROWS), n=n))
    colouring = named(colouring_of(item_map, by))

    def frame(rows: Array) -> pd.DataFrame:
        columns = _items(item_map, rows)
        if colouring.numbers is not None:
            columns[plain(colour_label(by))] = colouring.numbers[rows]
        elif colouring.kind != "sequence":
            columns[plain(colour_label(by))] = _values(colouring, rows)
        flat = (item_map.x[rows], item_map.y[rows]) if points is None else points[rows].T
        for axis, values in zip("xyz", flat, strict=False):
            columns[axis] = values.astype(float).round(4)
        return columns

    with st.container(key=TWIN):
        table(
            frame(np.arange(min(n, MOST_ROWS))),
            alt=t("embeddings.twin.alt", n=n),
            key="map_table",
            height=385,
        )
    csv_buttons(lambda: frame(np.arange(n)), name="map", key="map_download")


def _items(item_map: ItemMap, rows: Array) -> pd.DataFrame:
    columns = {"item_id": item_map.ids(rows), "label": item_map.names(rows)}
    return pd.DataFrame({**columns, "events": item_map.events[rows]})


def _values(colouring: Colouring, rows: Array) -> list[str]:
    names = value_names(colouring)
    return [names[value] for value in colouring.values[rows]]
