"""Pictures come in once, small, into the dataset's own folder; pages read these alone."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from core.data.pictures import FILE, SIDE, pictures, pictures_mark
from core.data.store import DatasetInfo, Workspace
from core.errors import Corrupt


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Files named by item id: one large, one with a clear ground, one that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.new("RGB", (1200, 600), "#c04030").save(folder / "10.jpg")
    Image.new("RGBA", (30, 60), "#00800080").save(folder / "20.png")
    (folder / "30.jpg").write_text("<script>alert(1)</script>")
    Image.new("RGB", (10, 10)).save(folder / "nobody.jpg")
    return folder


def bring(recscope: Any, workspace: Workspace, where: object) -> tuple[int, Any, str]:
    code, out, err = recscope("pictures", "shop", where, "--data-dir", workspace.path, "--json")
    return code, out, err


def test_pictures_are_brought_and_found_by_id(shop: Workspace, photos: Path, recscope: Any) -> None:
    info = shop.dataset("shop")
    assert pictures(info, [10]) == {}
    assert pictures_mark(info) == ""
    code, said, err = bring(recscope, shop, photos)
    assert code == 0, err
    assert (said["dataset"], said["items"], said["unreadable"]) == (info.id, 2, 1)
    assert said["of"] == info.counts["items"]
    assert "30.jpg" in said["example"]
    found = pictures(info, [10, 20, 30, 40, "nobody"])
    assert set(found) == {"10", "20"}
    sizes = {item: Image.open(io.BytesIO(jpeg)).size for item, jpeg in found.items()}
    assert sizes == {"10": (SIDE, SIDE // 2), "20": (30, 60)}
    assert all(jpeg.startswith(b"\xff\xd8") for jpeg in found.values())
    info.verify()  # the version itself is as it was


def test_what_is_brought_again_takes_the_place(
    shop: Workspace, photos: Path, recscope: Any
) -> None:
    info = shop.dataset("shop")
    assert bring(recscope, shop, photos)[0] == 0
    before = pictures_mark(info)
    for path in photos.iterdir():
        path.unlink()
    Image.new("RGB", (50, 20), "blue").save(photos / "40.webp")
    assert bring(recscope, shop, photos)[0] == 0
    assert pictures_mark(info) != before
    assert set(pictures(info, [10, 20, 30, 40])) == {"40"}


def test_none_that_can_be_read_is_a_sentence_and_changes_nothing(
    shop: Workspace, photos: Path, recscope: Any, tmp_path: Path
) -> None:
    info = shop.dataset("shop")
    assert bring(recscope, shop, photos)[0] == 0
    before = pictures(info, [10, 20])
    for name in ("10.jpg", "20.png"):
        (photos / name).unlink()
    code, _, err = bring(recscope, shop, photos)
    assert code == 2
    assert "none of the 1 pictures can be read" in err
    (tmp_path / "empty").mkdir()
    code, _, err = bring(recscope, shop, tmp_path / "empty")
    assert (code, "named by an item id, such as" in err) == (2, True)
    assert pictures(info, [10, 20]) == before


def test_what_is_damaged_is_told(shop: Workspace, photos: Path, recscope: Any) -> None:
    info: DatasetInfo = shop.dataset("shop")
    assert bring(recscope, shop, photos)[0] == 0
    path = info.folder / FILE
    content = bytearray(path.read_bytes())
    middle = content.index(b"\xff\xd8\xff")
    content[middle + 200 : middle + 220] = b"\0" * 20
    path.write_bytes(content)
    with pytest.raises(Corrupt, match="is damaged: bring the pictures again"):
        pictures(info, [10, 20])
    path.write_bytes(content[:100])
    with pytest.raises(Corrupt, match="is damaged"):
        pictures(info, [10])
