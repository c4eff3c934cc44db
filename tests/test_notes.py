"""What a person writes on a run stays beside it, is shown as it is, and changes nothing else."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import holdings, pipeline
from core.errors import BadInput, Corrupt
from core.report.collect import collect
from core.report.html import render
from core.runs import artifact
from core.runs.config import run_id
from core.runs.notes import LONGEST_NOTE, LONGEST_TAG, MOST_TAGS, RunNotes
from core.runs.request import RunRequest
from recscope.workspace import Workspace as Notebook

HOSTILE = '<script>alert(1)</script> & **bold** ‘"{{ x }}" $x$'
REQUEST = RunRequest("shop", "popularity", device="cpu", name="best")


@pytest.fixture
def run(shop):
    return pipeline.train(shop, REQUEST)


@pytest.fixture
def there(shop, recscope):
    def ask(*words):
        return recscope(*words, "--data-dir", shop.path)

    return ask


def test_it_is_written_read_and_taken_off_by_command(there, shop, run):
    code, told, err = there("note", "best", "the one\nto beat", "--tag", "base,2024", "--json")
    assert code == 0, err
    assert told == {
        "run": run.id,
        "name": "best",
        "note": "the one\nto beat",
        "tags": ["2024", "base"],
    }
    assert "tags: 2024, base\nthe one\nto beat" in there("note", run.id[:6])[1]
    assert there("note", "best", "--untag", "2024", "--json")[1]["note"] == "the one\nto beat"
    assert artifact.find_run(shop, "best").notes == RunNotes("the one\nto beat", ("base",))
    assert there("note", "best", "", "--untag", "base")[1].endswith("no tags\nno note\n")


def test_nothing_else_about_the_run_changes(there, shop, run):
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    assert there("note", "best", "x", "--tag", "y")[0] == 0
    after = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    assert after.pop("notes.json")
    assert after == before
    assert run_id(REQUEST.resolve(shop)) == run.id
    artifact.verify(artifact.find_run(shop, "best"))


def test_it_outlives_the_same_training_an_evaluation_and_another_name(there, shop, run):
    holdings.annotate(shop, "best", "kept", add=["t"])
    (run.folder / artifact.WEIGHTS).write_bytes(b"damaged")
    train = ("train", "shop", "--model", "popularity", "--device", "cpu", "--evaluate")
    assert there(*train)[0] == 0
    assert there("rename", run.id, "other")[0] == 0
    assert artifact.find_run(shop, "other").notes == RunNotes("kept", ("t",))
    assert there("delete", "other", "--yes")[0] == 0
    assert pipeline.train(shop, REQUEST).notes == RunNotes(), "it went with the run"


def test_lists_are_filtered_by_tags(there, shop, run):
    pipeline.train(shop, RunRequest("shop", "transitions", device="cpu"))
    assert "tags" not in there("runs")[1]
    holdings.annotate(shop, "best", add=["a", "b"])
    holdings.annotate(shop, "transitions", add=["b"])
    assert "a, b" in there("runs")[1]
    for tags, names in (
        (["a"], {"best"}),
        (["b"], {"best", "transitions"}),
        (["a", "b"], {"best"}),
    ):
        words = [word for tag in tags for word in ("--tag", tag)]
        listed = there("runs", *words, "--json")[1]["runs"]
        assert {row["name"] for row in listed} == names
    assert there("runs", "--tag", "c", "--json")[1]["runs"] == []
    ws = Notebook(shop, progress=False)
    assert ws.runs(tag="a")["name"].tolist() == ["best"]
    assert ws.runs()["tags"].map(len).sum() == 3


def test_in_a_notebook(shop, run):
    ws = Notebook(shop, progress=False)
    own = ws.run("best")
    own.annotate(HOSTILE, tags="one")
    assert (own.note, own.tags) == (HOSTILE, ("one",))
    assert "<script>" not in own._repr_html_()
    assert "&lt;script&gt;alert(1)" in own._repr_html_()
    own.annotate(tags=["two"], untag="one")
    assert (own.note, own.tags) == (HOSTILE, ("two",))
    for bad in ({"note": 5}, {"tags": [5]}, {"tags": 5}):
        with pytest.raises(BadInput, match="must be a text"):
            own.annotate(**bad)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"note": "x" * (LONGEST_NOTE + 1)}, "at most 10000 characters, not 10001"),
        ({"note": "a\x1b[2Jb"}, r"printable text, without '\\x1b'"),
        ({"note": "‮evil"}, "printable text"),
        ({"add": ["x" * (LONGEST_TAG + 1)]}, "1 to 40 printable characters"),
        ({"add": ["a,b"]}, "without a comma"),
        ({"add": ["a\nb"]}, "printable"),
        ({"add": [" "]}, "1 to 40"),
        ({"add": map(str, range(MOST_TAGS + 1))}, "at most 20 tags, not 22"),
        ({"remove": ["none"]}, "no tag 'none' to remove: there are a"),
    ],
)
def test_what_cannot_be_written_is_a_sentence(shop, run, changes, said):
    holdings.annotate(shop, "best", "as it was", add=["a"])
    with pytest.raises(BadInput, match=said):
        holdings.annotate(shop, "best", **changes)
    assert artifact.find_run(shop, "best").notes == RunNotes("as it was", ("a",))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(
    note=st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]) | st.just("\n"), max_size=60),
    tags=st.sets(st.text(string.ascii_letters + "ÄÖ中", min_size=1, max_size=8), max_size=5),
)
def test_what_is_written_is_read_again(shop, run, note, tags):
    before = artifact.find_run(shop, run.id).notes.tags
    notes = holdings.annotate(shop, run.id, note, add=tags, remove=before)
    assert artifact.find_run(shop, run.id).notes == notes
    assert notes.tags == tuple(sorted(tags))
    assert notes.note.split() == note.split()


DAMAGED = ("", "[]", "{}", '{"note": 1, "tags": []}', '{"note": "", "tags": "ab"}')


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_notes_are_named_and_nothing_else_is_affected(there, shop, run, content):
    (run.folder / artifact.NOTES).write_text(content)
    again = artifact.find_run(shop, "best")
    assert again.notes == RunNotes()
    with pytest.raises(Corrupt, match=r"notes\.json .*write its note and tags again"):
        again.check_notes()
    code, listed, _ = there("runs", "--json")
    assert (code, listed["runs"][0]["state"]) == (0, "done")
    assert "notes.json" in listed["unreadable"][0]["problem"]
    assert there("note", "best")[0] == 1
    assert there("note", "best", "again")[0] == 0, "which mends it"
    assert there("runs", "--json")[1]["unreadable"] == []


def test_a_changed_byte_is_noticed(shop, run):
    holdings.annotate(shop, "best", "true")
    path = run.folder / artifact.NOTES
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "note": "false"}))
    with pytest.raises(Corrupt, match="checksum"):
        artifact.find_run(shop, "best").check_notes()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_report_shows_it_literally(shop, run, language):
    without = render(collect(shop, [run]), language)
    holdings.annotate(shop, "best", f"{HOSTILE}\n\nsecond line", add=["<b>tag</b>"])
    page = render(collect(shop, [artifact.find_run(shop, "best")]), language)
    assert "<script>" not in page
    assert "<b>tag" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; **bold**" in page
    assert "<dd>second line</dd>" in page
    assert "&lt;b&gt;tag&lt;/b&gt;" in page
    assert "second line" not in without
