"""The colours and the shape of every chart, for a light and a dark ground.

The categories start from Okabe and Ito's palette, which colour-blind people can tell apart; the
light ones are darkened until each stands out from white by 3:1 (WCAG 2.2, 1.4.11). Colour is never
the only sign: every category also has a marker shape.
"""

from __future__ import annotations

from typing import Any

from plotly.graph_objects import Figure

LIGHT = ("#0072b2", "#b45f06", "#00795a", "#a8457f", "#5b6470", "#2f86bf", "#d55e00", "#7d6b00")
DARK = ("#4aa8e0", "#e69f00", "#2bbf94", "#d98cbb", "#a3adba", "#7cc4f0", "#f0824a", "#d8cc3a")
GROUND = {False: "#ffffff", True: "#11151c"}
MARKERS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "pentagon")


def colours(dark: bool) -> tuple[str, ...]:
    """Eight categories."""
    return DARK if dark else LIGHT


def quiet(dark: bool) -> str:
    """The colour of what is not the point: rules, baselines."""
    return "#8793a3" if dark else "#66707d"


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
