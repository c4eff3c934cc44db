"""Charts that set runs side by side."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from plotly.graph_objects import Figure, Scatter

from dashboard.charts.theme import MARKERS, blank, colours, literal, quiet
from dashboard.text import plain

LONGEST = 42  # letters of a run's name beside a chart


def intervals(frame: pd.DataFrame, *, x: str, dark: bool, zero: bool = False) -> Figure:
    """One dot per run with its interval, best on top.

    Args:
        frame: run (label), mean, low, high.
        x: Title of the axis.
        dark: Whether the ground is dark.
        zero: Draw a rule at 0, for differences.
    """
    ordered = frame.sort_values("mean")
    drawn = blank(height=90 + 36 * len(ordered))
    drawn.add_trace(
        Scatter(
            x=ordered["mean"],
            y=ordered["run"].map(_name),
            mode="markers",
            marker={"size": 10, "color": colours(dark)[0]},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": ordered["high"] - ordered["mean"],
                "arrayminus": ordered["mean"] - ordered["low"],
                "thickness": 2,
                "width": 5,
            },
        )
    )
    if zero:
        drawn.add_vline(x=0, line={"color": quiet(dark), "dash": "dash", "width": 1})
    drawn.update_xaxes(title=literal(x), rangemode="normal" if zero else "tozero")
    drawn.update_yaxes(type="category")
    return drawn


def tradeoff(frame: pd.DataFrame, *, x: str, y: str, dark: bool) -> Figure:
    """Accuracy against another virtue, one labelled mark per run. `frame`: run, x, y."""
    drawn = blank(height=380, showlegend=False)
    palette = colours(dark)
    for number, row in enumerate(frame.itertuples(index=False)):
        drawn.add_trace(
            Scatter(
                x=[row.x],
                y=[row.y],
                name=_name(row.run),
                text=[_name(row.run)],
                mode="markers+text",
                textposition="top center",
                marker={
                    "size": 12,
                    "color": palette[number % len(palette)],
                    "symbol": MARKERS[number % len(MARKERS)],
                },
            )
        )
    room = 0.15 * (frame["x"].max() - frame["x"].min() or 1)  # for the names
    drawn.update_xaxes(title=literal(x), range=[frame["x"].min() - room, frame["x"].max() + room])
    drawn.update_yaxes(title=literal(y))
    return drawn


def slices(frame: pd.DataFrame, *, y: str, groups: Sequence[str], dark: bool) -> Figure:
    """One line of dots per run over the groups of a slice, which stand in this order.

    `frame`: group, run, mean, low, high.
    """
    drawn = blank(height=360)
    palette = colours(dark)
    for number, (run, rows) in enumerate(frame.groupby("run", sort=False)):
        drawn.add_trace(
            Scatter(
                x=rows["group"].map(literal),
                y=rows["mean"],
                name=_name(run),
                mode="markers+lines",
                line={"color": palette[number % len(palette)], "width": 1},
                marker={"size": 9, "symbol": MARKERS[number % len(MARKERS)]},
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": rows["high"] - rows["mean"],
                    "arrayminus": rows["mean"] - rows["low"],
                    "thickness": 1,
                },
            )
        )
    drawn.update_xaxes(type="category", categoryorder="array", categoryarray=list(groups))
    drawn.update_yaxes(title=literal(y), rangemode="tozero")
    return drawn


def _name(run: object) -> str:
    """What a run is called, cut in the middle if long: its id at the end tells it from others."""
    label = plain(str(run))
    half = LONGEST // 2
    return literal(label if len(label) <= LONGEST else f"{label[: half - 1]}…{label[-half:]}")
