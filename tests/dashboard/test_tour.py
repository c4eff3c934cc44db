"""The guided way through the pages: each step is an address, forth and back."""

from __future__ import annotations

import pytest

from core.data.store import Workspace
from dashboard.components.tour import STEPS, WHAT_IF
from dashboard.text import LANGUAGES, text
from tests.dashboard.conftest import Open

pytestmark = pytest.mark.slow  # together too many for `make quick`


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_each_step_shows_its_page_and_says_what_is_there(
    open_page: Open, trained: Workspace, language: str
) -> None:
    for number, view in enumerate(STEPS, start=1):
        page = open_page(trained, view, dataset="movielens", step=str(number), language=language)
        assert page.markdown[0].value == text(language, f"tour.step.{number}")
        assert page.title[0].value == text(language, f"{view}.question")
        assert page.button(key="tour_back").disabled == (number == 1)
        assert page.button(key="tour_on").disabled == (number == len(STEPS))


def test_it_goes_on_and_back_and_out(open_page: Open, trained: Workspace) -> None:
    page = open_page(trained, dataset="movielens", user="130", step="1")
    page.button(key="tour_on").click().run()
    assert page.query_params["step"] == str(WHAT_IF)
    assert page.query_params["drop"] == "28"  # the latest of that many
    assert [tick.value for tick in page.checkbox][:2] == [False, True]
    page.button(key="tour_on").click().run()
    assert page.title[0].value == text("en", "explain.question")
    assert "drop" not in page.query_params
    page.button(key="tour_back").click().run()
    assert page.title[0].value == text("en", "home.question")
    assert page.query_params["drop"] == "28"
    page.button(key="tour_end").click().run()
    assert not {"step", "drop"} & set(page.query_params)
    assert all(tick.value for tick in page.checkbox)
    assert page.query_params["user"] == "130"


def test_it_needs_no_data(open_page: Open, nothing: Workspace) -> None:
    page = open_page(nothing, step="1")
    assert page.markdown[0].value == text("en", "tour.step.1")
    page.button(key="tour_on").click().run()
    assert page.query_params["step"] == "2"
    assert not page.exception
