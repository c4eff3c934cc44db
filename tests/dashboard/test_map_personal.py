"""The map in colours of one person, and the box "like … less …": both say what core says."""

from __future__ import annotations

import json
from threading import Event
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from core import pipeline
from core.data.store import Workspace
from core.explain import Explanation, refine
from core.runs.request import RunRequest
from dashboard import cache
from dashboard.background import Background
from dashboard.charts import arithmetic
from dashboard.map import colouring as points
from dashboard.map import item_map as maps
from dashboard.map import layouts
from dashboard.map.arithmetic import ANSWERS, MOST
from dashboard.text import text
from tests.dashboard.conftest import Open

pytestmark = pytest.mark.slow  # together too many for `make quick`

USER = 5  # code of the one that is looked at


@pytest.fixture
def mapped(shop: Workspace) -> maps.ItemMap:
    """The shop's 25 items as ALS sees them."""
    run = pipeline.train(shop, RunRequest("shop", "als", {"dim": 4, "sweeps": 3}, device="cpu"))
    return layouts.principal_axes(
        pipeline.load_run(shop, run, device="cpu"), "", lambda step, share: None
    )


@pytest.fixture
def user(mapped: maps.ItemMap) -> str:
    return str(mapped.loaded.load_dataset().users.ids[USER])


def open_map(open_page: Open, placed: maps.ItemMap, label: str = "", **query: str) -> AppTest:
    """The page with its map, once the table below it has something in this column."""
    query = {"layout": "axes", **query}
    page = open_page(placed.loaded.workspace, "embeddings", **query)
    for _ in range(100):
        if page.dataframe and (not label or not page.dataframe[0].value[label].isna().all()):
            break
        page.run()  # it was still being made
    assert not page.exception
    return page


def numbers(page: AppTest, label: str) -> pd.Series:
    """That column by item id."""
    frame: pd.DataFrame = page.dataframe[0].value
    return frame.set_index(frame["item_id"].astype(str))[label].astype(float)


# ---- colours ------------------------------------------------------------------------------------


@given(st.lists(st.floats(-1e6, 1e6) | st.just(np.nan), min_size=1, max_size=40))
def test_shares_are_on_one_scale_to_both_sides(given: list[float]) -> None:
    found = points.by_share(np.array(given), rest="elsewhere")
    assert found.sizes is not None
    assert found.low == -found.high
    half = points.STEPS // 2
    for value, colour, size in zip(given, found.values.tolist(), found.sizes.tolist(), strict=True):
        if np.isnan(value):
            assert (colour, size) == (points.STEPS, 0)
        else:
            assert (colour < half) == (value < 0)
            step = half - 1 - colour if value < 0 else colour - half
            assert step == pytest.approx(abs(value) / (found.high or 1) * (half - 1), abs=0.51)
            assert points.LEAST <= size < points.SIZES
    assert found.any_unknown == np.isnan(given).any()
    for dark in (False, True):
        assert len(found.palette(dark)) == points.STEPS + 1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_score_of_each_item_is_the_model_s(
    mapped: maps.ItemMap, user: str, open_page: Open, language: str
) -> None:
    label = text(language, "embeddings.colour.score")
    page = open_map(open_page, mapped, label, colour="score", user=user, language=language)
    ready = mapped.loaded
    best = pipeline.recommend(ready.workspace, ready.run, users=[user], k=25)
    wanted = best.set_index(best["item_id"].astype(str))["score"]
    found = numbers(page, label)
    np.testing.assert_allclose(found[wanted.index], wanted, rtol=1e-5)
    taken = set(
        ready.items.ids[np.unique(ready.load_dataset().interactions.queries()[[USER]].items)]
    )
    assert set(found.index[found.isna()]) == set(map(str, taken))
    said = " ".join(element.value for element in page.caption)
    assert f"{user}" in said
    assert f" {len(taken)} " in said
    assert page.selectbox(key="pick_user").value == user


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("place", [None, 3, 11])  # ringed: none, on the list, on none
def test_shares_are_the_explanation_s(
    mapped: maps.ItemMap, user: str, open_page: Open, language: str, place: int | None
) -> None:
    ready = mapped.loaded
    query = pipeline.history_of(ready, user)
    order = pipeline.ranked_items(ready, query)
    item = int(order[place or 0])
    more = {"item": str(ready.items.ids[item])} if place else {}
    label = text(language, "embeddings.colour.shap")
    page = open_map(open_page, mapped, label, colour="shap", user=user, language=language, **more)
    wanted = np.full(25, np.nan)
    values = pipeline.explain_items(ready, query, np.array([item])).values[:, 0]
    for code in np.unique(query.items):
        wanted[code] = values[query.items == code].sum()
    found = numbers(page, label)[list(map(str, ready.items.ids))]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    (name,) = mapped.names([int(mapped.rows[item])])
    assert any(f"**{name}**" in element.value for element in page.markdown)


def test_the_map_is_there_while_the_model_is_asked(
    mapped: maps.ItemMap, user: str, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, ready = Event(), mapped.loaded
    waiting: dict[Any, Background[Explanation]] = {}

    def refining(
        workspace: Any, run: Any, query: Any, items: Any, against: Any
    ) -> Background[Explanation]:
        if items not in waiting:
            steps = refine(ready.model, query, np.array(items), n_items=25)
            waiting[items] = Background(
                lambda report: next(steps, None) if go.wait(60) else None,
                final=lambda found: found.exact,
            )
        return waiting[items]

    monkeypatch.setattr(cache, "refining", refining)
    label = text("en", "embeddings.colour.shap")
    page = open_page(mapped.loaded.workspace, "embeddings", layout="axes", colour="shap", user=user)
    for _ in range(100):
        if page.dataframe:
            break
        page.run()
    assert numbers(page, label).isna().all()
    (working,) = (one.label for one in page.status)
    assert working.startswith(text("en", "embeddings.shap.working", item="")[:20])
    go.set()
    for _ in range(100):
        page.run()
        if not page.status:
            break
    assert numbers(page, label).notna().any()
    assert not page.exception


@pytest.mark.parametrize("colour", cache.PERSONAL)
def test_the_same_in_three_axes(
    mapped: maps.ItemMap, user: str, open_page: Open, colour: str
) -> None:
    label = text("en", f"embeddings.colour.{colour}")
    solid = open_map(open_page, mapped, label, layout=maps.SOLID, colour=colour, user=user)
    flat = open_map(open_page, mapped, label, colour=colour, user=user)
    np.testing.assert_array_equal(numbers(solid, label), numbers(flat, label))
    assert "z" in solid.dataframe[0].value
    drawn = json.loads(solid.get("plotly_chart")[0].proto.spec)
    rest = text("en", {"score": "map.taken", "shap": "map.elsewhere"}[colour])
    assert rest in [trace.get("name") for trace in drawn["data"]]


def test_with_one_person_s_way_there_is_one_box_for_the_person(
    mapped: maps.ItemMap, user: str, open_page: Open
) -> None:
    label = text("en", "embeddings.colour.score")
    page = open_map(open_page, mapped, label, colour="score", user=user)
    page.toggle(key="map_person").set_value(True).run()
    assert not page.exception
    other = str(mapped.loaded.load_dataset().users.ids[USER + 1])
    page.selectbox(key="pick_user").set_value(other).run()
    assert page.query_params["user"] == other
    assert cache.score_colouring(mapped, other).numbers is not None


def test_a_person_who_took_everything_has_nothing_left(
    make_dataset: Any, tmp_path: Any, open_page: Open
) -> None:
    users, items = np.repeat(np.arange(6), 8), np.tile(np.arange(8), 6)
    kept = (users == 0) | ((users + items) % 3 > 0)
    events = pd.DataFrame({"user_id": users[kept], "item_id": items[kept]})
    info = make_dataset(events, id="6" * 12, name="all")
    workspace = Workspace.open(tmp_path / "all")
    info.folder.rename(workspace.datasets_folder / info.id)
    run = pipeline.train(
        workspace, RunRequest("all", "als", {"dim": 2}, split="none", device="cpu")
    )
    placed = layouts.principal_axes(pipeline.load_run(workspace, run), "", lambda step, share: None)
    sentence = text("en", "embeddings.score.nothing", user="0")
    for colour in cache.PERSONAL:
        page = open_map(open_page, placed, colour=colour, user="0")
        assert sentence in [element.value for element in page.caption]


# ---- like … less … ------------------------------------------------------------------------------


def ids_of(placed: maps.ItemMap, *rows: int) -> list[str]:
    return [str(ident) for ident in placed.ids(np.array(rows))]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_answers_and_their_parts_are_core_s(
    mapped: maps.ItemMap, open_page: Open, language: str
) -> None:
    a, b, c = ids_of(mapped, 1, 4, 7)
    page = open_map(open_page, mapped, like=f"{a},{b}", less=c, weight="0.8", language=language)
    wanted = pipeline.combined_neighbours(mapped.near, [a, b], [c], k=ANSWERS, weight=0.8)
    shown = page.table[0].value
    assert list(shown)[:3] == [
        text(language, f"column.{n}") for n in ("rank", "item", "similarity")
    ]
    assert list(shown.iloc[:, 2]) == [f"{one.cosine:.2f}" for one in wanted.vectors]
    for column, place in zip(shown.columns[3:], range(3), strict=True):
        assert column.startswith("−" if place == 2 else "\\+")
        parts = [one.parts[place].value for one in wanted.vectors]
        assert [float(said.replace("−", "-")) for said in shown[column]] == pytest.approx(
            parts, abs=0.0051
        )
    assert page.multiselect(key="map_like").value == [a, b]
    assert page.multiselect(key="map_less").value == [c]
    assert page.slider(key="map_weight").value == 0.8
    page.toggle(key="map_for_sum").set_value(True).run()
    chosen = np.zeros(25, bool)
    chosen[[mapped.row(str(one.item)) for one in wanted.vectors]] = True
    best = cache.recommended_rows(mapped, np.packbits(chosen).tobytes(), 50, 10)
    assert list(page.table[1].value.iloc[:, 1]) == mapped.names(best)


def test_the_boxes_write_the_url(mapped: maps.ItemMap, open_page: Open) -> None:
    page = open_map(open_page, mapped)
    a, b = ids_of(mapped, 2, 3)
    page.multiselect(key="map_less").set_value([b]).run()
    assert page.query_params["less"] == b
    assert text("en", "embeddings.sum.nothing") in [element.value for element in page.warning]
    page.multiselect(key="map_like").set_value([a]).run()
    assert (page.query_params["like"], len(page.table)) == (a, 1)
    page.slider(key="map_weight").set_value(1.2).run()
    assert page.query_params["weight"] == "1.2"
    page.multiselect(key="map_like").set_value([a, "no such thing"]).run()
    assert page.query_params["like"] == a
    sentence = text("en", "explain.what_if.unknown", value="no such thing")
    assert sentence in [element.value for element in page.warning]
    page.multiselect(key="map_like").set_value([]).run()
    assert "like" not in page.query_params
    assert not page.exception


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_has_no_answer_gets_one_sentence(
    mapped: maps.ItemMap, open_page: Open, language: str
) -> None:
    workspace, run = mapped.loaded.workspace, mapped.loaded.run
    model = cache.loaded(workspace, run).model
    state, (zero, one, twin) = model.state(), mapped.codes[[0, 1, 2]].tolist()
    state["items"] = state["items"].copy()
    state["items"][zero], state["items"][twin] = 0, state["items"][one]
    model.load(state)
    cache.principal_axes.clear()
    (nothing, a, same), name = ids_of(mapped, 0, 1, 2), mapped.names([0, 1, 2])
    many = ids_of(mapped, *range(3, 3 + MOST))
    for like, less, key, values in (
        ("", a, "nothing", {}),
        (f"{a},{same}", same, "both", {"item": name[2]}),
        (nothing, a, "zero", {"item": name[0]}),
        (a, ",".join(many), "many", {"most": MOST}),
        (a, same, "cancel", {}),
    ):
        query = {"like": like, "less": less, "weight": "1", "language": language}
        page = open_map(open_page, mapped, **{k: v for k, v in query.items() if v})
        said = [element.value for element in page.warning]
        assert said == [text(language, f"embeddings.sum.{key}", **values)]
        assert not page.table
    page = open_map(open_page, mapped, like=f"{a},nix", language=language)
    assert page.query_params["like"] == a
    assert any("nix" in element.value for element in page.warning)
    assert len(page.table) == 1


def test_the_chart_adds_up_to_the_cosines() -> None:
    values = np.array([[0.5, 0.2, -0.1], [0.3, -0.1, 0.0]])
    drawn = arithmetic.parts(
        ["a", "b<b>"], ["+ x", "+ y", "- z"], values, wanted=2, total="cosine", x="x", dark=True
    )
    *bars, total = drawn.data
    assert list(total.x) == pytest.approx(np.sum([bar.x for bar in bars], axis=0))
    assert [bar.marker.pattern.shape for bar in bars] == ["", "", "/"]
    assert drawn.layout.yaxis.ticktext == ("a", "b&lt;b&gt;")
