"""What would bring an item in, on the page Explain: as core tells it, once the box is opened."""

from __future__ import annotations

import re

import pytest
from streamlit.testing.v1 import AppTest

from core import pipeline
from core.data.store import Workspace
from dashboard.text import LANGUAGES, text
from tests.dashboard.conftest import Open
from tests.explaining import NEW, describe_more, someone, train

pytestmark = pytest.mark.slow


def draw(path: str, run: str, user: str) -> None:
    """The script of a page that has nothing but the box, which is open."""
    import streamlit as st

    from core.data.store import Workspace
    from core.runs import artifact
    from dashboard import state
    from dashboard.components.explain.case import case_of
    from dashboard.components.explain.entering import entering

    state.sync()
    st.session_state["entering"] = True
    workspace = Workspace.open(path)
    found = artifact.find_run(workspace, run)
    case = case_of(workspace, workspace.dataset(found.config.dataset), found, user)
    entering(case)


def page(workspace: Workspace, run, user: str, item: object, language="en") -> AppTest:
    args = (str(workspace.path), run.id, user)
    drawn = AppTest.from_function(draw, default_timeout=120, args=args)
    for name, value in {"language": language, "item": str(item), "k": "5"}.items():
        drawn.query_params[name] = value
    drawn.run()
    assert not drawn.exception, drawn.exception
    return drawn


def said(drawn: AppTest) -> str:
    return re.sub(r"\\(.)", r"\1", "\n".join(block.value for block in drawn.markdown))


def below(workspace: Workspace, run, user: str, place: int):
    """The run, the history, and the id of the item in this place."""
    loaded = pipeline.load_run(workspace, run)
    query = pipeline.history_of(loaded, user)
    best = pipeline.ranked_items(loaded, query)
    return loaded, query, loaded.items.ids[best[place - 1]]


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("place", [6, 14])  # one that another kind brings in, one that none does
def test_the_box_says_what_core_says(shop, language, place):
    run, user = train(shop, "content"), someone(shop, 5, 5)
    loaded, query, item = below(shop, run, user, place)
    answer = pipeline.why_not(loaded, query, item, k=5)
    assert bool(answer.changes.changes) == (place == 6)
    drawn = page(shop, run, user, item, language)
    words = said(drawn)
    for change in answer.changes.changes:
        how = "new" if change.old is None else "other"
        values = {"name": change.name, "old": change.old, "new": change.new}
        values["rank"] = change.rank_after
        assert str(text(language, f"explain.entering.value.{how}", **values)) in words
    if not answer.changes.changes:
        key = "explain.entering.value.none"
        assert str(text(language, key, n=answer.changes.tried)) in words
    helped = text(language, "explain.entering.value.help") in [c.value for c in drawn.caption]
    assert helped == bool(answer.changes.changes)
    assert all(each.added[0].label in words for each in answer.additions)
    assert answer.last.label in words


def test_a_model_that_hears_of_no_attributes_speaks_of_none(shop):
    run, user = train(shop, "ease"), someone(shop, 5, 5)
    *_, item = below(shop, run, user, 8)
    drawn = page(shop, run, user, item)
    assert said(drawn)
    assert not drawn.caption


def test_an_item_on_the_list_has_no_such_box(shop):
    run, user = train(shop, "ease"), someone(shop, 5, 5)
    *_, item = below(shop, run, user, 2)
    assert not page(shop, run, user, item).expander


def test_of_a_new_item_too_and_the_page_has_the_box(open_page: Open, shop):
    describe_more(shop)
    run, user = train(shop, "two_tower"), someone(shop, 5, 5)
    loaded = pipeline.with_described(pipeline.load_run(shop, run), [NEW])
    query = pipeline.history_of(loaded, user)
    if not pipeline.is_listed(loaded, query, NEW, 5):
        assert said(page(shop, run, user, NEW))
    *_, item = below(shop, run, user, 9)
    query = {"item": str(item), "k": "5", "depth": "change"}
    drawn = open_page(shop, "explain", run=run.id, user=user, **query)
    assert text("en", "explain.entering") in [box.label for box in drawn.expander]
