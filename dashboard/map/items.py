"""What the map is about, as tables: an item's neighbours, a selection, and the map's own twin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.embed.clusters import Term
from core.embed.selection import SelectionNumbers
from core.types import Array, Floats
from dashboard import cache
from dashboard.components.data.quality import COLOURS, ICONS
from dashboard.components.page import section, table
from dashboard.components.people import escaped
from dashboard.map.colouring import Colouring
from dashboard.map.colours import colour_label, colouring_of
from dashboard.map.placement import PlacedItems
from dashboard.map.point_map import value_names
from dashboard.map.view import TWIN, named, term_label
from dashboard.state import t

NEIGHBOURS = 10
LISTS = ("vectors", "content", "together")
MOST_ROWS = 1000  # shown of a table; a download has all of them
MOST_VALUES = 12
MOST_HEARD = 50  # items of a selection that are heard as a history


def neighbour_tables(
    placed: PlacedItems, row: int, run: str, other: PlacedItems | None = None
) -> None:
    """The items most like one, by the model, by what is known of them, and by who took both.

    Args:
        placed: Whose vectors.
        row: The item.
        run: What the run is called.
        other: A second map that may know the item too.
    """
    (name,), (ident,) = placed.names([row]), placed.ids(np.array([row]))
    section("embeddings.neighbours", item=escaped(name))
    with st.spinner(t("embeddings.neighbours.seeking")):
        near = cache.neighbours(placed, str(ident), NEIGHBOURS)
        found = {by: near[by] for by in LISTS}
        if other is not None and other.row(str(ident)) >= 0:
            beside = cache.neighbours(other, str(ident), NEIGHBOURS)["vectors"]
            found = {"vectors": found.pop("vectors"), "beside": beside, **found}
    ids = {by: {one["item"] for one in found[by]} for by in found}
    for column, by in zip(st.columns(len(found)), found, strict=True):
        others = set().union(*(ids[name] for name in ids if name != by))
        with column:
            st.markdown(f"**{t(f'embeddings.by.{by}')}**")
            _neighbours(found[by], others, t(f"embeddings.by.{by}.alt", item=name, run=run))
    st.caption(t("embeddings.neighbours.bold"))


def _neighbours(found: list[dict[str, Any]], marked: set[Any], alt: str) -> None:
    if not found:
        st.caption(t("embeddings.neighbours.none"))
        return
    names = [escaped(one["label"]) for one in found]
    shown: dict[str, list[Any]] = {
        t("column.item"): [
            f"**{name}**" if one["item"] in marked else name
            for one, name in zip(found, names, strict=True)
        ],
        t("column.similarity"): [f"{one['cosine']:.2f}" for one in found],
    }
    if "both" in found[0]:
        shown[t("column.both")] = [f"{one['both']:,.0f}" for one in found]
    st.table(pd.DataFrame(shown), border="horizontal", hide_index=True, alt=alt)


def selection(placed: PlacedItems, chosen: Array) -> None:
    """What is selected: its numbers beside the rest's, what stands out in it, its items."""
    rows = np.flatnonzero(chosen)
    section("embeddings.selection", n=len(rows))
    bits = np.packbits(chosen).tobytes()
    _numbers(*cache.selection_numbers(placed, bits))
    profile, items = st.columns(2)
    with profile:
        st.markdown(f"**{t('embeddings.stands_out')}**")
        _profile(cache.standing_out(placed, bits), chosen)
        recommended(placed, bits, len(rows), key="map_for_set")
    with items:
        st.markdown(f"**{t('embeddings.selected_items')}**")
        with st.container(key="map_selected_items"):
            table(
                _items(placed, rows[:MOST_ROWS]),
                alt=t("embeddings.selected_items.alt", n=len(rows)),
                key="map_selected",
                height=385,
            )
        st.download_button(
            t("action.download_csv"),
            data=lambda: _items(placed, rows).to_csv(index=False),
            file_name="selection.csv",
            mime="text/csv",
            key="map_download_selection",
            icon=":material/download:",
            on_click="ignore",
        )


def recommended(placed: PlacedItems, bits: bytes, n: int, *, key: str) -> None:
    """What the model would give somebody who took these."""
    if not st.toggle(t("embeddings.for_set"), key=key):
        return
    rows = cache.for_set(placed, bits, MOST_HEARD, NEIGHBOURS)
    names = [escaped(name) for name in placed.names(rows)]
    shown = {t("column.rank"): range(1, len(rows) + 1), t("column.item"): names}
    said = t("embeddings.for_set.alt", n=min(n, MOST_HEARD))
    st.table(pd.DataFrame(shown), border="horizontal", hide_index=True, alt=said)
    st.caption(said)


def _numbers(own: SelectionNumbers, rest: SelectionNumbers) -> None:
    if not own.events:
        return
    share = own.events / (own.events + rest.events)
    shown: list[tuple[str, str, str | None]] = [
        (t("embeddings.events_share"), f"{share:.1%}", None)
    ]
    for name, form in (("users", ",.0f"), ("median_events", ",.0f"), ("mean_value", ".2f")):
        here, there = getattr(own, name), getattr(rest, name)
        if np.isfinite(here):
            beside = t("embeddings.rest", value=format(there, form)) if rest.items else None
            shown.append((t(f"embeddings.{name}"), format(here, form), beside))
    for column, (label, value, said) in zip(st.columns(len(shown)), shown, strict=True):
        column.metric(
            label,
            value,
            delta=said,
            delta_color="off",
            delta_arrow="off",
            border=True,
            height="stretch",
        )


def _profile(terms: list[Term], chosen: Array) -> None:
    if not terms:
        st.caption(t("embeddings.stands_out.nothing"))
        return
    here, there = int(chosen.sum()), int((~chosen).sum())
    shown = pd.DataFrame(
        {
            "value": [term_label(term.name) for term in terms],
            "selected": [100 * term.inside / here for term in terms],
            "rest_share": [100 * (term.overall - term.inside) / there for term in terms],
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


def sound(placed: PlacedItems, *, at_once: bool) -> None:
    """What a trainer looks at first: whether the vectors are sound, the gravest first.

    Args:
        placed: Whose.
        at_once: Whether it is looked into without being asked.
    """
    section("embeddings.sound")
    if not at_once and not st.toggle(t("embeddings.sound.look"), key="map_sound"):
        return
    for one in cache.diagnosed(placed):
        sign, said = st.columns([1, 9])
        sign.badge(
            t(f"severity.{one.severity}"),
            color=COLOURS[one.severity],
            icon=f":material/{ICONS[one.severity]}:",
        )
        said.markdown(t(f"embeddings.sound.{one.key}", **one.numbers))


def twin(placed: PlacedItems, by: str, places: Floats | None = None) -> None:
    """The map as a table, for those who do not see it or want its numbers.

    Args:
        placed: The map.
        by: What it is coloured by.
        places: Of the items in three axes (N, 3), if these are shown.
    """
    section("embeddings.twin")
    n = len(placed.codes)
    st.caption(t("embeddings.twin.count", shown=min(n, MOST_ROWS), n=n))
    colouring = named(colouring_of(placed, by))

    def frame(rows: Array) -> pd.DataFrame:
        found = _items(placed, rows)
        if colouring.numbers is not None:
            found[colour_label(by)] = colouring.numbers[rows]
        elif colouring.kind != "sequence":
            found[colour_label(by)] = _values(colouring, rows)
        flat = (placed.x[rows], placed.y[rows]) if places is None else places[rows].T
        for axis, values in zip("xyz", flat, strict=False):
            found[axis] = values.astype(float).round(4)
        return found

    with st.container(key=TWIN):
        table(
            frame(np.arange(min(n, MOST_ROWS))),
            alt=t("embeddings.twin.alt", n=n),
            key="map_table",
            height=385,
        )
    st.download_button(
        t("action.download_csv"),
        data=lambda: frame(np.arange(n)).to_csv(index=False),
        file_name="map.csv",
        mime="text/csv",
        key="map_download",
        icon=":material/download:",
        on_click="ignore",
    )


def _items(placed: PlacedItems, rows: Array) -> pd.DataFrame:
    columns = {"item_id": placed.ids(rows), "label": placed.names(rows)}
    return pd.DataFrame({**columns, "events": placed.events[rows]})


def _values(colouring: Colouring, rows: Array) -> list[str]:
    names = value_names(colouring)
    return [names[value] for value in colouring.values[rows]]
