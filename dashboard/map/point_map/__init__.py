"""A map of up to a few million points, drawn by WebGL: the component's Python side.

The points, their colours and their sizes are addresses (dashboard/served.py) that the browser
fetches as raw bytes; what travels with each rerun is a page of JSON. Source in source/, built into
map.bundle.js by `make bundles`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

import streamlit as st

from dashboard import served
from dashboard.map.colouring import SHOWN, Colouring
from dashboard.state import t
from dashboard.text import plain

_HERE = Path(__file__).resolve().parent
TEXTS = (
    *(
        "pan",
        "lasso",
        "box",
        "in",
        "out",
        "fit",
        "names",
        "clear",
        "picture",
        "table",
        "mode",
        "keys",
    ),
    *("loading", "failed", "no_webgl", "toggle", "selected"),
)


class LegendEntry(TypedDict):
    """A category: its place in the palette, its name, how many points have it."""

    value: int
    text: str
    n: str


class CategoryLegend(TypedDict):
    """The categories that colours stand for."""

    kind: Literal["category"]
    entries: list[LegendEntry]


class SequenceLegend(TypedDict):
    """The ends of a scale, and what is said of points without a number; "" if there are none."""

    kind: Literal["sequence"]
    low: str
    high: str
    none: str


Legend = CategoryLegend | SequenceLegend


class Region(TypedDict):
    """A name of a place, beginning there."""

    x: float
    y: float
    text: str


class Link(TypedDict, total=False):
    """What links a map to another one of the page: source/link.js."""

    name: str
    rows: str  # address of int32[n], the other map's row for each point; -1 for none
    of: str  # address of the other map's points


class Card(TypedDict):
    """What is written about a row."""

    name: str
    lines: list[str]


class Selected(TypedDict, total=False):
    """What the browser says of a selection; not to be trusted."""

    points: str  # address of the points that were on the map
    values: str  # address of their colours
    polygon: list[list[float]]
    count: int
    rows: list[int]
    hidden: list[int]  # values that were hidden


@dataclass(frozen=True, kw_only=True)
class MapProps:
    """What a map shows."""

    points: str  # address of int32 n | float32 x[n] | float32 y[n]
    values: str  # of uint8[n], the places in the palette
    sizes: str | None  # of uint8[n], 0 … 15
    cards: str  # of what is written about rows: a Card each
    title: str  # what the colours are
    legend: Legend
    palette: Mapping[str, tuple[str, ...]]  # "light" and "dark"
    regions: tuple[Region, ...] = ()
    trail: tuple[int, ...] = ()  # rows joined by a line, the oldest first
    marks: tuple[int, ...] = ()  # rows with a number each, from 1
    ring: int = -1  # the row with a ring around it
    fly: str = ""  # whenever this changes, the map moves to the ring
    twin: str = ""  # the key of the table that says the same
    alt: str = ""
    height: int = 560
    link: Link | None = None


def point_map(
    props: MapProps, *, key: str, on_click: Callable[[], None] = lambda: None
) -> Selected | None:
    """Draws the map; what is selected on it, or None.

    Args:
        props: What it shows.
        key: The widget's key.
        on_click: Called before the page is drawn again; `clicked(key)` is then the row.
    """
    data = {
        "module": served.module("map"),
        **vars(props),
        "texts": {n: plain(t(f"map.{n}")) for n in TEXTS},
    }
    result = _component()(
        data=data,
        key=key,
        default={"selected": None},
        on_selected_change=lambda: None,
        on_clicked_change=on_click,
    )
    selected: Selected | None = result.selected
    return selected


def clicked(key: str) -> int | None:
    """The row that was clicked just now, inside on_click."""
    click = st.session_state[key].get("clicked")
    row = click.get("row") if isinstance(click, Mapping) else None
    return row if isinstance(row, int) else None


def legend(colouring: Colouring) -> Legend:
    """What the colours mean, for the browser."""
    if colouring.scaled:
        none = plain(t(f"map.{colouring.rest}")) if colouring.any_unknown else ""
        return {"kind": "sequence", "low": _short(colouring.low), "high": _short(colouring.high),
                "none": none}  # fmt: skip
    names = value_names(colouring)
    entries = [
        LegendEntry(value=value, text=names[value], n=f"{n:,}")
        for value, n in sorted(colouring.counts.items())
    ]
    return {"kind": "category", "entries": entries}


def value_names(colouring: Colouring) -> list[str]:
    """What each value of a category or group is called."""
    names = [plain(name) for name in colouring.names]
    if colouring.kind == "group":
        return names
    return names + [""] * (SHOWN - len(names)) + [plain(t("map.other")), plain(t("map.unknown"))]


def _short(number: float) -> str:
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:,.4g}"


def _component() -> Any:
    """The component, declared on first use: a test without a server declares it again."""
    return st.components.v2.component(
        "recscope.map",
        html='<div class="map"></div>',
        css=(_HERE / "map.css").read_text("utf-8"),
        js=served.SHIM,
    )
