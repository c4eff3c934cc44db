"""A view under a name is a small file; opening it shows what its address says and nothing else."""

from __future__ import annotations

import json

import pytest

from core.data.store import Workspace
from core.errors import BadInput, Corrupt, NotFound
from dashboard import saved_views, state
from dashboard.text import literal, text
from tests.dashboard.conftest import VIEWS, Open

NAME = "<b>all</b> *of* us/../.. $x$"


@pytest.mark.parametrize("name", ["best", NAME, "各运行", "x" * 200, "../../etc/passwd"])
def test_it_is_kept_read_and_taken_away(nothing: Workspace, name: str) -> None:
    query = {"dataset": "5" * 12, "metric": "auc"}
    view = saved_views.save(nothing, name, "compare", query)
    assert saved_views.saved(nothing) == ([view], [])
    (path,) = (nothing.path / "views").iterdir()
    assert path.suffix == ".json"
    again = saved_views.save(nothing, name, "home", {})
    assert saved_views.saved(nothing)[0] == [again], "in its place"
    saved_views.forget(nothing, view.id)
    assert saved_views.saved(nothing) == ([], [])
    with pytest.raises(NotFound):
        saved_views.forget(nothing, "../runs")


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 201, "\x1b[2J"])
def test_a_name_is_one_printable_line(nothing: Workspace, name: str) -> None:
    with pytest.raises(BadInput, match="one printable line"):
        saved_views.save(nothing, name, "home", {})
    with pytest.raises(BadInput, match="at most 8000"):
        saved_views.save(nothing, "long", "home", {"sql": "x" * 8001})


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"name": "a", "page": "home", "query": {"k": 1}}', '{"name": ""}']
)
def test_a_damaged_file_is_named_and_the_others_are_there(nothing: Workspace, content: str) -> None:
    view = saved_views.save(nothing, "whole", "home", {})
    (nothing.path / "views" / "odd.json").write_text(content)
    views, (problem,) = saved_views.saved(nothing)
    assert views == [view]
    assert "odd.json" in problem.problem
    with pytest.raises(Corrupt):
        saved_views._read(nothing.path / "views" / "odd.json")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_page_saves_what_its_address_says(
    open_page: Open, trained: Workspace, language: str
) -> None:
    query = {"dataset": "movielens", "user": "7", "language": language}
    page = open_page(trained, "home", **query)
    page.text_input(key="view_name").set_value(NAME).run()
    page.button(key="view_save").click().run()
    assert not page.exception
    assert not page.error
    (view,) = saved_views.saved(trained)[0]
    assert (view.name, view.page) == (NAME, "home")
    assert view.query == {"dataset": "movielens", "user": "7"}, "not how somebody reads"
    box = next(b for b in page.selectbox if str(b.key).startswith("view_"))
    assert box.options == [literal(NAME).plain]
    opened = [link for link in page.sidebar.get("page_link") if "user" in str(link.proto)]
    assert state.BACK in str(opened[0].proto)
    page.button(key="view_forget").click().run()
    assert saved_views.saved(trained)[0] == []
    assert text(language, "views.forgotten") in [toast.value for toast in page.toast]


def test_what_was_shown_before_is_not_taken_along(open_page: Open, trained: Workspace) -> None:
    page = open_page(trained, "compare", dataset="movielens", metric="auc", k="5")
    page.query_params.clear()
    page.query_params["dataset"] = "movielens"
    page.query_params["metric"] = "mrr"
    page.query_params[state.BACK] = "1"
    page.run()
    assert "k" not in page.query_params
    assert page.query_params["metric"] in ("mrr", ["mrr"])


def test_views_of_pages_that_are_not_here_are_passed_by(
    open_page: Open, trained: Workspace
) -> None:
    view = saved_views.save(trained, "tomorrow", "policies", {"of_tomorrow": "1"})
    known = saved_views.save(trained, "today", "home", {"of_tomorrow": "1", "dataset": "movielens"})
    page = open_page(trained, "home", dataset="movielens")
    box = next(b for b in page.selectbox if str(b.key).startswith("view_"))
    assert box.options == ["today"]
    links = [str(link.proto) for link in page.sidebar.get("page_link")]
    assert not any("of_tomorrow" in link for link in links)
    for one in (view, known):
        saved_views.forget(trained, one.id)


def test_each_page_can_be_saved() -> None:
    from dashboard.app import PAGES

    assert sorted(name for pages in PAGES.values() for name in pages) == VIEWS


def test_the_file_can_be_read_by_others(nothing: Workspace) -> None:
    view = saved_views.save(nothing, "best", "compare", {"k": "5"})
    content = json.loads((nothing.path / "views" / f"{view.id}.json").read_text("utf-8"))
    assert content["query"] == {"k": "5"}
