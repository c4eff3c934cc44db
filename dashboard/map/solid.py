"""The items in three axes, to be turned: drawn by plotly, clicked as the map is."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from dashboard import cache, state
from dashboard.components.page import figure
from dashboard.map import colouring as charts
from dashboard.map.colours import colour_label, colouring_of
from dashboard.map.controls import named
from dashboard.map.item_map import ItemMap
from dashboard.map.layouts import DRAWN
from dashboard.map.point_map import clicked, value_names
from dashboard.map.view import PersonOverlay
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


def draw_solid(
    item_map: ItemMap, by: str, row: int, *, sized: bool, name: str, person: PersonOverlay
) -> None:
    """Draws the DRAWN most popular items and what one person took; as map_view.draw."""
    points, n = cache.three_axes(item_map).points, len(item_map.codes)
    shown = min(n, DRAWN)
    colouring = named(colouring_of(item_map, by))
    own = colouring.sizes if colouring.sizes is not None else charts.sizes(item_map.events)
    ring = (points[row], item_map.names([row])[0]) if row >= 0 else None
    drawn = charts.scatter_3d(
        points[:shown],
        colouring.first(shown),
        item_map.names(np.arange(shown)),
        labels=[*value_names(colouring), *([""] * charts.STEPS)],
        sizes=own[:shown] if sized or own is colouring.sizes else None,
        axes=[t("embeddings.solid.axis", n=axis) for axis in (1, 2, 3)],
        unknown=t(f"map.{colouring.rest}"),
        ring=ring,
        trail=points[list(person.trail)],
        marks=points[list(person.marks)],
        dark=dark(),
    )
    alt = t("embeddings.solid.alt", run=name, n=shown, colour=colour_label(by))
    figure(drawn, alt=alt, key=CHART)
    _clicks()(data={"chart": CHART}, key=CLICKS, on_clicked_change=lambda: _clicked(item_map))
    if shown < n:
        st.caption(t("embeddings.solid.count", shown=shown, n=n))


def _clicked(item_map: ItemMap) -> None:
    row = clicked(CLICKS)
    if row is not None and 0 <= row < len(item_map.codes):
        state.put("item", str(item_map.ids(np.array([row]))[0]))


def _clicks() -> Any:
    """The component, declared on first use: a test without a server declares it again."""
    return st.components.v2.component("recscope.solid", html="<div hidden></div>", js=_JS)
