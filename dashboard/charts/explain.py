"""Charts of an explanation: what each event adds, in blue what speaks for it, in orange against.

Blue bars are plain and orange ones hatched, and each says its value with its sign: nothing hangs on
the colour.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from plotly.graph_objects import Bar, Figure, Scatter

from core.types import Array
from dashboard.charts.theme import blank, colours, literal, quiet
from dashboard.text import plain

ROW = 30  # pixels of a bar with its gap
LONGEST = 42  # letters of a label


def waterfall(
    frame: pd.DataFrame,
    *,
    base: float,
    names: Sequence[str],
    ends: Sequence[str],
    x: str,
    dark: bool,
) -> Figure:
    """From the base, bar by bar, to the score; the first row is the first bar below the base.

    Args:
        frame: label, value, se (0 or NaN where there is none), text; the values and the base add up
            to the score.
        base: Where the first bar starts.
        names: What base and score are called.
        ends: Base and score as text.
        x: Title of the axis.
        dark: Whether the ground is dark.
    """
    edges = base + np.cumsum([0.0, *frame["value"]])  # where each bar starts, and the last one ends
    drawn = _rows([names[0], *frame["label"], names[1]])
    rows = np.arange(1, len(frame) + 1)
    for row, where in enumerate(edges.tolist()):
        drawn.add_shape(
            type="line", x0=where, x1=where, y0=row, y1=row + 1,
            line={"color": quiet(dark), "width": 1, "dash": "dot"},
        )  # fmt: skip
    drawn.add_trace(_bars(frame, rows, edges[:-1], dark))
    drawn.add_trace(_whiskers(frame, rows, edges[1:], dark))
    drawn.add_trace(_totals([0, len(frame) + 1], [base, edges[-1]], ends, dark))
    reach = float(_known(frame["se"]).max(initial=0))
    _room(drawn, edges.min() - reach, edges.max() + reach)
    drawn.update_xaxes(title=literal(x))
    return drawn


def diverging(frame: pd.DataFrame, *, x: str, dark: bool) -> Figure:
    """Bars to both sides of 0, the first row on top. `frame`: label, value, se, text."""
    drawn = _rows(list(frame["label"]))
    rows = np.arange(len(frame))
    drawn.add_vline(x=0, line={"color": quiet(dark), "width": 1})
    drawn.add_trace(_bars(frame, rows, np.zeros(len(frame)), dark))
    drawn.add_trace(_whiskers(frame, rows, frame["value"].to_numpy(float), dark))
    reach = _known(frame["se"])
    low, high = (frame["value"] - reach).min(), (frame["value"] + reach).max()
    _room(drawn, min(0.0, low), max(0.0, high))
    drawn.update_xaxes(title=literal(x))
    return drawn


def shortened(label: str, longest: int = LONGEST) -> str:
    """The label; too long for a chart, without its middle: alike names differ at their ends."""
    label = plain(label)
    if len(label) <= longest:
        return label
    tail = longest // 2
    return f"{label[: longest - 1 - tail].rstrip()}…{label[-tail:].lstrip()}"


def _rows(names: Sequence[str]) -> Figure:
    """A figure with a row for each name, the first on top."""
    height = max(70 + ROW * len(names), 150)  # of one bar, room for ticks and title
    drawn = blank(height=height, showlegend=False, bargap=0.3)
    drawn.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(names))),
        ticktext=[literal(shortened(name)) for name in names],
        range=[len(names) - 0.4, -0.6],
        showgrid=False,
        zeroline=False,
        fixedrange=True,
    )
    drawn.update_xaxes(zeroline=False, fixedrange=True)
    return drawn


def _bars(frame: pd.DataFrame, rows: Array, starts: Array, dark: bool) -> Bar:
    blue, orange = colours(dark)[0], colours(dark)[1]
    against = frame["value"] < 0
    return Bar(
        x=frame["value"],
        y=rows,
        base=starts,
        orientation="h",
        text=frame["text"],
        textposition="none",
        customdata=[literal(label) for label in frame["label"]],
        hovertemplate="%{customdata}: %{text}<extra></extra>",
        marker={
            "color": np.where(against, orange, blue),
            "line": {"width": 0},
            "pattern": {"shape": np.where(against, "/", ""), "fgopacity": 0.9, "size": 7},
        },
    )


def _whiskers(frame: pd.DataFrame, rows: Array, ends: Array, dark: bool) -> Scatter:
    """Standard errors at the ends of the bars, and beyond them the values."""
    se = _known(frame["se"])
    left = frame["value"] < 0
    gap = "  "
    return Scatter(
        x=ends + np.where(left, -se, se),
        y=rows,
        mode="text",
        text=[f"{text}{gap}" if to_left else f"{gap}{text}"
              for text, to_left in zip(frame["text"], left, strict=True)],
        textposition=np.where(left, "middle left", "middle right"),
        hoverinfo="skip",
        cliponaxis=False,
        error_x={
            "type": "data",
            "symmetric": False,
            "array": np.where(left, 2 * se, 0),
            "arrayminus": np.where(left, 0, 2 * se),
            "color": quiet(dark),
            "thickness": 1.5 if se.any() else 0,
            "width": 4 if se.any() else 0,
        },
    )  # fmt: skip


def _totals(
    rows: Sequence[int], values: Sequence[float], texts: Sequence[str], dark: bool
) -> Scatter:
    return Scatter(
        x=values,
        y=rows,
        mode="markers+text",
        marker={"symbol": "diamond", "size": 10, "color": quiet(dark)},
        text=[f"  {text}" for text in texts],
        textposition="middle right",
        hoverinfo="skip",
        cliponaxis=False,
    )


def _known(se: pd.Series) -> Array:
    """Standard errors, 0 where there is none."""
    return np.where(np.isfinite(se), se, 0.0)


def _room(drawn: Figure, low: float, high: float) -> None:
    """Keeps the values beside the bars inside."""
    room = 0.14 * ((high - low) or 1.0)
    drawn.update_xaxes(range=[low - room, high + room])
