"""A workspace that may only be looked at: each act that writes is refused, none forgotten."""

from __future__ import annotations

import ast
import importlib
import inspect
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core import holdings, jobs, pipeline, tune
from core.data import info, read_only
from core.data.durable import publish, write_text_atomically
from core.data.export.export import export_dataset
from core.data.features import embeddings
from core.data.ingest.apart import ingest_apart, preview_apart
from core.data.ingest.ingest import ingest
from core.data.limits import writing
from core.data.pictures import add_pictures
from core.data.profile.coded import open_coded
from core.data.quality.cleaning import clean
from core.data.read_only import WRITING_ACTS, WritingAct
from core.data.store import Workspace
from core.doctor import examine
from core.errors import NotFound, ReadOnly
from core.pipeline.replays.seal import key_to_seal_with
from core.recommend import export
from core.recommend.rerank import Rerank
from core.recommend.rules import Rules
from core.runs import artifact
from core.runs.request import RunRequest
from core.sql import saved
from core.sql.ask import ask
from dashboard import saved_views
from dashboard.components.data.upload import forget_old, spool
from tests.untouched import tree, untouched

ROOT = Path(__file__).parent.parent


@pytest.fixture
def lent(shop: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """The shop with an evaluated run, another that is not, and one archived; to be looked at."""
    for model in ("popularity", "transitions", "recent_popularity"):
        pipeline.train(shop, RunRequest("shop", model, device="cpu", name=model))
    pipeline.evaluate(shop, artifact.find_run(shop, "popularity"), device="cpu")
    holdings.archive(shop, "recent_popularity")
    pd.DataFrame({"user_id": [1, 2], "item_id": [10, 20]}).to_csv(tmp_path / "new.csv", index=False)
    monkeypatch.setenv(read_only.VARIABLE, str(shop.path))
    with untouched(shop.path):
        yield shop


def new(workspace: Workspace) -> Path:
    return workspace.path.parent / "new.csv"


def request(**changes: Any) -> RunRequest:
    return RunRequest("shop", "popularity", device="cpu", seed=7, **changes)


def run_search(workspace: Workspace) -> None:
    search = tune.plan_search(workspace, RunRequest("shop", "item_knn", device="cpu"), trials=1)
    tune.start_search(workspace, search)


def train_inline(workspace: Workspace) -> None:
    with jobs.train_inline(workspace, request().resolve(workspace), "shop"):
        pass


def delete(workspace: Workspace) -> None:
    holdings.delete(workspace, holdings.removal(workspace, "shop"))


def evaluate(workspace: Workspace) -> None:
    pipeline.evaluate(workspace, artifact.find_run(workspace, "transitions"), device="cpu")


# What a page, a command or a cell can do of each act.
TRIES: dict[WritingAct, list[Callable[[Workspace], object]]] = {
    read_only.IMPORT: [lambda ws: ingest(ws, [new(ws)])],
    read_only.ADD_PICTURES: [lambda ws: add_pictures(ws, ws.dataset("shop"), str(ws.path))],
    read_only.CLEAN: [
        lambda ws: clean(ws, ws.dataset("shop"), ["k_core=2"]),
        lambda ws: clean(ws, ws.dataset("shop"), (), terms=["item.kind=tea"]),
    ],
    read_only.RENAME_DATASET: [
        lambda ws: ws.rename("shop", "other"),
        lambda ws: holdings.rename(ws, "shop", "other"),
    ],
    read_only.RENAME_RUN: [
        lambda ws: artifact.rename_run(ws, "popularity", "other"),
        lambda ws: holdings.rename(ws, "popularity", "other"),
        lambda ws: pipeline.train(ws, RunRequest("shop", "popularity", device="cpu", name="other")),
    ],
    read_only.ARCHIVE: [
        lambda ws: holdings.archive(ws, "popularity"),
        lambda ws: holdings.archive(ws, "recent_popularity", undo=True),
        lambda ws: info.archive(ws.dataset("shop").folder),
    ],
    read_only.DELETE: [
        delete,
        lambda ws: ws.delete_dataset("shop"),
        lambda ws: artifact.delete_run(ws, "popularity"),
    ],
    read_only.TRAIN: [lambda ws: pipeline.train(ws, request())],
    read_only.EVALUATE: [evaluate],
    read_only.START_JOB: [
        lambda ws: jobs.start_training(ws, request()),
        lambda ws: jobs.start_training(ws, RunRequest("shop", "transitions", device="cpu")),
        run_search,
        train_inline,
    ],
    read_only.CANCEL_JOB: [
        lambda ws: jobs.cancel(ws, artifact.find_run(ws, "popularity").id),
    ],
    read_only.UPLOAD: [
        lambda ws: spool(ws, "id", "log.csv", io.BytesIO(b"user_id,item_id")),
        forget_old,
    ],
}


def code_of(where: str) -> CodeType:
    """The code of the function of this full name."""
    module, _, name = where.rpartition(".")
    try:
        owner: Any = importlib.import_module(module)
    except ModuleNotFoundError:  # a method
        module, _, kind = module.rpartition(".")
        owner = getattr(importlib.import_module(module), kind)
    code: CodeType = inspect.unwrap(getattr(owner, name)).__code__
    return code


def test_each_act_of_the_list_is_tried() -> None:
    assert set(TRIES) == set(WRITING_ACTS)
    assert len({act.name for act in WRITING_ACTS}) == len(WRITING_ACTS)


@pytest.mark.parametrize("act", WRITING_ACTS, ids=lambda act: act.name)
def test_an_act_is_refused_where_it_is_written(lent: Workspace, act: WritingAct) -> None:
    for attempt in TRIES[act]:
        with pytest.raises(ReadOnly) as refused:
            attempt(lent)
        said = str(refused.value)
        assert said.startswith(f"{act.name} is refused: the workspace {lent.path} is only looked")
        assert said.endswith("do it by a command, or start the server without that")
        frames = [entry.frame.code.raw for entry in refused.traceback]
        if len(TRIES[act]) == 1 or attempt is not delete:  # which looks before it locks anything
            assert code_of(act.where) in frames


@pytest.mark.parametrize("act", WRITING_ACTS, ids=lambda act: act.name)
def test_elsewhere_nothing_is_refused(
    act: WritingAct, shop: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    read_only.check_writable(shop.path, act)
    monkeypatch.setenv(read_only.VARIABLE, str(tmp_path / "another"))
    read_only.check_writable(shop.path, act)
    read_only.check_writable(tmp_path / "another-one", act)  # its name begins alike
    assert not shop.read_only


@pytest.mark.parametrize("name", [".", "runs/x", "datasets/../runs/x", "../shop/seal.key"])
def test_what_belongs_to_no_act_is_refused_as_it_is_written(lent: Workspace, name: str) -> None:
    path = lent.path / name
    for write in (
        lambda: write_text_atomically(path, ""),
        lambda: publish(lent.path.parent, path),
        lambda: writing(path).__enter__(),
    ):
        with pytest.raises(ReadOnly, match=r"^writing "):
            write()


def test_a_workspace_is_known_by_whatever_path_leads_to_it(
    lent: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(lent.path)
    assert Workspace.open(tmp_path / "link").read_only
    monkeypatch.setenv(read_only.VARIABLE, str(tmp_path / "link"))
    assert Workspace.open(lent.path).read_only


def test_what_is_only_kept_for_later_is_not_kept(lent: Workspace) -> None:
    run = artifact.find_run(lent, "transitions")
    assert pipeline.faithfulness(lent, run, people=4, device="cpu").people > 0
    assert artifact.find_run(lent, "transitions").faithfulness is None
    assert key_to_seal_with(lent) is None  # a checksum then
    vectors = {"a": np.zeros(2, np.float32)}
    embeddings._store(lent, lent.path / "embeddings" / "e", vectors)
    reranked = pipeline.evaluate(lent, run, rerank=Rerank("mmr"), device="cpu")
    assert reranked.users > 0  # never stored
    ruled = pipeline.evaluate(lent, run, rules=Rules.parse(["exclude kind=tea"]), device="cpu")
    assert ruled.rules is not None  # nor this
    saved.remember(lent, "SELECT 1")
    assert ask(lent, "SELECT 1 AS n", dataset=lent.dataset("shop")).rows == 1
    with pytest.raises(ReadOnly):
        saved.save(lent, "one", "SELECT 1")
    with pytest.raises(ReadOnly, match=r"^writing .*notes\.json is refused"):
        holdings.annotate(lent, "popularity", "one", add=["tag"])
    with pytest.raises(ReadOnly, match=r"^writing .*views is refused"):
        saved_views.save(lent, "one", "home", {})
    coded = open_coded(lent.dataset("shop"))
    assert coded.folder.is_dir()
    assert not coded.folder.is_relative_to(lent.path)
    with lent.scratch() as scratch:
        (scratch / "x").write_text("")
    assert not scratch.exists()
    lent.sweep()
    assert all(check.ok for check in examine(lent.path) if check.name in ("workspace", "contents"))


@pytest.mark.parametrize("kind", ["sha256", "hmac-sha256"])
def test_an_explanation_is_sealed_with_the_key_that_is_there(
    shop: Workspace, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recscope: Any
) -> None:
    """And none is made for it: a checksum, then."""
    pipeline.train(shop, RunRequest("shop", "transitions", device="cpu"))
    if kind == "hmac-sha256":
        assert key_to_seal_with(shop)
    monkeypatch.setenv(read_only.VARIABLE, str(shop.path))
    with untouched(shop.path):
        words = ["explain", "transitions", "--user", "u3", "--out", tmp_path / "why.json"]
        code, _, err = recscope(*words, "--data-dir", shop.path)
    assert code == 0, err
    assert json.loads((tmp_path / "why.json").read_text())["seal"]["kind"] == kind


def test_what_is_trained_already_is_given(lent: Workspace) -> None:
    assert pipeline.train(lent, RunRequest("shop", "popularity", device="cpu")).name == "popularity"


def test_a_child_is_refused_too(lent: Workspace) -> None:
    files = {"events": [new(lent)]}
    assert preview_apart(lent, files, mapping={}).mapping["user_id"] == "user_id"
    with pytest.raises(ReadOnly, match=r"^importing data is refused"):
        ingest_apart(lent, files, mapping={})
    command = [sys.executable, "-m", "core.cli", "rename", "shop", "other"]
    done = subprocess.run(
        [*command, "--data-dir", lent.path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("recscope: renaming a dataset is refused")


def test_a_command_of_another_process_is_not_affected(
    shop: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(read_only.VARIABLE, str(shop.path))
    ours = {name: value for name, value in os.environ.items() if name != read_only.VARIABLE}
    command = [sys.executable, "-m", "core.cli", "rename", "shop", "other"]
    subprocess.run([*command, "--data-dir", shop.path], env=ours, check=True, capture_output=True)
    assert shop.dataset("other").id == "5" * 12


def test_none_is_made_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(read_only.VARIABLE, str(tmp_path / "none"))
    with pytest.raises(NotFound, match="there is no workspace"):
        Workspace.open(tmp_path / "none")
    assert not (tmp_path / "none").exists()
    with pytest.raises(NotFound, match="there is no workspace"):
        Workspace.open(tmp_path / "other")  # which would not be protected, as it may be meant
    (tmp_path / "none").mkdir()
    empty = Workspace.open(tmp_path / "none")
    assert (empty.datasets(), jobs.statuses(empty), artifact.list_runs(empty)) == ([], [], [])
    assert not list(empty.path.iterdir())


# What changes files, and why none of it reaches a workspace that may only be looked at.
THERE = "in a folder of `scratch`, which then is elsewhere"
OUT = "where a person says; `writing` refuses it inside a workspace"
JOB = read_only.START_JOB  # its files: nobody writes them before it is started
OPEN = "the workspace itself: nothing, if it may only be looked at"
NOT_KEPT = "what is kept for later is not kept"
CHECKED = "asks `writing` before it begins"
NO_FILE = "no file"
WRITERS: dict[str, WritingAct | str] = {
    "core.cli.__init__.main": NO_FILE,  # the null device
    "core.data.durable.publish": CHECKED,
    "core.data.durable.write_json_atomically": CHECKED,
    "core.data.durable.write_text_atomically": CHECKED,
    "core.data.export.export.export_dataset": OUT,
    "core.data.export.export.write_parquet": OUT,
    "core.data.export.folder.new_folder": OUT,
    "core.data.export.recbole._write_atomic": OUT,
    "core.data.features.embeddings._store": NOT_KEPT,
    "core.data.files.archives._copy": THERE,
    "core.data.files.archives.unpack": THERE,
    "core.data.files.encodings.reencode": THERE,
    "core.data.files.json_texts._as_json": THERE,
    "core.data.files.texts._write": THERE,
    "core.data.files.workbooks._write": THERE,
    "core.data.histories.histories": "a folder of the system's for such",
    "core.data.info.archive": read_only.ARCHIVE,
    "core.data.ingest.ingest._read": read_only.IMPORT,
    "core.data.ingest.preview._read": THERE,
    "core.data.ingest.preview.preview": "a folder of the system's for such",
    "core.data.ingest.version._write_events": read_only.IMPORT,
    "core.data.layouts.sparse_matrix._write": THERE,
    "core.data.pictures._small": NO_FILE,
    "core.data.pictures.add_pictures": read_only.ADD_PICTURES,
    "core.data.profile.coded._make": NOT_KEPT,
    "core.data.profile.coded._write_log": NOT_KEPT,
    "core.data.profile.coded.open_coded": NOT_KEPT,
    "core.data.quality.cleaning.clean": read_only.CLEAN,
    "core.data.queries._with_labels": NO_FILE,
    "core.data.store.Workspace._sweep_tmp": OPEN,
    "core.data.store.Workspace.discard": read_only.DELETE,
    "core.data.store.Workspace.open": OPEN,
    "core.data.store.Workspace.publish_dataset": CHECKED,
    "core.data.store.Workspace.rename": read_only.RENAME_DATASET,
    "core.data.store.Workspace.scratch": OPEN,
    "core.data.store.Workspace.sweep": OPEN,
    "core.doctor._workspace": OPEN,
    "core.holdings.annotate": CHECKED,  # calls what is
    "core.jobs.process._reported": JOB,
    "core.jobs.process._spawn": JOB,
    "core.jobs.process._turn": JOB,
    "core.jobs.process.cancel": read_only.CANCEL_JOB,
    "core.jobs.process.reset_folder": JOB,
    "core.jobs.process.starting": JOB,
    "core.jobs.progress.Report._write": JOB,
    "core.jobs.progress.Report.line": JOB,
    "core.jobs.progress.Report.stage": JOB,
    "core.jobs.progress.enqueue": JOB,
    "core.jobs.stopped.record_stop": JOB,
    "core.jobs.training._prepare": JOB,
    "core.pipeline.evaluation._export": OUT,
    "core.pipeline.replays.document.ExplanationDocument.write": OUT,
    "core.pipeline.replays.seal._make_key": NOT_KEPT,
    "core.pipeline.replays.seal.remember_sealing": NOT_KEPT,
    "core.recommend.export.write": OUT,
    "core.report.html.write": OUT,
    "core.report.notebook.write": OUT,
    "core.runs.artifact.rename_run": read_only.RENAME_RUN,
    "core.runs.checkpoints.write_arrays": read_only.TRAIN,
    "core.runs.checkpoints.written_whole": read_only.TRAIN,
    "core.runs.weights.save_faithfulness": NOT_KEPT,
    "core.runs.weights.save_metrics": read_only.EVALUATE,
    "core.runs.weights.save_run": read_only.TRAIN,
    "core.sql.ask.ask": THERE,
    "core.sql.child.main": NO_FILE,
    "core.sql.files.parquet_bytes": NO_FILE,
    "core.sql.files.write": OUT,
    "core.sql.sandbox._ask_process": NO_FILE,  # none that stays: it has no name
    "core.sql.saved.forget": CHECKED,
    "core.sql.saved.remember": NOT_KEPT,
    "core.sql.saved.save": CHECKED,
    "core.tune.search.finish": JOB,
    "core.tune.search.prepare_search": JOB,
    "core.tune.trials._opened": JOB,
    "dashboard.components.data.upload._folder": read_only.UPLOAD,
    "dashboard.components.data.upload.forget": read_only.UPLOAD,
    "dashboard.components.data.upload.forget_old": read_only.UPLOAD,
    "dashboard.components.data.upload.spool": read_only.UPLOAD,
    "dashboard.components.download.csv": NO_FILE,
    "dashboard.components.sql.kept._saved": CHECKED,  # calls what is
    "dashboard.components.saved_views.saved_views_drawer": CHECKED,  # calls what is
    "dashboard.map.layouts.StoredMap.save": NOT_KEPT,
    "dashboard.map.layouts._stored": NOT_KEPT,
    "dashboard.saved_views.forget": CHECKED,
    "dashboard.saved_views.save": CHECKED,
    "dashboard.uploads.UploadsOnDisk._forget": read_only.UPLOAD,
    "dashboard.uploads.UploadsOnDisk._store": read_only.UPLOAD,
    "recscope.tables.write": THERE,
}
CALLS = {
    *("write_text_atomically", "write_json_atomically", "write_text", "write_bytes", "savez"),
    *("save", "save_file", "write_table", "to_parquet", "to_csv", "dump", "ParquetWriter"),
    *("CSVWriter", "open_writer", "JournalFileBackend", "copyfileobj", "copytree", "move"),
    *("mkdir", "makedirs", "touch", "truncate", "unlink", "remove_tree", "rmdir", "rmtree"),
    *("hardlink_to", "symlink_to", "utime", "chmod", "mkdtemp", "mkstemp"),
    *("TemporaryDirectory", "NamedTemporaryFile", "TemporaryFile"),
}
STATEMENTS = ("COPY ", "EXPORT ", "ATTACH ")


def changes_files(node: ast.AST) -> bool:
    """Whether this expression looks like one that makes, changes or removes a file."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and node.value.lstrip().startswith(STATEMENTS)
    if not isinstance(node, ast.Call):
        return False
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name == "publish":  # that of served.py keeps bytes in memory
        return getattr(getattr(node.func, "value", None), "id", "") != "served"
    if name in ("replace", "rename"):  # of a path; that of a text or a table has other arguments
        method = isinstance(node.func, ast.Attribute)
        return method and len(node.args) == 1 and not node.keywords
    if name == "open":
        given = [*node.args, *(k.value for k in node.keywords)]
        texts = [a.value for a in given if isinstance(a, ast.Constant)]
        flags = {getattr(n, "attr", "") for a in given for n in ast.walk(a)}
        modes = [t for t in texts if isinstance(t, str) and len(t) < 4]
        return any(set(mode) & set("wax+") for mode in modes) or bool(
            flags & {"O_WRONLY", "O_RDWR", "O_CREAT"}
        )
    return name in CALLS


def writers(node: ast.AST, name: str) -> Iterator[str]:
    """The full names of the functions in which files are changed."""
    for child in ast.iter_child_nodes(node):
        named = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        inside = f"{name}.{child.name}" if named else name
        if changes_files(child):
            yield inside
        yield from writers(child, inside)


def test_no_way_of_writing_is_forgotten() -> None:
    """A new function that changes files wants a line in WRITERS: an act, or why it needs none."""
    there = {
        function
        for folder in ("core", "dashboard", "recscope")
        for path in (ROOT / folder).rglob("*.py")
        for function in writers(
            ast.parse(path.read_text("utf-8")),
            ".".join(path.relative_to(ROOT).with_suffix("").parts),
        )
    }
    assert sorted(there - set(WRITERS)) == []
    assert sorted(set(WRITERS) - there) == []


@pytest.mark.parametrize(
    ("source", "is_one"),
    [
        ("path.open('w')", True),
        ("path.open()", False),
        ("open(path, mode='r+b')", True),
        ("os.open(path, os.O_WRONLY)", True),
        ("os.open(path, os.O_RDONLY)", False),
        ("path.replace(other)", True),
        ("text.replace('a', 'b')", False),
        ("frame.rename(columns=names)", False),
        ("replace(config, params={})", False),
        ("con.execute(f'COPY t TO {path}')", True),
        ("publish(folder, final)", True),
        ("served.publish(content)", False),
        ("np.savez(path)", True),
    ],
)
def test_how_writing_is_recognised(source: str, is_one: bool) -> None:
    assert bool(list(writers(ast.parse(source), "here"))) == is_one


def test_what_is_written_where_a_person_says(lent: Workspace, tmp_path: Path) -> None:
    export_dataset(lent.dataset("shop"), "parquet", tmp_path / "out")
    assert tree(tmp_path / "out")
    with pytest.raises(ReadOnly, match=r"^writing "):
        export_dataset(lent.dataset("shop"), "parquet", lent.path / "out")
    export.write(tmp_path / "lists.csv", [pd.DataFrame({"user_id": [1]})])
    with pytest.raises(ReadOnly, match=r"^writing "):
        export.write(lent.path / "lists.csv", [pd.DataFrame({"user_id": [1]})])
