"""A search for settings on the Train page: asked for, followed, and what it found."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import jobs, tune
from core.data.ingest.ingest import ingest
from core.data.store import Workspace
from core.errors import Cancelled
from core.runs import artifact
from core.runs.request import RunRequest
from dashboard.text import LANGUAGES, text
from tests.dashboard.conftest import Open
from tests.dashboard.test_views import words

pytestmark = pytest.mark.slow  # together too many for `make quick`


@pytest.fixture
def small(nothing: Workspace, tmp_path: Path) -> Workspace:
    """A workspace with a log in which each takes the next item after the last, or any other."""
    rows = [(u, (u + n + (n * u % 7 == 3)) % 12, n) for u in range(40) for n in range(8)]
    lines = "\n".join(f"{u},{i},{1_600_000_000 + 1000 * n + u}" for u, i, n in rows)
    (tmp_path / "log.csv").write_text(f"user_id,item_id,timestamp\n{lines}\n")
    ingest(nothing, [tmp_path / "log.csv"], name="small")
    return nothing


def chosen(page: AppTest, model: str) -> AppTest:
    page.multiselect(key="models").set_value([model]).run()
    assert not page.exception
    return page


def plotted(page: AppTest) -> int:
    return len(page.get("plotly_chart"))


@pytest.mark.slow
def test_a_search_is_corrected_started_and_read(open_page: Open, small: Workspace) -> None:
    page = chosen(open_page(small, "train"), "transitions")
    ranges = {name: f"space_transitions_{name}" for name in tune.SPACES["transitions"]}
    for name, usual in tune.SPACES["transitions"].items():
        assert page.text_input(key=ranges[name]).value == usual
    page.text_input(key=ranges["gap"]).set_value("1..3")
    page.text_input(key=ranges["backward"]).set_value("1..0")
    page.text_input(key=ranges["row_exponent"]).set_value("0.5")
    page.text_input(key=ranges["history_decay"]).set_value("")
    page.number_input(key="param_transitions_history_decay").set_value(0.7)
    page.number_input(key="search_trials").set_value(6)
    page.button(key="search").click().run()
    assert not page.exception
    assert ["the lower end first" in error.value for error in page.error] == [True]
    assert not jobs.statuses(small)
    assert page.text_input(key=ranges["gap"]).value == "1..3"
    assert page.number_input(key="search_trials").value == 6
    page.text_input(key=ranges["backward"]).set_value("0..1")
    page.button(key="search").click().run()
    assert not page.exception
    assert not page.error
    search = page.query_params["run"]
    deadline = time.monotonic() + 120
    while jobs.status(small, search).active and time.monotonic() < deadline:
        time.sleep(0.1)
    assert jobs.status(small, search).state == "done", jobs.log(small, search)
    result = tune.finished_searches(small, small.dataset("small").id)[0]
    assert dict(result.space) == {"gap": "1..3", "backward": "0..1", "column_exponent": "0..1"}
    run = artifact.find_run(small, result.run)
    assert (run.config.params["row_exponent"], run.config.params["history_decay"]) == (0.5, 0.7)
    assert run.metrics
    for language in LANGUAGES:
        page = open_page(small, "train", run=search, language=language)
        assert not page.warning
        assert f"{result.best.validation:.4f}" in words(page)
        assert text(language, "search.importance.none") not in words(page)
        assert plotted(page) == 1
        settings, trials = page.dataframe[0].value, page.dataframe[1].value
        assert list(settings["best"]) == [str(v) for v in result.best.params.values()]
        assert list(settings["default"]) == [str(v) for v in result.defaults.values()]
        assert list(trials["ndcg@10"]) == [trial.validation for trial in result.history]
        to_run = page.get("page_link")
        assert any(run.id in str(found.proto) for found in to_run)
    artifact.delete_run(small, run.id)
    assert text("en", "search.run_gone") in words(open_page(small, "train"))


def test_a_search_reads_what_the_training_would(open_page: Open, small: Workspace) -> None:
    page = chosen(open_page(small, "train"), "two_tower")
    page.text_input(key="image_model").set_value("resnet18")
    page.button(key="search").click().run()
    assert not page.exception
    assert ["images is missing" in error.value for error in page.error] == [True]


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_a_search_is_seen_trial_by_trial_until_the_best_is_trained(
    open_page: Open, small: Workspace, language: str
) -> None:
    search = tune.plan_search(small, RunRequest("small", "ease", device="cpu"))
    folder = small.searches_folder / search.id
    told = {"state": "done", "trials": 20, "params": {}}

    def seen() -> AppTest:
        page = open_page(small, "train", run=search.id, language=language)
        assert not page.error
        assert not page.warning
        assert page.button(key=f"cancel_{search.id}")
        return page

    def working() -> None:
        with jobs.run_inline(small, folder, lambda: tune.prepare_search(small, search)) as report:
            report.stage("tune", 0.0)
            assert plotted(seen()) == 0
            for trial, (validation, best) in enumerate([(0.1, 0.1), (None, 0.1), (0.3, 0.3)], 1):
                line = {"trial": trial, "validation": validation, "best": best}
                report.line({**told, **line})
                page = seen()
                said = text(language, "search.trial", trial=trial, trials=20, best=best)
                assert said in words(page)
                assert plotted(page) == (trial > 1)
            report.stage("fit")  # a new fit, a new curve
            assert plotted(seen()) == 0
            raise KeyboardInterrupt

    with pytest.raises(Cancelled):
        working()
    page = open_page(small, "train", run=search.id, language=language)
    assert [warning.value for warning in page.warning] == [
        text(
            language,
            "search.ended",
            name=text(language, "model.ease"),
            state=text(language, "state.cancelled"),
            message="stopped by hand",
        )
    ]


@pytest.mark.parametrize("model", tune.INSTEAD)
def test_what_is_not_searched_says_what_to_do_instead(
    open_page: Open, small: Workspace, model: str
) -> None:
    page = chosen(open_page(small, "train"), model)
    assert text("en", f"search.instead.{model}") in words(page)
    assert "search" not in [button.key for button in page.button]
