"""How a search for settings goes, and which settings matter."""

from __future__ import annotations

import pandas as pd
from plotly.graph_objects import Bar, Figure, Scatter

from dashboard.charts.theme import MARKERS, blank, colours, literal, quiet


def best_so_far(frame: pd.DataFrame, *, x: str, y: str, each: str, best: str, dark: bool) -> Figure:
    """A mark per trial, and the best so far as a line of steps.

    Args:
        frame: trial (1, 2, …), validation (NaN where there is none), best.
        x: Title of the axis of trials.
        y: Title of the axis of the figure on validation.
        each: What a mark is.
        best: What the line is.
        dark: Whether the ground is dark.
    """
    drawn = blank(height=260)
    mark = {"color": quiet(dark), "symbol": MARKERS[1], "size": 7}
    drawn.add_trace(
        Scatter(
            x=frame["trial"], y=frame["validation"], mode="markers", marker=mark, name=literal(each)
        )
    )
    line = {"color": colours(dark)[0], "width": 2, "shape": "hv"}
    drawn.add_trace(
        Scatter(x=frame["trial"], y=frame["best"], mode="lines", line=line, name=literal(best))
    )
    drawn.update_xaxes(title=literal(x), rangemode="tozero")
    drawn.update_yaxes(title=literal(y))
    return drawn


def importance(frame: pd.DataFrame, *, x: str, dark: bool) -> Figure:
    """One bar per setting, the longest on top. `frame`: setting, share (0 … 1)."""
    ordered = frame.sort_values("share")
    drawn = blank(height=80 + 32 * len(ordered), bargap=0.35)
    drawn.add_trace(
        Bar(
            x=ordered["share"],
            y=ordered["setting"].map(literal),
            orientation="h",
            marker_color=colours(dark)[0],
            texttemplate="%{x:.0%}",
            textposition="outside",
        )
    )
    drawn.update_xaxes(title=literal(x), tickformat=".0%", range=[0, 1.05])
    return drawn
