"""What the page says of the seal of its audit export."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.data.store import Workspace
from core.pipeline.replays.seal import KEY_FILE, key_to_seal_with
from dashboard.components.explain.proof import SealTold
from dashboard.text import LANGUAGES, text, texts


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "home")


def told(workspace: Workspace, language: str) -> str:
    seal = SealTold.of(workspace)
    return text(language, seal.key, **seal.values)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_seal_is_told_before_and_after_there_is_a_key(workspace, language):
    before = told(workspace, language)
    assert not (workspace.path / KEY_FILE).exists(), "to look at the page makes no key"
    key = key_to_seal_with(workspace)
    assert key is not None
    after = told(workspace, language)
    assert key.name in after
    assert key.name not in before
    assert key.secret.hex() not in after


@pytest.mark.parametrize("language", LANGUAGES)
def test_where_there_can_be_no_key_it_is_a_checksum(tmp_path, language):
    nowhere = Workspace(tmp_path / "nowhere")
    assert SealTold.of(nowhere).key == "explain.seal.checksum"
    assert "nowhere" in told(nowhere, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_with_a_damaged_key_there_is_no_export(workspace, language):
    (workspace.path / KEY_FILE).write_bytes(b"short")
    assert not SealTold.of(workspace).possible
    assert "has 5 bytes where a key has 32" in told(workspace, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_facts_of_the_proof_are_called_the_same(language):
    """They are the rows of a table: one would stand in the place of the other."""
    called = [words for key, words in texts(language).items() if key.startswith("explain.proof.")]
    assert len(called) == len(set(called))
