"""The map as a picture: its points and largest clusters, small, and with names as text alone."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from core.embed import Quality
from dashboard.map.layouts import StoredMap
from dashboard.map.still import HIGH, LONGEST, MOST_POINTS, NAMES, WIDE, still_map

SVG = "{http://www.w3.org/2000/svg}"


def stored(n: int, names: tuple[str, ...]) -> StoredMap:
    rng = np.random.default_rng(3)
    groups = np.arange(n) % len(names)
    points = rng.normal(size=(n, 2)) + 30 * np.stack([groups % 2 * 1.7, groups // 2], axis=1)
    return StoredMap(points.astype(np.float32), groups, names, Quality(None, None, 0, n))


@pytest.mark.parametrize("dark", [False, True])
def test_all_points_lie_inside_each_in_its_clusters_colour(dark: bool) -> None:
    names = ("<script>x</script>, b, c", "n" * 80, "千与千寻", "d & e")
    drawing = ElementTree.fromstring(still_map(stored(400, names), str, dark=dark))
    paths = drawing.findall(f".//{SVG}path")
    assert len(paths) == len({path.get("stroke") for path in paths}) == 4
    points = [point for path in paths for point in path.get("d", "").split("h0") if point]
    assert len(points) == 400
    across, down = np.array([[int(v) for v in p[1:].split(" ")] for p in points]).T
    assert np.abs(across).max() <= WIDE
    assert np.abs(down).max() <= HIGH
    written = [element.text for element in drawing.findall(f".//{SVG}text")]
    assert written == ["<script>x</script>, b", "n" * (LONGEST - 1) + "…", "千与千寻", "d & e"]
    assert {e.tag for e in drawing.iter()} == {SVG + n for n in ("svg", "g", "path", "text")}


def test_a_large_map_is_a_small_picture() -> None:
    names = tuple(f"group {n}" for n in range(30))
    content = still_map(stored(50_000, names), str, dark=False)
    assert content == still_map(stored(50_000, names), str, dark=False)
    assert content.count(b"h0") == MOST_POINTS
    assert content.count(b"<text") <= NAMES
    assert len(content) < 150_000
