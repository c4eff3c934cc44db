"""The report as its readers have it: from the disk, in both themes, on a phone, on paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from core.data.store import DatasetInfo, Workspace
from core.report.collect import collect
from core.report.html import render
from core.runs.artifact import Run, list_runs
from dashboard.text import text
from tests.browser.conftest import Visit, ready
from tests.browser.test_hostile import CANARY, NAMES, SHOWN, hostile  # noqa: F401 a fixture

PAPER = {"width": 688, "height": 1001}  # A4 less the margins that the file asks for, in CSS pixels
CUT = """() => [...document.querySelectorAll(".chart")].flatMap((chart) => {
  const box = chart.getBoundingClientRect(), style = getComputedStyle(chart);
  const wrong = [];
  if (box.width < 100 || box.height < 20) wrong.push("nothing to see");
  if (box.right > innerWidth + 1 || box.height > innerHeight) wrong.push("larger than the page");
  if (style.breakInside !== "avoid") wrong.push("may be parted");
  for (const mark of chart.querySelectorAll("text, circle, rect, line, path")) {
    const own = mark.getBoundingClientRect();
    if (own.left < box.left - 2 || own.right > box.right + 2) wrong.push(mark.outerHTML);
    if (own.top < box.top - 2 || own.bottom > box.bottom + 2) wrong.push(mark.outerHTML);
  }
  return wrong.map((what) => `${chart.ariaLabel.slice(0, 40)}: ${what.slice(0, 80)}`);
})"""


@pytest.fixture(scope="module")
def films(
    furnished: Workspace, movielens: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The report on the sample data in each language."""
    runs = [run for run in list_runs(furnished) if run.config.dataset == movielens]
    report, folder = collect(furnished, runs), tmp_path_factory.mktemp("report")
    files = {language: folder / f"{language}.html" for language in ("en", "zh")}
    for language, path in files.items():
        path.write_text(render(report, language), "utf-8")
        assert path.stat().st_size < 8_000_000
    return files


@pytest.fixture
def opened(people: Callable[[str, str], Any]) -> Iterator[Callable[..., Any]]:
    """Opens a file; afterwards: nothing but that file was asked for, and no error was said."""
    wrong: list[str] = []
    pages = []

    def open_it(path: Path, scheme: str = "light") -> Any:
        page = people("en-US", scheme).new_page()
        pages.append(page)
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: wrong.extend({asked.url} - {path.as_uri()}))
        page.goto(path.as_uri())
        return page

    yield open_it
    for page in pages:
        page.close()
    assert not wrong


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_opens_from_the_disk_and_everybody_can_read_it(
    opened: Callable[..., Any],
    films: dict[str, Path],
    furnished: Workspace,
    movielens: str,
    language: str,
    scheme: str,
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = opened(films[language], scheme)
    name = furnished.dataset(movielens).name
    assert page.locator("h1").inner_text() == text(language, "report.title", dataset=name)
    assert page.locator(".map path").count() > 3
    page.evaluate("document.querySelectorAll('details').forEach((box) => { box.open = true })")
    for width in (1360, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width
    found = Axe().run(page).response["violations"]
    assert not [(each["id"], each["nodes"][0]["html"]) for each in found]
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_it_prints_with_every_chart_whole(
    opened: Callable[..., Any], films: dict[str, Path], language: str
) -> None:
    page = opened(films[language], "dark")
    page.emulate_media(media="print")
    page.set_viewport_size(PAPER)
    assert page.locator(".chart").count() >= 6
    assert page.evaluate(CUT) == []
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    wide = "[...document.querySelectorAll('table')].filter((t) => t.scrollWidth > innerWidth + 1)"
    assert page.evaluate(f"{wide}.length") == 0
    printed = page.pdf(prefer_css_page_size=True)
    assert printed.startswith(b"%PDF")
    assert 6 <= printed.count(b"/Type /Page\n") <= 20


def test_compare_offers_it_and_foreign_names_stay_text(
    visit: Visit,
    opened: Callable[..., Any],
    hostile: tuple[DatasetInfo, Run],  # noqa: F811 the fixture
    tmp_path: Path,
) -> None:
    info, run = hostile
    page = visit(f"/compare?{urlencode({'dataset': info.id, 'run': run.id})}")
    ready(page)
    button = page.get_by_role("button", name=text("en", "action.report"))
    button.scroll_into_view_if_needed()
    with page.expect_download(timeout=60_000) as waited:
        button.click()
    path = tmp_path / waited.value.suggested_filename
    assert path.name == f"report-{info.id}.html"
    waited.value.save_as(path)
    report = opened(path)
    assert report.evaluate(CANARY) is None
    assert report.locator("script, img, a:not([href^='#'])").count() == 0
    said = " ".join(report.locator("body").inner_text().split())
    assert sum(" ".join(name.split()) in said for name in SHOWN) > len(NAMES) // 2
