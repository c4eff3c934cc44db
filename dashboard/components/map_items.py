"""What the map is about, as tables: an item's neighbours, a selection, and the map's own twin."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.types import Array
from dashboard import alike, cache
from dashboard.charts.points import SHOWN, Colouring
from dashboard.components.map_view import TWIN, colour_label
from dashboard.components.page import section, table
from dashboard.components.people import escaped
from dashboard.maps import Placed
from dashboard.state import t

NEIGHBOURS = 10
MOST_ROWS = 1000  # shown of a table; a download has all of them
MOST_VALUES = 12


def neighbour_tables(placed: Placed, row: int, run: str) -> None:
    """The items most like one, by the model, by content, and by who took both."""
    (name,) = placed.names([row])
    section("embeddings.neighbours", item=escaped(name))
    found = cache.neighbours(placed, row, NEIGHBOURS)
    near = set(found["vectors"]["row"])
    for column, (by, frame) in zip(st.columns(len(found)), found.items(), strict=True):
        with column:
            st.markdown(f"**{t(f'embeddings.by.{by}')}**")
            others = near if by != "vectors" else _elsewhere(found)
            _neighbours(placed, frame, others, t(f"embeddings.by.{by}.alt", item=name, run=run))
    st.caption(t("embeddings.neighbours.bold"))


def _elsewhere(found: dict[str, pd.DataFrame]) -> set[int]:
    return {row for by, frame in found.items() if by != "vectors" for row in frame["row"]}


def _neighbours(placed: Placed, frame: pd.DataFrame, marked: set[int], alt: str) -> None:
    if frame.empty:
        st.caption(t("embeddings.neighbours.none"))
        return
    names = [escaped(name) for name in placed.names(frame["row"].to_numpy())]
    shown = {
        t("column.item"): [
            f"**{name}**" if row in marked else name
            for name, row in zip(names, frame["row"], strict=True)
        ],
        t("column.similarity"): [f"{value:.2f}" for value in frame["similarity"]],
    }
    st.table(pd.DataFrame(shown), border="horizontal", hide_index=True, alt=alt)


def selection(placed: Placed, chosen: Array) -> None:
    """What is selected: its numbers beside the rest's, what stands out in it, its items."""
    rows = np.flatnonzero(chosen)
    section("embeddings.selection", n=len(rows))
    numbers = cache.selection_numbers(placed, np.packbits(chosen).tobytes())
    _numbers(numbers)
    profile, items = st.columns(2)
    with profile:
        st.markdown(f"**{t('embeddings.stands_out')}**")
        _profile(alike.contrast(placed, chosen))
    with items:
        st.markdown(f"**{t('embeddings.selected_items')}**")
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


def _numbers(numbers: pd.DataFrame) -> None:
    parts = {bool(part["chosen"]): part for part in numbers.to_dict("records")}
    if True not in parts:
        return
    own, rest, events = parts[True], parts.get(False), numbers["events"].sum()
    shown: list[tuple[str, str, str | None]] = [
        (t("embeddings.events_share"), f"{own['events'] / events:.1%}", None),
        *[
            (t(f"embeddings.{name}"), format(own[name], form), _rest(rest, name, form))
            for name, form in (("users", ",.0f"), ("median_events", ",.0f"), ("mean_value", ".2f"))
            if np.isfinite(own[name])
        ],
    ]
    for column, (label, value, beside) in zip(st.columns(len(shown)), shown, strict=True):
        column.metric(
            label,
            value,
            delta=beside,
            delta_color="off",
            delta_arrow="off",
            border=True,
            height="stretch",
        )


def _rest(rest: Mapping[Hashable, Any] | None, name: str, form: str) -> str | None:
    return None if rest is None else t("embeddings.rest", value=format(rest[name], form))


def _profile(frame: pd.DataFrame) -> None:
    if frame.empty:
        st.caption(t("embeddings.stands_out.nothing"))
        return
    shown = frame.head(MOST_VALUES).assign(
        value=lambda f: f["value"].str.replace("=", ": ", n=1),
        selected=lambda f: 100 * f["selected"],
        rest=lambda f: 100 * f["rest"],
        lift=lambda f: f["lift"].where(np.isfinite(f["lift"])),
    )
    percent = {
        name: st.column_config.NumberColumn(t(f"embeddings.{name}"), format="%.1f %%")
        for name in ("selected", "rest_share")
    }
    table(
        shown.rename(columns={"rest": "rest_share"}),
        alt=t("embeddings.stands_out.alt"),
        key="map_profile",
        columns={
            **percent,
            "value": st.column_config.Column(t("embeddings.trait")),
            "lift": st.column_config.NumberColumn(t("embeddings.lift"), format="%.1f×"),
        },
    )


def twin(placed: Placed, by: str) -> None:
    """The map as a table, for those who do not see it or want its numbers."""
    section("embeddings.twin")
    n = len(placed.codes)
    st.caption(t("embeddings.twin.count", shown=min(n, MOST_ROWS), n=n))
    colouring = cache.colouring(placed, by)

    def frame(rows: Array) -> pd.DataFrame:
        found = _items(placed, rows)
        if colouring.kind == "category":
            found[colour_label(by)] = _values(colouring, rows)
        return found.assign(
            x=placed.x[rows].astype(float).round(4), y=placed.y[rows].astype(float).round(4)
        )

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


def _items(placed: Placed, rows: Array) -> pd.DataFrame:
    columns = {"item_id": placed.ids(rows), "label": placed.names(rows)}
    return pd.DataFrame({**columns, "events": placed.events[rows]})


def _values(colouring: Colouring, rows: Array) -> list[str]:
    names = [*colouring.names]
    names += [""] * (SHOWN - len(names)) + [t("map.other"), t("map.unknown")]
    return [names[value] for value in colouring.values[rows]]
