"""Cards in a real browser: pictures arrive, whatever a title says; Home fits on one screen."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from PIL import Image

from core.data.pictures import add_pictures
from core.data.store import Workspace
from tests.browser.conftest import Visit, ready

PICTURES = 'img[src^="/api/picture/"]'
DRAWN = f"""() => {{
  const all = [...document.querySelectorAll('{PICTURES}')];
  return all.length > 0 && all.every((one) => one.complete && one.naturalWidth > 0);
}}"""


@pytest.fixture
def address(furnished: Workspace, movielens: str) -> str:
    """What names the films, one person and the run of transitions."""
    from core.runs import artifact

    runs = artifact.list_runs(furnished)
    run = next(r for r in runs if (r.config.dataset, r.config.model) == (movielens, "transitions"))
    return urlencode({"dataset": movielens, "run": run.id, "runs": run.id, "user": "42"})


def pictures(page: Any) -> list[str]:
    page.wait_for_function(DRAWN)
    found: list[str] = page.locator(PICTURES).evaluate_all("all => all.map((one) => one.src)")
    return found


@pytest.mark.parametrize("view", ["", "recommendations"])
def test_every_item_has_a_picture(visit: Visit, address: str, view: str) -> None:
    page = visit(f"/{view}?{address}")
    assert len(pictures(page)) >= 10


def test_own_pictures_take_the_place_of_covers(
    visit: Visit, furnished: Workspace, movielens: str, address: str, tmp_path: Any
) -> None:
    info = furnished.dataset(movielens)
    page = visit(f"/recommendations?{address}")
    before = pictures(page)
    link = page.locator("[data-testid=stTable] a").first.get_attribute("href")
    item = link.partition("item=")[2].partition("&")[0]
    Image.new("RGB", (300, 200), "red").save(tmp_path / f"{item}.png")
    add_pictures(furnished, info, str(tmp_path))
    try:
        page.reload()
        ready(page)
        after = pictures(page)
        assert after[1:] == before[1:]
        assert after[0] != before[0]
        shown = page.locator(PICTURES).first
        assert shown.evaluate("one => [one.naturalWidth, one.naturalHeight]") == [240, 160]
        assert shown.bounding_box()["width"] < shown.bounding_box()["height"]  # cut, not squeezed
    finally:
        (info.folder / "pictures.parquet").unlink()


def test_home_tells_its_story_on_one_screen(visit: Visit, address: str) -> None:
    page = visit(f"/?{address}")
    pictures(page)
    card = page.locator(".st-key-explain_card")
    card.locator("p").first.wait_for()
    ready(page)
    for part in (
        card,
        page.get_by_role("radiogroup").last,
        page.locator("[data-testid=stCheckbox]").last,
    ):
        box = part.bounding_box()
        assert box["y"] + box["height"] < 900
