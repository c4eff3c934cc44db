"""The items in three axes, to be turned: drawn by plotly, clicked as the map is."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from dashboard import cache, state
from dashboard.components.page import figure
from dashboard.map import colouring as charts
from dashboard.map.axes import DRAWN
from dashboard.map.colours import colour_label, colouring_of
from dashboard.map.placement import PlacedItems
from dashboard.map.point_map import clicked, value_names
from dashboard.map.view import Way, named
from dashboard.state import dark, t

CHART, CLICKS = "map_solid", "map_solid_clicks"
# Streamlit tells of selections only, and plotly selects nothing in three axes and misses clicks
# while it draws slowly. This knows what the pointer is over when it goes down and up in one place.
# Streamlit calls what this returns also when a later call overtook: then the view is there still.
_JS = """
const live = new WeakMap(); // what ends it, for each mounted element
export default function ({ data, parentElement, setTriggerValue }) {
  if (live.has(parentElement)) return live.get(parentElement);
  let [plot, over, from] = [null, null, null];
  const hovers = ({ points }) => { over = points?.[0]?.customdata ?? null; };
  const leaves = () => { over = null; };
  const look = () => {
    const found = document.querySelector(`.st-key-${data.chart} .js-plotly-plot`);
    if (found === plot || !found?.on) return;
    plot = found;
    over = null;
    plot.on("plotly_hover", hovers);
    plot.on("plotly_unhover", leaves);
  };
  const down = ({ target, clientX, clientY }) => {
    from = plot?.contains(target) ? [clientX, clientY] : null;
  };
  const up = ({ clientX, clientY }) => {
    const still = from && Math.hypot(clientX - from[0], clientY - from[1]) < 4;
    from = null;
    if (still && over !== null) setTriggerValue("clicked", { row: Number(over) });
  };
  const watch = new MutationObserver(look);
  watch.observe(document.body, { childList: true, subtree: true });
  window.addEventListener("pointerdown", down, true);
  window.addEventListener("pointerup", up, true);
  look();
  const stop = () => {
    if (parentElement.isConnected || !live.delete(parentElement)) return;
    watch.disconnect();
    plot?.removeListener?.("plotly_hover", hovers);
    plot?.removeListener?.("plotly_unhover", leaves);
    window.removeEventListener("pointerdown", down, true);
    window.removeEventListener("pointerup", up, true);
  };
  live.set(parentElement, stop);
  return stop;
}
"""


def draw_solid(placed: PlacedItems, by: str, row: int, *, sized: bool, name: str, way: Way) -> None:
    """Draws the DRAWN most popular items and what one person took; as map_view.draw."""
    places, n = cache.solid(placed).places, len(placed.codes)
    shown = min(n, DRAWN)
    colouring = named(colouring_of(placed, by))
    own = colouring.sizes if colouring.sizes is not None else charts.sizes(placed.events)
    over = [one for one in (row, *way.trail, *way.marks) if one >= 0]
    called = dict(zip(over, placed.names(over), strict=True)) if over else {}
    drawn = charts.solid(
        places[:shown],
        colouring.first(shown),
        placed.names(np.arange(shown)),
        labels=[*value_names(colouring), *([""] * charts.STEPS)],
        sizes=own[:shown] if sized or own is colouring.sizes else None,
        axes=[t("embeddings.solid.axis", n=axis) for axis in (1, 2, 3)],
        unknown=t(f"map.{colouring.rest}"),
        ring=(places[row], called[row]) if row >= 0 else None,
        trail=places[list(way.trail)],
        marks=places[list(way.marks)],
        dark=dark(),
    )
    said = t("embeddings.solid.alt", run=name, n=shown, colour=colour_label(by))
    figure(drawn, alt=said, key=CHART)
    _clicks()(data={"chart": CHART}, key=CLICKS, on_clicked_change=lambda: _clicked(placed))
    if shown < n:
        st.caption(t("embeddings.solid.count", shown=shown, n=n))


def _clicked(placed: PlacedItems) -> None:
    row = clicked(CLICKS)
    if row is not None and 0 <= row < len(placed.codes):
        state.put("item", str(placed.ids(np.array([row]))[0]))


def _clicks() -> Any:
    """The component, declared on first use: a test without a server declares it again."""
    return st.components.v2.component("recscope.solid", html="<div hidden></div>", js=_JS)
