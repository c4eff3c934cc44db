"""From a recommendation to why, to what would change it, to a file that proves it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.cli import main
from core.data.store import Workspace
from dashboard.components.explain.depth import DEPTHS, EVERYONE
from dashboard.text import text
from tests.browser.conftest import Visit, ready
from tests.browser.test_journey import query


@pytest.fixture
def address(furnished: Workspace) -> str:
    """What names one person and the run of transitions."""
    from core.runs import artifact

    run = next(run for run in artifact.list_runs(furnished) if run.config.model == "transitions")
    return f"dataset={run.config.dataset}&run={run.id}&runs={run.id}&user=42"


LIST = "[data-testid=stTable] tbody tr"  # of what follows from an edit


def settled(page: Any) -> None:
    """Waits until the page is drawn and nothing goes on."""
    ready(page)
    once = "document.querySelectorAll('.st-key-depths').length == 1"
    page.wait_for_function(once)  # while the page is drawn again, what was on it is there twice
    ready(page)


def go_deeper(page: Any, step: str, depth: str) -> None:
    """Clicks on this step; awaits the page as deep as this, and the address that says so."""
    page.get_by_role("radio", name=text("en", f"explain.depth.{step}"), exact=True).click()
    page.wait_for_url(f"**depth={depth}*")
    settled(page)


def untick(page: Any, row: int) -> None:
    """Leaves out an event, the latest being row 0; awaits the list that follows."""
    table = page.locator(".st-key-history_editor [data-testid=stDataFrame]")
    table.scroll_into_view_if_needed()
    frame = "() => new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve, 200)))"
    page.evaluate(frame)  # it comes to rest, and sees the pointer before it is pressed
    box = table.bounding_box()
    x, y = box["x"] + 37, box["y"] + 35 * (row + 1) + 17
    page.mouse.move(x, y)
    page.evaluate(frame)
    page.mouse.click(x, y)
    page.locator(LIST).first.wait_for()
    settled(page)


def test_from_a_recommendation_to_its_proof(
    visit: Visit, furnished: Workspace, address: str, tmp_path: Path
) -> None:
    page = visit(f"/recommendations?{address}")
    first = page.locator(LIST).first
    name = first.get_by_role("link").inner_text()
    first.get_by_role("link").click()  # in the same tab
    card = page.locator(".st-key-explain_card")
    card.wait_for()
    settled(page)
    assert f"{name} is recommended because of " in card.inner_text()
    assert "it would not be among the first 10" in card.inner_text()
    assert page.get_by_test_id("stRadioOption").first.locator("input").is_checked()

    go_deeper(page, "everything", "evidence")
    page.get_by_text(text("en", "explain.evidence"), exact=True).wait_for()
    go_deeper(page, "what-if", "what-if")
    untick(page, 0)
    changed = page.locator(LIST).all_inner_texts()
    assert len(changed) >= 10
    assert sum("▲" in row for row in changed[:10]) >= sum("▼" in row for row in changed[10:])
    edited = query(page)["drop"]
    page.reload()
    page.locator(LIST).first.wait_for()
    settled(page)
    assert query(page)["drop"] == edited
    assert page.locator(LIST).all_inner_texts() == changed
    page.locator(".st-key-undo button").click()
    page.locator(LIST).first.wait_for(state="detached")
    assert "drop" not in query(page)

    go_deeper(page, "proof", "proof")
    with page.expect_download() as download:
        page.get_by_role("button", name=text("en", "explain.download.json")).click()
    saved = tmp_path / "why.json"
    download.value.save_as(saved)
    record = json.loads(saved.read_text())
    assert record["labels"][0] == name
    total = record["base"][0] + sum(record["values"][0])
    assert total == pytest.approx(record["scores"][0], abs=1e-6)
    assert record["counterfactual"]["found"]
    assert main(["explain", "--replay", str(saved), "--data-dir", str(furnished.path)]) == 0


def test_names_have_room_in_a_narrow_window(visit: Visit, address: str) -> None:
    page = visit(f"/explain?{address}&drop=1")
    page.set_viewport_size({"width": 1000, "height": 900})
    settled(page)
    editor = page.locator(".st-key-history_editor").bounding_box()
    assert editor["width"] > 245 + 170  # what is beside the name, and 24 letters


def test_the_cases_of_everyone_are_seen_whole(visit: Visit, address: str) -> None:
    page = visit(f"/explain?{address}&depth=everyone")
    settled(page)
    page.get_by_role("tab", name=text("en", "explain.all.tab.cases")).click()
    scroller = page.locator("[data-testid=stTabs] .dvn-scroller")
    scroller.wait_for()
    ready(page)
    assert scroller.evaluate("box => box.scrollWidth - box.clientWidth") <= 0


def test_the_list_is_gone_through_by_keyboard(visit: Visit, address: str) -> None:
    page = visit(f"/explain?{address}")
    settled(page)
    card = page.locator(".st-key-explain_card")
    before = card.inner_text()
    options = page.get_by_test_id("stRadioOption")
    options.first.locator("input").focus()
    page.keyboard.press("ArrowDown")
    page.wait_for_url("**item=*")
    settled(page)
    assert options.nth(1).locator("input").is_checked()
    assert card.inner_text() != before
    name = options.nth(1).inner_text().partition(". ")[2]
    assert card.inner_text().startswith(name)


@pytest.mark.parametrize("depth", [depth for depth in DEPTHS if depth != EVERYONE])
def test_each_depth_fits_a_screen(visit: Visit, address: str, depth: str) -> None:
    page = visit(f"/explain?{address}&depth={depth}")
    settled(page)
    page.locator(".st-key-depths").wait_for()
    page.wait_for_timeout(500)  # charts take their height
    ends = page.locator("[data-testid=stMainBlockContainer] [data-testid=stElementContainer]")
    bottom = ends.evaluate_all(
        "all => Math.max(...all.filter((one) => one.checkVisibility()"
        " && !one.closest('[data-testid=stExpanderDetails]'))"
        ".map((one) => one.getBoundingClientRect().bottom))"
    )
    assert bottom <= 900
