"""How far the items moved between the epochs of a training."""

from __future__ import annotations

import pandas as pd
from plotly.graph_objects import Figure, Scatter

from dashboard.charts.theme import MARKERS, blank, colours, literal


def by_epoch(frame: pd.DataFrame, *, x: str, cosine: str, overlap: str, dark: bool) -> Figure:
    """Two lines: how an item agrees with itself, and how many of its neighbours it kept.

    Args:
        frame: step ("1 → 2", …), cosine and overlap (at most 1).
        x: Title of the axis of steps.
        cosine: Name of the first line.
        overlap: Name of the second line.
        dark: Whether the ground is dark.
    """
    drawn = blank(height=300)
    for number, (column, name) in enumerate([("cosine", cosine), ("overlap", overlap)]):
        look = colours(dark)[number]
        drawn.add_trace(
            Scatter(
                x=frame["step"],
                y=frame[column],
                mode="lines+markers",
                name=literal(name),
                line={"color": look, "dash": ("solid", "dash")[number]},
                marker={"color": look, "symbol": MARKERS[number], "size": 8},
                hovertemplate="%{x}: %{y:.2f}",
            )
        )
    low = min(0.0, float(frame["cosine"].min()))
    drawn.update_yaxes(range=[low - 0.02, 1.04], tickformat=".1f")
    drawn.update_xaxes(title=literal(x), type="category")
    return drawn
