"""Charts that set runs side by side."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd
from plotly.graph_objects import Bar, Figure, Scatter

from dashboard.charts.theme import GROUND, MARKERS, blank, colours, faint, literal, quiet
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


def front(
    frame: pd.DataFrame,
    *,
    x: str,
    y: str,
    places: Mapping[str, str],
    line: bool,
    falling: bool,
    logarithmic: bool,
    dark: bool,
) -> Figure:
    """One measure against another: a labelled mark a run, its shape and colour by its place.

    Args:
        frame: run (label), x, y, place.
        x: Title of the axis.
        y: Title of the axis.
        places: Place → what the legend calls it, in this order.
        line: Join the runs on the front.
        falling: More is better along both axes, so that the front falls.
        logarithmic: Draw x by its orders of magnitude.
        dark: Whether the ground is dark.
    """
    drawn = blank(height=420)
    ordered = frame.sort_values(["x", "y"], ascending=[True, not falling])
    first = ordered[ordered["place"] == next(iter(places))]
    if line and len(first) > 1:
        rule = {"color": quiet(dark), "width": 1, "dash": "dot"}
        drawn.add_trace(
            Scatter(x=first["x"], y=first["y"], mode="lines", line=rule, showlegend=False)
        )
    where = _beside(frame, logarithmic)
    palette = (colours(dark)[0], colours(dark)[1], quiet(dark))
    for (place, said), symbol, colour in zip(places.items(), PLACES, palette, strict=True):
        own = frame["place"] == place
        if not own.any():
            continue
        drawn.add_trace(
            Scatter(
                x=frame["x"][own],
                y=frame["y"][own],
                name=literal(said),
                text=frame["run"][own].map(_name),
                mode="markers+text",
                textposition=[where[at] for at in frame.index[own]],
                cliponaxis=False,
                marker={
                    **{"size": 13, "color": colour, "symbol": symbol},
                    "line": {"width": 2, "color": colour},
                },
                showlegend=line,
            )
        )
    low, high = _room(frame["x"], logarithmic)
    drawn.update_xaxes(title=literal(x), range=[low, high], type="log" if logarithmic else "linear")
    drawn.update_yaxes(title=literal(y), range=_room(frame["y"], logarithmic=False, share=0.12))
    return drawn


PLACES = ("star", "circle-open", "x-thin")  # the shape of each place, in their order
SIDES = ("top center", "bottom center", "middle right", "middle left")


def _room(values: pd.Series[float], logarithmic: bool, share: float = 0.18) -> tuple[float, float]:
    """The ends of an axis that leaves room for the names, in its own units."""
    scaled = np.log10(values) if logarithmic else values
    room = share * (float(scaled.max() - scaled.min()) or abs(float(scaled.max())) or 1.0)
    return float(scaled.min()) - room, float(scaled.max()) + room


def _beside(frame: pd.DataFrame, logarithmic: bool) -> dict[Hashable, str]:
    """On which side of its mark each name stands, so that it covers no other name or mark.

    As well as can be told without drawing: letters are taken for a 110th of the width.
    """
    at = {}
    for axis, log in (("x", logarithmic), ("y", False)):
        low, high = _room(frame[axis], log)
        scaled = np.log10(frame[axis]) if log else frame[axis]
        at[axis] = ((scaled - low) / (high - low)).to_dict()
    taken = [
        (at["x"][i] - 0.01, at["y"][i] - 0.02, at["x"][i] + 0.01, at["y"][i] + 0.02)
        for i in frame.index
    ]
    where: dict[Hashable, str] = {}
    for i in frame["y"].sort_values(ascending=False).index:
        width = min(len(str(frame["run"][i])), LONGEST) / 110
        boxes = {side: _box(at["x"][i], at["y"][i], width, side) for side in SIDES}
        where[i] = min(boxes, key=lambda side: sum(_covers(boxes[side], box) for box in taken))
        taken.append(boxes[where[i]])
    return where


Box = tuple[float, float, float, float]  # left, bottom, right, top


def _box(x: float, y: float, width: float, side: str) -> Box:
    left = {"middle right": x + 0.012, "middle left": x - 0.012 - width}.get(side, x - width / 2)
    bottom = {"top center": y + 0.025, "bottom center": y - 0.075}.get(side, y - 0.025)
    return left, bottom, left + width, bottom + 0.05


def _covers(one: Box, other: Box) -> bool:
    apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    return not apart or one[0] < 0 or one[2] > 1


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


def wins(counts: Mapping[str, int], *, dark: bool) -> Figure:
    """One bar of people in parts, each with its name and number on it.

    Args:
        counts: What a part is called → people; better, alike, worse.
        dark: Whether the ground is dark.
    """
    drawn = blank(height=110, barmode="stack", showlegend=True, legend_traceorder="normal")
    fills = (colours(dark)[0], faint(dark), colours(dark)[1])
    for (said, n), fill, pattern in zip(counts.items(), fills, ("", ".", "/"), strict=True):
        drawn.add_trace(
            Bar(
                x=[n],
                y=[""],
                name=literal(f"{said}: {n:,}"),
                orientation="h",
                marker={
                    "color": fill,
                    "pattern": {
                        **{"shape": pattern, "fillmode": "overlay", "size": 6},
                        **{"fgcolor": GROUND[dark], "fgopacity": 0.7},
                    },
                },
                hovertemplate=literal(f"{said}: {n:,}") + "<extra></extra>",
            )
        )
    drawn.update_xaxes(rangemode="tozero")
    drawn.update_yaxes(showticklabels=False)
    return drawn
