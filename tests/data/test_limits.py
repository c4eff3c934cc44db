"""What the machine would not do is a sentence; a JSON file of ours knows a changed bit; names."""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.data.durable import read_object, sha256_file, verify_once, write_json_atomically
from core.data.limits import in_words, size_in_words, writing
from core.data.refs import LONGEST, checked_name, name_from
from core.errors import BadInput, Corrupt, TooLarge

REFUSED = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk is full",
    errno.EACCES: "may not be read or written by you",
    errno.EPERM: "may not be read or written by you",
    errno.EROFS: "read only",
    errno.EMFILE: "ulimit -n",
    errno.ENFILE: "too many files are open",
    errno.EFBIG: "ulimit -f",
    errno.EIO: "gives an error",
}
DOCUMENTS = st.dictionaries(
    st.text(max_size=8),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda part: st.lists(part) | st.dictionaries(st.text(max_size=5), part),
        max_leaves=8,
    ),
    max_size=5,
).filter(lambda content: not {"checksum", "schema_version"} & set(content))


@pytest.mark.parametrize("number", REFUSED)
@pytest.mark.parametrize("kind", ["of Python", "of a library"])
def test_what_the_machine_refuses_is_told_with_the_path(number, kind, tmp_path):
    path = tmp_path / "weights"
    text = os.strerror(number)
    error = OSError(number, text, str(path)) if kind == "of Python" else RuntimeError(f"IO: {text}")
    told = in_words(error, path)
    assert isinstance(told, BadInput)
    assert REFUSED[number] in str(told)
    assert str(path) in str(told)


def test_a_full_disk_is_told_with_the_bytes_needed_and_those_that_are_there(tmp_path):
    sentence = r"has 1\.2 MB \(1234567 bytes\), and .* are free there"
    with pytest.raises(BadInput, match=sentence), writing(tmp_path / "new" / "file", 1_234_567):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_the_path_that_duckdb_names_is_told(tmp_path):
    folder = tmp_path / "a folder"
    folder.mkdir()
    with pytest.raises(duckdb.IOException) as caught:
        duckdb.sql("SELECT 1").write_parquet("/proc/no such/file.parquet")
    assert in_words(caught.value) is None  # there is no such folder: that is ours to know
    told = in_words(duckdb.IOException(f'Cannot open file "{folder}": Permission denied'))
    assert str(told).startswith(str(folder))


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried")])
def test_memory_that_ran_out_is_too_large(error):
    assert isinstance(in_words(error), TooLarge)


def test_a_bug_stays_a_bug():
    assert in_words(KeyError("x")) is None
    assert in_words(FileNotFoundError(errno.ENOENT, "No such file or directory")) is None
    with pytest.raises(KeyError), writing(Path("x")):
        raise KeyError("x")


def test_sizes_read_well():
    words = [size_in_words(n) for n in (0, 999, 1000, 1499, 99_500, 999_600, 2.5e9, 3e15)]
    assert words == ["0 B", "999 B", "1.0 kB", "1.5 kB", "100 kB", "1.0 MB", "2.5 GB", "3000 TB"]


@given(DOCUMENTS)
def test_what_is_written_is_read(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("json") / "dataset.json"
    write_json_atomically(path, content)
    assert read_object(path) == json.loads(json.dumps(content))
    assert list(path.parent.iterdir()) == [path]


@given(DOCUMENTS, st.data())
def test_no_changed_bit_changes_what_is_read(tmp_path_factory, content, data):
    path = tmp_path_factory.mktemp("json") / "dataset.json"
    write_json_atomically(path, content)
    raw = bytearray(path.read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(raw)
    now = known = json.loads(json.dumps(content))
    with suppress(Corrupt):  # else it was a blank, or the word "checksum", of which nobody asks
        now = read_object(path)
    assert {key: now[key] for key in known} == known


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "is empty"),
        ("null", "is empty"),
        ("[]", "holds a list"),
        ("{", "cut short"),
        ("[" * 100_000, "cut short"),
        ('{"schema_version": 99}', "newer Recscope"),
        ("\x00\x00", "cut short"),
    ],
)
def test_what_is_none_of_ours_is_told_apart(tmp_path, content, sentence):
    path = tmp_path / "run.json"
    path.write_text(content)
    with pytest.raises(Corrupt, match=sentence) as caught:
        read_object(path)
    assert str(path) in str(caught.value)


def test_a_folder_in_place_of_a_file_and_no_file_at_all(tmp_path):
    with pytest.raises(Corrupt, match="is a folder"):
        read_object(tmp_path)
    assert read_object(tmp_path / "nothing") is None


def test_what_an_earlier_version_wrote_without_a_checksum_is_read(tmp_path):
    (tmp_path / "run.json").write_text('{"id": "x"}')
    assert read_object(tmp_path / "run.json") == {"id": "x"}


def test_a_file_is_looked_at_again_only_once_it_changed(tmp_path, monkeypatch):
    path = tmp_path / "events.parquet"
    path.write_bytes(b"abc" * 1000)
    expected, asked = sha256_file(path), []
    monkeypatch.setattr(
        "core.data.durable.sha256_file", lambda p: asked.append(p) or sha256_file(p)
    )
    for _ in range(3):
        verify_once(path, expected, "dataset x", "ingest it again")
    assert asked == [path]
    path.write_bytes(b"abd" * 1000)
    with pytest.raises(Corrupt, match=r"events\.parquet is not what was written.*ingest it again"):
        verify_once(path, expected, "dataset x", "ingest it again")
    path.unlink()
    with pytest.raises(Corrupt, match=r"dataset x has lost its events\.parquet: ingest it again"):
        verify_once(path, expected, "dataset x", "ingest it again")


@given(st.text(max_size=LONGEST + 20))
def test_a_name_is_one_printable_line_of_at_most_200_characters(text):
    right = 0 < len(text.strip()) <= LONGEST and text.strip().isprintable()
    if right:
        assert checked_name(text) == text.strip()
    else:
        with pytest.raises(BadInput, match="one printable line of 1 to 200 characters"):
            checked_name(text)
    assert checked_name(name_from(text)) == name_from(text)
