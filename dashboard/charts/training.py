"""How a training goes, epoch by epoch."""

from __future__ import annotations

import pandas as pd
from plotly.graph_objects import Figure, Scatter
from plotly.subplots import make_subplots

from dashboard.charts.theme import MARKERS, blank, colours, literal


def epochs(frame: pd.DataFrame, *, x: str, loss: str, validation: str, dark: bool) -> Figure:
    """The loss, and below it the figure on validation; each fit is a curve of its own.

    Args:
        frame: fit (what it is called), epoch (1, 2, …), loss, validation (NaN where there is none).
        x: Title of the axis of epochs.
        loss: Title of the upper chart.
        validation: Title of the lower chart.
        dark: Whether the ground is dark.
    """
    fits = list(frame.groupby("fit", sort=False))
    drawn = blank(height=320 + 20 * (len(fits) > 1), showlegend=len(fits) > 1)
    make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.12, figure=drawn)
    palette = colours(dark)
    for number, (fit, curve) in enumerate(fits):
        sign = number % len(palette)
        for row, column in enumerate(("loss", "validation"), start=1):
            drawn.add_trace(
                Scatter(
                    x=curve["epoch"],
                    y=curve[column],
                    mode="lines+markers",
                    marker={"color": palette[sign], "symbol": MARKERS[sign], "size": 6},
                    name=literal(str(fit)),
                    legendgroup=str(number),
                    showlegend=row == 1 and len(fits) > 1,
                ),
                row=row,
                col=1,
            )
    for row, title in enumerate((loss, validation), start=1):
        drawn.update_yaxes(title=literal(title), row=row, col=1)
    drawn.update_xaxes(title=literal(x), row=2, col=1)
    return drawn
