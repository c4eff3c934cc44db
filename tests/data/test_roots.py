"""Files are opened in allowed folders alone, and images are fetched from allowed hosts alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.data.features.roots import SAMPLES, check_host, server_path
from core.errors import BadInput, NotFound


def test_only_allowed_folders_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder in (root, outside):
        folder.mkdir()
        (folder / "log.csv").write_text("x")
    (root / "link.csv").symlink_to(outside / "log.csv")
    monkeypatch.delenv("RECSCOPE_DATA_ROOT", raising=False)
    sample = SAMPLES / "movielens-latest-small" / "ratings.csv"
    assert server_path("movielens-latest-small/ratings.csv") == sample
    with pytest.raises(NotFound, match="RECSCOPE_DATA_ROOT"):
        server_path(str(root / "log.csv"))
    monkeypatch.setenv("RECSCOPE_DATA_ROOT", str(root))
    assert server_path(str(root / "log.csv")) == (root / "log.csv").resolve()
    assert server_path(" log.csv ") == (root / "log.csv").resolve()
    for written in ("../outside/log.csv", str(outside / "log.csv"), "link.csv", "none.csv", "."):
        with pytest.raises(NotFound):
            server_path(written)


def test_a_folder_is_not_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "posters").mkdir()
    (tmp_path / "log.csv").touch()
    monkeypatch.setenv("RECSCOPE_DATA_ROOT", str(tmp_path))
    assert server_path("posters", folder=True) == (tmp_path / "posters").resolve()
    for written, folder in (("posters", False), ("log.csv", True)):
        with pytest.raises(NotFound):
            server_path(written, folder=folder)


@pytest.mark.parametrize(
    ("hosts", "address", "fits"),
    [
        ("a.org", "https://A.org:8/x", True),
        (" b.org , *.a.org", "http://c.a.org", True),
        ("*.a.org", "http://a.org", False),
        ("a.org", "http://a.org.b", False),
        ("a.org", "http://a.org@b/", False),
        ("*", "http://10.0.0.1/", True),
        ("", "http://a.org", False),
        (",", "http:///x", False),
    ],
)
def test_only_allowed_hosts_are_asked(
    hosts: str, address: str, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECSCOPE_IMAGE_HOSTS", hosts)
    if fits:
        check_host(address)
    else:
        with pytest.raises(BadInput, match="RECSCOPE_IMAGE_HOSTS"):
            check_host(address)
