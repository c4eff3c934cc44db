"""Figures → where the marks of a chart stand, in % of its width; the template draws them as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from core.report.contents import MapContents, Step

CLUSTERS = 7  # with a colour of their own
_HEIGHT = 100  # units of a curve's box, as wide as high: it is stretched
_MAP = 1000  # units of a map's side


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float  # % of the axis
    label: str


@dataclass(frozen=True)
class Mark:
    """A row of a chart: a value with its interval, in % of the width."""

    name: str  # HTML
    said: str  # the value as text
    at: float
    low: float | None
    high: float | None
    negative: bool


@dataclass(frozen=True)
class Rows:
    """Values under each other on one axis."""

    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    zero: float | None  # where 0 stands, if the axis has it
    bars: bool  # from 0, instead of points


@dataclass(frozen=True)
class Curve:
    """A line or bars over an axis, as the path of an SVG of 100 × 100."""

    path: str
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]  # from the top
    filled: bool


@dataclass(frozen=True)
class Value:
    """What a row of a chart is of."""

    name: str  # HTML
    said: str
    value: float
    low: float | None = None
    high: float | None = None


def rows(values: Sequence[Value], *, zero: bool = False, bars: bool = False) -> Rows:
    """The values on an axis from the lowest end to the highest, and to 0 if that is asked for."""
    ends = [x for v in values for x in (v.value, v.low, v.high) if x is not None]
    ends += [0.0] * (zero or bars)
    ticks = nice(min(ends, default=0.0), max(ends, default=1.0))
    low, high = ticks[0], ticks[-1]

    def at(x: float | None) -> float | None:
        return None if x is None else round(100 * (x - low) / (high - low), 3)

    marks = (
        Mark(v.name, v.said, at(v.value) or 0.0, at(v.low), at(v.high), v.value < 0) for v in values
    )
    return Rows(
        tuple(marks),
        tuple(Tick(at(x) or 0.0, said) for x, said in zip(ticks, _written(ticks), strict=True)),
        at(0.0) if low <= 0 <= high else None,
        bars,
    )


def nice(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers, evenly apart, of which the first and the last hold this range.

    >>> nice(0.013, 0.081)
    [0.0, 0.02, 0.04, 0.06, 0.08, 0.1]
    """
    if high <= low:
        low, high = low - 0.5 * (abs(low) or 1.0), high + 0.5 * (abs(high) or 1.0)
    rough = (high - low) / most
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * size for factor in (1, 2, 5, 10) if factor * size >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, max(last, first + 1) + 1)]


def _written(ticks: Sequence[float]) -> list[str]:
    step = ticks[1] - ticks[0]
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    return [f"{tick:,.{places}f}" if tick else "0" for tick in ticks]


def activity(steps: Sequence[Step]) -> Curve:
    """A bar for each period, from its beginning, as wide as the shortest."""
    width = min((after.x - before.x for before, after in pairwise(steps)), default=1.0)
    first, last = steps[0].x, max(steps[-1].x + width, steps[0].x + width)
    ticks = nice(0.0, max(step.value for step in steps), most=4)
    bars = []
    for step in steps:
        left = 100 * (step.x - first) / (last - first)
        right = min(100.0, 100 * (step.x + 0.86 * width - first) / (last - first))
        top = _HEIGHT * (1 - step.value / ticks[-1])
        bars.append(f"M{left:.2f} {_HEIGHT}V{top:.2f}H{right:.2f}V{_HEIGHT}Z")
    ends = (Tick(0.0, steps[0].at), Tick(100.0, steps[-1].at)) if len(steps) > 1 else ()
    return Curve("".join(bars), ends or (Tick(0.0, steps[0].at),), _down(ticks), filled=True)


def tail(steps: Sequence[Step]) -> Curve:
    """The share of the events over the share of the items, the popular ones first."""
    points = [(0.0, 0.0), *((step.x, step.value) for step in steps)]
    path = "M" + "L".join(f"{100 * x:.2f} {_HEIGHT * (1 - y):.2f}" for x, y in points)
    quarters = (0.0, 0.25, 0.5, 0.75, 1.0)
    y = tuple(Tick(100 * (1 - share), f"{share:.0%}") for share in quarters)
    x = tuple(Tick(100 * share, f"{share:.0%}") for share in quarters)
    return Curve(path, x, y, filled=False)


def _down(ticks: Sequence[float]) -> tuple[Tick, ...]:
    return tuple(
        Tick(round(100 * (1 - tick / ticks[-1]), 3), said)
        for tick, said in zip(ticks, _written(ticks), strict=True)
    )


def points(item_map: MapContents) -> list[tuple[int, str]]:
    """Cluster → the path of its points, the largest clusters on top; those without a colour as 7.

    A point is a line of no length, whose round ends are drawn: a twelfth of the bytes of circles.
    """
    at = np.rint(np.clip(item_map.points, 0, 1) * _MAP).astype(int)
    group = np.where(
        (item_map.clusters >= 0) & (item_map.clusters < CLUSTERS), item_map.clusters, CLUSTERS
    )
    paths = []
    for cluster in (CLUSTERS, *range(min(CLUSTERS, len(item_map.reports)))):
        own = np.unique(at[group == cluster], axis=0)
        path = "".join(f"M{x} {_MAP - y}h0" for x, y in own.tolist())
        if path:
            paths.append((cluster, path))
    return paths
