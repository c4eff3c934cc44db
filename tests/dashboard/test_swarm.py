"""Charts of single values: where dots lie, and that nothing hangs on the colour."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from dashboard.charts import swarm

THIRDS = ("few", "some", "many")


def frame(rng: np.random.Generator, n: int = 400) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "group": rng.integers(0, 3, n),
            "value": rng.normal(size=n),
            "number": np.where(rng.random(n) < 0.1, np.nan, rng.exponential(size=n)),
            "text": "a <b> $x$",
        }
    )


@pytest.mark.parametrize("dark", [False, True])
def test_each_value_is_a_dot_in_the_row_of_its_group(dark: bool) -> None:
    given = frame(np.random.default_rng(0))
    drawn = swarm.beeswarm(
        given, names=("a", "b", "c"), thirds=THIRDS, unknown="none", x="x", dark=dark
    )
    dots = [
        (float(x), float(y), trace.name)
        for trace in drawn.data
        for x, y in zip(trace.x, trace.y, strict=True)
    ]
    assert len(dots) == len(given)
    rows = dict(zip(given["value"], given["group"], strict=True))
    assert all(abs(y - rows[x]) <= 0.41 for x, y, _ in dots)
    assert len({(x, y) for x, y, _ in dots}) == len(dots)
    lows, highs = (given["number"].quantile(share) for share in (1 / 3, 2 / 3))
    numbers = dict(zip(given["value"], given["number"], strict=True))
    for x, _, name in dots:
        number = numbers[x]
        if np.isnan(number):
            assert name == "none"
        elif number < lows * 0.99:
            assert name == "few"
        elif number > highs * 1.01:
            assert name == "many"
    shapes = [trace.marker.symbol for trace in drawn.data]
    assert len(set(shapes)) == len(drawn.data) == 4  # told apart without any colour
    assert drawn.data[0].text[0] == "a &lt;b&gt; &#36;x&#36;"


def test_numbers_that_are_all_alike_are_middling() -> None:
    given = frame(np.random.default_rng(1)).assign(number=3.0)
    drawn = swarm.beeswarm(
        given, names=("a", "b", "c"), thirds=THIRDS, unknown="none", x="x", dark=False
    )
    assert [len(trace.x) for trace in drawn.data] == [0, len(given), 0]


def test_dependence_draws_dots_and_no_line() -> None:
    given = frame(np.random.default_rng(2)).dropna()
    drawn = swarm.dependence(given.assign(number=given["number"] - 9), x="x", y="y", dark=False)
    assert [trace.mode for trace in drawn.data] == ["markers"]
    assert drawn.layout.xaxis.type == "linear"
    np.testing.assert_array_equal(drawn.data[0].y, given["value"])
    far = swarm.dependence(given.assign(number=10 ** given["group"]), x="x", y="y", dark=False)
    assert far.layout.xaxis.type == "log"
    near = swarm.dependence(given.assign(number=1 + given["group"]), x="x", y="y", dark=False)
    assert near.layout.xaxis.type == "linear"


def test_ahead_stands_at_its_standard_errors() -> None:
    given = pd.DataFrame(
        {"group": [0, 0, 1], "measure": ["m", "n", "m"], "errors": [3.0, -1, 0], "text": "t"}
    )
    drawn = swarm.ahead(given, names=("p", "q"), x="x", dark=True)
    assert [(trace.name, list(trace.x)) for trace in drawn.data] == [("m", [3, 0]), ("n", [-1])]
    assert [round(float(y)) for trace in drawn.data for y in trace.y] == [0, 1, 0]
    assert drawn.data[0].marker.symbol != drawn.data[1].marker.symbol
    (shade,) = [shape for shape in drawn.layout.shapes if shape.type == "rect"]
    assert (shade.x0, shade.x1) == (-2, 2)
