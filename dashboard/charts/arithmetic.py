"""The chart of what several items add to their likeness to others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from plotly.graph_objects import Bar, Figure, Scatter

from core.types import Array
from dashboard.charts.explain import shortened
from dashboard.charts.theme import blank, colours, literal, quiet

ROW = 36  # pixels of a row with its gap


def parts(
    labels: Sequence[str],
    named: Sequence[str],
    values: Array,
    *,
    wanted: int,
    total: str,
    x: str,
    dark: bool,
) -> Figure:
    """A row for each answer: what each named item adds to its cosine, and a diamond at the sum.

    What is wanted less is hatched.

    Args:
        labels: The K answers, the first on top.
        named: The M items that were named.
        values: (K, M)
        wanted: How many of the named, which come first, are wanted.
        total: What the sum is called.
        x: Title of the axis.
        dark: Whether the ground is dark.
    """
    drawn = blank(height=110 + ROW * len(labels), barmode="relative", bargap=0.35)
    rows = np.arange(len(labels))
    palette = colours(dark)
    for number, name in enumerate(named):
        hatch = "/" if number >= wanted else ""
        drawn.add_trace(
            Bar(
                x=values[:, number],
                y=rows,
                orientation="h",
                name=literal(shortened(name)),
                hovertemplate="%{x:+.2f}",
                marker={
                    "color": palette[number % len(palette)],
                    "line": {"width": 0},
                    "pattern": {"shape": hatch, "fgopacity": 0.9, "size": 7},
                },
            )
        )
    drawn.add_trace(
        Scatter(
            x=values.sum(axis=1),
            y=rows,
            mode="markers",
            name=literal(total),
            hovertemplate="%{x:.2f}",
            marker={
                "symbol": "diamond",
                "size": 11,
                "color": quiet(dark),
                "line": {"width": 1.5, "color": "#ffffff" if not dark else "#11151c"},
            },
        )
    )
    drawn.update_yaxes(
        tickmode="array",
        tickvals=rows,
        ticktext=[literal(shortened(label)) for label in labels],
        range=[len(labels) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
        fixedrange=True,
    )
    drawn.update_xaxes(title=literal(x), zeroline=True, zerolinecolor=quiet(dark), fixedrange=True)
    return drawn
