"""The map of items as a person drives it: by mouse, by keys, in both languages and themes."""

from __future__ import annotations

import base64
import math
import struct
from typing import Any
from urllib.parse import parse_qs, urlparse

import numpy as np
import pandas as pd
import pytest

from core.runs.artifact import Run
from dashboard import served
from dashboard.map.point_map import TEXTS, MapProps
from dashboard.map.solid import _JS, CHART
from dashboard.text import text
from tests.browser.conftest import Visit, ready
from tests.browser.test_pages import KNOWN

AXES = "&layout=axes&colour=attribute:kind"  # it is there at once


def open_map(visit: Visit, run: Run, *, more: str = AXES, **person: str) -> Any:
    page = visit(f"/embeddings?dataset={run.config.dataset}&run={run.id}{more}", **person)
    drawn(page)
    return page


def drawn(page: Any) -> None:
    """Waits until the points are there and the page has answered."""
    page.wait_for_selector('.map[data-n]:not([data-n="0"])', state="attached")
    settled(page)


def settled(page: Any) -> None:
    page.wait_for_timeout(800)  # what was done goes to the server, and the page begins to run
    ready(page)


def data(page: Any, name: str) -> str:
    return str(page.locator(".map").get_attribute(f"data-{name}") or "")


def item(page: Any) -> str | None:
    return parse_qs(urlparse(page.url).query).get("item", [None])[0]


def tool(page: Any, name: str, locale: str = "en") -> Any:
    return page.locator(".map").get_by_label(text(locale, f"map.{name}"), exact=True)


def around(page: Any, radius: float = 0.3) -> None:
    """Draws around the middle of the map."""
    box = page.locator(".map .stage").bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    reach = radius * box["height"]
    for step in range(21):
        turn = step / 20 * 2 * math.pi
        page.mouse.move(middle[0] + reach * math.cos(turn), middle[1] + reach * math.sin(turn))
        if step == 0:
            page.mouse.down()
    page.mouse.up()


def recolour(page: Any, name: str) -> None:
    before = data(page, "values")
    page.locator("[class*=st-key-pick_colour] input").click()
    page.get_by_text(name, exact=True).last.click()
    page.wait_for_selector(f'.map:not([data-values="{before}"])', state="attached")
    settled(page)


def pixels(page: Any) -> str:
    """The points as they are drawn."""
    return str(page.locator(".map canvas.points").evaluate("(canvas) => canvas.toDataURL()"))


def test_a_map_from_colour_to_selection(visit: Visit, mapped: Run) -> None:
    page = open_map(visit, mapped)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlparse(request.url).path))
    stage = page.locator(".map .stage")
    n = int(data(page, "n"))
    legend = page.locator(".map .legend button")
    assert legend.count() == 4
    assert sum(int(count) for count in page.locator(".map .count").all_inner_texts()) == n

    # Moving and zooming ask the server for nothing but names.
    box = stage.bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 60, steps=3)
    page.mouse.up()
    page.mouse.wheel(0, -200)
    tool(page, "in").click()
    tool(page, "fit").click()
    page.wait_for_timeout(500)
    assert {path.split("/")[2] for path in asked} <= {"rows"}

    # A selection, found again by the server with the same points.
    tool(page, "lasso").click()
    around(page)
    selected = int(data(page, "selected"))
    assert 0 < selected < n
    page.get_by_role("heading", name=text("en", "embeddings.selection", n=selected)).wait_for()
    settled(page)
    with page.expect_download() as download:
        page.locator(".st-key-map_download_selection button").click()
    assert len(pd.read_csv(download.value.path())) == selected

    # One kind is hidden: what is selected next has none of it.
    hidden = legend.first.locator(".count").inner_text()
    legend.first.click()
    page.wait_for_selector('.map[data-hidden="0"]', state="attached")
    kind = str(legend.first.inner_text()).split("\n")[0].removesuffix(hidden).strip()
    tool(page, "box").click()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] - 2, steps=4)
    page.mouse.up()
    assert int(data(page, "selected")) == n - int(hidden)
    page.get_by_role(
        "heading", name=text("en", "embeddings.selection", n=n - int(hidden))
    ).wait_for()
    settled(page)
    with page.expect_download() as download:
        page.locator(".st-key-map_download_selection button").click()
    assert not pd.read_csv(download.value.path())["label"].str.startswith(kind).any()
    tool(page, "clear").click()
    settled(page)
    assert not page.get_by_role("heading", name="items selected").count()

    # Other colours: their bytes are fetched, the places are not.
    asked.clear()
    recolour(page, text("en", "embeddings.colour.popularity"))
    assert sum(path.startswith("/api/map/") for path in asked) == 1
    assert page.locator(".map .ramp").is_visible()
    assert data(page, "failed") == ""


def test_other_colours_look_as_if_they_were_the_first(visit: Visit, mapped: Run) -> None:
    wanted = pixels(open_map(visit, mapped, more="&layout=axes&colour=popularity"))
    page = open_map(visit, mapped)
    assert pixels(page) != wanted
    recolour(page, text("en", "embeddings.colour.popularity"))
    assert pixels(page) == wanted


def test_an_item_is_found_hovered_and_chosen(visit: Visit, mapped: Run) -> None:
    page = open_map(visit, mapped)
    search = page.get_by_label(text("en", "embeddings.search"), exact=True)
    search.fill("pot number 42")
    search.press("Enter")
    page.wait_for_url("**item=42*")
    settled(page)
    assert int(data(page, "ring")) >= 0
    heading = text("en", "embeddings.neighbours", item="pot number 42")
    page.get_by_role("heading", name=heading).wait_for()
    page.wait_for_timeout(700)  # the map flies there

    # It is in the middle now; the card says what it is, and a click chooses what is there.
    box = page.locator(".map .stage").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + 1)
    card = page.locator(".map .card")
    card.wait_for()
    assert "number" in card.inner_text()
    assert "kind: " in card.inner_text()
    name = card.locator("div").first.inner_text()
    page.mouse.down()
    page.mouse.up()
    page.get_by_role("heading", name=text("en", "embeddings.neighbours", item=name)).wait_for()
    settled(page)
    assert item(page) == name.split()[-1]

    # A link to it shows the same.
    ring = data(page, "ring")
    page.reload()
    drawn(page)
    assert data(page, "ring") == ring


def test_the_map_of_neighbours_comes_when_it_is_made(visit: Visit, mapped: Run) -> None:
    page = open_map(visit, mapped, more="&item=42")
    told = text("en", "embeddings.method.neighbours", trust=0.5, recall=0.5, k=15)[:16]
    page.get_by_text(told).wait_for(timeout=120_000)  # made meanwhile
    drawn(page)
    page.locator(".map .legend .title").get_by_text(
        text("en", "embeddings.colour.cluster")
    ).wait_for()
    n = int(data(page, "n"))
    assert sum(int(count) for count in page.locator(".map .count").all_inner_texts()) == n
    places, ring = data(page, "values"), data(page, "ring")
    layout = page.locator("[class*=st-key-pick_layout] input")
    layout.click()
    page.get_by_text(text("en", "embeddings.layout.axes"), exact=True).last.click()
    page.wait_for_selector(f'.map:not([data-values="{places}"])', state="attached")
    settled(page)
    assert data(page, "ring") == ring  # of another map, and still the same item


def test_a_call_that_a_later_one_overtook_does_not_end_the_map(visit: Visit) -> None:
    """As Streamlit does it when new data come early: both calls, then the end of the first."""
    n = 50
    steps = np.linspace(-1, 1, n, dtype=np.float32)
    first, second = (
        vars(
            MapProps(
                points=_bytes(struct.pack("<i", n) + steps.tobytes() + places.tobytes()),
                values=_bytes(bytes(n)),
                sizes=None,
                cards="",
                title="kind",
                legend={"kind": "category", "entries": [{"value": 0, "text": "tea", "n": str(n)}]},
                palette=dict.fromkeys(("light", "dark"), ("#0072b2", "#999999")),
            )
        )
        | {"texts": {name: text("en", f"map.{name}") for name in TEXTS}}
        for places in (steps, -steps)
    )
    page = visit("/")
    page.evaluate(
        """async ({ module, first, second }) => {
          const parentElement = document.querySelector("h1").parentElement;
          parentElement.innerHTML = "<h1>map</h1><div class=map style='width: 400px'></div>";
          const { default: show } = await import(module);
          const rest = { parentElement, setStateValue() {}, setTriggerValue() {} };
          const call = (data) => show({ data, ...rest });
          const stop = call(first);
          window.stop = call(second);
          stop();
        }""",
        {"module": served.module("map"), "first": first, "second": second},
    )
    drawn(page)
    assert page.locator(".map .count").all_inner_texts() == [str(n)]
    assert page.locator(".map canvas.points").count() == 1
    assert len(set(pixels(page))) > 1
    # It ends when it has left the page, and gives back what it drew with.
    given_back = page.evaluate(
        """() => {
          const programs = WebGLRenderingContext.prototype;
          const { deleteProgram } = programs;
          let count = 0;
          programs.deleteProgram = function (program) {
            count += 1;
            return deleteProgram.call(this, program);
          };
          window.stop();
          const before = count;
          document.querySelector(".map").remove();
          window.stop();
          return [before, count > 0];
        }"""
    )
    assert given_back == [0, True]


def _bytes(content: bytes) -> str:
    return f"data:application/octet-stream;base64,{base64.b64encode(content).decode()}"


def test_in_three_axes_a_click_chooses_and_turning_does_not(visit: Visit, mapped: Run) -> None:
    page = visit(f"/embeddings?dataset={mapped.config.dataset}&run={mapped.id}&layout=solid")
    page.wait_for_selector(".st-key-map_solid .js-plotly-plot canvas")
    settled(page)
    box = page.locator(".st-key-map_solid .js-plotly-plot").bounding_box()
    hover = page.locator(".st-key-map_solid .hovertext, .st-key-map_solid .hoverlayer text")

    def onto_a_point() -> str:
        """Moves the pointer until it is over an item; what is said of it."""
        for step in range(400):
            x = box["x"] + box["width"] * (0.35 + 0.3 * (step % 20) / 20)
            page.mouse.move(x, box["y"] + box["height"] * (0.35 + 0.3 * (step // 20) / 20))
            page.wait_for_timeout(60)  # the view looks for what is there once a frame
            if hover.count():
                return str(hover.first.text_content())
        raise AssertionError("there is no item in the middle of the view")

    # One more that listens, by two calls; what the first returned is called, as if overtaken.
    page.evaluate(
        """async ({ js, chart }) => {
          const parentElement = document.body.appendChild(document.createElement("div"));
          const address = URL.createObjectURL(new Blob([js], { type: "text/javascript" }));
          const { default: listen } = await import(address);
          window.heard = [];
          const setTriggerValue = (_, { row }) => window.heard.push(row);
          const call = () => listen({ data: { chart }, parentElement, setTriggerValue });
          const stop = call();
          call();
          stop();
        }""",
        {"js": _JS, "chart": CHART},
    )
    onto_a_point()
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.6, steps=4)
    page.mouse.up()
    settled(page)
    assert item(page) is None
    name = onto_a_point()
    page.mouse.down()
    page.wait_for_timeout(150)
    page.mouse.up()
    page.wait_for_url("**item=*")
    settled(page)
    chosen = item(page)
    assert f"number {chosen}" in name
    assert len(page.evaluate("window.heard")) == 1
    heading = text(
        "en", "embeddings.neighbours", item=name.partition("number")[0] + f"number {chosen}"
    )
    page.get_by_role("heading", name=heading).wait_for()


def test_one_person_s_way_is_drawn_over_the_map(visit: Visit, mapped: Run) -> None:
    page = open_map(visit, mapped)
    assert data(page, "marks") == "0"
    page.get_by_text(text("en", "embeddings.person"), exact=True).click()
    page.wait_for_selector('.map[data-marks="10"]', state="attached")
    settled(page)
    assert int(data(page, "trail")) > 5


def test_the_map_is_steered_by_keys(visit: Visit, mapped: Run) -> None:
    page = open_map(visit, mapped)
    page.locator(".map .stage").focus()
    for key in ("+", "+", "ArrowLeft", "ArrowUp", "-", "0", "Enter"):
        page.keyboard.press(key)
        page.wait_for_timeout(150)
    page.wait_for_url("**item=*")
    settled(page)
    assert int(data(page, "ring")) >= 0
    tool(page, "pan").focus()
    page.keyboard.press("ArrowRight")
    assert tool(page, "lasso").get_attribute("aria-checked") == "true"
    tool(page, "table").press("Enter")
    inside = "document.activeElement.closest('.st-key-map_twin') !== null"
    assert page.evaluate(inside)


def test_the_map_is_saved_as_a_picture(visit: Visit, mapped: Run) -> None:
    page = open_map(visit, mapped)
    box = page.locator(".map .stage").bounding_box()
    with page.expect_download() as download:
        tool(page, "picture").click()
    head = download.value.path().read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    wide, high = struct.unpack(">II", head[16:])
    assert abs(wide - 2 * box["width"]) <= 8
    assert high > 2 * box["height"]


@pytest.mark.parametrize(("locale", "scheme"), [("en-US", "light"), ("zh-CN", "dark")])
def test_the_map_is_accessible(visit: Visit, mapped: Run, locale: str, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = open_map(visit, mapped, more=f"{AXES}&item=42", locale=locale, scheme=scheme)
    assert tool(page, "lasso", locale[:2]).is_visible()
    page.wait_for_timeout(500)
    found = {
        rule["id"]: [node["html"][:200] for node in rule["nodes"][:3]]
        for rule in Axe().run(page).response["violations"]
        if rule["id"] not in KNOWN
    }
    assert not found
