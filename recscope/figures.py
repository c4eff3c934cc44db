"""Figures of plotly. Plotly reads some markup in texts: what comes from data is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import pandas as pd
from plotly.graph_objects import Bar, Figure, Scatter3d, Scattergl

from recscope.html import BLUE, ORANGE

LONGEST = 60  # characters of a label
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#332288", "#a00040", "#8a4fff", "#7a828e")
SYMBOLS = ("circle", "square", "diamond", "cross", "x")


def literal(label: object) -> str:
    """The label as plotly shows it literally, cut if it is long: no tag, no link, no formula.

    >>> literal("<a href='x'>$a$</a>")
    "&lt;a href='x'&gt;&#36;a&#36;&lt;/a&gt;"
    """
    return escape(_short(label), quote=False).replace("$", "&#36;")


def points(frame: pd.DataFrame, title: str) -> Figure:
    """A map: a point per row of `Run.embed(map=True)`, a colour and a sign per cluster."""
    axes = [axis for axis in ("x", "y", "z") if axis in frame]
    trace = Scatter3d if "z" in axes else Scattergl
    figure = Figure(
        layout={"title": literal(title), "template": "plotly_white", "hovermode": "closest"}
    )
    for cluster in range(int(frame["cluster"].max()) + 1):
        rows = frame[frame["cluster"] == cluster]
        marker = {
            "size": 3 if "z" in axes else 5,
            "opacity": 0.7,
            "color": COLOURS[cluster % len(COLOURS)],
            "symbol": SYMBOLS[cluster // len(COLOURS) % len(SYMBOLS)],
        }
        places = {axis: rows[axis] for axis in axes}
        labels = [literal(label) for label in rows["label"]]
        figure.add_trace(
            trace(
                **places,
                mode="markers",
                marker=marker,
                name=literal(rows["cluster_label"].iloc[0]),
                text=labels,
                hovertemplate="%{text}<extra></extra>",
            )
        )
    if "z" not in axes:  # distances are what a map says, so both axes have one scale
        figure.update_xaxes(visible=False)
        figure.update_yaxes(visible=False, scaleanchor="x")
    return figure


def bars(labels: Sequence[str], values: Sequence[float], title: str) -> Figure:
    """Values as bars, the first at the top: to the right what speaks for, to the left against."""
    figure = Figure(layout={"title": literal(title), "template": "plotly_white"})
    places = list(range(len(values)))
    colours = [BLUE if value >= 0 else ORANGE for value in values]
    figure.add_trace(
        Bar(
            x=list(values),
            y=places,
            orientation="h",
            marker_color=colours,
            text=[f"{value:+.4g}" for value in values],
            hovertext=[literal(label) for label in labels],
            hovertemplate="%{hovertext}: %{text}<extra></extra>",
        )
    )
    figure.update_xaxes(title="value")
    figure.update_yaxes(
        tickvals=places, ticktext=[literal(label) for label in labels], autorange="reversed"
    )
    return figure


def without_formulas(label: object) -> str:
    r"""The label as matplotlib shows it literally, in one line: two dollar signs are no formula.

    >>> without_formulas("$a$")
    '\\$a\\$'
    """
    text = _short(label)
    return text.replace("$", r"\$") if text.count("$") > 1 else text


def _short(label: object) -> str:
    """The label in one line, cut if it is long."""
    text = " ".join(str(label).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"
