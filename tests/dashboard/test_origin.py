"""Where a reason came from, on the Explain page: people one click away, once it is opened."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlparse

import pytest
from streamlit.testing.v1 import AppTest

from core import pipeline
from core.data.store import Workspace
from dashboard.text import LANGUAGES, text
from tests.explaining import someone, train

pytestmark = pytest.mark.slow


def draw(path: str, run: str, user: str) -> None:
    """The script of a page that has nothing but the origin."""
    import numpy as np
    import streamlit as st

    from core.data.store import Workspace
    from core.pipeline import explain_items
    from core.runs import artifact
    from dashboard import cache, state
    from dashboard.components.explain.case import case_of
    from dashboard.components.explain.origin import reason_origin

    state.sync()
    st.session_state["origin"] = True  # it is open
    workspace = Workspace.open(path)
    found = artifact.find_run(workspace, run)
    case = case_of(workspace, workspace.dataset(found.config.dataset), found, user)
    codes = np.array(case.explained)
    reason_origin(case, explain_items(cache.loaded(workspace, found), case.query, codes))


def page(workspace: Workspace, run, user: str, language="en") -> AppTest:
    drawn = AppTest.from_function(
        draw, default_timeout=120, args=(str(workspace.path), run.id, user)
    )
    drawn.query_params["language"] = language
    drawn.run()
    assert not drawn.exception, drawn.exception
    return drawn


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_the_people_are_those_that_core_tells_each_a_link(shop, language):
    run, user = train(shop, "lightgcn"), someone(shop, 6, 9)
    loaded = pipeline.load_run(shop, run)
    query = pipeline.history_of(loaded, user)
    best = pipeline.ranked_items(loaded, query, 10)
    why = pipeline.explain_items(loaded, query, best)
    cause = pipeline.strongest_cause(query, why, 0)
    wanted = pipeline.reason_origins(loaded, query, cause, int(best[0]), user=user)
    drawn = page(shop, run, user, language)
    shown = "\n".join(block.value for block in drawn.markdown)
    links = re.findall(r"\]\((explain\?[^)]*)\)", shown)
    assert [parse_qs(urlparse(link).query)["user"] for link in links] == [
        [each.user] for each in wanted.origins
    ]
    assert all(f"{each.share:.1%}" in shown for each in wanted.origins)
    assert text(language, "explain.origin.estimate") in [c.value for c in drawn.caption]
    assert drawn.code[0].value.endswith("--origin --retrain")


def lead(run_folder: str, run_id: str, user: str, had: bool) -> None:
    """The script of a page with an origin in which all people shown had the cause, or none."""
    from dataclasses import replace

    from core import pipeline
    from core.data.store import Workspace
    from core.runs import artifact
    from dashboard import cache
    from dashboard.components.explain.case import case_of
    from dashboard.components.explain.origin import _origins

    workspace = Workspace.open(run_folder)
    run = artifact.find_run(workspace, run_id)
    case = case_of(workspace, workspace.dataset(run.config.dataset), run, user)
    loaded, cause = cache.loaded(workspace, run), int(case.query.items[0])
    found = pipeline.reason_origins(loaded, case.query, cause, case.item)
    people = tuple(replace(each, has_cause=had) for each in found.origins)
    _origins(case, replace(found, origins=people))


@pytest.mark.parametrize("had", [True, False])
def test_the_lead_does_not_say_that_they_took_what_none_of_them_took(shop, had):
    run, user = train(shop, "lightgcn"), someone(shop, 6, 9)
    args = (str(shop.path), run.id, user, had)
    drawn = AppTest.from_function(lead, default_timeout=120, args=args).run()
    assert not drawn.exception, drawn.exception
    assert drawn.markdown[0].value.startswith("None of these people had taken") != had


def test_a_model_without_such_a_layer_says_so_and_no_traceback(shop):
    run, user = train(shop, "transitions"), someone(shop, 6, 9)
    drawn = page(shop, run, user)
    assert [c.value for c in drawn.caption] == [text("en", "explain.origin.no_layer")]
