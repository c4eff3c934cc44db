"""Every page in both languages and both themes, accessible, on a workspace with data."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.data.store import Workspace
from dashboard.text import text
from tests.browser.conftest import Visit, ready

VIEWS = sorted(
    path.stem
    for path in (Path(__file__).resolve().parents[2] / "dashboard" / "views").glob("[!_]*.py")
)
# Streamlit's own, in its navigation, uploader and metric.
KNOWN = {"list", "listitem", "presentation-role-conflict", "svg-img-alt"}


def address(view: str) -> str:
    return "/" if view == "home" else f"/{view}"


@pytest.mark.parametrize(("locale", "scheme"), [("en-US", "light"), ("zh-CN", "dark")])
@pytest.mark.parametrize("view", VIEWS)
def test_a_page_is_accessible(
    visit: Visit, furnished: Workspace, view: str, locale: str, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = visit(address(view), locale=locale, scheme=scheme)
    assert page.locator("h1").inner_text() == text(locale[:2], f"{view}.question")
    assert page.title() == f"{text(locale[:2], f'{view}.title')} · Recscope"
    mark = page.get_by_test_id("stSidebarLogo").or_(page.get_by_test_id("stHeaderLogo")).first
    assert mark.evaluate("image => image.naturalWidth") > 0
    ground = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    assert ground == ("rgb(17, 21, 28)" if scheme == "dark" else "rgb(255, 255, 255)")
    page.wait_for_timeout(500)  # charts fade in, and are measured too faint before
    ready(page)
    found = {
        rule["id"]: [node["html"][:200] for node in rule["nodes"][:3]]
        for rule in Axe().run(page).response["violations"]
        if rule["id"] not in KNOWN
    }
    assert not found
