"""Charts of a log: when it happened, and how unequally the items share it."""

from __future__ import annotations

import pandas as pd
from plotly.graph_objects import Bar, Figure, Scatter

from dashboard.charts.theme import blank, colours, literal


def activity(frame: pd.DataFrame, *, x: str, y: str, dark: bool) -> Figure:
    """Events per period as bars. `frame`: period, events; x and y are the axis titles."""
    drawn = blank(bargap=0.05)
    drawn.add_trace(Bar(x=frame["period"], y=frame["events"], marker_color=colours(dark)[0]))
    drawn.update_xaxes(title=literal(x))
    drawn.update_yaxes(title=literal(y))
    return drawn


def long_tail(frame: pd.DataFrame, *, x: str, y: str, dark: bool) -> Figure:
    """The share of events that the most popular share of items takes.

    `frame`: item_share, event_share, both 0 … 1, rising from (0, 0) to (1, 1).
    """
    drawn = blank()
    drawn.add_trace(
        Scatter(
            x=frame["item_share"],
            y=frame["event_share"],
            mode="lines",
            fill="tozeroy",
            line={"color": colours(dark)[0], "width": 2},
        )
    )
    drawn.update_xaxes(title=literal(x), tickformat=".0%", range=[0, 1])
    drawn.update_yaxes(title=literal(y), tickformat=".0%", range=[0, 1.02])
    return drawn
