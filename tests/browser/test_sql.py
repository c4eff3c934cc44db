"""The page Query in a real browser: asked, linked, taken along, stopped, left."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import psutil

from dashboard.text import text
from tests.browser.conftest import Visit, ready
from tests.browser.test_journey import query

ENDLESS = "SELECT count(*) FROM range(1000000) a, range(1000000) b"


def children(page: Any) -> list[str]:
    """The processes that answer statements, of all servers that these tests started."""
    return [
        " ".join(process.cmdline())
        for process in psutil.Process().children(recursive=True)
        if process.status() != psutil.STATUS_ZOMBIE and "core.sql.child" in process.cmdline()
    ]


def none_left(page: Any) -> bool:
    """Whether they are gone within two seconds."""
    for _ in range(20):
        if not children(page):
            return True
        page.wait_for_timeout(100)
    return False


def ask(page: Any, statement: str) -> None:
    box = page.get_by_label(text("en", "sql.statement"), exact=True)
    box.fill(statement)
    page.get_by_role("button", name=text("en", "action.ask"), exact=True).click()


def test_a_statement_is_asked_linked_and_taken_along(visit: Visit, movielens: str) -> None:
    page = visit(f"/sql?dataset={movielens}")
    ask(
        page,
        "SELECT title, count(*) AS n FROM events JOIN items USING (item_id)\n"
        "WHERE user_id = $user GROUP BY title ORDER BY n DESC, title LIMIT 7",
    )
    page.get_by_text("7 rows in").wait_for()
    ready(page)
    assert query(page)["sql"].startswith("SELECT title")
    page.get_by_role("tab", name=text("en", "sql.chart")).click()
    page.locator(".st-key-sql_chart .plot-container").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name=text("en", "action.download.csv")).click()
    lines = download.value.path().read_text("utf-8").splitlines()
    assert lines[0] == '"title","n"'
    assert len(lines) == 8
    other = visit(page.url.removeprefix(page.url.split("/sql")[0]))
    other.get_by_text("7 rows in").wait_for()
    page.go_back()
    page.get_by_text("20 rows in").wait_for()


def test_names_are_offered_as_one_writes_and_keys_ask(visit: Visit, movielens: str) -> None:
    page = visit(f"/sql?dataset={movielens}")
    box = page.get_by_label(text("en", "sql.statement"), exact=True)
    box.fill("")
    box.press_sequentially("select count(*) as n from eve")
    offered = page.locator(".cm-tooltip-autocomplete [aria-selected]")
    assert offered.inner_text() == "events"
    box.press("Tab")
    box.press_sequentially(" where user_id = $us")
    offered.filter(has_text="$user").wait_for()
    box.press("Tab")
    box.press("Control+Enter")
    page.get_by_text("1 row in").wait_for()
    assert query(page)["sql"] == "select count(*) as n from events where user_id = $user"


def test_what_was_written_stays_until_it_is_asked(visit: Visit, movielens: str) -> None:
    page = visit(f"/sql?dataset={movielens}")
    box = page.get_by_label(text("en", "sql.statement"), exact=True)
    box.fill("SELECT 1 AS one")
    page.get_by_role("tab", name=text("en", "sql.chart")).click()  # somewhere else
    page.get_by_text("20 rows in").wait_for()
    assert box.inner_text() == "SELECT 1 AS one"
    page.get_by_role("button", name=text("en", "sql.example.popular"), exact=True).click()
    box.filter(has_text="FROM events").wait_for()
    assert "SELECT 1 AS one" not in box.inner_text()


def test_a_statement_is_stopped(visit: Visit, movielens: str) -> None:
    page = visit(f"/sql?dataset={movielens}")
    ask(page, ENDLESS)
    page.get_by_role("button", name=text("en", "action.stop"), exact=True).click()
    page.get_by_text(text("en", "sql.stopped")).wait_for()
    assert none_left(page)
    ask(page, "SELECT 1 AS one")
    page.get_by_text("1 row in").wait_for()


def test_a_statement_ends_when_it_is_left(visit: Visit, movielens: str) -> None:
    page = visit(f"/sql?dataset={movielens}")
    ask(page, ENDLESS)
    page.get_by_role("button", name=text("en", "action.stop"), exact=True).wait_for()
    page.get_by_role("link", name=text("en", "home.title"), exact=True).click()
    page.get_by_text(text("en", "home.question")).wait_for()
    assert none_left(page)


def test_what_is_not_ours_is_text(visit: Visit, movielens: str) -> None:
    mark = "<img src=x onerror=alert(1)>"
    statement = f"""SELECT '{mark}' AS "{mark}", 1 AS n UNION ALL SELECT '**b**', 2"""
    page = visit(f"/sql?dataset={movielens}&sql={quote(statement)}")
    page.get_by_text("2 rows in").wait_for()
    ready(page)
    assert not page.locator("img[src=x]").count()
    assert json.dumps(mark)[1:-1] in page.content().replace("&lt;", "<").replace("&gt;", ">")
