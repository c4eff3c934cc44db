"""Rules on the page Recommendations: kept by every list, told where they cannot be, measured."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.data.store import Workspace
from core.runs import artifact
from dashboard import cache
from dashboard.text import LANGUAGES, text
from tests.dashboard.conftest import Open

USER = "5"


@pytest.fixture
def run(trained: Workspace) -> Any:
    return next(r for r in artifact.list_runs(trained) if r.config.model == "transitions")


def visit(open_page: Open, trained: Workspace, run: Any, **address: str) -> AppTest:
    asked = {"dataset": "movielens", "user": USER, "run": run.id, "runs": run.id} | address
    return open_page(trained, "recommendations", **asked)


def listed(page: AppTest) -> list[str]:
    """The ids of the list, as its links to their reasons have them."""
    assert not page.exception, page.exception
    links = page.table[-1].value.iloc[:, -1]
    return [link.split("item=")[1].split("&")[0] for link in links]


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_a_list_keeps_the_rules_of_the_address(
    open_page: Open, trained: Workspace, run: Any, language: str
) -> None:
    info = trained.dataset("movielens")
    free = listed(visit(open_page, trained, run, language=language))
    genre = cache.item_facts(info, tuple(map(int, free)))[free[0]].values[0]
    page = visit(open_page, trained, run, language=language, rules=f"exclude genres={genre}")
    ruled = listed(page)
    assert free[0] not in ruled
    for facts in cache.item_facts(info, tuple(map(int, ruled))).values():
        assert genre not in facts.values
    assert text(language, "rules.about") in [caption.value for caption in page.caption]
    assert not page.error


def test_rules_that_are_picked_are_written_into_the_address(
    open_page: Open, trained: Workspace, run: Any
) -> None:
    page = visit(open_page, trained, run)
    box = next(box for box in page.multiselect if box.key.startswith("pick_rules"))
    assert any(option.startswith("at-most genres=") for option in box.options)
    box.set_value(["at-most genres=2", "exclude genres=Drama"]).run()
    assert page.query_params["rules"] == "at-most genres=2,exclude genres=Drama"
    assert not page.error


@pytest.mark.parametrize("rule", ["forbid genres=Drama", "boost genres=Drama:7"])
def test_what_is_no_rule_is_told_and_left_out(
    open_page: Open, trained: Workspace, run: Any, rule: str
) -> None:
    alone = listed(visit(open_page, trained, run, rules="exclude genres=Comedy"))
    page = visit(open_page, trained, run, rules=f"{rule},exclude genres=Comedy")
    assert [box for box in page.warning if rule.split()[0] in box.value]
    assert page.query_params["rules"] == "exclude genres=Comedy"
    assert listed(page) == alone


def test_a_rule_that_cannot_be_kept_is_told_and_the_list_is_the_models_own(
    open_page: Open, trained: Workspace, run: Any
) -> None:
    free = listed(visit(open_page, trained, run))
    page = visit(open_page, trained, run, rules="exclude genre=Drama")
    assert "no attribute 'genre'" in page.error[0].value
    assert listed(page) == free


def test_what_rules_cost_is_measured_when_asked_and_nothing_is_stored(
    open_page: Open, trained: Workspace, run: Any
) -> None:
    before = artifact.find_run(trained, run.id).metrics
    page = visit(open_page, trained, run, rules="exclude genres=Drama")
    tables = len(page.table)
    page.button(key="rules_cost_button").click().run(timeout=60)
    assert len(page.table) == tables + 1
    shown = page.table[-1].value.set_index(text("en", "rules.metric"))
    row = next(row for name, row in shown.iterrows() if "NDCG" in name)
    own, under = (float(row[text("en", key)]) for key in ("rules.own", "rules.under"))
    assert under < own
    assert (
        row[text("en", "rules.difference")].replace("\\", "").startswith(f"{under - own:+.2f}"[:4])
    )
    assert artifact.find_run(trained, run.id).metrics == before


def test_hostile_rules_are_text(open_page: Open, trained: Workspace, run: Any) -> None:
    page = visit(open_page, trained, run, rules="exclude **genres**=[x](javascript:alert(1))")
    assert "\\*\\*genres\\*\\*" in page.error[0].value
    page = visit(open_page, trained, run, rules="exclude genres=[x](javascript:alert(1))")
    assert "[x](" not in page.error[0].value
