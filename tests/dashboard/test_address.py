"""What the address says amiss gets a sentence, and what is usual is shown."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from core.data.store import Workspace
from core.pipeline import train
from core.runs.artifact import Run
from core.runs.request import RunRequest
from dashboard import state
from dashboard.text import literal
from tests.dashboard.conftest import Open

NONSENSE = "n°*1*"
READ = {  # page → what it reads of the address
    "home": ("dataset", "run", "user", "language", "item", "drop", "step"),
    "compare": ("runs", "baseline", "k", "metric", "tag", "axis", "rival"),
    "train": ("clone",),
    "recommendations": ("runs", "k", "keep", "rerank", "strength", "rules"),
    "explain": ("item", "against", "drop", "add", "move", "k", "depth"),
    "embeddings": (
        *("item", "colour", "space", "layout", "epoch", "like", "less", "weight"),
        *("beside", "beside_space", "beside_layout"),
    ),
    "sql": ("param",),
    "data": ("filter",),
}
ANY_TEXT = {"sql"}  # a statement, which is answered or refused as one
NEEDS = {"less": {"like": "1"}, "strength": {"rerank": "mmr"}}  # to be read at all


@pytest.fixture(scope="module")
def mapped(trained: Workspace) -> Run:
    return train(trained, RunRequest("movielens", "als", {"dim": 4, "sweeps": 1}, device="cpu"))


def asked(page: AppTest, name: str) -> str:
    value = page.query_params[name]
    return value if isinstance(value, str) else value[0]


def language_box(page: AppTest) -> str:
    return next(str(box.key) for box in page.selectbox if str(box.key).startswith("pick_language"))


def test_every_name_of_the_address_is_tried() -> None:
    assert {name for names in READ.values() for name in names} == set(state.NAMES) - ANY_TEXT


@pytest.mark.parametrize("value", [NONSENSE, "9" * 5000])
@pytest.mark.parametrize(("view", "name"), [(view, name) for view in READ for name in READ[view]])
def test_nonsense_gets_a_sentence(
    open_page: Open, trained: Workspace, mapped: Run, view: str, name: str, value: str
) -> None:
    query = {"dataset": "movielens", **NEEDS.get(name, {})}
    if view == "embeddings":
        query["run"] = mapped.id
        if name.startswith("beside_"):
            query["beside"] = mapped.id
    page = open_page(trained, view, **(query | {name: value}))
    said = [box.value for box in page.warning]
    shown = str(literal(value[:90]))
    assert len([words for words in said if shown in words]) == 1, said
    assert not page.error
    assert value not in page.query_params.get(name, "")
    page.run()  # as a page does by itself while something is worked out
    kept = [box.value for box in page.warning if shown in box.value]
    assert len(kept) == (name not in ("like", "less", "drop", "add", "move"))
    page.selectbox(key=language_box(page)).set_value("zh").run()
    assert not [box.value for box in page.warning if shown in box.value]


@pytest.mark.parametrize("name", state.NAMES)
def test_a_line_break_in_the_address_breaks_nothing(
    open_page: Open, trained: Workspace, name: str
) -> None:
    for view in ("recommendations", "explain"):
        page = open_page(trained, view, **{"dataset": "movielens", name: 'a\r\n"b\x00'})
        assert not page.error


def test_a_run_of_another_dataset_is_told(
    open_page: Open, trained: Workspace, nothing: Workspace, mapped: Run
) -> None:
    other = next(info for info in trained.datasets() if info.id != mapped.config.dataset)
    page = open_page(trained, "home", dataset=other.id, run=mapped.id)
    assert any(mapped.id in box.value for box in page.warning)
    assert "run" not in page.query_params


def test_a_length_of_another_page_is_no_nonsense(open_page: Open, trained: Workspace) -> None:
    page = open_page(trained, "explain", dataset="movielens", k="50")
    assert not page.warning
    assert asked(page, "k") == "50"


def test_a_step_back_means_what_the_address_says(open_page: Open, trained: Workspace) -> None:
    page = open_page(trained, "recommendations", dataset="movielens", user="7", k="5")
    del page.query_params["user"]
    page.run()
    assert asked(page, "user") == "7"  # a click on a page's name drops it
    del page.query_params["user"]
    page.query_params["back"] = "1"
    page.run()
    assert "user" not in page.query_params
    assert "back" not in page.query_params
    assert asked(page, "k") == "5"
