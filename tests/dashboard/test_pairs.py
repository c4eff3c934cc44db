"""Two maps side by side: which rows belong together, how alike they are, what the page says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from core import pipeline
from core.data.store import Workspace
from core.runs import artifact
from core.runs.artifact import Run
from core.runs.request import RunRequest
from core.types import PAD
from dashboard import served
from dashboard.map import colouring as points
from dashboard.map import layouts, pairs
from dashboard.map import view as map_view
from dashboard.map.item_map import Groups, ItemMap
from dashboard.map.pairs import Pair
from dashboard.map.point_map import MapProps, legend
from dashboard.text import text
from tests.conftest import MakeDataset
from tests.dashboard.conftest import Open

pytestmark = pytest.mark.slow  # together too many for `make quick`

SMALL = {"dim": 8, "sweeps": 3}


def placed(workspace: Workspace, run: Run) -> ItemMap:
    return layouts.principal_axes(pipeline.load_run(workspace, run), "", lambda step, share: None)


@pytest.fixture
def two(shop: Workspace) -> tuple[ItemMap, ItemMap]:
    """The shop's 25 items as ALS and as EASE see them."""
    runs = [
        pipeline.train(shop, RunRequest("shop", model, params, device="cpu"))
        for model, params in (("als", SMALL), ("ease", {}))
    ]
    return placed(shop, runs[0]), placed(shop, runs[1])


def made(
    shop: Workspace, make_dataset: MakeDataset, name: str, ident: str, ids: list[Any], **meta: Any
) -> Run:
    """ALS on another log in the same workspace, of these items."""
    rng = np.random.default_rng(9)
    users = np.repeat(np.arange(30), 6)
    items = np.array(ids, object)[np.minimum(rng.geometric(0.15, len(users)), len(ids)) - 1]
    log = pd.DataFrame({"user_id": users.astype(str), "item_id": items})
    info = make_dataset(log.drop_duplicates(), id=ident * 12, name=name, **meta)
    info.folder.rename(shop.datasets_folder / info.id)
    return pipeline.train(shop, RunRequest(info.id, "als", SMALL, device="cpu"))


@pytest.fixture
def other_version(shop: Workspace, make_dataset: MakeDataset) -> Run:
    """Of a version that has some of the shop's items, in another order, and some of its own."""
    ids = [*range(240, 40, -20), 777, 888]
    return made(shop, make_dataset, "shop again", "6", ids, parent="5" * 12)


@pytest.fixture
def stranger(shop: Workspace, make_dataset: MakeDataset) -> Run:
    """Of a log that has none of the shop's items."""
    return made(shop, make_dataset, "elsewhere", "7", ["x", "y", "z", "w"])


def paired(first: ItemMap, second: ItemMap) -> Pair:
    pair = pairs.aligned_pair(first, second)
    assert pair is not None
    return pair


# ---- rows ---------------------------------------------------------------------------------------


def test_rows_of_two_runs_are_matched_by_the_items_ids(
    two: tuple[ItemMap, ItemMap], other_version: Run
) -> None:
    first = two[0]
    second = placed(first.loaded.workspace, other_version)
    pair = paired(first, second)
    ours, theirs = (one.ids(np.arange(len(one.codes))) for one in (first, second))
    assert ours != theirs
    wanted = {str(ident): row for row, ident in enumerate(ours)}
    assert pair.to_first.tolist() == [wanted.get(str(ident), PAD) for ident in theirs]
    assert sorted(set(map(str, theirs)) - set(wanted)) == ["777", "888"]
    for row, other in enumerate(pair.to_second.tolist()):
        assert other == PAD or pair.to_first[other] == row
    assert len(pair.shared) == 10 == (pair.to_second != PAD).sum()
    assert paired(first, two[1]).to_first.tolist() == list(range(25))


def test_maps_of_nothing_in_common_make_no_pair(
    two: tuple[ItemMap, ItemMap], stranger: Run
) -> None:
    assert pairs.aligned_pair(two[0], placed(two[0].loaded.workspace, stranger)) is None


def test_the_second_map_is_turned_onto_the_first_and_as_large(
    two: tuple[ItemMap, ItemMap], other_version: Run
) -> None:
    first = two[0]
    turned = replace(first, x=0.5 * first.y + 3, y=0.5 * first.x)  # a mirror, smaller, elsewhere
    pair = paired(first, turned)
    np.testing.assert_allclose(pair.second.x, first.x, atol=1e-5)
    np.testing.assert_allclose(pair.second.y, first.y, atol=1e-5)
    assert pair.gap < 1e-5
    for second in (two[1], placed(first.loaded.workspace, other_version)):
        pair = paired(first, second)
        assert 0.1 < pair.gap < 1
        rows = pair.shared
        own = np.stack([first.x, first.y])[:, rows]
        laid = np.stack([pair.second.x, pair.second.y])[:, pair.to_second[rows]]
        np.testing.assert_allclose(own.mean(axis=1), laid.mean(axis=1), atol=1e-5)
        assert laid.var(axis=1).sum() == pytest.approx(own.var(axis=1).sum(), rel=1e-4)
        shapes = [np.hypot(*(part - part[:, :1])) for part in (laid, _before(second, pair))]
        np.testing.assert_allclose(
            shapes[0] / shapes[0].max(), shapes[1] / shapes[1].max(), atol=1e-4
        )


def _before(second: ItemMap, pair: Pair) -> Any:
    return np.stack([second.x, second.y])[:, pair.to_second[pair.shared]]


# ---- what the second map shows ------------------------------------------------------------------


def test_the_second_map_has_the_first_one_s_colours_item_by_item(
    two: tuple[ItemMap, ItemMap], other_version: Run
) -> None:
    first = two[0]
    pair = paired(first, placed(first.loaded.workspace, other_version))
    groups = points.by_group(np.arange(25) % 3, ["a", "b", "c"])
    by_count = points.by_number(first.events, log=True)
    shares = points.by_share(
        np.where(np.arange(25) % 2, np.nan, 12.5 - np.arange(25)), rest="elsewhere"
    )
    for colouring, only in ((groups, 3), (by_count, points.STEPS), (shares, points.STEPS)):
        found, lone = pairs.carry_colours(colouring, pair)
        assert lone == 2
        for row, own in enumerate(pair.to_first.tolist()):
            assert found.values[row] == (only if own == PAD else colouring.values[own])
    found, _ = pairs.carry_colours(shares, pair)
    assert found.sizes is not None
    assert shares.sizes is not None
    assert found.sizes.dtype == np.uint8
    for row, own in enumerate(pair.to_first.tolist()):
        assert found.sizes[row] == (0 if own == PAD else shares.sizes[own])
    found, _ = pairs.carry_colours(groups, pair)
    assert sum(found.counts.values()) == 10
    assert set(found.counts) <= {0, 1, 2}


def shown(placed: ItemMap, colouring: points.Colouring, **more: Any) -> MapProps:
    return MapProps(
        points=served.publish(placed.buffer), values=served.publish(colouring.values.tobytes()),
        sizes=None, cards="", title="kind", legend=legend(colouring),
        palette={"light": colouring.palette(False), "dark": colouring.palette(True)}, **more,
    )  # fmt: skip


def test_what_the_browser_gets_of_both(
    two: tuple[ItemMap, ItemMap], other_version: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(map_view, "t", lambda key, **values: key)
    monkeypatch.setattr(map_view.state, "language", lambda: "en")
    colouring = points.by_group(np.arange(25) % 3, ["a", "b", "c"])
    first = replace(two[0], groups=Groups(np.arange(25) % 3, ("a", "b", "c")))
    pair = paired(first, placed(first.loaded.workspace, other_version))
    item = first.ids(pair.shared[:1])[0]
    monkeypatch.setattr(map_view.state, "get", lambda name: str(item))
    trail = (int(pair.shared[3]), int(np.flatnonzero(pair.to_second == PAD)[0]))
    alone = shown(first, colouring, trail=trail, regions=({"x": 0, "y": 0, "text": "a"},))
    carry, only = pairs.carry_colours(colouring, pair)
    one, other = map_view._linked(alone, pair, carry, only, "second")
    rows = np.frombuffer(served.published(other.link["rows"]) or b"", "<i4")  # type: ignore[index]
    assert rows.tolist() == pair.to_first.tolist()
    assert other.link == {"name": one.link["name"], "rows": other.link["rows"], "of": one.points}  # type: ignore[index]
    assert served.published(other.points) == pair.second.buffer
    assert served.published(other.values) == carry.values.tobytes()
    assert pair.second.ids(np.array([other.ring])) == [item]
    assert other.trail == (int(pair.to_second[pair.shared[3]]),)
    entries = other.legend["entries"]
    assert sum(int(entry["n"]) for entry in entries) == 12
    assert (entries[-1]["value"], entries[-1]["n"]) == (len(other.palette["dark"]) - 1, "2")
    assert len(one.palette["dark"]) == 3
    assert len(other.regions) == len({*carry.values.tolist()} - {3})

    # In shares of one item's score the points have their own sizes, on both maps.
    shares = points.by_share(
        np.where(np.arange(25) % 2, np.nan, 12.5 - np.arange(25)), rest="elsewhere"
    )
    carry, only = pairs.carry_colours(shares, pair)
    _, other = map_view._linked(
        replace(shown(first, shares), sizes="/"), pair, carry, only, "second"
    )
    assert carry.sizes is not None
    assert served.published(str(other.sizes)) == carry.sizes.tobytes()
    assert len(other.palette["dark"]) == points.STEPS + 1


def test_what_was_selected_on_the_second_map_is_so_on_the_first(
    two: tuple[ItemMap, ItemMap], other_version: Run
) -> None:
    pair = paired(two[0], placed(two[0].loaded.workspace, other_version))
    chosen = np.zeros(12, bool)
    own = np.flatnonzero(pair.to_first == PAD)
    chosen[[own[0], 0 if own[0] else 1]] = True
    found = pairs.to_first_map(pair, chosen)
    assert np.flatnonzero(found).tolist() == pair.to_first[chosen & (pair.to_first >= 0)].tolist()


# ---- how alike ----------------------------------------------------------------------------------


def nearest(vectors: Any, k: int) -> list[list[int]]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = vectors.astype(np.float64) / lengths
    return np.argsort(-(units @ units.T - 9 * np.eye(len(units))), axis=1)[:, :k].tolist()


def test_how_alike_two_spaces_are_is_counted(
    two: tuple[ItemMap, ItemMap], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs, "K", 5)
    first, second = two
    second.near.vectors.values[second.codes[7]] = 0  # nothing was learnt of it
    pair = paired(first, second)
    found = pairs.space_similarity(pair, lambda step, share: None)
    assert 7 not in found.rows
    assert found.whole
    lists = [nearest(one.near.vectors.values[one.codes[found.rows]], 5) for one in two]
    kept = np.array([len({*a} & {*b}) / 5 for a, b in zip(*lists, strict=True)])
    assert found.kept == pytest.approx(kept.mean())
    assert found.chance == pytest.approx(5 / (len(found.rows) - 1))
    rows, shares = found.changed(4, np.ones(25, bool))
    assert shares.tolist() == sorted(kept)[:4]
    wanted = sorted(zip(kept, found.rows.tolist(), strict=True))
    assert rows.tolist() == [row for _, row in wanted[:4]]
    few, _ = found.changed(4, first.events < 20)
    assert few.tolist() == [row for _, row in wanted if first.events[row] < 20][:4]
    assert pairs.space_similarity(paired(first, first), lambda *step: None).kept == 1

    chosen = np.zeros(25, bool)
    chosen[[*found.rows[:6], 7]] = True
    told = pairs.selection_moved(pair, found, chosen)
    assert told is not None
    assert (told.learnt, told.looked_at, told.kept) == (6, 6, pytest.approx(kept[:6].mean()))
    for share, near in zip(told.together, lists, strict=True):
        assert share == pytest.approx(chosen[found.rows[near[:6]]].mean())
    assert pairs.selection_moved(pair, found, np.arange(25) == 7) is None


def test_of_very_many_items_a_sample_is_looked_at(
    two: tuple[ItemMap, ItemMap], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = paired(*two)
    whole = pairs.space_similarity(pair, lambda *step: None)
    monkeypatch.setattr(pairs, "ALL_UP_TO", 10)
    monkeypatch.setattr(pairs, "SAMPLE", 8)
    some = pairs.space_similarity(pair, lambda *step: None)
    assert not some.whole
    assert len(some.looked_at) == 8
    by_row = dict(zip(whole.looked_at.tolist(), whole.near.kept.tolist(), strict=True))
    assert some.near.kept.tolist() == [by_row[row] for row in some.looked_at.tolist()]
    chosen = np.arange(25) < 9
    told, wanted = (pairs.selection_moved(pair, one, chosen) for one in (some, whole))
    assert told == wanted  # those of the selection are looked at, in the sample or not


# ---- the page -----------------------------------------------------------------------------------


def opened(open_page: Open, first: ItemMap, **query: str) -> Any:
    run = first.loaded.run
    asked = {"dataset": "shop", "run": run.id, "layout": "axes", **query}
    page = open_page(first.loaded.workspace, "embeddings", **asked)
    for _ in range(50):
        if page.text_input and not page.get("status"):
            return page
        page.run()  # something was still being made
    raise AssertionError("it is still being made")


def headings(page: Any) -> list[str]:
    return [element.value for element in page.header]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_second_run_is_chosen_and_stays_in_the_address(
    two: tuple[ItemMap, ItemMap], open_page: Open, language: str
) -> None:
    page = opened(open_page, two[0], language=language)
    assert text(language, "embeddings.alike") not in headings(page)
    page.toggle(key="map_beside").set_value(True).run()
    assert page.query_params["beside"] == two[1].loaded.run.id
    while page.get("status"):
        page.run()
    assert not page.exception
    assert text(language, "embeddings.alike") in headings(page)
    found = pairs.space_similarity(paired(*two), lambda *step: None)
    said = text(language, "embeddings.alike.told", kept=found.kept, chance=found.chance, k=15)
    assert said in [element.value for element in page.markdown]
    rows, kept = found.changed(10, two[0].events >= 10)
    (changed,) = [table.value for table in page.dataframe if "kept" in table.value]
    assert list(changed["label"]) == two[0].names(rows)
    assert list(changed["kept"]) == (100 * kept).tolist()
    page.toggle(key="map_beside").set_value(False).run()
    assert "beside" not in page.query_params
    assert text(language, "embeddings.alike") not in headings(page)


def pick(page: Any, name: str) -> Any:
    return next(box for box in page.selectbox if str(box.key).startswith(f"pick_{name}_"))


def test_the_other_kind_of_map_of_the_same_run(
    two: tuple[ItemMap, ItemMap], open_page: Open
) -> None:
    first = two[0]
    page = opened(open_page, first, beside=first.loaded.run.id)
    assert pick(page, "beside_layout").value == "neighbours"
    titles = [e.value for e in page.markdown if e.value.startswith("**ALS")]
    ends = [text("en", f"embeddings.layout.{name}") for name in ("axes", "neighbours")]
    assert len(titles) >= 2
    assert all(any(end.split("(")[0] in title for title in titles) for end in ends)
    said = [element.value for element in page.caption]
    assert any(one.startswith(text("en", "embeddings.alike.same")) for one in said)
    assert not [table for table in page.dataframe if "kept" in table.value]
    pick(page, "beside_layout").select("axes").run()
    assert page.query_params["beside_layout"] == "axes"
    assert text("en", "embeddings.beside.same") in [element.value for element in page.info]


def test_an_item_has_the_neighbours_of_both(two: tuple[ItemMap, ItemMap], open_page: Open) -> None:
    item = two[0].ids(np.array([4]))[0]
    page = opened(open_page, two[0], beside=two[1].loaded.run.id, item=str(item))
    assert len(page.table) == 4
    near = pipeline.neighbours(two[1].loaded, item).vectors
    shown = page.table[1].value[text("en", "column.similarity")]
    assert list(shown) == [f"{one.cosine:.2f}" for one in near]


def test_a_run_that_is_gone_or_has_no_vectors_is_told_and_let_go(
    two: tuple[ItemMap, ItemMap], open_page: Open
) -> None:
    first = two[0]
    plain = pipeline.train(first.loaded.workspace, RunRequest("shop", "popularity", device="cpu"))
    page = opened(open_page, first, beside="nonsense")
    assert any("nonsense" in element.value for element in page.warning)
    assert not page.toggle(key="map_beside").value
    page = opened(open_page, first, beside=plain.id)
    assert any(plain.id[:6] in element.value for element in page.info)
    assert "beside" not in page.query_params
    artifact.delete_run(first.loaded.workspace, two[1].loaded.run.id)
    page = opened(open_page, first, beside=two[1].loaded.run.id)
    assert any(two[1].loaded.run.id in element.value for element in page.warning)


def test_runs_of_other_data_are_compared_by_what_both_know(
    two: tuple[ItemMap, ItemMap], other_version: Run, stranger: Run, open_page: Open
) -> None:
    page = opened(open_page, two[0], beside=other_version.id)
    assert text("en", "embeddings.alike") in headings(page)
    page = opened(open_page, two[0], beside=stranger.id)
    said = text("en", "embeddings.beside.nothing_shared")
    assert said in [element.value for element in page.warning]
    assert text("en", "embeddings.alike") not in headings(page)
    assert page.toggle(key="map_beside").value
    offered = pick(page, "beside").options
    assert sum("shop again · " in option for option in offered) == 1  # a version of this data
    pick(page, "beside").select(two[1].loaded.run.id).run()
    assert page.query_params["beside"] == two[1].loaded.run.id


def test_a_space_that_the_second_run_does_not_have_is_one_sentence(
    two: tuple[ItemMap, ItemMap], open_page: Open
) -> None:
    page = opened(open_page, two[0], beside=two[1].loaded.run.id, beside_space="nowhere")
    assert any("nowhere" in element.value for element in [*page.error, *page.warning])
    assert text("en", "embeddings.twin") in headings(page)
