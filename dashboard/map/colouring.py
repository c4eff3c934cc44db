"""What colours the points of a map: a palette, a value for each point, and what the values mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from plotly.graph_objects import Figure, Scatter3d
from scipy import sparse

from core.types import Array, Floats
from dashboard.charts import theme

SHOWN = 6  # categories with a colour of their own; the others share one
OTHER, NOTHING = SHOWN, SHOWN + 1
STEPS = 64  # colours of a sequence; the value after the last is for "not known"
SIZES = 16
LEAST = 4  # size of a point with a share, be it ever so small
EYE = {"x": 1.0, "y": 1.0, "z": 0.6}  # from where three axes are looked at first

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True, eq=False)
class Colouring:
    """A colour for each of N points."""

    values: Bytes  # (N,) places in the palette
    kind: str  # "category", "sequence", "diverging" or "group"
    names: tuple[str, ...] = ()  # of the categories shown, by value
    counts: dict[int, int] = field(default_factory=dict)  # points of each value, none in a sequence
    low: float = 0.0
    high: float = 0.0
    numbers: Floats | None = None  # (N,) what is coloured by where it is a number, NaN for none
    sizes: Bytes | None = None  # (N,) as of `sizes`, where the colours want their own
    rest: str = "unknown"  # why there are points of which nothing is known: "map.REST"

    def palette(self, dark: bool) -> tuple[str, ...]:
        """The colour of each value; the last is that of points of which nothing is known."""
        if self.kind == "sequence":
            return (*theme.sequence(dark, STEPS), theme.faint(dark))
        if self.kind == "diverging":
            return (*theme.diverging(dark, STEPS), theme.faint(dark))
        if self.kind == "group":  # they have names on the map: a colour may come again
            return tuple(theme.APART[dark][i % SHOWN] for i in range(max(2, len(self.names))))
        return (*theme.APART[dark], theme.faint(dark))

    def first(self, n: int) -> Colouring:
        """Of the first n points."""
        return replace(self, values=self.values[:n])

    @property
    def scaled(self) -> bool:
        """Whether the values are steps of a scale, and the last says that nothing is known."""
        return self.kind in ("sequence", "diverging")

    @property
    def any_unknown(self) -> bool:
        """Whether there are points of which nothing is known."""
        unknown = STEPS if self.scaled else {"category": NOTHING}.get(self.kind)
        return unknown is not None and bool((self.values == unknown).any())


def by_category(matrix: sparse.csr_matrix, names: Sequence[str]) -> Colouring:
    """Points by one attribute (N, G) of 0 and 1: its SHOWN commonest values, the rest together.

    A point with several of those gets the one that fewest points have, which says most about it.
    """
    matrix = sparse.csr_matrix(matrix)
    times = np.bincount(matrix.indices, minlength=len(names))
    shown = np.argsort(-times, kind="stable")[:SHOWN]
    values = np.full(matrix.shape[0], NOTHING, np.uint8)
    values[np.diff(matrix.indptr) > 0] = OTHER
    columns = matrix.tocsc()
    for value, column in enumerate(shown):  # the rarest last, over the commoner
        values[columns.indices[columns.indptr[column] : columns.indptr[column + 1]]] = value
    shown_names = tuple(names[column] for column in shown)
    return Colouring(values, "category", shown_names, value_counts(values))


def by_group(codes: Array, names: Sequence[str]) -> Colouring:
    """Points by the group (N,) that each is in, at most 255 of them."""
    values = np.asarray(codes, np.uint8)
    return Colouring(values, "group", tuple(names), value_counts(values))


def value_counts(values: Bytes) -> dict[int, int]:
    """How many points have each value that there is."""
    present, n = np.unique(values, return_counts=True)
    return dict(zip(present.tolist(), n.tolist(), strict=True))


def by_number(numbers: Array, *, log: bool = False, rest: str = "unknown") -> Colouring:
    """Points by a number (N,), NaN where it is not known.

    Args:
        numbers: What is coloured by.
        log: By the logarithm, for counts; else by rank, which shows where most points are.
        rest: Why a number is not known; see Colouring.
    """
    numbers = np.asarray(numbers, np.float64)
    finite = np.isfinite(numbers)
    values = np.full(len(numbers), STEPS, np.uint8)
    readable = None if log else numbers.astype(np.float32)
    if not finite.any():
        return Colouring(values, "sequence", numbers=readable, rest=rest)
    given = numbers[finite]
    if log:
        share = np.log1p(np.maximum(given, 0))
        share = share / (share.max() or 1)
    else:
        _, ranks = np.unique(given, return_inverse=True)
        upto = np.cumsum(np.bincount(ranks))
        share = (upto[ranks] - upto[0]) / max(1, upto[-1] - upto[0])
    values[finite] = np.round(share * (STEPS - 1))
    low, high = float(given.min()), float(given.max())
    return Colouring(values, "sequence", low=low, high=high, numbers=readable, rest=rest)


def by_share(numbers: Array, *, rest: str) -> Colouring:
    """Points by a number (N,) with a sign, on one scale to both sides of 0; larger the more it is.

    Args:
        numbers: What is coloured by, NaN for most.
        rest: Why a number is not known; see Colouring.
    """
    numbers = np.asarray(numbers, np.float64)
    finite = np.isfinite(numbers)
    most = float(np.abs(numbers[finite]).max(initial=0.0))
    half = STEPS // 2
    share = np.abs(numbers[finite]) / (most or 1.0)
    strength = np.round(share * (half - 1)).astype(np.int64)
    values, own = np.full(len(numbers), STEPS, np.uint8), np.zeros(len(numbers), np.uint8)
    values[finite] = np.where(numbers[finite] < 0, half - 1 - strength, half + strength)
    own[finite] = np.round(LEAST + (SIZES - 1 - LEAST) * np.sqrt(share))  # by area
    return Colouring(
        values,
        "diverging",
        low=-most,
        high=most,
        numbers=numbers.astype(np.float32),
        sizes=own,
        rest=rest,
    )


def sizes(counts: Array) -> Bytes:
    """One of SIZES sizes for each point, by the logarithm of its count (N,)."""
    logs = np.log1p(np.asarray(counts, np.float64))
    steps: Bytes = np.round(logs / (logs.max(initial=0) or 1) * (SIZES - 1)).astype(np.uint8)
    return steps


def scatter_3d(
    points: Array,
    colouring: Colouring,
    names: Sequence[str],
    *,
    labels: Sequence[str],
    sizes: Array | None,
    axes: Sequence[str],
    unknown: str,
    ring: tuple[Array, str] | None,
    trail: Array,
    marks: Array,
    dark: bool,
) -> Figure:
    """Points (N, 3) in three axes that can be turned; their rows are the customdata.

    Args:
        points: Where they are.
        colouring: Of the N points.
        names: What each is called.
        labels: What the values of a category or a group are called.
        sizes: One of SIZES for each, or None.
        axes: Titles of the three axes.
        unknown: What is said of points of which nothing is known, in a sequence.
        ring: A point to be ringed, and what is there.
        trail: Points (B, 3) joined by a line.
        marks: Points (K, 3) with a number each, from 1.
        dark: Whether the ground is dark.
    """
    drawn = theme.blank(height=560, uirevision="solid")
    texts = np.array([theme.literal(name) for name in names], object)
    wide = np.full(len(points), 4.0) if sizes is None else 2.5 + np.asarray(sizes) / 2
    for rows, label, marker in _traces(colouring, labels, unknown, dark):
        safe = theme.literal(label)
        drawn.add_trace(
            _in_space(
                points[rows],
                mode="markers",
                marker={**marker, "size": wide[rows], "line": {"width": 0}},
                name=safe,
                showlegend=bool(label),
                text=texts[rows],
                customdata=rows.astype(np.int32),
                hovertemplate=f"%{{text}}{'<br>' if safe else ''}{safe}<extra></extra>",
            )
        )
    _over(drawn, ring, trail, marks, dark)
    axis = {"showbackground": False, "showticklabels": False, "gridcolor": theme.faint(dark)}
    axis |= {"zeroline": False, "showspikes": False, "color": theme.quiet(dark)}
    each = {
        f"{letter}axis": {**axis, "title": theme.literal(title)}
        for letter, title in zip("xyz", axes, strict=True)
    }
    drawn.update_layout(scene={**each, "aspectmode": "data"})
    if colouring.kind == "group":  # as many as would fill the page from above
        drawn.update_layout(legend={"orientation": "v", "x": 1, "y": 1, "yanchor": "top"})
    drawn.update_layout(legend={"itemsizing": "constant"})
    return drawn


def _traces(
    colouring: Colouring, labels: Sequence[str], unknown: str, dark: bool
) -> list[tuple[Array, str, dict[str, Any]]]:
    """The rows of each kind of points, what the legend says of them, and how they are coloured."""
    palette, values = colouring.palette(dark), colouring.values
    kinds: list[tuple[int, str, dict[str, Any]]]
    if not colouring.scaled:
        kinds = [(value, labels[value], {"color": palette[value]}) for value in colouring.counts]
    else:
        bar: dict[str, Any] = {"thickness": 12, "len": 0.6, "tickvals": [0, STEPS - 1]}
        bar["ticktext"] = [f"{colouring.low:,.4g}", f"{colouring.high:,.4g}"]
        stops = [[i / (STEPS - 1), colour] for i, colour in enumerate(palette[:STEPS])]
        scale: dict[str, Any] = {"colorscale": stops, "cmin": 0, "cmax": STEPS - 1, "colorbar": bar}
        scale["color"] = values[values < STEPS].astype(np.int16)
        kinds = [(STEPS, unknown, {"color": palette[-1]}), (-1, "", scale)]
    traces = [
        (np.flatnonzero(values < STEPS if value < 0 else values == value), label, marker)
        for value, label, marker in sorted(kinds, key=lambda kind: kind[0])
    ]
    return [trace for trace in traces if len(trace[0])]


def _in_space(points: Array, **more: Any) -> Scatter3d:
    x, y, z = np.asarray(points, np.float32).reshape(-1, 3).T
    return Scatter3d(x=x, y=y, z=z, **more)


def _over(
    drawn: Figure, ring: tuple[Array, str] | None, trail: Array, marks: Array, dark: bool
) -> None:
    """One person's way, and the chosen point; what is written lies above all points."""
    plain, ground = theme.GROUND[not dark], theme.GROUND[dark]
    quiet: dict[str, Any] = {"hoverinfo": "skip", "showlegend": False}
    notes: list[dict[str, Any]] = []
    if len(trail):
        line = {"color": plain, "width": 2}
        drawn.add_trace(_in_space(trail, mode="lines", line=line, **quiet))
    for number, at in enumerate(marks, 1):
        font = {"color": ground, "size": 11}
        notes.append({**_at(at), "text": f"<b>{number}</b>", "font": font, "bgcolor": plain})
        notes[-1] |= {"showarrow": False, "borderpad": 2}
    if ring is not None:
        at, name = ring
        circle = {"symbol": "circle-open", "size": 16, "color": plain, "line": {"width": 3}}
        drawn.add_trace(_in_space(at, mode="markers", marker=circle, **quiet))
        font = {"color": plain, "size": 13}
        notes.append({**_at(at), "text": f"<b>{theme.literal(name)}</b>", "font": font})
        notes[-1] |= {"bgcolor": ground, "bordercolor": plain, "borderpad": 3, "ax": 0, "ay": -48}
        notes[-1] |= {"arrowcolor": plain, "arrowwidth": 2, "arrowhead": 6}
    drawn.update_layout(scene={"annotations": notes})


def _at(point: Array) -> dict[str, float]:
    return {axis: float(value) for axis, value in zip("xyz", point, strict=True)}
