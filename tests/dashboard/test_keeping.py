"""Pages rename, archive and delete, and ask before something goes; they name what is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from core import holdings, jobs, pipeline
from core.data.ingest.ingest import ingest
from core.data.store import Workspace
from core.runs import artifact
from core.runs.request import RunRequest
from dashboard.text import LANGUAGES, text
from tests.dashboard.conftest import VIEWS, Open

pytestmark = pytest.mark.slow  # together too many for `make quick`


@pytest.fixture
def held(nothing: Workspace, tmp_path: Path) -> Workspace:
    """A workspace with two small datasets, and an evaluated run on the first."""
    for name, step in (("first", 3), ("second", 5)):
        rows = [
            f"{u},{(u * step + n) % 12},{1_600_000_000 + n}" for u in range(20) for n in range(6)
        ]
        (tmp_path / f"{name}.csv").write_text("user_id,item_id,timestamp\n" + "\n".join(rows))
        ingest(nothing, [tmp_path / f"{name}.csv"], name=name)
    run = pipeline.train(nothing, RunRequest("first", "popularity", name="best", device="cpu"))
    pipeline.evaluate(nothing, run, device="cpu")
    return nothing


def test_a_dataset_is_renamed_archived_and_listed_again(open_page: Open, held: Workspace) -> None:
    ident = held.dataset("second").id
    page = open_page(held, "data", dataset="second")
    page.text_input(key=f"keep_name_{ident}_second").set_value("a\x07b").run()
    page.button(key=f"rename_{ident}").click().run()
    assert "one printable line" in page.error[0].value
    page.text_input(key=f"keep_name_{ident}_second").set_value("renamed *x*").run()
    page.button(key=f"rename_{ident}").click().run()
    assert not page.exception
    assert not page.error
    assert held.dataset(ident).name == "renamed *x*"
    page.button(key=f"archive_{ident}").click().run()
    assert not page.exception
    assert [info.name for info in held.datasets()] == ["first"]
    page = open_page(held)
    page.button(key="restore").click().run()
    assert not page.exception
    assert {info.name for info in held.datasets()} == {"first", "renamed *x*"}


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_deleting_asks_and_says_what_goes(open_page: Open, held: Workspace, language: str) -> None:
    info, (run,) = held.dataset("first"), artifact.list_runs(held)
    page = open_page(held, "data", dataset="first", language=language)
    page.button(key=f"delete_{info.id}").click().run()
    assert not page.exception
    assert {one.name for one in held.datasets()} == {"first", "second"}, "it only asks"
    size = holdings.removal(held, info.id).bytes  # with what the page has counted of it
    said = [one.value for one in [*page.markdown, *page.text]]
    assert text(language, "keep.goes_too", runs=1, searches=0) in said
    assert f"best ({run.id})" in said
    assert text(language, "keep.frees", size=holdings.size_in_words(size)) in said
    page.button(key=f"confirm_{info.id}").click().run()
    assert not page.exception
    assert not page.error
    assert not page.warning
    assert [one.name for one in held.datasets()] == ["second"]
    assert artifact.list_runs(held) == []


def test_a_run_is_deleted_on_the_page_where_it_was_trained(
    open_page: Open, held: Workspace
) -> None:
    (run,) = artifact.list_runs(held)
    page = open_page(held, "train", dataset="first", run=run.id)
    page.button(key=f"delete_{run.id}").click().run()
    page.button(key=f"confirm_{run.id}").click().run()
    assert not page.exception
    assert not page.warning
    assert artifact.list_runs(held) == []
    assert len(held.datasets()) == 2


def test_what_a_job_uses_stays(open_page: Open, held: Workspace) -> None:
    info = held.dataset("first")
    config = RunRequest("first", "ease", device="cpu").resolve(held)
    with jobs.train_inline(held, config, "first"):
        page = open_page(held, "data", dataset="first")
        page.button(key=f"delete_{info.id}").click().run()
        page.button(key=f"confirm_{info.id}").click().run()
        assert not page.exception
        assert "is under way" in page.error[0].value
    assert held.dataset("first")


@pytest.mark.parametrize("view", VIEWS)
def test_what_cannot_be_read_is_named_and_the_rest_is_shown(
    open_page: Open, held: Workspace, view: str
) -> None:
    (held.dataset("second").folder / "dataset.json").write_text("[1]")
    (artifact.list_runs(held)[0].folder / "status.json").write_text("{}")
    (held.runs_folder / "stray.txt").write_text("x")
    page = open_page(held, view, dataset="first")
    assert page.title[0].value == text("en", f"{view}.question")
    assert not page.error
    if view in ("home", "data", "train"):
        assert page.warning[0].value == text("en", "keep.unreadable", n=3)
        problems = list(page.dataframe[0].value["problem"])
        assert sum("dataset.json holds a list" in problem for problem in problems) == 1
        assert sum("stray.txt" in problem for problem in problems) == 1
