"""One damaged or newer file is noticed before its numbers are used, and never blocks the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
import tampered
from tampered import DAMAGES, files, make, tamper

pytestmark = pytest.mark.slow  # together too many for `make quick`


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("whole"))


@pytest.mark.timeout(600)
def test_a_damaged_file_is_noticed_and_in_nobodys_way(whole, tmp_path):
    counts, wrong = tamper(whole, tmp_path, 40, pages=False, seed=5)
    assert wrong == []
    assert counts["damaged"] == 40
    assert counts["named"] > 10


@pytest.mark.timeout(600)
def test_pages_are_drawn_all_the_same(whole, tmp_path, monkeypatch):
    monkeypatch.setenv("RECSCOPE_HOME", str(whole))
    counts, wrong = tamper(whole, tmp_path, 6, pages=True, seed=11)
    assert wrong == []
    assert counts["damaged"] == 6


def test_what_goes_unnoticed_is_counted(whole, tmp_path, monkeypatch):
    """The judge is not blind: a changed figure without a checksum is one that nobody notices."""
    run = next(file for file in files(whole) if file.endswith("metrics.json"))
    monkeypatch.setattr(tampered, "files", lambda home: [run])

    def other_figures(path: Path, rng: object) -> None:
        text = path.read_text().replace('"mean": 0.', '"mean": 0.9')
        path.write_text(text.replace('"checksum": "', '"was": "'))

    monkeypatch.setattr(tampered, "DAMAGES", (other_figures,))
    counts, _ = tamper(whole, tmp_path, 1, pages=False)
    assert counts["silent"] >= 1
    assert len(DAMAGES) == 7
