"""Two maps side by side as a person drives them: what is done on one is seen on the other."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import urlparse

import numpy as np
import pandas as pd
import pytest

from core import pipeline
from core.data.ingest.ingest import ingest
from core.data.store import Workspace
from core.runs.artifact import Run
from core.runs.request import RunRequest
from core.types import PAD
from dashboard.map import layouts, pairs
from dashboard.map.pairs import Pair
from dashboard.text import text
from tests.browser.conftest import KINDS, N_ITEMS, Visit, ready
from tests.browser.test_map import AXES, item, open_map, settled
from tests.browser.test_pages import KNOWN


@pytest.fixture(scope="session")
def pair(furnished: Workspace, mapped: Run, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The shop's map, and one of a log that lacks some of its items and has others' habits."""
    rng = np.random.default_rng(12)
    users = np.repeat(np.arange(300), 40)
    own = (rng.integers(0, 225, len(users)) ** 2 // 225) * 4 + users % 4
    own = (own * 7) % N_ITEMS  # others are popular
    log = pd.DataFrame({"user": users, "item": own})[own % 5 > 0]
    folder = tmp_path_factory.mktemp("other")
    log.drop_duplicates().to_csv(folder / "log.csv", index=False)
    known = np.arange(N_ITEMS)
    table = {"item": known, "name": [f"{KINDS[n % 4]} number {n}" for n in known]}
    pd.DataFrame(table).to_csv(folder / "items.csv", index=False)
    info = ingest(furnished, [folder / "log.csv"], items=folder / "items.csv", name="shop again")
    run = pipeline.train(
        furnished, RunRequest(info.id, "als", {"dim": 16, "sweeps": 5}, device="cpu")
    )
    first, second = (
        layouts.principal_axes(pipeline.load_run(furnished, one), "", lambda step, share: None)
        for one in (mapped, run)
    )
    found = pairs.aligned_pair(first, second)
    assert found is not None
    assert (found.to_second == PAD).any()
    assert (found.to_first[:50] != np.arange(50)).any()
    return found


def open_pair(visit: Visit, pair: Pair, more: str = "", **person: str) -> Any:
    beside = f"{AXES}&beside={pair.second.loaded.run.id}{more}"
    page = open_map(visit, pair.first.loaded.run, more=beside, **person)
    linked(page)
    return page


def linked(page: Any) -> None:
    page.wait_for_selector(".map[data-linked]", state="attached")
    settled(page)


def data(page: Any, name: str) -> list[str]:
    """What both maps say."""
    found = page.locator(".map")
    return [str(found.nth(place).get_attribute(f"data-{name}")) for place in (0, 1)]


def numbers(page: Any, name: str) -> list[int]:
    return [int(value) for value in data(page, name)]


def tool(page: Any, place: int, name: str) -> Any:
    return page.locator(".map").nth(place).get_by_label(text("en", f"map.{name}"), exact=True)


def middle(page: Any, place: int) -> tuple[float, float]:
    box = page.locator(".map .stage").nth(place).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def around(page: Any, place: int, reach: float = 90) -> None:
    """Draws around the middle of one of the maps."""
    x, y = middle(page, place)
    for step in range(21):
        turn = step / 20 * 2 * math.pi
        page.mouse.move(x + reach * math.cos(turn), y + reach * math.sin(turn))
        if step == 0:
            page.mouse.down()
    page.mouse.up()


def downloaded(page: Any) -> set[str]:
    """The ids that the server says are selected."""
    settled(page)
    with page.expect_download() as download:
        page.locator(".st-key-map_download_selection button").click()
    return set(pd.read_csv(download.value.path())["item_id"].astype(str))


def heading(page: Any, n: int) -> None:
    page.get_by_role("heading", name=text("en", "embeddings.selection", n=n), exact=True).wait_for()


@pytest.mark.parametrize("place", [0, 1])
def test_a_lasso_on_either_map_selects_on_both(visit: Visit, pair: Pair, place: int) -> None:
    page = open_pair(visit, pair)
    assert numbers(page, "n") == [len(pair.first.codes), len(pair.second.codes)]
    tool(page, place, "lasso").click()
    assert tool(page, 1 - place, "lasso").get_attribute("aria-checked") == "true"
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlparse(request.url).path))
    around(page, place)
    first, second = numbers(page, "selected")  # at once: the server has not been asked
    assert not [path for path in asked if "/api/map/" in path]
    assert second > 5
    assert first > 5
    heading(page, first)
    ids = downloaded(page)
    assert len(ids) == first
    rows = [pair.first.row(ident) for ident in ids]
    known = int((pair.to_second[rows] != PAD).sum())
    assert known < first if place == 0 else first <= second
    assert second == known if place == 0 else known == first
    page.get_by_text(text("en", "embeddings.moved"), exact=True).wait_for()
    tool(page, 1 - place, "clear").click()  # on the map that only shows it
    assert numbers(page, "selected") == [0, 0]
    settled(page)
    assert not page.locator(".st-key-map_selected_items").count()


def test_hovering_and_clicking_either_map_rings_the_item_on_both(visit: Visit, pair: Pair) -> None:
    page = open_pair(visit, pair)
    search = page.get_by_label(text("en", "embeddings.search"), exact=True)
    search.fill("pot number 42")
    search.press("Enter")
    page.wait_for_url("**item=42*")
    settled(page)
    assert numbers(page, "ring") == [pair.first.row("42"), pair.second.row("42")]
    page.wait_for_timeout(700)  # both maps fly there
    for place in (0, 1):
        x, y = middle(page, place)  # it is in the middle of both
        page.mouse.move(x, y + 1)
        card = page.locator(".map").nth(place).locator(".card")
        card.wait_for()
        ident = card.locator("div").first.inner_text().split()[-1]
        rows = [pair.first.row(ident), pair.second.row(ident)]
        assert int(data(page, "hint")[1 - place]) == rows[1 - place]
        page.mouse.down()
        page.mouse.up()
        assert numbers(page, "ring") == rows
        page.wait_for_url(f"**item={ident}*")
        settled(page)
        assert item(page) == ident
        assert numbers(page, "ring") == rows
        page.mouse.move(0, 0)
        tool(page, place, "fit").hover()
        assert data(page, "hint")[1 - place] == "-1"


def test_what_is_hidden_on_one_map_is_on_the_other(visit: Visit, pair: Pair) -> None:
    page = open_pair(visit, pair)
    for place, hidden in ((1, "0"), (0, "")):
        page.locator(".map").nth(place).locator(".legend button").first.click()
        for one in (0, 1):
            page.wait_for_function(
                """([place, hidden]) => [...document.querySelectorAll("*")]
                  .map((node) => node.shadowRoot?.querySelector(".map")).filter(Boolean)
                  [place].dataset.hidden === hidden""",
                arg=[one, hidden],
            )


def test_a_selection_stays_when_the_second_map_comes_and_goes(visit: Visit, pair: Pair) -> None:
    page = open_map(visit, pair.first.loaded.run)
    tool(page, 0, "lasso").click()
    around(page, 0)
    n = int(str(page.locator(".map").first.get_attribute("data-selected")))
    heading(page, n)
    settled(page)
    page.locator(".st-key-map_beside").get_by_text(text("en", "embeddings.beside")).click()
    page.wait_for_url("**beside=*")
    linked(page)
    assert numbers(page, "selected") == [n, n]
    assert data(page, "ring") == ["-1", "-1"]
    around(page, 1)
    assert numbers(page, "selected")[0] == numbers(page, "selected")[1] != n
    settled(page)
    page.locator(".st-key-map_beside").get_by_text(text("en", "embeddings.beside")).click()
    page.wait_for_function("() => !location.search.includes('beside')")
    settled(page)
    assert page.locator(".map").count() == 1
    assert page.locator(".map").get_attribute("data-selected") == "0"
    assert not page.locator(".st-key-map_selected_items").count()


def test_an_item_whose_neighbours_changed_is_ringed_on_both(visit: Visit, pair: Pair) -> None:
    page = open_pair(visit, pair)
    found = pairs.space_similarity(pair, lambda step, share: None)
    rows, _ = found.changed(1, pair.first.events >= 10)
    table = page.locator(".st-key-map_changed")
    table.wait_for()
    settled(page)
    table.locator(".dvn-scroller").click(position={"x": 60, "y": 52})
    page.wait_for_url("**item=*")
    settled(page)
    assert numbers(page, "ring") == [rows[0], pair.to_second[rows[0]]]
    assert item(page) == str(pair.first.ids(rows)[0])


def test_on_a_narrow_screen_one_map_lies_below_the_other(visit: Visit, pair: Pair) -> None:
    page = open_pair(visit, pair)
    boxes = [page.locator(".map .stage").nth(place).bounding_box() for place in (0, 1)]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    page.set_viewport_size({"width": 600, "height": 900})
    settled(page)
    boxes = [page.locator(".map .stage").nth(place).bounding_box() for place in (0, 1)]
    assert boxes[0]["x"] == boxes[1]["x"]
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]


@pytest.mark.parametrize(("locale", "scheme"), [("en-US", "light"), ("zh-CN", "dark")])
def test_two_maps_are_accessible(visit: Visit, pair: Pair, locale: str, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = open_pair(visit, pair, more="&item=42", locale=locale, scheme=scheme)
    page.get_by_role("heading", name=text(locale[:2], "embeddings.alike")).wait_for()
    page.locator(".st-key-map_changed").wait_for()
    ready(page)
    found = {
        rule["id"]: [node["html"][:200] for node in rule["nodes"][:3]]
        for rule in Axe().run(page).response["violations"]
        if rule["id"] not in KNOWN
    }
    assert not found
