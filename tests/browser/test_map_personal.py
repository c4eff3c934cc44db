"""The map in one person's colours, and "like … less …", as a person uses them."""

from __future__ import annotations

from urllib.parse import parse_qs, urlparse

import pandas as pd
import pytest

from core.runs.artifact import Run
from dashboard.text import text
from tests.browser.conftest import Visit
from tests.browser.test_map import data, drawn, open_map, settled
from tests.browser.test_pages import KNOWN

SCORE = "&layout=axes&colour=score&user=7"
SHAP = "&layout=axes&colour=shap&user=7"


def test_the_colours_of_a_person(visit: Visit, mapped: Run) -> None:
    page = open_map(visit, mapped, more=SCORE)
    legend = page.locator(".map .legend")
    assert text("en", "map.taken") in legend.inner_text()
    score, sizes = data(page, "values"), page.locator(".map .ramp").inner_text()
    page.locator("[class*=st-key-pick_colour] input").click()
    page.get_by_text(text("en", "embeddings.colour.shap"), exact=True).last.click()
    page.wait_for_url("**colour=shap*")
    told = text("en", "embeddings.shap.told", older="").strip()
    page.get_by_text(told).wait_for()
    page.wait_for_selector(f'.map:not([data-values="{score}"])', state="attached")
    drawn(page)
    assert text("en", "map.elsewhere") in legend.inner_text()
    low, high = (
        part for part in page.locator(".map .ramp").inner_text().split() if part[-1].isdigit()
    )
    assert low == f"-{high}"
    assert sizes != page.locator(".map .ramp").inner_text()
    assert int(data(page, "ring")) >= 0  # the first that is recommended, though none was chosen
    assert page.locator(".st-key-map_of_items").count() == 1
    assert data(page, "failed") == ""
    page.get_by_text(text("en", "explain.refining")).wait_for(state="hidden")
    settled(page)  # a page that is drawn again meanwhile takes its files back
    with page.expect_download() as download:
        page.locator(".st-key-map_download button").click()
    shares = pd.read_csv(download.value.path())[text("en", "embeddings.colour.shap")]
    assert 30 < shares.notna().sum() <= 40  # what the person took
    page.get_by_role("link", name=text("en", "embeddings.shap.more")).click()
    page.wait_for_url("**/explain*")


def test_like_and_less_from_the_box_to_the_map(visit: Visit, mapped: Run) -> None:
    page = open_map(visit, mapped)
    for side, name in (("like", "pot number 42"), ("less", "tray number 43")):
        box = page.locator(f".st-key-map_{side} input")
        box.click()
        box.fill(name)
        box.press("Enter")
        page.wait_for_url(f"**{side}=*")
        settled(page)
    asked = parse_qs(urlparse(page.url).query)
    assert (asked["like"], asked["less"]) == (["42"], ["43"])
    assert data(page, "marks") == "10"
    first = page.locator("[data-testid=stTable] tbody tr").first.locator("td")
    total, plus, minus = (float(cell.replace("−", "-")) for cell in first.all_inner_texts()[2:])
    assert total == pytest.approx(plus + minus, abs=0.011)
    page.reload()
    drawn(page)
    assert data(page, "marks") == "10"


@pytest.mark.parametrize(("locale", "scheme"), [("en-US", "light"), ("zh-CN", "dark")])
def test_both_are_accessible(visit: Visit, mapped: Run, locale: str, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = open_map(visit, mapped, more=f"{SHAP}&like=42,2&less=43", locale=locale, scheme=scheme)
    page.get_by_text(text(locale[:2], "embeddings.sum.told")[:12], exact=False).first.wait_for()
    page.wait_for_timeout(1000)
    found = {
        rule["id"]: [node["html"][:200] for node in rule["nodes"][:3]]
        for rule in Axe().run(page).response["violations"]
        if rule["id"] not in KNOWN
    }
    assert not found
