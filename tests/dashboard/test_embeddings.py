"""The map of items: where they lie, what is selected, what the browser gets, what the page says."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from starlette.applications import Starlette

from core import pipeline
from core.data import queries
from core.data.store import Workspace
from core.embed import Quality, components
from core.embed.diagnosis import SENTENCES
from core.errors import BadInput
from core.runs import artifact
from core.runs.request import RunRequest
from core.types import Progress
from dashboard import cache, served
from dashboard.background import Background
from dashboard.charts import theme
from dashboard.map import colouring as points
from dashboard.map import controls, layouts
from dashboard.map import item_map as maps
from dashboard.map import view as map_view
from dashboard.map.point_map import MapProps, legend
from dashboard.map.polygon import inside
from dashboard.text import text, texts
from tests.dashboard.conftest import Open

pytestmark = pytest.mark.slow  # together too many for `make quick`

ROOT = Path(served.__file__).parents[1]


@pytest.fixture
def mapped(shop: Workspace) -> maps.ItemMap:
    """The shop's 25 items as ALS sees them."""
    run = pipeline.train(shop, RunRequest("shop", "als", {"dim": 8, "sweeps": 3}, device="cpu"))
    return layouts.principal_axes(pipeline.load_run(shop, run), "", lambda step, share: None)


# ---- the bundle ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", served.MODULES)
def test_the_bundle_is_made_from_this_source(name: str) -> None:
    folder = served.MODULES[name].parent
    parts = {f"source/{path.name}": path for path in sorted((folder / "source").iterdir())}
    parts["bundle.mjs"] = Path(served.__file__).parent / "bundle.mjs"
    parts["package-lock.json"] = folder / "package-lock.json"
    digest = hashlib.sha256()
    for part, path in parts.items():
        digest.update(f"{part}\0".encode() + path.read_bytes() + b"\0")
    bundle = served.MODULES[name].read_text("utf-8")
    said = re.match(r"/\* made by bundle.mjs from source/; sha256 of it: (\w{64}) \*/", bundle)
    assert said, "the bundle does not say what it was made from"
    assert said[1] == digest.hexdigest(), "the source has changed: run `make bundles`"


@pytest.mark.parametrize("name", served.MODULES)
def test_every_package_in_the_bundle_has_its_notice(name: str) -> None:
    folder = served.MODULES[name].parent
    lock = json.loads((folder / "package-lock.json").read_text("utf-8"))
    notices = (folder / "licenses.txt").read_text("utf-8")
    for place, package in lock["packages"].items():
        if place and not package.get("dev"):
            assert f"{place.removeprefix('node_modules/')} {package['version']} (" in notices


# ---- what the browser fetches -------------------------------------------------------------------


def get(path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """What the routes answer to a GET."""
    route, _, query = path.partition("?")
    scope = {
        "type": "http", "method": "GET", "path": route, "raw_path": route.encode(),
        "query_string": query.encode(), "root_path": "", "scheme": "http", "http_version": "1.1",
        "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1),
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    app = Starlette(routes=served.ROUTES)
    with ThreadPoolExecutor(1) as thread:  # this one may have Playwright's loop in it
        thread.submit(lambda: asyncio.run(app(scope, receive, send))).result()
    answered = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
    return sent[0]["status"], answered, b"".join(part.get("body", b"") for part in sent[1:])


def test_bytes_are_served_as_they_are_and_only_once() -> None:
    content = np.arange(9, dtype="<f4").tobytes()
    address = served.publish(content)
    status, headers, body = get(address)
    assert (status, body) == (200, content)
    assert headers["content-type"] == "application/octet-stream"
    assert "immutable" in headers["cache-control"]
    again = get(address, if_none_match=headers["etag"])
    assert (again[0], again[2]) == (304, b"")
    assert get(address, if_none_match='"other"')[0] == 200
    assert served.published(address) == content


@pytest.mark.parametrize("name", served.MODULES)
def test_a_module_is_served_under_its_hash(name: str) -> None:
    status, headers, body = get(served.module(name))
    assert (status, body) == (200, served.MODULES[name].read_bytes())
    assert headers["content-type"].startswith("text/javascript")
    assert get(served.module(name), if_none_match=headers["etag"])[0] == 304
    assert get(f"/api/assets/{name}.0000.js")[0] == 404


@pytest.mark.parametrize("folder", ["map", "assets", "rows", "picture"])
@pytest.mark.parametrize(
    "name", ["../map.bundle.js", "..%2f..%2fapp.py", "%2fetc%2fpasswd", "map.css", "0" * 32]
)
def test_no_address_is_a_path(folder: str, name: str) -> None:
    status, _, body = get(f"/api/{folder}/{name}?rows=1")
    assert status == 404
    assert len(body) < 100


def test_rows_are_described_in_the_order_asked() -> None:
    names = ["a", "b", "c"]
    address = served.describe("letters", lambda rows: [{"name": names[row]} for row in rows])
    status, _, body = get(f"{address}?rows=2,0")
    assert (status, json.loads(body)) == (200, [{"name": "c"}, {"name": "a"}])
    assert get(f"{address}?rows=3")[0] == 404


@pytest.mark.parametrize("rows", ["", "-1", "x", "1,", "²", "1" * 5 + ",2" * 200])
def test_rows_that_are_none_are_refused(rows: str) -> None:
    address = served.describe("anything", lambda rows: [{} for _ in rows])
    assert get(f"{address}?rows={rows.replace('²', '%C2%B2')}")[0] == 400


def test_a_shelf_keeps_what_was_used_last() -> None:
    shelf = served.Shelf(most_bytes=10)
    shelf.put("a", 1, 4)
    shelf.put("b", 2, 4)
    assert shelf.get("a") == 1
    shelf.put("c", 3, 4)
    assert (shelf.get("a"), shelf.get("b"), shelf.get("c")) == (1, None, 3)
    shelf.put("huge", 4, 99)
    assert (shelf.get("a"), shelf.get("huge")) == (None, 4)


# ---- where things lie ---------------------------------------------------------------------------


def test_the_axes_are_those_of_a_singular_value_decomposition(mapped: maps.ItemMap) -> None:
    vectors = mapped.near.vectors.values.astype(np.float64)
    _, s, directions = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    expected = ((vectors - vectors.mean(axis=0)) @ directions[:2].T)[mapped.codes]
    for own, other in zip((mapped.x, mapped.y), expected.T, strict=True):
        assert abs(np.corrcoef(own, other)[0, 1]) == pytest.approx(1, abs=1e-5)
    assert mapped.share == pytest.approx((s[:2] ** 2).sum() / (s**2).sum(), rel=1e-5)
    assert (mapped.layout, mapped.groups) == ("axes", None)


def test_equal_vectors_still_have_a_map() -> None:
    assert np.isfinite(layouts.scaled(np.ones((5, 2), np.float32))).all()


@given(st.lists(st.tuples(*[st.floats(-1e6, 1e6)] * 2), min_size=1, max_size=30))
def test_every_point_is_within_the_frame_and_shapes_are_kept(places: Any) -> None:
    flat = np.array(places, np.float32)
    found = layouts.scaled(flat).astype(np.float64)
    assert (np.abs(found) <= [layouts.WIDE * 1.0001, layouts.HIGH * 1.0001]).all()
    spans, shown = np.ptp(flat.astype(np.float64), axis=0), np.ptp(found, axis=0)
    if spans.min() > 1:
        assert shown[0] / shown[1] == pytest.approx(spans[0] / spans[1], rel=1e-2)


def star(n: int) -> np.ndarray[Any, Any]:
    """A star of n rays around 0, its tips at 1 and its notches at 0.4."""
    turns = np.linspace(0, 2 * np.pi, 2 * n, endpoint=False)
    return np.stack([np.cos(turns), np.sin(turns)], 1) * np.tile([[1.0], [0.4]], (n, 1))


def test_inside_is_where_the_corners_go_all_the_way_round() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.uniform(-1.2, 1.2, (2, 4000)).astype(np.float32)
    corners = star(5)
    expected = []
    for px, py in zip(x.tolist(), y.tolist(), strict=True):  # the sum of the angles to the corners
        to = np.arctan2(corners[:, 1] - py, corners[:, 0] - px)
        steps = (np.diff([*to, to[0]]) + np.pi) % (2 * np.pi) - np.pi
        expected.append(round(steps.sum() / (2 * np.pi)) != 0)
    assert (inside(corners.tolist(), x, y) == expected).all()
    assert 0 < sum(expected) < 4000


@given(st.lists(st.tuples(*[st.integers(0, 6)] * 2), min_size=3, max_size=12))
def test_inside_is_the_even_odd_rule_edge_by_edge(corners: list[tuple[int, int]]) -> None:
    x, y = np.mgrid[0:7:0.5, 0:7:0.5].reshape(2, -1).astype(np.float32)  # also on corners and edges
    odd = np.zeros(len(x), bool)
    for i, (xi, yi) in enumerate(corners):
        xj, yj = corners[i - 1]
        if yi != yj:
            at = (xj - xi) * (y.astype(float) - yi) / (yj - yi) + xi
            odd ^= ((yi > y) != (yj > y)) & (x < at)
    assert (inside(corners, x, y) == odd).all()


@pytest.mark.parametrize(
    "polygon",
    [None, [], "abc", [[0, 0], [1, 1]], [[0, 0], [1, 1], [2]], [[0, 0, 0]] * 3,
     [[0, 0], [1, math.nan], [2, 2]], [[0, 0]] * 501, {"a": 1}, [["x", "y"]] * 3],
)  # fmt: skip
def test_what_is_no_polygon_is_refused(polygon: Any) -> None:
    with pytest.raises(BadInput):
        inside(polygon, np.zeros(3, np.float32), np.zeros(3, np.float32))


def test_the_map_of_a_run(mapped: maps.ItemMap) -> None:
    events = mapped.events
    assert (np.diff(events) <= 0).all()
    assert events.sum() == len(mapped.loaded.load_dataset().interactions)
    assert mapped.rows[mapped.codes].tolist() == list(range(25))
    ids = mapped.ids(np.arange(25))
    assert [mapped.row(str(ident)) for ident in ids] == list(range(25))
    assert mapped.row("nobody") == mapped.row(None) == -1


def test_the_buffer_is_what_the_browser_reads(mapped: maps.ItemMap) -> None:
    n = int(np.frombuffer(mapped.buffer, "<i4", 1)[0])
    x, y = np.frombuffer(mapped.buffer, "<f4", offset=4).reshape(2, n)
    assert np.array_equal(x, mapped.x)
    assert np.array_equal(y, mapped.y)


def test_a_map_too_small_to_be_believed_is_kept_as_that(tmp_path: Path) -> None:
    path, few = tmp_path / "maps" / "one.npz", Quality(None, None, 0, 1)
    layouts.StoredMap(np.zeros((1, 2), "f4"), np.zeros(1, int), ("all",), few).save(path)
    read = layouts.StoredMap.read(path, 1)
    assert read is not None
    assert read.quality == few


def test_the_map_of_neighbours_is_kept_on_disk_and_made_again_if_damaged(
    mapped: maps.ItemMap,
) -> None:
    steps: list[str] = []
    assert not layouts.has_neighbour_map(mapped)
    made = layouts.neighbour_map(mapped, lambda step, share: steps.append(step))
    assert list(dict.fromkeys(steps)) == ["map", "quality", "clusters"]
    assert layouts.has_neighbour_map(mapped)
    assert made.quality is not None
    assert made.groups is not None
    assert (made.layout, len(set(made.groups.names))) == ("neighbours", len(made.groups.names))
    assert made.identity != mapped.identity
    again = layouts.neighbour_map(mapped, lambda step, share: steps.clear())
    assert steps, "it was read, not made"
    assert np.array_equal(again.x, made.x)
    assert again.groups is not None
    assert again.groups.codes.tolist() == made.groups.codes.tolist()
    assert (again.groups.names, again.quality) == (made.groups.names, made.quality)
    (path,) = (mapped.loaded.run.folder / "maps").iterdir()
    whole = path.read_bytes()
    for damaged in (whole[:200], b"", b"nonsense", whole[:-40]):
        path.write_bytes(damaged)
        steps.clear()
        assert np.array_equal(
            layouts.neighbour_map(mapped, lambda *step: steps.append("")).x, made.x
        )
        assert steps


def test_items_have_their_names(mapped: maps.ItemMap) -> None:
    ids = mapped.ids(np.array([3, 0, 3]))
    known = queries.item_labels(mapped.loaded.load_dataset().info, ids)
    assert mapped.names([3, 0, 3]) == known.tolist()
    assert len(mapped.names(range(25))) == 25
    with pytest.raises(IndexError):
        mapped.names([25])


def test_something_in_the_background(mapped: maps.ItemMap) -> None:
    go = Event()

    def make(report: Progress) -> maps.ItemMap:
        report("map", 0.5)
        assert go.wait(20)
        return mapped

    making = Background(make)
    assert making.get() is None
    go.set()
    assert making.get(20) is mapped
    assert (making.step, making.share) == ("map", 0.5)


@pytest.mark.slow
def test_python_can_end_while_a_map_is_made() -> None:
    code = """
import numpy as np
from threading import Event
from types import SimpleNamespace
from core.embed import Map
from dashboard.background import Background
begun = Event()
def make(report):
    def on_stage(stage, share):
        report(stage, share)
        begun.set()
    return Map.fit(np.random.default_rng(0).normal(size=(3000, 8)), 2, on_stage=on_stage)
Background(make)
assert begun.wait(60)
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=120)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_what_went_wrong_in_the_background_is_told() -> None:
    def fail(report: Progress) -> maps.ItemMap:
        raise BadInput("no map")

    making = Background(fail)
    with pytest.raises(BadInput, match="no map"):
        making.get(20)


# ---- colours ------------------------------------------------------------------------------------


def test_categories_get_colours_by_how_common_they_are() -> None:
    names = [f"v{i}" for i in range(10)]
    rows = [[0]] * 20 + [[i] for i in range(1, 10) for _ in range(10 - i)] + [[0, 3], []]
    matrix = sparse.lil_matrix((len(rows), 10))
    for row, columns in enumerate(rows):
        matrix[row, columns] = 1
    found = points.by_category(matrix.tocsr(), names)
    assert found.names == tuple(names[:6])
    assert found.values[0] == 0
    assert found.values[-2] == 3  # the rarer of its two
    assert found.values[-1] == points.NOTHING
    assert found.values[-3] == points.OTHER
    assert sum(found.counts.values()) == len(rows)
    assert found.any_unknown


def test_groups_have_a_colour_each_which_may_come_again() -> None:
    found = points.by_group(np.array([0, 8, 8, 2]), [f"group {i}" for i in range(9)])
    assert found.counts == {0: 1, 2: 1, 8: 2}
    assert len(found.palette(True)) == 9
    assert found.palette(True)[8] == found.palette(True)[2]
    assert not found.any_unknown


def test_numbers_are_coloured_from_little_to_much() -> None:
    by_rank = points.by_number(np.array([5.0, 1e9, np.nan, 5, 7]))
    assert by_rank.values.tolist() == [0, 63, 64, 0, 32]  # half of those above the least
    assert (by_rank.low, by_rank.high) == (5, 1e9)
    by_log = points.by_number(np.array([0.0, 9, 99, 999]), log=True)
    assert by_log.values.tolist() == [0, 21, 42, 63]
    assert points.by_number(np.array([np.nan])).values.tolist() == [points.STEPS]
    assert points.sizes(np.array([999, 0])).tolist() == [15, 0]


@pytest.mark.parametrize("dark", [False, True])
def test_every_palette_has_a_colour_for_each_value(dark: bool) -> None:
    by_kind = points.by_category(sparse.csr_matrix((3, 2)), ["a", "b"])
    assert len(set(by_kind.palette(dark))) == points.NOTHING + 1
    by_count = points.by_number(np.arange(5.0))
    assert len(by_count.palette(dark)) == points.STEPS + 1
    assert by_count.palette(dark)[0] == theme.LITTLE_TO_MUCH[dark][0]
    assert by_count.palette(dark)[-2] == theme.LITTLE_TO_MUCH[dark][-1]


def test_a_selection_is_held_against_the_rest(mapped: maps.ItemMap) -> None:
    chosen = np.arange(25) < 4
    own, rest = cache.selection_numbers(mapped, np.packbits(chosen).tobytes())
    log = mapped.loaded.load_dataset().interactions
    mask = np.isin(log.items, mapped.codes[:4])
    for part, events in ((own, mask), (rest, ~mask)):
        assert part.events == events.sum()
        assert part.users == len(set(log.users[events].tolist()))
        counts = np.unique(log.items[events], return_counts=True)[1]
        assert (part.items, part.median_events) == (len(counts), np.median(counts))


# ---- the page -----------------------------------------------------------------------------------


def shown(placed: maps.ItemMap) -> tuple[MapProps, points.Colouring]:
    colouring = points.by_number(placed.events, log=True)
    address = served.publish(placed.buffer)
    values = served.publish(colouring.values.tobytes())
    return MapProps(
        points=address,
        values=values,
        sizes=None,
        cards="",
        title="",
        legend=legend(colouring),
        palette={},
    ), colouring


def test_what_the_browser_selected_is_found_again(mapped: maps.ItemMap) -> None:
    on_screen, colouring = shown(mapped)
    left, right = [[-9, -9], [0, -9], [0, 9], [-9, 9]], [[9, 9], [9.5, 9], [9, 9.5]]
    said = {"points": on_screen.points, "values": on_screen.values, "polygon": left, "hidden": []}
    found = map_view._chosen(mapped, said, on_screen, colouring)
    assert found is not None
    assert np.array_equal(found, mapped.x < 0)
    value = int(colouring.values[np.flatnonzero(found)[0]])
    fewer = map_view._chosen(mapped, {**said, "hidden": [value, "x"]}, on_screen, colouring)
    assert fewer is not None
    assert np.array_equal(fewer, found & (colouring.values != value))
    nothing = [None, {}, {**said, "points": "/api/map/other"}, {**said, "polygon": right}]
    assert [map_view._chosen(mapped, one, on_screen, colouring) for one in nothing] == [None] * 4


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Comedy, Drama", "Comedy, Drama"),
        ("like Heat", "similar to Heat"),
        ("Comedy, like Heat", "Comedy, similar to Heat"),
        ("Things I like best", "Things I like best"),
    ],
)
def test_a_group_like_an_item_is_said_in_the_page_s_language(
    name: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controls, "t", lambda key, item: f"similar to {item}")
    assert controls.group_label(name) == said


def test_every_finding_of_the_diagnosis_has_its_words() -> None:
    for key in SENTENCES:
        assert f"embeddings.sound.{key}" in texts("en")


def test_which_runs_have_vectors(mapped: maps.ItemMap) -> None:
    workspace = mapped.loaded.workspace
    for model, expected in (("ease", True), ("popularity", False), ("recent_popularity", False)):
        run = pipeline.train(workspace, RunRequest("shop", model, device="cpu"))
        assert maps.has_vectors(run, ()) is expected
        assert bool(components(pipeline.load_run(workspace, run).model)) is expected
    fused = {"components": "popularity,als"}
    fusion = pipeline.train(workspace, RunRequest("shop", "fusion", fused, device="cpu"))
    assert maps.has_vectors(fusion, artifact.list_runs(workspace))
    assert not maps.has_vectors(fusion, [fusion])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_shows_the_map_and_an_item(
    mapped: maps.ItemMap, open_page: Open, language: str
) -> None:
    workspace, item = mapped.loaded.workspace, str(mapped.ids(np.array([3]))[0])
    page = open_page(workspace, "embeddings", item=item, language=language)
    for _ in range(50):
        if (
            page.dataframe
            and text(language, "embeddings.colour.cluster") in page.dataframe[0].value
        ):
            break
        page.run()  # it was still being made
    assert not page.exception
    said = [element.value for element in page.header]
    assert text(language, "embeddings.twin") in said
    assert len(page.table) == 3
    assert list(page.dataframe[0].value["item_id"]) == mapped.ids(np.arange(25))
    near = pipeline.neighbours(mapped.loaded, item).vectors
    shown = page.table[0].value[text(language, "column.similarity")]
    assert list(shown) == [f"{one.cosine:.2f}" for one in near]
    assert text(language, "embeddings.colour.cluster") in page.dataframe[0].value


def test_one_person_s_way_is_what_they_took_and_would_get(mapped: maps.ItemMap) -> None:
    workspace, run = mapped.loaded.workspace, mapped.loaded.run
    user = str(mapped.loaded.load_dataset().users.ids[5])
    now = SimpleNamespace(workspace=workspace)
    way = map_view.person_overlay(now, run, mapped, user)  # type: ignore[arg-type]
    log = mapped.loaded.load_dataset().interactions
    taken = log.items[log.users == 5]
    assert mapped.codes[list(way.trail)].tolist() == taken.tolist()
    best = pipeline.recommend(workspace, run, users=[user], k=10)["item_id"]
    assert mapped.ids(np.array(way.marks)) == best.tolist()


def test_a_set_is_recommended_from_as_a_stranger_s_history(
    mapped: maps.ItemMap, tmp_path: Path
) -> None:
    chosen = np.zeros(25, bool)
    chosen[[2, 5, 9, 11]] = True
    found = cache.recommended_rows(mapped, np.packbits(chosen).tobytes(), 3, 6)
    ids = mapped.ids(np.array([9, 5, 2]))  # the most popular last, as the latest
    lines = [f"somebody,{ident},{day}" for day, ident in enumerate(ids, 1)]
    path = tmp_path / "set.csv"
    path.write_text("\n".join(["user_id,item_id,timestamp", *lines]))
    run = mapped.loaded.run
    best = pipeline.recommend(mapped.loaded.workspace, run, histories=path, k=6)["item_id"]
    assert mapped.ids(np.array(found)) == best.tolist()


def test_a_search_goes_to_the_best_match(mapped: maps.ItemMap, open_page: Open) -> None:
    page = open_page(mapped.loaded.workspace, "embeddings", dataset="shop")
    for _ in range(50):
        if page.text_input:
            break
        page.run()
    item = str(mapped.ids(np.array([7]))[0])
    page.text_input(key="map_search").set_value(item).run()
    assert page.query_params["item"] == item
    page.text_input(key="map_search").set_value("no such thing").run()
    assert not page.exception
    assert page.query_params["item"] == item
    sentence = text("en", "embeddings.search.nothing", text="no such thing")
    assert sentence in [element.value for element in page.caption]


def test_a_run_without_vectors_gives_way_to_one_that_has_them(
    mapped: maps.ItemMap, open_page: Open
) -> None:
    workspace = mapped.loaded.workspace
    plain = pipeline.train(workspace, RunRequest("shop", "popularity", device="cpu"))
    page = open_page(workspace, "embeddings", dataset="shop", run=plain.id)
    assert any(plain.id[:6] in element.value for element in page.info)
    artifact.delete_run(workspace, mapped.loaded.run.id)
    page = open_page(workspace, "embeddings", dataset="shop")
    assert text("en", "embeddings.empty.why") in page.info[0].value
