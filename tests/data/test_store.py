"""The workspace: what is whole is visible, what is not is not, and names find their dataset."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.data.durable import publish, sha256_file, write_json_atomically
from core.data.store import DatasetInfo, Workspace, connect, quoted, views
from core.errors import BadInput, Corrupt, NotFound


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "home")


def make(workspace: Workspace, id: str, name: str, created: str = "2026-01-01T00:00:00Z") -> None:
    counts = dict.fromkeys(("rows_read", "rows_kept", "rows_rejected", "users", "items"), 0)
    meta = {
        **{"schema_version": 1, "id": id, "name": name, "created": created, "parent": None},
        **{"time_kind": "none", "value_kind": None, "counts": {**counts, "rejected": {}}},
        **{"mapping": {}, "weights": {}, "evidence": {}, "cleaning": [], "sha256": {}},
        **{"item_columns": [], "user_columns": []},
    }
    with workspace.scratch() as scratch:
        version = scratch / "version"
        version.mkdir()
        write_json_atomically(version / "dataset.json", meta)
        assert publish(version, workspace.datasets_folder / id)


def test_the_workspace_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("RECSCOPE_HOME", str(tmp_path / "a"))
    assert Workspace.open().path == tmp_path / "a"
    assert Workspace.open(tmp_path / "b").path == tmp_path / "b"


def test_a_workspace_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match=r"cannot be made .*RECSCOPE_HOME"):
        Workspace.open(tmp_path / "file" / "home")


def test_datasets_are_listed_newest_first(workspace):
    make(workspace, "aaaaaaaaaaaa", "old", "2026-01-01T00:00:00Z")
    make(workspace, "bbbbbbbbbbbb", "new", "2026-02-01T00:00:00Z")
    assert [d.name for d in workspace.datasets()] == ["new", "old"]


def test_half_written_folders_are_invisible(workspace):
    make(workspace, "aaaaaaaaaaaa", "whole")
    (workspace.datasets_folder / "cccccccccccc").mkdir()
    broken = workspace.datasets_folder / "dddddddddddd"
    broken.mkdir()
    (broken / "dataset.json").write_text('{"id": "dddd')
    assert [d.name for d in workspace.datasets()] == ["whole"]


def test_a_dataset_is_found_by_id_name_and_unique_prefix(workspace):
    make(workspace, "abc000000000", "shop")
    make(workspace, "abd000000000", "films")
    assert workspace.dataset("abc000000000").name == "shop"
    assert workspace.dataset("films").id == "abd000000000"
    assert workspace.dataset("abc").name == "shop"
    with pytest.raises(BadInput, match=r"'ab' fits 2 datasets: .*shop"):
        workspace.dataset("ab")
    for absent in ("zz", ""):
        with pytest.raises(NotFound, match=r"there are: .*films"):
            workspace.dataset(absent)


def test_of_the_same_name_twice_the_newest_is_meant_and_that_is_said(workspace, caplog):
    make(workspace, "abc000000000", "shop")
    make(workspace, "abd000000000", "shop")
    newest, older = workspace.datasets()
    assert workspace.dataset("shop").id == newest.id
    assert older.id in caplog.text
    assert workspace.dataset(older.id).id == older.id


def test_rename_changes_the_name_only(workspace):
    make(workspace, "abc000000000", "shop")
    before = workspace.dataset("abc").meta
    assert workspace.rename("shop", "store").meta == {**before, "name": "store"}
    assert workspace.dataset("store").id == "abc000000000"


def test_delete_leaves_nothing(workspace):
    make(workspace, "abc000000000", "shop")
    workspace.delete_dataset("shop")
    assert workspace.datasets() == []
    assert list(workspace.tmp_folder.iterdir()) == []


def test_a_newer_schema_is_named(workspace):
    make(workspace, "abc000000000", "shop")
    path = workspace.datasets_folder / "abc000000000" / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 99}))
    with pytest.raises(Corrupt, match="schema version 99"):
        DatasetInfo.read(path.parent)


def test_publishing_twice_keeps_the_first(workspace):
    make(workspace, "abc000000000", "first")
    with workspace.scratch() as scratch:
        (scratch / "version").mkdir()
        (scratch / "version" / "dataset.json").write_text("{}")
        assert not publish(scratch / "version", workspace.datasets_folder / "abc000000000")
    assert workspace.dataset("abc").name == "first"


def test_the_dead_are_swept_and_the_living_are_not(workspace):
    code = (
        "import os, sys; from core.data.store import Workspace\n"
        "w = Workspace.open(sys.argv[1]); c = w.scratch(); f = c.__enter__()\n"
        "(f / 'half').write_text('x'); print(f, flush=True); os.kill(os.getpid(), 9)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(workspace.path)], capture_output=True, text=True
    )
    left = Path(run.stdout.strip())
    assert left.exists()
    with workspace.scratch() as mine:
        assert not left.exists()
        workspace.sweep()
        assert mine.exists()
    assert not mine.exists()


def test_a_reused_pid_counts_as_dead(workspace):
    left = workspace.tmp_folder / f"{os.getpid()}-1000-abcdef01"
    left.mkdir()
    workspace.sweep()
    assert not left.exists()


def test_views_read_the_tables_even_under_a_strange_path(tmp_path):
    workspace = Workspace.open(tmp_path / "it's [odd]*?")
    make(workspace, "abc000000000", "shop")
    info = workspace.dataset("shop")
    con = connect()
    con.sql("SELECT 1 AS user_id").write_parquet(str(tmp_path / "e.parquet"))
    (tmp_path / "e.parquet").rename(info.folder / "events.parquet")
    assert views(con, info) == ["events"]
    assert con.sql("SELECT user_id FROM events").fetchall() == [(1,)]


def test_connections_are_in_utc_and_fetch_nothing():
    con = connect(memory_limit="1GB", threads=1)
    settings = dict(con.sql("SELECT name, value FROM duckdb_settings()").fetchall())
    assert settings["TimeZone"] == "UTC"
    assert settings["autoinstall_known_extensions"] == "false"
    assert settings["threads"] == "1"


def test_names_are_quoted():
    assert quoted('a"b') == '"a""b"'


def test_sha256(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_file(tmp_path / "x").startswith("ba7816bf8f01cfea414140de5dae2223")
