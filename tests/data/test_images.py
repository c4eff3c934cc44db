"""Images in folders, in columns and at addresses, the broken and the hostile ones too."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from core.data.dataset import load
from core.data.features import images
from core.data.features.images import Images, image_places
from core.errors import BadInput

RED, BLUE = (255, 0, 0), (0, 0, 255)


def draw(path: Path, color=RED, size=(8, 6), **options) -> Path:
    Image.new("RGB", size, color).save(path, **options)
    return path


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    monkeypatch.setenv("RECSCOPE_DATA_ROOT", str(folder))
    return folder


@pytest.fixture
def goods(make_dataset):
    """Three items, 1, 2 and 3, with this column of images."""

    def make(picture):
        events = pd.DataFrame({"user_id": [1, 1, 2], "item_id": [1, 2, 3]})
        items = pd.DataFrame({"item_id": [1, 2, 3], "picture": picture})
        return load(make_dataset(events, items=items))

    return make


def test_files_are_found_by_item_id(goods, root):
    for name in ("1.png", "1.jpg", "3.JPEG", "33.png", "2.txt"):
        (root / name).touch()
    found = image_places(str(root), goods(["a", "b", "c"]))
    assert found == [root / "1.jpg", None, root / "3.JPEG"]


def test_a_column_says_where_they_lie(goods):
    found = image_places("picture", goods([["x.png", "y.png"], [], [" http://h/z.png "]]))
    assert found == ["x.png", None, "http://h/z.png"]
    assert image_places("picture", goods([" x.png ", None, ""])) == ["x.png", None, None]


def test_a_column_goes_before_a_folder_of_its_name(goods, root, monkeypatch):
    (root / "picture").mkdir()
    monkeypatch.chdir(root)
    assert image_places("picture", goods(["x", None, None])) == ["x", None, None]


def test_no_image_at_all_is_said(goods, root):
    data = goods(["a", "b", "c"])
    with pytest.raises(BadInput, match=r"no item of made-up has an image in .* such as 1\.jpg"):
        image_places(str(root), data)
    with pytest.raises(BadInput, match="as a path or an address"):
        image_places("picture", goods([None, None, None]))
    with pytest.raises(BadInput, match="is not there any more"):
        image_places(str(root / "gone"), data)


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        *(("RGB", "a.jpg"), ("CMYK", "a.jpg"), ("L", "a.png"), ("LA", "a.png"), ("RGBA", "a.webp")),
        *(("P", "a.gif"), ("1", "a.png"), ("I;16", "a.png"), ("RGB", "a.bmp")),
    ],
)
def test_every_kind_of_image_comes_in_rgb(mode, name, tmp_path):
    Image.new("L", (5, 4), 255).convert(mode.split(";")[0]).convert(mode).save(tmp_path / name)
    reader = Images([tmp_path / name])
    (image,) = reader.read([0])
    assert not reader.faults
    assert (image.mode, image.size) == ("RGB", (5, 4))


def test_a_palette_with_a_transparent_colour_is_read(tmp_path):
    image = Image.new("P", (2, 2), 1)
    image.putpalette([0, 0, 0, *RED])
    image.save(tmp_path / "a.png", transparency=b"\x00\x80")
    (read,) = Images([tmp_path / "a.png"]).read([0])
    assert read.getpixel((0, 0)) == RED


def test_images_stand_upright_and_are_not_larger_than_needed(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    draw(tmp_path / "turned.jpg", exif=exif)
    draw(tmp_path / "large.png", size=(3000, 1500))
    draw(tmp_path / "large.jpg", size=(3000, 1500))
    found = Images([tmp_path / name for name in ("turned.jpg", "large.png", "large.jpg")])
    assert [image.size for image in found.read(range(3))] == [(6, 8), (1024, 512), (1024, 512)]


def test_a_broken_image_is_named_and_the_others_are_read(tmp_path, monkeypatch):
    good = draw(tmp_path / "good.png", BLUE)
    noise = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:900])
    (tmp_path / "words.jpg").write_text("no image")
    Image.new("RGB", (4, 4)).save(tmp_path / "other.tiff")  # a format with more to attack
    (tmp_path / "other.tiff").rename(tmp_path / "other.png")
    draw(tmp_path / "bomb.png", size=(99, 99))
    draw(tmp_path / "big.bmp", size=(70, 70))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5_000)
    monkeypatch.setattr(images, "MAX_BYTES", 14_000)
    names = ["cut.png", "words.jpg", "other.png", "bomb.png", "big.bmp", "gone.png"]
    found = Images([good, *(tmp_path / name for name in names), None])
    read = found.read(range(8))
    assert read[0].getpixel((0, 0)) == BLUE
    assert read[1:] == [None] * 7
    faults = {Path(place).name: why for place, why in found.faults.items()}
    assert sorted(faults) == sorted(names)
    assert "larger than" in faults["big.bmp"]
    assert "exceeds limit" in faults["bomb.png"]


def test_equal_files_have_equal_keys(tmp_path):
    one, two = draw(tmp_path / "1.png"), draw(tmp_path / "2.png")
    other = draw(tmp_path / "3.png", BLUE)
    keys = Images([one, two, other, None, tmp_path / "gone.png"]).keys()
    assert keys[0] == keys[1] != keys[2]
    assert keys[3:] == [None, None]


def test_a_table_and_a_link_lead_only_into_allowed_folders(root, tmp_path):
    draw(root / "in.png")
    outside = draw(tmp_path / "out.png")
    (root / "link.png").symlink_to(outside)
    (tmp_path / "back.png").symlink_to(root / "in.png")
    asked = ["in.png", str(root / "in.png"), tmp_path / "back.png", outside]
    refused = [str(outside), "../out.png", "link.png", root / "link.png", "/etc/hostname"]
    found = Images([*asked, *refused])
    assert [image is not None for image in found.read(range(9))] == [True] * 4 + [False] * 5
    assert sorted(found.faults) == sorted(map(str, refused))
    assert all("RECSCOPE_DATA_ROOT" in why for why in found.faults.values())


class Site(http.server.BaseHTTPRequestHandler):
    """/red.png is an image; /to/X leads to X; /slow drips; the rest is not there."""

    body = b""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path[3:].replace("/=", "http://"))
            self.end_headers()
            return
        self.send_response(200 if self.path in ("/red.png", "/slow") else 404)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *said: object) -> None:
        """Nothing."""


@pytest.fixture
def site(tmp_path, monkeypatch) -> Iterator[str]:
    """The address of a server of this machine with a red image on it."""
    monkeypatch.setattr(Site, "body", draw(tmp_path / "red.png").read_bytes())
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        server.asked = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("RECSCOPE_IMAGE_HOSTS", "images.example.org, 127.0.0.*")
        monkeypatch.setattr(Site, "server", server, raising=False)
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_images_are_fetched_from_allowed_hosts(site):
    found = Images([f"{site}/red.png", f"{site}/to/red.png", f"{site}/none.png"])
    red, led, none = found.read(range(3))
    assert red.getpixel((0, 0)) == led.getpixel((0, 0)) == RED
    assert none is None
    assert list(found.faults.values()) == ["the answer is 404"]
    assert len(set(found.keys())) == 3  # by address, without a request
    assert len(Site.server.asked) == 4


def test_no_other_host_is_asked(site, monkeypatch):
    port = site.rpartition(":")[2]
    elsewhere = [
        f"http://localhost:{port}/red.png",
        f"http://127.0.0.1@localhost:{port}/red.png",
        f"http://localhost:{port}\\@127.0.0.1/red.png",
        f"http://localhost:{port}#@127.0.0.1/red.png",
    ]
    found = Images(elsewhere)
    assert found.read(range(4)) == [None] * 4
    assert all("RECSCOPE_IMAGE_HOSTS" in why for why in found.faults.values())
    assert not Site.server.asked
    led = Images([f"{site}/to/=localhost:{port}/red.png", f"{site}/to/to/to/to/red.png"])
    assert led.read([0, 1]) == [None, None]
    assert "'localhost'" in led.faults[led.places[0]]
    assert "/red.png" not in Site.server.asked
    monkeypatch.delenv("RECSCOPE_IMAGE_HOSTS")
    assert Images([f"{site}/red.png"]).read([0]) == [None]
    assert "/red.png" not in Site.server.asked


def test_what_is_too_large_or_too_slow_is_given_up(site, monkeypatch):
    monkeypatch.setattr(images, "PATIENCE_S", -1.0)
    found = Images([f"{site}/slow"])
    assert found.read([0]) == [None]
    assert "not there after" in found.faults[f"{site}/slow"]
    monkeypatch.setattr(images, "PATIENCE_S", 30.0)
    monkeypatch.setattr(images, "MAX_BYTES", 10)
    assert found.read([0]) == [None]
    assert "larger than" in found.faults[f"{site}/slow"]


def test_images_come_in_the_order_asked_for(tmp_path):
    files = [draw(tmp_path / f"{n}.png", (n, 0, 0)) for n in range(20)]
    reds = [image.getpixel((0, 0))[0] for image in Images(files).read(range(19, -1, -1))]
    assert reds == list(range(19, -1, -1))
