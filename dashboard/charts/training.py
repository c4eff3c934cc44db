"""How a training goes, epoch by epoch."""

from __future__ import annotations

import pandas as pd
from plotly.graph_objects import Figure, Scatter
from plotly.subplots import make_subplots

from dashboard.charts.theme import MARKERS, blank, colours, literal


def epochs(frame: pd.DataFrame, *, x: str, loss: str, validation: str, dark: bool) -> Figure:
    """The loss, and below it the figure on validation, which a refit does not have.

    Args:
        frame: step (1, 2, …), loss, validation (NaN where there is none).
        x: Title of the axis of steps.
        loss: Title of the upper chart.
        validation: Title of the lower chart.
        dark: Whether the ground is dark.
    """
    drawn = blank(height=320, showlegend=False)
    make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.12, figure=drawn)
    for row, (column, title) in enumerate([("loss", loss), ("validation", validation)], start=1):
        mark = {"color": colours(dark)[row - 1], "symbol": MARKERS[row - 1], "size": 6}
        drawn.add_trace(
            Scatter(
                x=frame["step"],
                y=frame[column],
                mode="lines+markers",
                marker=mark,
                name=literal(title),
            ),
            row=row,
            col=1,
        )
        drawn.update_yaxes(title=literal(title), row=row, col=1)
    drawn.update_xaxes(title=literal(x), row=2, col=1)
    return drawn
