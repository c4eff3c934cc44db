"""Whatever a statement tries, it is refused or harmless, and the next one is answered."""

from __future__ import annotations

import json
import time
from pathlib import Path

import psutil
import pytest

from core.data.store import DatasetInfo, Workspace
from core.errors import BadInput, TooLarge
from core.sql.answer import Answer
from core.sql.ask import ask
from core.sql.limits import Limits
from tests.sql.conftest import CANARY, hashes
from tests.sql.hostile import HARMLESS, HOSTILE, LIMIT

pytestmark = pytest.mark.slow  # each statement has a process

LIMITS = Limits(seconds=1.0, memory_mb=256)
PATIENCE_S = 30.0  # in which a statement of one second hangs, also on a busy machine


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a statement would write or read: the working folder and home, with a secret in it."""
    (tmp_path / "secret.csv").write_text(f"password\n{CANARY}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RECSCOPE_CANARY", CANARY)
    return tmp_path


def test_there_are_sixty() -> None:
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize("attempt", HOSTILE)
def test_is_refused_or_harmless(
    attempt: str, shop: Workspace, info: DatasetInfo, outside: Path
) -> None:
    template, expected = HOSTILE[attempt]
    events = str(info.path("events"))
    statement = template.replace("{events}", events).replace(
        "{secret}", str(outside / "secret.csv")
    )
    before = hashes(shop.path), hashes(outside)
    began = time.monotonic()
    answer = _answer(shop, info, statement)
    assert time.monotonic() - began < PATIENCE_S
    assert (hashes(shop.path), hashes(outside)) == before
    assert not psutil.Process().children()  # nothing goes on without us
    if isinstance(answer, Answer):
        assert expected == HARMLESS, answer.to_json()
        said = json.dumps(answer.to_json())
        assert len(said) < 2 * LIMITS.answer_mb << 20
    else:
        if expected == LIMIT:
            assert (
                isinstance(answer, TooLarge)
                or "stopped after" in str(answer)
                or ("Error: " in str(answer))
            )
        said = str(answer)
        assert said.isprintable()
        assert len(said) < 1000
    if "{" not in template:
        assert CANARY not in said
        assert str(Path.home()) not in said
        assert "root:" not in said  # of /etc/passwd


def test_the_next_statement_is_answered(shop: Workspace, info: DatasetInfo) -> None:
    assert ask(shop, "SELECT count(*) FROM events", dataset=info).to_json()["rows"] == [[72]]


def _answer(shop: Workspace, info: DatasetInfo, statement: str) -> Answer | BadInput:
    try:
        return ask(shop, statement, dataset=info, limits=LIMITS)
    except BadInput as refusal:
        return refusal
