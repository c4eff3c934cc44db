"""Every page in every state draws without an exception or a warning, and does what it offers."""

from __future__ import annotations

import time

import pytest
from streamlit.testing.v1 import AppTest

from core import jobs
from core.data.store import Workspace
from dashboard.components import sample
from dashboard.text import LANGUAGES, text
from tests.dashboard.conftest import VIEWS, Open


def words(page: AppTest) -> str:
    return " ".join(element.value for element in [*page.markdown, *page.caption, *page.info])


def test_every_view_is_a_page() -> None:
    from dashboard.app import PAGES

    assert sorted(name for group in PAGES.values() for name in group) == VIEWS


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("view", VIEWS)
def test_a_page_of_an_empty_workspace(
    open_page: Open, nothing: Workspace, view: str, language: str
) -> None:
    page = open_page(nothing, view, language=language)
    assert page.title[0].value == text(language, f"{view}.question")
    assert not page.error
    assert not page.warning


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("view", VIEWS)
def test_a_page_with_data(open_page: Open, trained: Workspace, view: str, language: str) -> None:
    page = open_page(trained, view, dataset="movielens", language=language)
    assert page.title[0].value == text(language, f"{view}.question")
    assert not page.error
    assert not page.warning


@pytest.mark.parametrize("view", VIEWS)
def test_an_address_that_names_what_is_not_there(
    open_page: Open, trained: Workspace, view: str
) -> None:
    page = open_page(trained, view, dataset="nowhere", run="never", user="nobody", k="x")
    assert page.title[0].value == text("en", f"{view}.question")
    assert not page.error


def test_the_page_says_what_the_address_names_in_vain(open_page: Open, trained: Workspace) -> None:
    page = open_page(trained, dataset="nowhere")
    assert page.warning[0].value == text("en", "context.unknown_dataset", value="nowhere")
    page = open_page(trained, "recommendations", dataset="movielens", user="nobody")
    assert page.warning[0].value == text("en", "recommendations.unknown_user", value="nobody")


def test_the_language_follows_the_browser(trained: Workspace, open_page: Open) -> None:
    page = open_page(trained)
    page.context = {"locale": "zh-CN"}
    page.run()
    assert page.title[0].value == text("zh", "home.question")
    page.selectbox(key="pick_language").select("en").run()
    assert page.title[0].value == text("en", "home.question")
    assert page.query_params["language"] == "en"


def test_home_shows_data_models_and_one_person(open_page: Open, trained: Workspace) -> None:
    page = open_page(trained, dataset="movielens")
    assert "100,836" in words(page)
    assert len(page.table) == 1
    assert len(page.table[0].value) == 8


def test_an_empty_home_fills_itself(
    open_page: Open, nothing: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "FIRST_MODELS", ("popularity",))
    page = open_page(nothing)
    page.button(key="sample").click().run()
    assert not page.exception
    assert [info.name for info in nothing.datasets()] == ["MovieLens"]
    started = jobs.statuses(nothing)
    assert [status.model for status in started] == ["popularity"]
    jobs.cancel(nothing, started[0].run_id)


def test_train_starts_a_job_that_another_tab_finds(open_page: Open, trained: Workspace) -> None:
    page = open_page(trained, "train", dataset="movielens")
    page.multiselect(key="models").set_value(["recent_popularity"]).run()
    page.number_input(key="param_recent_popularity_window_days").set_value(90.0).run()
    page.button(key="start").click().run()
    assert not page.exception
    run = page.query_params["run"]
    other = open_page(trained, "train", dataset="movielens", run=run)
    assert not other.warning
    deadline = time.monotonic() + 120
    while jobs.status(trained, run).active and time.monotonic() < deadline:
        time.sleep(0.2)
    assert jobs.status(trained, run).state == "done"
    other.run()
    assert "Recent popularity" in list(other.dataframe[0].value["model"])


def test_compare_answers_for_the_metric_chosen(open_page: Open, trained: Workspace) -> None:
    page = open_page(trained, "compare", dataset="movielens")
    assert "NDCG@10" in words(page)
    assert "Transition graph" in page.markdown[0].value
    page.selectbox(key="pick_metric").select("auc").run()
    assert not page.exception
    assert page.query_params["metric"] == "auc"
    assert "AUC" in page.markdown[0].value


def test_recommendations_take_any_user_and_hide_what_is_known(
    open_page: Open, trained: Workspace
) -> None:
    page = open_page(trained, "recommendations", dataset="movielens", user="1", k="5")
    assert "User **1** did 232 things" in words(page)
    assert all(len(table.value) == 5 for table in page.table)
    page.toggle(key="hide").set_value(False).run()
    assert not page.exception
    assert page.query_params["keep"] == "1"
    page.button(key="random_user").click().run()
    assert not page.exception
    assert page.query_params["user"] != "1"
