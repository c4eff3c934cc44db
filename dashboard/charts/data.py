"""Charts of a log: when it happened, of which kinds, how unequally it is shared."""

from __future__ import annotations

import pandas as pd
from plotly.graph_objects import Bar, Figure, Scatter

from dashboard.charts.theme import blank, colours, faint, literal
from dashboard.text import plain

LONGEST = 28  # letters of a value beside a bar
DATES = [  # in figures, which every language reads
    {"dtickrange": [None, 86_400_000 - 1], "value": "%m-%d %H:%M"},
    {"dtickrange": [86_400_000, "M1"], "value": "%Y-%m-%d"},
    {"dtickrange": ["M1", "M11"], "value": "%Y-%m"},
    {"dtickrange": ["M12", None], "value": "%Y"},
]
CHOSEN = "✓ "  # before a value that is chosen: colour is never the only sign


def activity(frame: pd.DataFrame, *, x: str, y: str, dark: bool) -> Figure:
    """Events per period as bars from its beginning to its end; a stretch of them can be chosen.

    Args:
        frame: period, until (times, or order numbers), events, chosen.
        x: Title of the axis.
        y: The same.
        dark: Whether the ground is dark.
    """
    drawn = blank(height=220, dragmode="select", selectdirection="h", showlegend=False)
    width = frame["until"] - frame["period"]
    if width.dtype.kind == "m":
        width = width.dt.total_seconds() * 1000  # as plotly counts on an axis of dates
    drawn.add_trace(
        Bar(
            x=frame["period"],
            y=frame["events"],
            offset=0,
            width=width,
            marker={"color": _marks(frame["chosen"], dark), "line": {"width": 0}},
            unselected={"marker": {"opacity": 1}},
        )
    )
    drawn.update_xaxes(title=literal(x), tickformatstops=DATES)
    drawn.update_yaxes(title=literal(y), fixedrange=True)
    return drawn


def values(frame: pd.DataFrame, *, x: str, dark: bool) -> Figure:
    """Events per value of a facet, the most frequent on top; a click chooses one.

    Args:
        frame: label, events, chosen.
        x: Title of the axis.
        dark: Whether the ground is dark.
    """
    drawn = blank(height=80 + 20 * max(1, len(frame)), showlegend=False, bargap=0.2)
    free = not frame["chosen"].any()
    labels = [
        (CHOSEN if chosen else "") + _short(label)
        for label, chosen in zip(frame["label"], frame["chosen"], strict=True)
    ]
    drawn.add_trace(
        Bar(
            x=frame["events"],
            y=list(range(len(frame))),
            orientation="h",
            marker={"color": _marks(frame["chosen"] | free, dark), "line": {"width": 0}},
            hovertext=[literal(label) for label in frame["label"]],
            hovertemplate="%{hovertext}: %{x:,}<extra></extra>",
            unselected={"marker": {"opacity": 1}},
        )
    )
    drawn.update_xaxes(title=literal(x), fixedrange=True)
    drawn.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(frame))),
        ticktext=labels,
        autorange="reversed",
        fixedrange=True,
    )
    return drawn


def bands(frame: pd.DataFrame, *, x: str, y: str, dark: bool) -> Figure:
    """How many fall in each band. `frame`: label, n, in order; x and y are the axis titles."""
    drawn = blank(height=240, bargap=0.1, showlegend=False)
    labels = [literal(label) for label in frame["label"]]
    drawn.add_trace(Bar(x=labels, y=frame["n"], marker_color=colours(dark)[0]))
    drawn.update_xaxes(title=literal(x), type="category", tickangle=0, tickfont_size=10)
    drawn.update_yaxes(title=literal(y))
    return drawn


def cold_start(frame: pd.DataFrame, *, names: tuple[str, str], y: str, dark: bool) -> Figure:
    """Which share of a period's events is with new items, and which by new users.

    Args:
        frame: period, items, users (shares, 0 … 1).
        names: Of the two lines.
        y: Title of the axis.
        dark: Whether the ground is dark.
    """
    drawn = blank(height=240)
    lines = zip(("items", "users"), names, ("solid", "dash"), colours(dark), strict=False)
    for column, name, dash, colour in lines:
        drawn.add_trace(
            Scatter(
                x=frame["period"],
                y=frame[column],
                name=literal(name),
                mode="lines",
                line={"color": colour, "dash": dash, "width": 2},
            )
        )
    drawn.update_xaxes(tickformatstops=DATES)
    drawn.update_yaxes(title=literal(y), tickformat=".0%", range=[0, 1.02])
    return drawn


def long_tail(frame: pd.DataFrame, *, x: str, y: str, dark: bool) -> Figure:
    """The share of events that the most popular share of items takes.

    `frame`: item_share, event_share, both 0 … 1, rising from (0, 0) to (1, 1).
    """
    drawn = blank(height=240)
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


def _marks(strong: pd.Series[bool], dark: bool) -> list[str]:
    """The colour of each bar: what is chosen stands out."""
    return [colours(dark)[0] if each else faint(dark) for each in strong]


def _short(label: str) -> str:
    seen = plain(label)
    return literal(seen if len(seen) <= LONGEST else f"{seen[: LONGEST - 1]}…")
