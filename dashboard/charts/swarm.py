"""Charts of many single values: a dot for each, by group or against a number.

From little to much goes the colour and, in thirds, the shape: nothing hangs on the colour.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from plotly.graph_objects import Figure, Scatter

from core.types import Array
from dashboard.charts.explain import shortened
from dashboard.charts.theme import MARKERS, blank, colours, faint, literal, quiet, sequence

MOST_DOTS = 3_000  # that are drawn: more take a browser long, and hide one another
SURE = 2.0  # standard errors
ROW = 64  # pixels of a group
BINS = 60  # across the values, within which dots make way for one another
SHAPES = ("triangle-down", "circle", "triangle-up")  # little, middling, much
WIDE = 100  # times the least that the greatest number is, for an axis of powers of ten


def beeswarm(
    frame: pd.DataFrame,
    *,
    names: Sequence[str],
    thirds: Sequence[str],
    unknown: str,
    x: str,
    dark: bool,
) -> Figure:
    """A row of dots for each group, the first on top; where many are alike the row is thick.

    Args:
        frame: group (position in `names`), value, number (NaN where it is not known), text.
        names: Of the groups.
        thirds: What the lowest, the middle and the highest third of the numbers are called.
        unknown: What those without a number are called.
        x: Title of the axis.
        dark: Whether the ground is dark.
    """
    drawn = blank(height=110 + ROW * len(names))
    drawn.add_vline(x=0, line={"color": quiet(dark), "width": 1})
    height = frame["group"].to_numpy(float) + _spread(frame)
    level = _levels(frame["number"].to_numpy(float))
    third = np.minimum(np.floor(level * len(SHAPES)), len(SHAPES) - 1)
    shades = np.array(sequence(dark, 101))
    for rank, (name, shape) in enumerate(zip(thirds, SHAPES, strict=True)):
        own = np.flatnonzero(third == rank)
        shade = shades[np.rint(level[own] * 100).astype(int)]
        drawn.add_trace(_dots(frame, own, height, name, shape, shade))
    missing = np.flatnonzero(np.isnan(level))
    if len(missing):
        drawn.add_trace(_dots(frame, missing, height, unknown, "x", faint(dark)))
    drawn.update_xaxes(title=literal(x), zeroline=False)
    _rows(drawn, names)
    return drawn


def dependence(frame: pd.DataFrame, *, x: str, y: str, dark: bool) -> Figure:
    """A dot for each value against a number; no line, which would claim a trend.

    The axis is one of powers of ten where numbers are that far apart. `frame`: number, value, text.
    """
    numbers = frame["number"].to_numpy(float)
    far = len(numbers) > 0 and numbers.min() > 0 and numbers.max() >= WIDE * numbers.min()
    drawn = blank(height=360, showlegend=False)
    drawn.add_hline(y=0, line={"color": quiet(dark), "width": 1})
    drawn.add_trace(
        Scatter(
            x=numbers,
            y=frame["value"],
            mode="markers",
            text=frame["text"].map(literal),
            hovertemplate="%{text}<extra></extra>",
            marker={"size": 5, "color": colours(dark)[0], "opacity": 0.55},
        )
    )
    drawn.update_xaxes(title=literal(x), type="log" if far else "linear", zeroline=False)
    drawn.update_yaxes(title=literal(y), zeroline=False)
    return drawn


def ahead(frame: pd.DataFrame, *, names: Sequence[str], x: str, dark: bool) -> Figure:
    """How many standard errors something is ahead of each of several others; within 2 is shaded.

    `frame`: group (position in `names`), measure, errors (standard ones), text.
    """
    drawn = blank(height=110 + 52 * len(names))
    drawn.add_vrect(x0=-SURE, x1=SURE, fillcolor=faint(dark), opacity=0.18, line_width=0)
    drawn.add_vline(x=0, line={"color": quiet(dark), "width": 1, "dash": "dash"})
    measures = list(dict.fromkeys(frame["measure"]))
    gap = 0.7 / max(1, len(measures))
    for number, measure in enumerate(measures):
        rows = frame[frame["measure"] == measure]
        drawn.add_trace(
            Scatter(
                x=rows["errors"],
                y=rows["group"] + (number - (len(measures) - 1) / 2) * gap,
                name=literal(measure),
                mode="markers",
                text=rows["text"].map(literal),
                hovertemplate="%{text}",
                marker={
                    "size": 10,
                    "color": colours(dark)[number % len(colours(dark))],
                    "symbol": MARKERS[number % len(MARKERS)],
                },
            )
        )
    drawn.update_xaxes(title=literal(x), zeroline=False)
    _rows(drawn, names)
    return drawn


def _rows(drawn: Figure, names: Sequence[str]) -> None:
    """A row for each name, the first on top."""
    drawn.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(names))),
        ticktext=[literal(shortened(name)) for name in names],
        range=[len(names) - 0.45, -0.55],
        showgrid=False,
        zeroline=False,
        fixedrange=True,
    )


def _dots(
    frame: pd.DataFrame, own: Array, height: Array, name: str, shape: str, shade: str | Array
) -> Scatter:
    rows = frame.iloc[own]
    return Scatter(
        x=rows["value"],
        y=height[own],
        name=literal(name),
        mode="markers",
        text=rows["text"].map(literal),
        hovertemplate="%{text}<extra></extra>",
        marker={"size": 6, "symbol": shape, "color": shade, "opacity": 0.8},
    )


def _spread(frame: pd.DataFrame) -> Array:
    """How far each dot is moved from the middle of its row, at most 0.4 to either side."""
    values = frame["value"].to_numpy(float)
    width = np.ptp(values) if len(values) else 0.0
    share = (values - values.min()) / width if width else np.zeros(len(values))
    cells = frame["group"].to_numpy(int) * BINS + np.minimum((share * BINS).astype(int), BINS - 1)
    order = np.argsort(cells, kind="stable")
    _, starts, counts = np.unique(cells[order], return_index=True, return_counts=True)
    within = np.empty(len(values))
    within[order] = np.arange(len(values)) - np.repeat(starts, counts)
    size = np.empty(len(values))
    size[order] = np.repeat(counts, counts)
    thick = np.sqrt(size / size.max(initial=1))  # the few beside very many can still be seen apart
    step = np.minimum(0.8 * thick / size, 0.08)
    moved: Array = (within - (size - 1) / 2) * step
    return moved


def _levels(numbers: Array) -> Array:
    """Where each number stands among all, 0 … 1; equals alike; NaN where it is not known."""
    levels = np.full(len(numbers), np.nan)
    there = np.flatnonzero(np.isfinite(numbers))
    distinct, own, counts = np.unique(numbers[there], return_inverse=True, return_counts=True)
    if len(distinct) == 1:
        levels[there] = 0.5
    elif len(distinct):
        middle = np.cumsum(counts) - (counts + 1) / 2
        levels[there] = (middle / (len(there) - 1))[own]
    return levels
