"""The page Data in a real browser: time is dragged, a category clicked, all cleared."""

from __future__ import annotations

from typing import Any

from dashboard.text import text
from tests.browser.conftest import Visit, ready
from tests.browser.test_journey import query


def drag(page: Any, chart: str, first: float, last: float) -> None:
    """Across a chart, from one share of its width to another."""
    area = page.locator(f'[class*="st-key-{chart}"] .nsewdrag').first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + first * box["width"], y)
    page.mouse.down()
    for step in range(1, 11):
        page.mouse.move(box["x"] + (first + (last - first) * step / 10) * box["width"], y)
    page.mouse.up()


def test_time_and_category_are_chosen_in_the_charts(visit: Visit, movielens: str) -> None:
    page = visit(f"/data?dataset={movielens}")
    drag(page, "activity_", 0.3, 0.6)
    page.get_by_text("of 100,836 events").wait_for()
    ready(page)
    (time,) = query(page)["filter"].split(",")
    first, last = time.removeprefix("time=").split("..")
    assert "1999" < first < last < "2013"
    area = page.locator('[class*="st-key-facet_item"] .nsewdrag').first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    page.mouse.click(box["x"] + 0.1 * box["width"], box["y"] + 0.05 * box["height"])
    page.get_by_text("genres: Drama").wait_for()
    ready(page)
    assert query(page)["filter"] == f"{time},item.genres=Drama"
    other = visit(page.url.removeprefix(page.url.split("/data")[0]))
    other.get_by_text("genres: Drama").wait_for()
    page.get_by_role("button", name=text("en", "action.clear_filter"), exact=True).click()
    page.get_by_text(text("en", "data.filter.none").plain).wait_for()
    ready(page)
    assert "filter" not in query(page)
