"""Saved queries are files of the workspace, whatever they are called."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.store import DatasetInfo, Workspace
from core.errors import BadInput, NotFound
from core.runs.artifact import Run
from core.sql import saved
from core.sql.ask import ask
from core.sql.examples import examples
from core.sql.tables import schema


@pytest.fixture
def held(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "held")


def test_what_is_saved_is_read_again(held: Workspace) -> None:
    first = saved.save(held, "Top items", "SELECT 1")
    saved.save(held, "another", "SELECT 2;\n-- with a comment")
    saved.save(held, "Top items", "SELECT 3")
    queries, unreadable = saved.saved(held)
    assert [(query.name, query.statement) for query in queries] == [
        ("another", "SELECT 2;\n-- with a comment"),
        ("Top items", "SELECT 3"),
    ]
    assert not unreadable
    text = (held.path / "queries" / f"{first.id}.sql").read_text()
    assert text == "-- name: Top items\nSELECT 3\n"
    saved.forget(held, first.id)
    assert [query.name for query in saved.saved(held)[0]] == ["another"]
    with pytest.raises(NotFound):
        saved.forget(held, first.id)


@given(name=st.text(min_size=1, max_size=60))
def test_no_name_is_a_path(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    workspace = Workspace.open(tmp_path_factory.mktemp("names"))
    try:
        query = saved.save(workspace, name, "SELECT 1")
    except BadInput:
        assert not name.strip().isprintable() or not name.strip()
        return
    (path,) = (workspace.path / "queries").iterdir()
    assert path.name == f"{query.id}.sql"
    assert path.name.isascii()
    assert [each.name for each in saved.saved(workspace)[0]] == [name.strip()]


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..", "a/b", "CON", "$(id)"])
def test_a_name_that_looks_like_a_path_is_a_name(held: Workspace, name: str) -> None:
    saved.save(held, name, "SELECT 1")
    assert [query.name for query in saved.saved(held)[0]] == [name]
    assert len(list((held.path / "queries").iterdir())) == 1
    with pytest.raises(NotFound):
        saved.forget(held, name)


def test_other_files_are_listed_or_named(held: Workspace) -> None:
    folder = held.path / "queries"
    folder.mkdir()
    (folder / "mine.sql").write_text("SELECT 5")
    (folder / "broken.sql").write_bytes(b"\xff\xfe")
    (folder / "huge.sql").write_text("x" * 500_000)
    queries, unreadable = saved.saved(held)
    assert [(query.name, query.statement) for query in queries] == [("mine", "SELECT 5")]
    assert [each.id for each in unreadable] == ["broken.sql", "huge.sql"]


def test_what_was_asked_last_is_first_and_once(held: Workspace) -> None:
    assert saved.asked(held) == []
    for statement in ("SELECT 1", "SELECT 2", "SELECT 1", "SELECT 1 ", "  "):
        saved.remember(held, statement)
    assert saved.asked(held) == ["SELECT 1", "SELECT 2"]
    for n in range(60):
        saved.remember(held, f"SELECT {n}")
    assert len(saved.asked(held)) == saved.MOST_ASKED
    (held.path / "queries" / "asked.json").write_text("{")
    assert saved.asked(held) == []
    saved.remember(held, "SELECT 7")
    assert saved.asked(held) == ["SELECT 7"]


def test_each_example_is_answered(shop: Workspace, info: DatasetInfo, run: Run) -> None:
    offered = examples(schema(info), clock=info.time_kind == "clock", run=True)
    assert len(offered) == 10
    for example in offered:
        values = {"user": "u1", "item": "i2"}
        answer = ask(shop, example.statement, dataset=info, run=run, values=values)
        assert answer.rows, example.name
    names = {each.name for each in examples(schema(info), clock=False, run=False)}
    assert names == {"popular", "activity", "person", "together"}
