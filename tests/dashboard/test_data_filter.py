"""The filter of the page Data: in the address, in one sentence, cleared, kept as a version."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core.data.store import Workspace
from dashboard import state
from dashboard.components.data.overview import _ends, stretch
from dashboard.text import LANGUAGES, text
from tests.dashboard.conftest import Open
from tests.untouched import untouched

DRAMA = 'item.genres=Drama,"item.genres=War"'
TABS = ("overview", "behaviour", "columns")


@pytest.fixture
def films(workspace: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the sample data to write in."""
    shutil.copytree(workspace.path, tmp_path / "films")
    return Workspace.open(tmp_path / "films")


def opened(
    open_page: Open, workspace: Workspace, tab: str, language: str = "en", **query: str
) -> AppTest:
    info = workspace.dataset(query.get("dataset", "movielens"))
    page = open_page(
        workspace,
        "data",
        dataset=info.id,
        language=language,
        **{k: v for k, v in query.items() if k != "dataset"},
    )
    page.session_state[f"tabs_{info.id}"] = text(language, f"data.tab.{tab}")
    page.run()
    assert not page.exception
    return page


def said(page: AppTest) -> str:
    return " ".join(element.value for element in page.markdown)


def metrics(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("dataset", ["movielens", "online-retail"])
@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("term", ["", "time=2011-01..2011-03", "history=100..499", "time=1990"])
def test_each_tab_in_every_state(
    open_page: Open, workspace: Workspace, tab: str, dataset: str, term: str, language: str
) -> None:
    page = opened(open_page, workspace, tab, language, dataset=dataset, filter=term)
    assert not page.error
    assert not [warning for warning in page.warning if warning.icon == state.LINK]
    nothing = [
        info.value for info in page.info if info.value == text(language, "data.filter.nothing")
    ]
    assert bool(nothing) == (term == "time=1990")


def test_a_filter_is_said_with_what_it_leaves(open_page: Open, workspace: Workspace) -> None:
    page = opened(open_page, workspace, "overview", filter=f"{DRAMA},time=2015")
    sentence = next(m.value for m in page.markdown if "genres" in m.value)
    assert "Drama" in sentence
    assert "War" in sentence
    assert "2015-01-01 – 2015-12-31" in sentence
    assert "of 100,836 events" in sentence
    shown = metrics(page)[text("en", "data.kpi.events")]
    assert f"**{shown}** of 100,836" in sentence
    assert int(shown.replace(",", "")) < 100_836


def test_a_filter_is_cleared_in_one_click(open_page: Open, workspace: Workspace) -> None:
    page = opened(open_page, workspace, "overview", filter="time=2015")
    page.button(key="clear_filter").click().run()
    assert "filter" not in page.query_params
    assert metrics(page)[text("en", "data.kpi.events")] == "100,836"
    assert text("en", "data.filter.none") in said(page)


def test_a_box_of_the_form_changes_the_address(open_page: Open, workspace: Workspace) -> None:
    page = opened(open_page, workspace, "overview")
    box = next(box for box in page.multiselect if str(box.key).startswith("filter_item.genres_"))
    box.select("Drama").run()
    assert page.query_params["filter"] == "item.genres=Drama"
    box = next(box for box in page.multiselect if str(box.key).startswith("filter_item.genres_"))
    assert box.value == ["Drama"]
    box.unselect("Drama").run()
    assert "filter" not in page.query_params


def test_what_means_nothing_here_is_named_and_the_rest_stays(
    open_page: Open, workspace: Workspace
) -> None:
    page = opened(open_page, workspace, "overview", filter="time=2015,item.genres=Opera,colour=red")
    (warning,) = page.warning
    assert "item.genres=Opera, colour=red" in warning.value
    assert page.query_params["filter"] == "time=2015"


def test_a_filter_is_kept_as_a_version_to_train_on(open_page: Open, films: Workspace) -> None:
    before = films.dataset("movielens")
    page = opened(open_page, films, "overview", filter="item.genres=War,time=2015..")
    n = int(metrics(page)[text("en", "data.kpi.events")].replace(",", ""))
    box = next(box for box in page.text_input if str(box.key).startswith("filter_name_"))
    box.set_value("war").run()
    page.button(key="make_version").click().run()
    assert not page.exception
    made = films.dataset("war")
    assert page.query_params["dataset"] == made.id
    assert "filter" not in page.query_params
    assert made.parent == before.id
    assert made.counts["rows_kept"] == n
    assert made.meta["cleaning"] == ["filter time=2015-01-01..,item.genres=War"]
    assert "war" in page.success[0].value
    page.switch_page("views/train.py").run()
    assert not page.exception


def test_nothing_is_written_where_it_is_only_looked_at(
    open_page: Open, films: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSCOPE_READ_ONLY", str(films.path))
    with untouched(films.path):
        page = opened(open_page, films, "overview", filter="item.genres=War")
        assert page.button(key="make_version").disabled
        assert not page.error


def bars(*days: str) -> pd.DataFrame:
    times = pd.to_datetime(list(days))
    return pd.DataFrame({"period": times[:-1], "until": times[1:]})


MONTHS = bars("2018-01-01", "2018-02-01", "2018-03-01", "2018-04-01")


@pytest.mark.parametrize(
    ("first", "last", "since", "until"),
    [
        ("2018-01-20", "2018-03-05", "2018-02-01", "2018-03-01"),  # one middle lies in it
        ("2018-01-02", "2018-03-29", "2018-01-01", "2018-04-01"),
        ("2018-02-03", "2018-02-04", "2018-02-01", "2018-03-01"),  # inside of a bar
        ("2018-02-01", "2018-02-01", "2018-02-01", "2018-03-01"),  # a click
        ("2017-01-01", "2017-02-01", "2018-01-01", "2018-02-01"),  # left of all
    ],
)
def test_a_stretch_holds_whole_bars(first: str, last: str, since: str, until: str) -> None:
    ends = stretch(MONTHS, first, last)
    assert ends == tuple(int(pd.Timestamp(end, tz="UTC").timestamp()) for end in (since, until))


def test_a_stretch_of_order_numbers() -> None:
    frame = pd.DataFrame({"period": [0, 10, 20], "until": [10, 20, 30]})
    assert stretch(frame, 4.0, 16.0) == (0, 20)
    assert stretch(frame, 11, 12) == (10, 20)


@pytest.mark.parametrize(
    ("selection", "ends"),
    [
        ({"box": [{"x": ["b", "a"], "y": [0, 1]}], "points": []}, ("a", "b")),
        ({"box": [], "points": [{"x": "c"}, {"x": "a"}]}, ("a", "c")),
        ({"box": [], "points": []}, None),
        ({}, None),
    ],
)
def test_what_is_chosen_in_a_chart_has_two_ends(selection: Any, ends: Any) -> None:
    assert _ends(selection) == ends
