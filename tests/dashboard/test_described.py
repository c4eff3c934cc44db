"""The page Explain, asked about an item that only the table of items has."""

from __future__ import annotations

import pytest

from core import pipeline
from core.data.store import Workspace
from core.explain import explain
from dashboard.text import LANGUAGES, text
from tests.dashboard.conftest import Open
from tests.dashboard.test_explain import deeper, effects, plain, sentence
from tests.explaining import NEW, describe_more, someone, train

pytestmark = pytest.mark.slow


@pytest.fixture
def more(shop: Workspace) -> Workspace:
    describe_more(shop)
    return shop


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_it_is_explained_as_any_other_and_said_to_be_new(
    open_page: Open, more: Workspace, language: str
) -> None:
    run, user = train(more, "content"), someone(more, 5, 5)
    loaded = pipeline.with_described(pipeline.load_run(more, run), [NEW])
    query, [code] = pipeline.history_of(loaded, user), pipeline.item_codes(loaded, [NEW])
    found = explain(loaded.model, query, [code], n_items=len(loaded.items))
    page = open_page(
        more, "explain", run=run.id, user=user, item=str(NEW), k="5", language=language
    )
    assert not page.error
    assert not page.warning
    assert "pot (900)" in sentence(page)
    model = text(language, "model.content")
    said = text(language, "explain.said.unseen.described", model=model)
    assert str(said) in plain(page)
    assert text(language, "explain.evidence.nobody_yet") in plain(deeper(page, "evidence"))
    assert effects(page) == pytest.approx(found.values[:, 0], rel=0, abs=1e-9)
    assert f"--item {NEW}" in deeper(page, "proof").code[0].value


def test_it_can_be_chosen_by_its_id(open_page: Open, more: Workspace) -> None:
    run, user = train(more, "unified"), someone(more, 5, 5)
    page = open_page(more, "explain", run=run.id, user=user, k="5")
    page.text_input(key="other_item").set_value(f" {NEW} ").run()
    assert not page.exception
    assert page.query_params["item"] == str(NEW)
    assert page.text_input(key="other_item").value == ""
    assert "pot (900)" in sentence(page)
    page.text_input(key="other_item").set_value("30").run()  # and one of the log again
    assert page.query_params["item"] == "30"
    assert "(30)" in sentence(page)
    page.text_input(key="other_item").set_value("no such thing").run()
    assert page.warning[0].value == text("en", "explain.item.unknown", value="no such thing")
    assert page.query_params["item"] == "30"


def test_a_run_that_knows_only_the_log_says_so(open_page: Open, more: Workspace) -> None:
    run, user = train(more, "ease"), someone(more, 5, 5)
    page = open_page(more, "explain", run=run.id, user=user, item=str(NEW))
    assert not page.exception
    assert page.warning[0].value == text("en", "explain.described_item", value=str(NEW))
    assert "item" not in page.query_params
    page = open_page(more, "explain", run=run.id, user=user, item="77")
    assert page.warning[0].value == text("en", "explain.unknown_item", value="77")
