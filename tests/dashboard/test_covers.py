"""A cover is the same for the same title, readable, and never more than a drawing."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.charts.theme import COVERS, GROUND
from dashboard.covers import drawn_cover, monogram
from tests.dashboard.test_charts import SEEN_BY, contrast, lab

FREQUENT = ("Drama", "Comedy", "Action")
SVG = "{http://www.w3.org/2000/svg}"
DRAWN = {SVG + name for name in ("svg", "rect", "circle", "text")}


def ground(cover: bytes) -> str | None:
    return ElementTree.fromstring(cover).find(f"{SVG}rect").get("fill")  # type: ignore[union-attr]


@given(st.text(st.characters(exclude_categories=())), st.text())
def test_any_title_is_drawn_and_nothing_of_it_is_markup(title: str, category: str) -> None:
    cover = drawn_cover(title, category, FREQUENT)
    assert cover == drawn_cover(title, category, FREQUENT)
    drawing = ElementTree.fromstring(cover)
    assert {element.tag for element in drawing.iter()} <= DRAWN
    assert not any(
        "href" in name or name.startswith("on") for e in drawing.iter() for name in e.attrib
    )
    letters = drawing.find(f"{SVG}text").text  # type: ignore[union-attr]
    assert letters == monogram(title)
    assert letters
    assert len(letters) <= 4  # "ß" has two capitals


@pytest.mark.parametrize(
    ("title", "letters"),
    [
        ("Toy Story (1995)", "TS"), ("Heat (1995)", "He"), ("2001: A Space Odyssey (1968)", "SO"),
        ("1984", "19"), ("千与千寻", "千与"), ("中国 grün", "中国"), ("a", "a"), ("🎈🎈", "·"),
        ("<script>alert(1)</script>", "SA"), ("", "·"), ("électronique.téléphone", "ÉT"),
    ],
)  # fmt: skip
def test_a_monogram_is_what_one_would_write(title: str, letters: str) -> None:
    assert monogram(title) == letters


def test_frequent_categories_have_colours_of_their_own() -> None:
    grounds = [ground(drawn_cover("x", name, FREQUENT)) for name in (*FREQUENT, "Noir", "Western")]
    assert grounds == [*COVERS[:3], COVERS[-1], COVERS[-1]]
    many = [f"c{n}" for n in range(20)]
    assert [ground(drawn_cover("x", name, many)) for name in many] == [
        *COVERS[:7],
        *[COVERS[-1]] * 13,
    ]
    without = {ground(drawn_cover(f"thing {n}", "", ())) for n in range(200)}
    assert without == set(COVERS)


def test_covers_can_be_read_on_any_ground() -> None:
    for colour in COVERS:
        assert contrast("#ffffff", colour) >= 4.5
        assert max(contrast(colour, of) for of in GROUND.values()) >= 3
        assert (
            min(contrast(colour, of) for of in GROUND.values()) >= 1.5
        )  # and it has light letters


@pytest.mark.parametrize("who", SEEN_BY)
def test_covers_are_told_apart_also_without_a_cone(who: str) -> None:
    for one, other in itertools.combinations(COVERS, 2):
        assert np.linalg.norm(lab(one, SEEN_BY[who]) - lab(other, SEEN_BY[who])) > 15, (one, other)
