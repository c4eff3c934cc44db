"""Names, ids, columns, files and addresses full of markup: shown literally, and nothing happens."""

from __future__ import annotations

import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlparse

import pandas as pd
import pytest

from core.data.store import DatasetInfo, Workspace
from core.runs.artifact import Run
from core.runs.request import RunRequest
from dashboard import state
from dashboard.text import text, visible
from tests.browser.conftest import Visit, ready
from tests.browser.test_journey import UPLOADER, open_uploader
from tests.browser.test_pages import VIEWS, address

FAR = "http://far.example"
NAMES = [
    f"![p]({FAR}/a.png)",
    f"[l]({FAR}) {FAR}/b www.far.example a@far.example",
    "<img src=x onerror=window.__pwned=1>",
    "<script>window.__pwned=1</script>",
    f'<a href="{FAR}">a</a> <b>b</b> %{{x}} &amp;',
    "$x^2$ $$y$$ `c` ~~s~~ **b** _i_ | c",
    ":smile: :material/home: :material_home: :streamlit: :red[r]{a=b}",
    "# h",
    "1. one -> two <- three -- four",
    " blanks  within ",
    "\u202eturned \u200b",
    "- [ ] \\ {{x}} {0} %s",
]
KINDS = ["<i>k</i>", "$k$", f"![k]({FAR}/k.png)", "=k()"]
COLUMN = f"![c]({FAR}/c.png)<b>"
SHOWN = [visible(name) for name in NAMES]
USER = "<b>u</b> ![u](http://far.example/u.png) 7"
CANARY = "window.__pwned"
OUTSIDE = """() => [...document.querySelectorAll("a[href], img[src]")]
  .map((e) => e.href || e.src).filter((to) => !/^(data|blob):/.test(to))
  .filter((to) => new URL(to).host !== location.host)"""
ANSWERS = (
    *("/", "/train", "/nothing", "/favicon.png", "/_stcore/health", "/api/browser.js"),
    *("/api/map/none", "/api/rows/none?rows=1", "/media/none", "/static/none.js"),
)


@pytest.fixture(scope="session")
def hostile(
    furnished: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> tuple[DatasetInfo, Run]:
    """A log in which everything that has a name is named as an attacker would, and two runs."""
    from core import pipeline
    from core.data.ingest.ingest import ingest

    folder = tmp_path_factory.mktemp("hostile")
    n = len(NAMES)
    users = [USER if u == 7 else f"<b>u</b>{u}" for u in range(40)]
    rows = [(users[u], NAMES[(u * 5 + e * e) % n], e) for u in range(40) for e in range(6)]
    log, items = folder / "log.csv", folder / "items.csv"
    pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]).to_csv(log, index=False)
    kinds = [KINDS[i % 4] for i in range(n)]
    pd.DataFrame({"item_id": NAMES, "title": NAMES, COLUMN: kinds}).to_csv(items, index=False)
    info = ingest(furnished, [log], items=items, name=f"![d]({FAR}/d.png) <b>d</b>")
    runs = [
        pipeline.train(furnished, RunRequest(info.id, model, params, device="cpu", name=name))
        for model, params, name in (
            ("popularity", {}, None),
            ("als", {"dim": 4, "sweeps": 2}, f"![r]({FAR}/r.png) <i>r</i> $r$"),
        )
    ]
    for run in runs:
        pipeline.evaluate(furnished, run, device="cpu")
    return info, runs[-1]


@pytest.fixture
def watched(visit: Visit) -> Any:
    """Opens an address; afterwards no script of an attacker ran, and nobody was asked anything."""
    happened: list[str] = []
    opened = []

    def open_it(path: str, **how: str) -> Any:
        page = visit(path, **how)
        page.on("dialog", lambda dialog: happened.append(dialog.message))
        page.on("popup", lambda other: happened.append(f"a page: {other.url}"))
        page.on("websocket", lambda socket: happened.append(f"a socket: {socket.url}"))
        opened.append(page)
        return page

    yield open_it
    happened += ["a script" for page in opened if page.evaluate(CANARY) is not None]
    assert not happened


def words(page: Any) -> str:
    """All that is written on the page, in charts and tables too."""
    said: str = page.evaluate(
        "() => [...document.querySelectorAll('body, text')].map((e) => e.textContent).join('\\n')"
    )
    return said


@pytest.mark.parametrize("view", VIEWS)
def test_names_are_shown_literally(
    watched: Any, hostile: tuple[DatasetInfo, Run], view: str
) -> None:
    info, run = hostile
    query = {"dataset": info.id, "run": run.id, "user": USER, "keep": "1", "k": "20"}
    query |= {"layout": "axes"}  # whose colours are a column
    query |= {"depth": "bars"} if view == "explain" else {}
    page = watched(f"{address(view)}?{urlencode(query)}")
    ready(page)
    label = f"{run.name} ({text('en', 'model.als')}) · {run.id[:6]}"
    assert page.get_by_label(text("en", "context.dataset"), exact=True).input_value() == info.name
    assert page.get_by_label(text("en", "context.run"), exact=True).input_value() == label
    if view == "home":
        options = page.get_by_test_id("stRadioOption").locator("p")
        options.first.wait_for()
        said = [option.partition(". ")[2] for option in options.all_inner_texts()]
        assert said
        assert {name for name in said if name} <= set(SHOWN)
    if view == "recommendations":
        lists = page.locator("[data-testid=stTable] a")
        lists.first.wait_for()
        shown = set(lists.all_inner_texts())
        assert shown == set(SHOWN)
        assert not [a for a in lists.all() if not a.get_attribute("href").startswith("explain?")]
    if view in ("explain", "compare", "embeddings", "recommendations"):
        page.get_by_text(label).first.wait_for()
    if view == "explain":
        page.locator("[data-testid=stPlotlyChart]").wait_for(timeout=60_000)
        ready(page)
        shown = {line.split(". ", 1)[1] for line in radio(page)}
        assert shown <= set(SHOWN)
        assert USER in words(page)
        assert sum(name in words(page) for name in SHOWN) >= 6
    if view == "embeddings":
        page.locator(f'.map[data-n="{len(NAMES)}"]').wait_for()
        legend = page.locator(".map .legend button").all_inner_texts()
        assert {entry.rsplit("\n", 1)[0] for entry in legend} == set(map(visible, KINDS))
    if view == "data":
        page.get_by_role("tab", name=text("en", "data.tab.columns")).click()
        page.get_by_text(COLUMN).first.wait_for(state="attached")
    assert not page.evaluate(OUTSIDE)


def radio(page: Any) -> list[str]:
    found: list[str] = (
        page.locator("[data-testid=stRadio]")
        .first.locator("label[data-baseweb=radio], label:has(input)")
        .all_inner_texts()
    )
    return [line.strip() for line in found if ". " in line]


@pytest.mark.parametrize("view", VIEWS)
def test_an_address_full_of_markup_does_nothing(
    watched: Any, hostile: tuple[DatasetInfo, Run], view: str
) -> None:
    values = {name: NAMES[at % 5] for at, name in enumerate(state.NAMES)}
    page = watched(f"{address(view)}?{urlencode(values)}", locale="zh-CN")
    ready(page)
    told = page.locator("[data-testid=stAlert]").all_inner_texts()
    assert any(visible(values["dataset"]) in sentence for sentence in told)
    assert not page.evaluate(OUTSIDE)


def test_a_file_with_a_hostile_name(watched: Any, furnished: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "![x](http:far.example) <img src=x onerror=window.__pwned=1>.csv"
    rows = "".join(f"<b>u{n % 9}</b>,{NAMES[2 + n % 2]},{n}\n" for n in range(60))
    path.write_text("user,item,<script>window.__pwned=1</script>\n" + rows)
    page = watched("/data")
    open_uploader(page)
    page.set_input_files(UPLOADER, str(path))
    page.wait_for_selector(".st-key-import button")
    ready(page)
    name = page.get_by_label(text("en", "data.name"), exact=True).input_value()
    assert name == path.name.split(".")[0]
    page.locator(".st-key-import button").click()
    page.get_by_text(f"“{name}”").first.wait_for()


def test_every_answer_says_that_nothing_comes_from_elsewhere(served: str) -> None:
    for path in ANSWERS:
        try:
            answer = urllib.request.urlopen(served + path, timeout=10)
        except urllib.error.HTTPError as refused:
            answer = refused
        with answer:
            headers = answer.headers
        policy = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'self'"
        assert "'unsafe-inline'" not in policy["script-src"]
        assert not [rule for rule in policy.values() if "http" in rule or "*" in rule]
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"


def parts(url: str) -> tuple[str, dict[str, list[str]]]:
    return urlparse(url).path, parse_qs(urlparse(url).query)


def test_a_click_is_one_step_in_the_history(visit: Visit, hostile: tuple[DatasetInfo, Run]) -> None:
    info, run = hostile
    page = visit(f"/?{urlencode({'dataset': info.id, 'run': run.id})}")
    pages: list[Any] = []
    page.context.on("page", lambda other: pages.append(other))

    def step(name: str, click: Any) -> str:
        before = page.evaluate("history.length")
        click()
        page.get_by_role("heading", name=text("en", f"{name}.question"), exact=True).wait_for()
        ready(page)
        assert page.evaluate("history.length") == before + 1
        return page.url

    def nav(name: str) -> str:
        titled = page.locator("[data-testid=stSidebarNav]").get_by_text(text("en", f"{name}.title"))
        return step(name, titled.click)

    trail = [page.url, nav("recommendations")]
    before = page.evaluate("history.length")
    page.locator(".st-key-random_user button").click()
    page.wait_for_url("**user=*")
    ready(page)
    assert page.evaluate("history.length") == before + 1
    trail.append(page.url)
    trail.append(step("explain", page.locator("[data-testid=stTable] a").first.click))
    trail.append(nav("compare"))
    assert "item=" in trail[-1]
    for past in trail[-2::-1]:
        page.go_back()
        page.wait_for_url(lambda url, past=past: parts(url) == parts(past))
        ready(page)
        page.wait_for_url(lambda url, past=past: parts(url) == parts(past))
    assert not pages


def test_no_page_asks_for_what_is_not_there(
    people: Any, served: str, hostile: tuple[DatasetInfo, Run]
) -> None:
    page = people("en-US", "light").new_page()
    answers: list[tuple[int, str]] = []
    page.on("response", lambda answer: answers.append((answer.status, answer.url)))
    for view in ("home", "train"):
        page.goto(served + address(view))
        ready(page)
    page.close()
    assert len(answers) > 10
    assert not [(status, url) for status, url in answers if status >= 400]
