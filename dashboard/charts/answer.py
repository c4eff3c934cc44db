"""The chart of a table that nobody foresaw, chosen by the types of its columns."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from pandas.api.types import is_bool_dtype, is_datetime64_any_dtype, is_numeric_dtype
from plotly.graph_objects import Bar, Figure, Scatter

from dashboard.charts.theme import blank, colours, literal

MOST_BARS = 60
MOST_LINES = 4  # numbers over one axis
MOST_POINTS = 5_000
LONGEST_TICK = 24  # letters


@dataclass(frozen=True)
class Choice:
    """What is drawn: "line", "bar" or "points", of which columns."""

    kind: str
    x: str
    y: tuple[str, ...]


def choice(frame: pd.DataFrame) -> Choice | None:
    """The chart that suits these rows; None where none does.

    Numbers over a time are lines; the first number beside names, or beside ids in few rows, is
    bars; two columns of numbers are points.

    >>> choice(pd.DataFrame({"item": ["a", "b"], "n": [1, 2]}))
    Choice(kind='bar', x='item', y=('n',))
    """
    names = list(frame.columns)
    numbers = [name for name in names if _is_number(frame[name])]
    times = [name for name in names if is_datetime64_any_dtype(frame[name])]
    if len(frame) < 2 or not numbers:
        return None
    if times:
        return Choice("line", times[0], tuple(numbers[:MOST_LINES]))
    first = names[0]
    others = [name for name in numbers if name != first]
    if not others:
        return None
    names_of_rows = [name for name in names if frame[name].map(_is_text).all()]
    if first in numbers and names_of_rows and frame[names_of_rows[0]].is_unique:
        first = names_of_rows[0]  # says more than the id before it
    is_name = first not in numbers
    if is_name or (len(frame) <= MOST_BARS and frame[first].is_unique):
        bars = len(frame) <= MOST_BARS and not isinstance(frame[first].iloc[0], list)
        return Choice("bar", first, (others[0],)) if bars else None
    if len(frame) <= MOST_POINTS:
        return Choice("points", first, (others[0],))
    return None


def draw(frame: pd.DataFrame, chosen: Choice, *, dark: bool) -> Figure:
    """The chart that was chosen for these rows."""
    drawn = blank(bargap=0.15)
    for name, colour in zip(chosen.y, colours(dark), strict=False):
        x, y = frame[chosen.x], frame[name].astype(float)
        if chosen.kind == "bar":
            words = [literal(str(value)) for value in x]
            places = list(range(len(words)))
            drawn.add_trace(Bar(x=places, y=y, marker_color=colour, hovertext=words, name=""))
            short = [literal(_short(str(value))) for value in x]
            drawn.update_xaxes(tickvals=places, ticktext=short)
        else:
            mode = "lines+markers" if chosen.kind == "line" else "markers"
            marker = {"color": colour, "size": 6}
            drawn.add_trace(Scatter(x=x, y=y, mode=mode, marker=marker, name=literal(name)))
    drawn.update_xaxes(title=literal(chosen.x))
    drawn.update_yaxes(title=literal(", ".join(chosen.y)))
    drawn.update_layout(showlegend=len(chosen.y) > 1)
    return drawn


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TICK else f"{text[: LONGEST_TICK - 1]}…"


def _is_number(column: pd.Series) -> bool:
    return bool(is_numeric_dtype(column) and not is_bool_dtype(column))
