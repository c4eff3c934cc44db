"""The items in three axes: where they lie, how they are drawn, what the page says."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from core import pipeline
from core.data.store import Workspace
from core.runs.request import RunRequest
from dashboard.map import colouring as points
from dashboard.map import item_map as maps
from dashboard.map import layouts
from dashboard.map import solid as map_solid
from dashboard.map.layouts import three_axes
from dashboard.text import text
from tests.dashboard.conftest import Open


@pytest.fixture
def mapped(shop: Workspace) -> maps.ItemMap:
    """The shop's 25 items as ALS sees them."""
    run = pipeline.train(shop, RunRequest("shop", "als", {"dim": 8, "sweeps": 3}, device="cpu"))
    return layouts.principal_axes(pipeline.load_run(shop, run), "", lambda step, share: None)


def test_places_are_the_three_strongest_directions(mapped: maps.ItemMap) -> None:
    found = three_axes(mapped)
    vectors = mapped.near.vectors.values.astype(np.float64)[mapped.codes]
    u, s, _ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    for axis in range(3):
        own = found.points[:, axis]
        assert abs(own @ u[:, axis]) == pytest.approx(s[axis], rel=1e-4)
        assert np.square(own).sum() == pytest.approx(s[axis] ** 2, rel=1e-4)
    assert found.share == pytest.approx((s[:3] ** 2).sum() / (s**2).sum(), rel=1e-5)


def drawn(colouring: points.Colouring, labels: list[str], **more: Any) -> Any:
    """Points in a row."""
    n = len(colouring.values)
    places = np.arange(3 * n).reshape(n, 3)
    settings: dict[str, Any] = {
        "labels": labels, "sizes": None, "axes": ["1", "2", "3"], "unknown": "?", "ring": None,
        "trail": places[:0], "marks": places[:0], "dark": False,
    }  # fmt: skip
    names = [f"<item> {row}" for row in range(n)]
    return points.scatter_3d(places, colouring, names, **{**settings, **more})


def test_each_point_is_drawn_once_in_the_colour_of_its_value() -> None:
    values, sizes = [1, 0, 1, 2, 0], [0, 4, 8, 15, 2]
    colouring = points.by_group(np.array(values), ["a", "b", "c"])
    found = {}
    for trace in drawn(colouring, ["a", "b", "c"], sizes=np.array(sizes)).data:
        for place, row in enumerate(trace.customdata):
            found[int(row)] = (trace.name, trace.marker.color, trace.x[place])
            assert trace.text[place] == f"&lt;item&gt; {row}"
            assert trace.marker.size[place] == 2.5 + sizes[row] / 2
    palette = colouring.palette(False)
    expected = {row: ("abc"[v], palette[v], 3 * row) for row, v in enumerate(values)}
    assert found == expected


def test_a_sequence_has_its_scale_and_what_is_unknown_its_grey() -> None:
    colouring = points.by_number(np.array([1.0, np.nan, 9.0]), log=True)
    scale, unknown = drawn(colouring, []).data
    assert scale.customdata.tolist() == [0, 2]
    assert scale.marker.color.tolist() == colouring.values[[0, 2]].tolist()
    assert scale.marker.colorbar.ticktext == ("1", "9")
    assert (unknown.customdata.tolist(), unknown.name) == ([1], "?")


def test_the_chosen_one_is_ringed_and_a_way_has_its_numbers() -> None:
    places = np.arange(9).reshape(3, 3)
    colouring = points.by_group(np.zeros(3), ["a"])
    found = drawn(colouring, ["a"], ring=(places[1], "<b>"), trail=places[:2], marks=places[1:])
    _, line, circle = found.data
    assert (line.mode, line.x.tolist()) == ("lines", [0, 3])
    assert (circle.x.tolist(), circle.y.tolist()) == ([3], [4])
    said = [(note.text, note.x, note.z) for note in found.layout.scene.annotations]
    assert said == [("<b>1</b>", 3, 5), ("<b>2</b>", 6, 8), ("<b>&lt;b&gt;</b>", 3, 5)]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_turns_solid_and_says_how_many_it_draws(
    mapped: maps.ItemMap, open_page: Open, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_solid, "DRAWN", 10)
    ident = str(mapped.ids(np.array([20]))[0])  # ringed, though it is not among the ten
    page = open_page(
        mapped.loaded.workspace, "embeddings", layout="solid", item=ident, language=language
    )
    for _ in range(50):
        if page.dataframe:
            break
        page.run()  # it was still being made
    assert not page.exception
    said = [element.value for element in page.caption]
    assert text(language, "embeddings.solid.count", shown=10, n=25) in said
    share = three_axes(mapped).share
    assert text(language, "embeddings.method.solid", share=share, dims=8) in said
    table = page.dataframe[0].value
    np.testing.assert_allclose(table[["x", "y", "z"]], three_axes(mapped).points, atol=1e-4)
    assert len(page.table) == 3  # the chosen item's neighbours
    (chart,) = page.get("plotly_chart")
    figure = json.loads(chart.proto.spec)
    *kinds, ring = figure["data"]
    assert ring["marker"]["symbol"] == "circle-open"
    assert len(kinds) >= 1
