"""The first page: one person's list with its reasons, and what happens to both on a click."""

from __future__ import annotations

import re

import numpy as np
import pytest

from core import pipeline
from core.data.store import Workspace
from core.explain.what_if import edit_history, rank_moves
from core.recommend.top_k import recommend
from core.runs import artifact
from core.runs.artifact import Run
from dashboard.components.story import EVENTS, K
from dashboard.text import LANGUAGES, text
from tests.dashboard.conftest import Open
from tests.dashboard.test_explain import USER, Asked, sentence
from tests.dashboard.test_views import box, words

pytestmark = pytest.mark.slow  # together too many for `make quick`


def run_of(workspace: Workspace, model: str) -> Run:
    return next(run for run in artifact.list_runs(workspace) if run.config.model == model)


def unmarked(label: str) -> str:
    """Without its picture, and the signs that keep a name from being taken for Markdown."""
    return re.sub(r"\\(.)", r"\1", re.sub(r"^!\[\]\(/api/picture/\w{32}\)", "", label))


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_home_shows_what_one_did_would_get_and_why(
    open_page: Open, trained: Workspace, language: str
) -> None:
    run = run_of(trained, "transitions")
    page = open_page(trained, dataset="movielens", run=run.id, user=USER, language=language)
    assert not page.exception
    assert "100,836" in words(page)
    asked = Asked.of(trained, run)
    best = [asked.titles[item] for item in asked.best(K)]
    shown = [unmarked(option) for option in page.radio[0].options]
    assert shown == [f"{place}. {title}" for place, title in enumerate(best, start=1)]
    events = [asked.titles[item] for item in asked.query.items[::-1][:EVENTS]]
    assert [unmarked(tick.label) for tick in page.checkbox] == events
    assert all(tick.value for tick in page.checkbox)
    assert best[0] in sentence(page)
    page.radio[0].set_value(str(asked.ready.items.ids[asked.best(K)[3]])).run()
    assert best[3] in sentence(page)


def test_an_event_without_its_tick_moves_list_and_reasons(
    open_page: Open, trained: Workspace
) -> None:
    run = run_of(trained, "transitions")
    asked = Asked.of(trained, run)
    n, n_items = len(asked.query.items), len(asked.titles)
    page = open_page(trained, dataset="movielens", run=run.id, user=USER)
    page.checkbox[0].uncheck().run()
    assert page.query_params["drop"] == str(n)
    edited = edit_history(asked.query, drop=(n - 1,))
    best = recommend(asked.ready.model, edited, K, n_items=n_items).items[0]
    labels = [unmarked(option) for option in page.radio[0].options]
    assert labels == [f"{place}. {asked.titles[item]}" for place, item in enumerate(best, 1)]
    moves = rank_moves(asked.ready.model, asked.query, edited, n_items=n_items, k=K)
    before = {move.item: move.before for move in moves}
    for item, caption in zip(best, page.radio[0].proto.captions, strict=True):
        was = before[item]
        assert ("was in the history" in caption) == (was is None)
        assert was is None or was <= K or f"was {was:,}" in caption
    dropped = asked.query.items[-1]
    other = next(item for item in best if item != dropped)
    page.radio[0].set_value(str(asked.ready.items.ids[other])).run()
    assert asked.titles[other] in sentence(page)
    assert asked.titles[dropped] not in sentence(page)
    page.checkbox[0].check().run()
    assert "drop" not in page.query_params
    shown = [unmarked(option) for option in page.radio[0].options[:K]]
    assert shown[0] == f"1. {asked.titles[asked.best(1)[0]]}"


def test_the_best_run_recommends_until_another_is_chosen(
    open_page: Open, trained: Workspace
) -> None:
    runs = [run for run in artifact.list_runs(trained) if run.metrics]
    figures = [run.metrics.metrics["ndcg@10"].mean for run in runs if run.metrics]
    best = runs[int(np.argmax(figures))]
    page = open_page(trained, dataset="movielens")
    assert box(page, "run").value == best.id
    other = run_of(trained, "popularity")
    page = open_page(trained, dataset="movielens", run=other.id)
    assert other.id[:6] in page.markdown[0].value
    better = next(c.value for c in page.caption if "has the better" in c.value)
    assert best.id[:6] in better
    page.button(key="choose_best").click().run()
    assert page.query_params["run"] == best.id
    assert not [c for c in page.caption if "has the better" in c.value]


def test_models_that_were_asked_the_same_are_one_click_away(
    open_page: Open, trained: Workspace
) -> None:
    page = open_page(trained, dataset="movielens", user=USER)
    (control,) = page.get("button_group")
    other = run_of(trained, "popularity")
    control.set_value(other.id).run()
    assert page.query_params["run"] == other.id
    asked = Asked.of(trained, other)
    assert unmarked(page.radio[0].options[0]) == f"1. {asked.titles[asked.best(1)[0]]}"


def test_nothing_of_a_history_is_left_to_go_by(open_page: Open, trained: Workspace) -> None:
    run = run_of(trained, "transitions")
    asked = Asked.of(trained, run)
    every = ",".join(str(number) for number in range(1, len(asked.query.items) + 1))
    page = open_page(trained, dataset="movielens", run=run.id, user=USER, drop=every)
    assert not page.exception
    assert not any(tick.value for tick in page.checkbox)
    nobody = edit_history(asked.query, drop=tuple(range(len(asked.query.items))))
    best = recommend(asked.ready.model, nobody, 1, n_items=len(asked.titles)).items[0, 0]
    assert asked.titles[best] in sentence(page)
    assert text("en", "explain.what_if.undo") in [button.label for button in page.button]
    assert pipeline.history_of(asked.ready, USER).items.size == len(asked.query.items)


def test_what_the_best_is_worth_is_said_in_people(open_page: Open, trained: Workspace) -> None:
    best, bestsellers = run_of(trained, "transitions"), run_of(trained, "popularity")
    assert best.metrics
    assert bestsellers.metrics
    hits, beside = (run.metrics.metrics["hit_rate@10"].mean for run in (best, bestsellers))
    for view in ("home", "compare"):
        page = open_page(trained, view, dataset="movielens", run=best.id)
        (said,) = [m.value for m in page.markdown if m.value.startswith("Of 100 people")]
        assert f"{100 * hits:.0f} find what came next among the first 10" in said
        assert said.endswith(f"{bestsellers.id[:6]}, {100 * beside:.0f}.")
    page = open_page(trained, dataset="movielens", run=bestsellers.id)
    (said,) = [m.value for m in page.markdown if m.value.startswith("Of 100 people")]
    assert f"{100 * beside:.0f} find" in said
    assert best.id[:6] not in said
