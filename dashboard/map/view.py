"""The map of items itself, and a second one beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import streamlit as st

from core.runs.artifact import Run
from core.types import PAD, Array
from dashboard import cache, served, state
from dashboard.charts import theme
from dashboard.components.context import Context
from dashboard.map.colouring import Colouring, sizes
from dashboard.map.colours import colour_label, colouring_of
from dashboard.map.controls import TWIN, group_label, named
from dashboard.map.item_map import Groups, ItemMap
from dashboard.map.pairs import Pair, carry_colours, to_first_map
from dashboard.map.point_map import (
    Card,
    LegendEntry,
    MapProps,
    Region,
    Selected,
    clicked,
    legend,
    point_map,
)
from dashboard.map.polygon import inside
from dashboard.state import t
from dashboard.text import plain, strong, text

MAP, MAP_BESIDE = "map_of_items", "map_beside_it"  # the keys of both maps
BESIDE_HIGH = 430  # pixels of either of two
STEPS, RECOMMENDED = 50, 10  # of one person


@dataclass(frozen=True)
class PersonOverlay:
    """What one person took, the oldest first, and what is recommended to them, the best first."""

    trail: tuple[int, ...] = ()  # rows
    marks: tuple[int, ...] = ()


def person_overlay(now: Context, run: Run, item_map: ItemMap, user: str) -> PersonOverlay:
    """The latest STEPS things that a person took, and the RECOMMENDED best for them."""
    taken = cache.history(item_map.loaded.load_dataset().info, user)["item_id"].head(STEPS)
    best = cache.recommendations(now.workspace, run, user, RECOMMENDED, True)["item_id"]
    trail = [item_map.row(str(item)) for item in taken][::-1]
    marks = [item_map.row(str(item)) for item in best]
    return PersonOverlay(*(tuple(row for row in rows if row >= 0) for rows in (trail, marks)))


def draw(
    item_map: ItemMap,
    by: str,
    row: int,
    *,
    sized: bool,
    name: str,
    person: PersonOverlay = PersonOverlay(),
    pair: Pair | None = None,
    titles: Sequence[str] = (),
) -> Array | None:
    """Draws the map; the mask (N,) of what is selected on it, or None.

    Args:
        item_map: Whose items.
        by: What they are coloured by.
        row: The row with a ring around it, -1 for none.
        sized: Whether popular items are larger.
        name: What the run is called.
        person: One person's, drawn over the map.
        pair: This map and a second one, to be drawn beside it and linked with it.
        titles: What both are called.
    """
    colouring = named(colouring_of(item_map, by))
    own = colouring.sizes if colouring.sizes is not None else sizes(item_map.events)
    values = served.publish(colouring.values.tobytes())
    shown = MapProps(
        points=served.publish(item_map.buffer),
        values=values,
        sizes=served.publish(own.tobytes()) if sized or own is colouring.sizes else None,
        cards=_cards(item_map, colouring.numbers, colour_label(by), values),
        title=plain(colour_label(by)),
        legend=legend(colouring),
        regions=_regions(item_map) if by == "cluster" else (),
        palette={"light": colouring.palette(False), "dark": colouring.palette(True)},
        trail=person.trail,
        marks=person.marks,
        ring=row,
        fly=st.session_state.setdefault("map_fly", "link" if state.get("item") else ""),
        twin=TWIN,
        alt=plain(
            t("embeddings.map.alt", run=name, n=len(item_map.codes), colour=colour_label(by))
        ),
    )
    columns = st.columns(1 if pair is None else 2)  # the first map stays where it is, and lives on
    for column, title in zip(columns, titles or ("",), strict=True):
        head = column.container()
        if title:
            head.markdown(strong(title))
    second = None
    if pair is not None:
        carry, only = carry_colours(colouring, pair)
        shown, second = _linked(shown, pair, carry, only, titles[1])
        with columns[1]:
            point_map(second, key=MAP_BESIDE, on_click=lambda: _clicked(pair.second, MAP_BESIDE))
    with columns[0]:
        selected = point_map(shown, key=MAP, on_click=lambda: _clicked(item_map, MAP))
    if colouring.kind == "category" and by.startswith("attribute:"):
        st.caption(t("embeddings.colour.several"))
    chosen = _chosen(item_map, selected, shown, colouring)
    if chosen is None and pair is not None and second is not None:
        other = _chosen(pair.second, selected, second, carry)
        chosen = None if other is None else to_first_map(pair, other)
    return chosen if chosen is not None and chosen.any() else None


def _linked(
    shown: MapProps, pair: Pair, colouring: Colouring, only: int, title: str
) -> tuple[MapProps, MapProps]:
    """The first map as one of two, and the second, in the same colours.

    Args:
        shown: The first by itself.
        pair: Both.
        colouring: The first one's colours, carried to the second.
        only: How many points only the second has.
        title: What the second is called.
    """
    item_map, meaning = pair.second, legend(colouring)
    own = colouring.sizes if colouring.sizes is not None else sizes(item_map.events)
    first = replace(shown, height=BESIDE_HIGH, link={"name": MAP})
    palette = dict(shown.palette)
    if only and meaning["kind"] == "category":
        palette = {mode: (*palette[mode], theme.faint(mode == "dark")) for mode in palette}
        lone = plain(t("embeddings.beside.only"))
        last = len(palette["light"]) - 1
        meaning["entries"].append(LegendEntry(value=last, text=lone, n=f"{only:,}"))
    groups = pair.first.groups
    if groups and shown.regions:
        groups = Groups(np.append(groups.codes, PAD)[pair.to_first], groups.names)
    rows = served.publish(pair.to_first.astype("<i4").tobytes())
    return first, replace(
        first,
        points=served.publish(item_map.buffer),
        values=served.publish(colouring.values.tobytes()),
        sizes=shown.sizes and served.publish(own.tobytes()),
        cards=_cards(item_map, None, "", ""),
        legend=meaning,
        regions=_regions(replace(item_map, groups=groups)) if shown.regions else (),
        palette=palette,
        trail=_across(pair, shown.trail),
        marks=_across(pair, shown.marks),
        ring=item_map.row(state.get("item")),
        alt=plain(t("embeddings.map.alt", run=title, n=len(item_map.codes), colour=shown.title)),
        link={"name": MAP, "rows": rows, "of": shown.points},
    )


def _across(pair: Pair, rows: Sequence[int]) -> tuple[int, ...]:
    return tuple(row for row in pair.to_second[list(rows)].tolist() if row != PAD)


def _regions(item_map: ItemMap) -> tuple[Region, ...]:
    """Each cluster's name, beginning on the item that lies most in its middle."""
    if item_map.groups is None:
        return ()
    regions = []
    for code, name in enumerate(item_map.groups.names):
        rows = np.flatnonzero(item_map.groups.codes == code)
        if not len(rows):  # of these the second of two maps has none
            continue
        x, y = item_map.x[rows], item_map.y[rows]
        middle = np.argmin(np.abs(x - np.median(x)) + np.abs(y - np.median(y)))
        text = ", ".join(group_label(name).split(", ")[:2])
        regions.append(Region(x=float(x[middle]), y=float(y[middle]), text=plain(text)))
    return tuple(regions)


def _clicked(item_map: ItemMap, key: str) -> None:
    row = clicked(key)
    if row is not None and 0 <= row < len(item_map.codes):
        state.put("item", str(item_map.ids(np.array([row]))[0]))


def _chosen(
    item_map: ItemMap, selected: Selected | None, shown: MapProps, colouring: Colouring
) -> Array | None:
    """What the polygon surrounds and was not hidden; None if nothing, or on another map."""
    if not selected or selected.get("points") != shown.points:
        return None
    chosen = inside(selected.get("polygon"), item_map.x, item_map.y)
    hidden = [value for value in selected.get("hidden") or [] if isinstance(value, int)]
    if hidden:
        content = served.published(str(selected.get("values")))
        values = colouring.values if content is None else np.frombuffer(content, np.uint8)
        chosen &= ~np.isin(values, hidden) if len(values) == len(chosen) else True
    return chosen if chosen.any() else None


def _cards(item_map: ItemMap, numbers: Array | None, title: str, values: str) -> str:
    """The address of what is written about single items, in the language of the page.

    Args:
        item_map: Whose.
        numbers: What they are coloured by, where that is a number; else None.
        title: What that is called.
        values: The address of the colours, which stands for the numbers.
    """
    language, events = state.language(), item_map.events

    def lines(row: int) -> list[str]:
        written = [plain(text(language, "map.events", n=int(events[row])))]
        if numbers is not None and np.isfinite(numbers[row]):
            value = f"{numbers[row]:,.4g}"
            written.insert(0, plain(text(language, "map.number", name=title, value=value)))
        return written

    def cards(rows: Sequence[int]) -> list[Card]:
        pairs = zip(item_map.names(rows), rows, strict=True)
        return [Card(name=plain(name), lines=lines(row)) for name, row in pairs]

    about = f"{item_map.identity} {language}"
    return served.describe(about if numbers is None else f"{about} {values} {title}", cards)
