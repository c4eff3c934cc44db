"""The colours and the shape of every chart, for a light and a dark ground.

The categories start from Okabe and Ito's palette, which colour-blind people can tell apart; the
light ones are darkened until each stands out from white by 3:1 (WCAG 2.2, 1.4.11). Colour is never
the only sign: every category also has a marker shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plotly.graph_objects import Figure

from dashboard.text import plain

LIGHT = ("#0072b2", "#b45f06", "#00795a", "#a8457f", "#5b6470", "#2f86bf", "#d55e00", "#7d6b00")
DARK = ("#4aa8e0", "#e69f00", "#2bbf94", "#d98cbb", "#a3adba", "#7cc4f0", "#f0824a", "#d8cc3a")
GROUND = {False: "#ffffff", True: "#11151c"}
WORDS = {False: "#0d131b", True: "#e8edf4"}  # textColor of config.toml
# For points that have no shape of their own: six hues and a grey that also people without one kind
# of cone tell apart, on either ground.
APART = {
    False: ("#0072b2", "#d55e00", "#009e73", "#332288", "#a00040", "#8a4fff", "#7a828e"),
    True: ("#4aa8e0", "#e69f00", "#2bbf94", "#aa4499", "#f5f0a0", "#e05a3a", "#8b95a3"),
}
# Grounds of covers, on which white is written: seven hues that also people without one kind of cone
# tell apart, and a grey for what is rarer.
COVERS = (
    *("#0072b2", "#2d763c", "#6c136c", "#7c6403", "#1f3bad", "#5c233a", "#4e410e"),
    "#5b6470",
)
# Viridis, readable by colour-blind people: the part of it that stands out from each ground by 3:1,
# from little to much.
LITTLE_TO_MUCH = {
    False: ("#1f988b", "#26828e", "#31688e", "#3e4989", "#482475", "#440154"),
    True: ("#326c95", "#25838e", "#1fa088", "#4ac16d", "#a0da39", "#fde725"),
}
# From strongly against to strongly for, both sides lightest at 0, which has no colour of its own:
# a point near 0 must still stand out from the ground and from `faint`. On a dark ground the light
# ones are the strong ones.
AGAINST = {
    False: ("#6e2f00", "#8f4a06", "#b5701a"),
    True: ("#ffc873", "#d98f35", "#a8661f"),
}
FOR = {
    False: ("#3f88bd", "#1f5f9e", "#0a2f66"),
    True: ("#3f82b5", "#5fb0e8", "#b3e0ff"),
}
MARKERS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "pentagon")


def colours(dark: bool) -> tuple[str, ...]:
    """Eight categories."""
    return DARK if dark else LIGHT


def sequence(dark: bool, n: int) -> tuple[str, ...]:
    """So many colours from little to much, evenly between those of LITTLE_TO_MUCH."""
    return _between(LITTLE_TO_MUCH[dark], n)


def diverging(dark: bool, n: int) -> tuple[str, ...]:
    """So many colours, an even number, of which the first half speaks against, the other for."""
    return _between(AGAINST[dark], n // 2) + _between(FOR[dark], n // 2)


def _between(colours: Sequence[str], n: int) -> tuple[str, ...]:
    stops = [[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in colours]
    hexes = []
    for step in range(n):
        position = step / max(1, n - 1) * (len(stops) - 1)
        first = min(int(position), len(stops) - 2)
        share = position - first
        mixed = (
            round(a + share * (b - a)) for a, b in zip(stops[first], stops[first + 1], strict=True)
        )
        hexes.append("#" + "".join(f"{channel:02x}" for channel in mixed))
    return tuple(hexes)


def words(dark: bool) -> str:
    """The colour of what is written in a chart: small, and so 4.5:1 from the ground."""
    return "#c3cbd6" if dark else "#4d5766"


def chosen(dark: bool) -> str:
    """The colour of what is chosen (a tab, a switch), on the ground or on a tenth of itself."""
    return "#7db4ff" if dark else "#0b5cad"


def quiet(dark: bool) -> str:
    """The colour of what is not the point: rules, baselines."""
    return "#8793a3" if dark else "#66707d"


def faint(dark: bool) -> str:
    """The colour of points of which nothing is known."""
    return "#667080" if dark else "#8b94a0"


def literal(text: str) -> str:
    """Somebody's text, in which plotly must see no markup, no formula and no place to fill."""
    safe = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return safe.replace("$", "&#36;").replace("%", "&#37;")


def blank(*, height: int = 320, **layout: Any) -> Figure:
    """A figure with the house's margins; titles belong to the page, not to the chart."""
    drawn = Figure()
    drawn.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 16, "b": 8},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        **layout,
    )
    drawn.update_xaxes(automargin=True)
    drawn.update_yaxes(automargin=True)
    return drawn
