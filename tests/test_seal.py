"""The key of a workspace: made once, for its owner's eyes alone, and never anywhere else."""

from __future__ import annotations

import hashlib
import hmac
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.data.export.export import export_dataset
from core.data.store import Workspace
from core.errors import Corrupt
from core.pipeline.replays.seal import (
    KEY_FILE,
    SEALED_BY,
    Seal,
    SealKey,
    Verdict,
    canonical,
    is_own,
    key_to_seal_with,
    remember_sealing,
    workspace_key,
)
from core.runs.artifact import Run

TEXT = canonical({"b": 1, "a": "ü"})


def test_a_document_is_sealed_as_documented():
    """Names sorted, no blanks, UTF-8; so anybody can check it in another language."""
    secret = bytes(range(32))
    assert '{"a":"ü","b":1}'.encode() == TEXT
    seal = Seal.of(TEXT, SealKey(secret)).to_json()
    assert seal == {
        "kind": "hmac-sha256",
        "key": hashlib.sha256(secret).hexdigest()[:16],
        "value": hmac.new(secret, TEXT, "sha256").hexdigest(),
    }
    plain = Seal.of(TEXT, None).to_json()
    assert plain == {"kind": "sha256", "key": None, "value": hashlib.sha256(TEXT).hexdigest()}


def test_the_key_is_made_once_for_its_owner_alone(tmp_path):
    workspace = Workspace.open(tmp_path / "home")
    assert workspace_key(workspace) is None
    with ThreadPoolExecutor(8) as pool:  # of several makers the first wins
        keys = list(pool.map(lambda _: key_to_seal_with(workspace), range(8)))
    path = workspace.path / KEY_FILE
    assert {key.secret for key in keys} == {path.read_bytes()}
    assert len(path.read_bytes()) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_nlink == 1
    assert not list(workspace.tmp_folder.iterdir())
    assert path.read_bytes().hex() not in repr(keys[0])
    assert workspace_key(Workspace.open(tmp_path / "other")) is None


def test_without_a_place_for_the_key_there_is_none(tmp_path):
    workspace = Workspace.open(tmp_path / "home")
    workspace.tmp_folder.rmdir()
    workspace.tmp_folder.write_text("")  # nobody can write there, whoever asks
    assert key_to_seal_with(workspace) is None


@pytest.mark.parametrize(
    ("content", "part"), [(b"", "has 0 bytes"), (b"x" * 31, "31"), (b"x" * 40, "more than 32")]
)
def test_a_damaged_key_is_one_sentence(content, part, tmp_path):
    workspace = Workspace.open(tmp_path / "home")
    (workspace.path / KEY_FILE).write_bytes(content)
    for ask in (workspace_key, key_to_seal_with):
        with pytest.raises(Corrupt, match=part) as error:
            ask(workspace)
        assert KEY_FILE in str(error.value)
    (workspace.path / KEY_FILE).unlink()
    (workspace.path / KEY_FILE).mkdir()
    with pytest.raises(Corrupt, match="cannot be read"):
        workspace_key(workspace)


MINE, OTHER = SealKey(b"m" * 32), SealKey(b"o" * 32)
VERDICTS = [  # sealed by, in a workspace with, the document changed
    (MINE, MINE, False, Verdict.SEALED),
    (MINE, MINE, True, Verdict.CHANGED),
    (MINE, None, False, Verdict.UNKNOWN_KEY),
    (MINE, OTHER, False, Verdict.FOREIGN),
    (None, MINE, False, Verdict.FOREIGN),
    (None, None, False, Verdict.CHECKSUM),
    (None, None, True, Verdict.CHANGED),
    (None, MINE, True, Verdict.CHANGED),
]


@pytest.mark.parametrize(("by", "here", "changed", "verdict"), VERDICTS)
def test_what_a_seal_says(by, here, changed, verdict):
    text = TEXT.replace(b"1", b"2") if changed else TEXT
    assert Seal.of(TEXT, by).verdict(text, here) == verdict


def test_a_name_of_a_key_is_no_key():
    """Who writes this workspace's name on a seal of their own has changed it."""
    forged = Seal(kind="hmac-sha256", key=MINE.name, value=OTHER.value(TEXT))
    assert forged.verdict(TEXT, MINE) == Verdict.CHANGED


@pytest.mark.parametrize(
    "change",
    [{"kind": "md5"}, {"key": None}, {"key": "x"}, {"value": "00"}, {"value": 1}, {"more": 1}],
)
def test_a_seal_of_another_form_is_none(change):
    said = Seal.of(TEXT, MINE).to_json() | change
    with pytest.raises((ValueError, TypeError)):
        Seal.from_json(json.loads(json.dumps(said)))


def test_a_run_says_whose_key_seals_for_it(tmp_path):
    """A copy of it elsewhere does not take the other workspace's key for its own."""
    run = Run("1" * 12, tmp_path, {})
    assert is_own(run, MINE)
    remember_sealing(run, MINE)
    remember_sealing(run, OTHER)
    assert is_own(run, MINE)
    assert not is_own(run, OTHER)
    (tmp_path / SEALED_BY).write_bytes(b"\xff")
    assert is_own(run, OTHER)


def test_the_key_goes_out_with_nothing(shop, tmp_path):
    key = key_to_seal_with(shop)
    export_dataset(shop.dataset("shop"), "parquet", tmp_path / "out")
    for path in (tmp_path / "out").rglob("*"):
        assert path.name != KEY_FILE
        assert path.is_dir() or key.secret not in path.read_bytes()
    assert Path(shop.path / KEY_FILE).exists()
