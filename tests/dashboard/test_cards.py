"""Cards: an item's own picture where there is one, else a cover; served from here, as a picture."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from core import pipeline
from core.data.durable import sha256_file
from core.data.pictures import FILE, add_pictures
from core.data.store import Workspace
from core.runs.request import RunRequest
from dashboard import served
from dashboard.components.cards import item_cards
from dashboard.text import text
from tests.conftest import MakeDataset
from tests.dashboard.conftest import Open
from tests.dashboard.test_embeddings import get

HOSTILE = ["<script>", "javascript:alert(1)", "![x](http://far.example/x.png)", "*千与千寻* _x_"]


def test_a_picture_is_served_as_what_it_is_and_only_once() -> None:
    address = served.publish_picture(b"<svg/>", "image/svg+xml")
    status, headers, body = get(address)
    assert (status, body) == (200, b"<svg/>")
    assert headers["content-type"].startswith("image/svg+xml")
    assert headers["x-content-type-options"] == "nosniff"
    assert get(address, if_none_match=headers["etag"])[0] == 304
    for name in ("0" * 32, "..%2fapp.py"):
        assert get(f"/api/picture/{name}")[0] == 404


def test_an_item_has_its_own_picture_or_a_cover(shop: Workspace, tmp_path: Path) -> None:
    info = shop.dataset("shop")
    before = item_cards(info, [10, 20])
    assert get(before["10"].address)[1]["content-type"].startswith("image/svg")
    assert before["10"].address == item_cards(info, [10])["10"].address
    assert re.fullmatch(r"price [\d.]+", before["10"].about.plain)  # its kind is its title
    Image.new("RGB", (600, 300), "red").save(tmp_path / "10.png")
    add_pictures(shop, info, str(tmp_path))
    after = item_cards(info, [10, 20])
    assert after["20"] == before["20"]
    _, headers, body = get(after["10"].address)
    assert headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(body)).size == (240, 120)


def test_whatever_an_item_is_called_is_text(make_dataset: MakeDataset, shop: Workspace) -> None:
    events = pd.DataFrame({"user_id": [1, 2, 1, 2], "item_id": HOSTILE})
    items = pd.DataFrame(
        {"item_id": HOSTILE, "title": HOSTILE, "kind": [HOSTILE[0]] * 2 + HOSTILE[2:3] * 2}
    )
    cards = item_cards(make_dataset(events, items=items), HOSTILE)
    for name in HOSTILE:
        card = cards[name]
        assert card.title == name
        assert re.fullmatch(r"/api/picture/[0-9a-f]{32}", card.address)
        assert str(card.picture) == f"![]({card.address})"
        body = get(card.address)[2].decode()
        assert "script" not in body
        assert "far.example" not in body
        assert not re.search(r"(?<!\\)[<\[]", str(card.about).replace(":small[]", ""))


def test_both_pages_show_cards_and_say_when_pictures_are_damaged(
    open_page: Open, shop: Workspace, tmp_path: Path
) -> None:
    run = pipeline.train(shop, RunRequest("shop", "item_knn", device="cpu"))
    info = shop.dataset("shop")
    Image.new("RGB", (20, 30), "red").save(tmp_path / "20.png")
    add_pictures(shop, info, str(tmp_path))
    home = open_page(shop, run=run.id)
    assert all(re.match(r"!\[\]\(/api/picture/\w{32}\)\d+\\?\. ", o) for o in home.radio[0].options)
    assert all("price" in caption for caption in home.radio[0].proto.captions)
    shown = open_page(shop, "recommendations", runs=run.id)
    cells = shown.table[0].value[text("en", "explain.link")]
    assert all(
        re.match(r"!\[\]\(/api/picture/\w{32}\) \[.*\n:small\[:gray\[price", c) for c in cells
    )
    history = shown.dataframe[0].value
    assert all(address.startswith("/api/picture/") for address in history["picture"])
    assert all("price" in about for about in history["about"])
    digest = sha256_file(info.folder / FILE)
    (info.folder / FILE).write_bytes(b"PAR1")
    assert sha256_file(info.folder / FILE) != digest
    for view in ("home", "recommendations"):
        page = open_page(shop, view, run=run.id)
        assert any("bring the pictures again" in warning.value for warning in page.warning)
        assert not page.error


@pytest.mark.parametrize("language", ["en", "zh"])
def test_home_leads_to_the_map_and_shows_it_once_it_is_made(
    open_page: Open, shop: Workspace, language: str
) -> None:
    from dashboard.map.layouts import neighbour_map, principal_axes

    run = pipeline.train(shop, RunRequest("shop", "als", {"dim": 8, "sweeps": 2}, device="cpu"))
    make = text(language, "home.map.make")
    page = open_page(shop, run=run.id, language=language)
    assert make in [link.proto.label for link in page.get("page_link")]
    loaded = pipeline.load_run(shop, run)
    neighbour_map(principal_axes(loaded, "", lambda step, share: None), lambda step, share: None)
    page = open_page(shop, run=run.id, language=language)
    assert make not in [link.proto.label for link in page.get("page_link")]
    (shown,) = [m.value for m in page.markdown if "](embeddings?" in m.value]
    alt, address, link = re.fullmatch(r"\[!\[(.*)\]\((\S+)\)\]\((\S+)\)", shown).groups()  # type: ignore[union-attr]
    assert "25" in alt
    assert f"run={run.id}" in link
    status, headers, body = get(address)
    assert (status, headers["content-type"].split(";")[0]) == (200, "image/svg+xml")
    assert body.count(b"h0") == 25
    popular = pipeline.train(shop, RunRequest("shop", "popularity", device="cpu"))
    page = open_page(shop, run=popular.id, language=language)
    assert make not in [link.proto.label for link in page.get("page_link")]
