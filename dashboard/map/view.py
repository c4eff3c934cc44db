"""The map of items itself, and what is set above it: colour, search."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st

from core.runs.artifact import Run
from core.types import PAD, Array
from dashboard import cache, served, state
from dashboard.charts import theme
from dashboard.components.context import Context
from dashboard.components.labels import component_label, run_label, text_or
from dashboard.components.people import escaped
from dashboard.map import placement as maps
from dashboard.map.colouring import Colouring, sizes
from dashboard.map.colours import colour_label, colouring_of
from dashboard.map.pairs import Pair, back, carried
from dashboard.map.placement import Groups, PlacedItems, inside
from dashboard.map.point_map import Shown, clicked, legend, point_map
from dashboard.state import t
from dashboard.text import text

MAP, TWIN = "map_of_items", "map_twin"  # the keys of the map and of the table that says the same
MAP_BESIDE, BESIDE_HIGH = "map_beside_it", 430  # of the second map; pixels of either of two
STEPS, RECOMMENDED = 50, 10  # of one person
FOUND = 6  # matches of a search that are offered


def colour_box(placed: PlacedItems) -> str:
    """Chooses what the points are coloured by."""
    options = cache.colourings(placed)
    by = state.one_of("colour", options, options[0]) or options[0]
    state.pick("colour", options, colour_label, current=by, title=t("embeddings.colour"))
    return by


def space_box(
    placed: PlacedItems, named: Callable[[str], str], *, name: str = "space", title: str = ""
) -> None:
    """Chooses the space of the model's that is shown, where it has several."""
    from core.embed import components

    spaces, current = components(placed.ready.model), placed.near.vectors.component
    if len(spaces) > 1:
        state.pick(name, spaces, named, current=current, title=title or t("embeddings.space"))


def space_label(now: Context) -> Callable[[str], str]:
    """What the spaces of models are called."""
    runs = {one.id: run_label(one) for one in now.runs}

    def label(space: str) -> str:
        part, _, rest = space.partition(":")
        of = runs.get(part, component_label(part))
        if rest:
            return f"{of} · {text_or(f'embeddings.space.{rest}', rest)}"
        return of if part in runs else text_or(f"embeddings.space.{part}", of)

    return label


def layout_box(current: str, *, name: str = "layout", title: str = "") -> None:
    """Chooses the kind of map."""
    state.pick(
        name,
        maps.LAYOUTS if name != "layout" else (*maps.LAYOUTS, maps.SOLID),
        layout_label,
        current=current,
        title=title or t("embeddings.layout"),
    )


def layout_label(name: str) -> str:
    return t(f"embeddings.layout.{name}")


def group_label(name: str) -> str:
    """A cluster's name; one that is like an item is said so in the page's language."""
    head, like, item = name.rpartition("like ")
    if not like or (head and not head.endswith(", ")):
        return term_label(name)
    return term_label(head) + t("embeddings.like", item=item)


def term_label(name: str) -> str:
    """What stands out, with decades ("1990s") in the page's language."""
    return re.sub(r"\b(\d{3}0)s\b", lambda found: t("embeddings.decade", year=found[1]), name)


def search_box(placed: PlacedItems) -> str:
    """Finds an item by its name or id, and the map moves to it; what was asked."""
    return st.text_input(
        t("embeddings.search"),
        key="map_search",
        placeholder=t("embeddings.search.hint"),
        on_change=lambda: _go_to_best(placed),
    )


def matches(placed: PlacedItems, asked: str) -> None:
    """What else was found, to go there instead."""
    if not asked:
        return
    names = _matches(placed, asked)
    if not names:
        st.caption(t("embeddings.search.nothing", text=escaped(asked)))
    elif len(names) > 1:
        key = f"map_found_{state.mark(names)}"
        st.pills(
            t("embeddings.search.found"),
            list(names),
            format_func=lambda ident: escaped(names[ident]),
            key=key,
            label_visibility="collapsed",
            on_change=lambda: go_to(st.session_state[key]),
        )


def _matches(placed: PlacedItems, asked: str) -> dict[str, str]:
    found = cache.found_items(placed.ready.load_dataset().info, asked, FOUND)
    pairs = zip(found["item_id"].astype(str), found["label"].astype(str), strict=True)
    return {ident: name for ident, name in pairs if placed.row(ident) >= 0}


def _go_to_best(placed: PlacedItems) -> None:
    asked = st.session_state["map_search"]
    if asked:
        go_to(next(iter(_matches(placed, asked)), None))


def go_to(ident: str | None) -> None:
    """The maps move to this item, which gets a ring."""
    if ident is not None:
        state.put("item", ident)
        times = st.session_state.get("map_flights", 0) + 1
        st.session_state["map_flights"], st.session_state["map_fly"] = times, f"{ident} {times}"


def named(colouring: Colouring) -> Colouring:
    """With the names of clusters in the page's language."""
    if colouring.kind != "group":
        return colouring
    return replace(colouring, names=tuple(group_label(name) for name in colouring.names))


@dataclass(frozen=True)
class Way:
    """What one person took, the oldest first, and what is recommended to them, the best first."""

    trail: tuple[int, ...] = ()  # rows
    marks: tuple[int, ...] = ()


def way_of(now: Context, run: Run, placed: PlacedItems, user: str) -> Way:
    """The latest STEPS things that a person took, and the RECOMMENDED best for them."""
    taken = cache.history(placed.ready.load_dataset().info, user)["item_id"].head(STEPS)
    best = cache.recommendations(now.workspace, run, user, RECOMMENDED, True)["item_id"]
    trail = [placed.row(str(item)) for item in taken][::-1]
    marks = [placed.row(str(item)) for item in best]
    return Way(*(tuple(row for row in rows if row >= 0) for rows in (trail, marks)))


def draw(
    placed: PlacedItems,
    by: str,
    row: int,
    *,
    sized: bool,
    name: str,
    way: Way = Way(),
    pair: Pair | None = None,
    titles: Sequence[str] = (),
) -> Array | None:
    """Draws the map; the mask (N,) of what is selected on it, or None.

    Args:
        placed: Whose items.
        by: What they are coloured by.
        row: The row with a ring around it, -1 for none.
        sized: Whether popular items are larger.
        name: What the run is called.
        way: One person's, drawn over the map.
        pair: This map and a second one, to be drawn beside it and linked with it.
        titles: What both are called.
    """
    colouring = named(colouring_of(placed, by))
    own = colouring.sizes if colouring.sizes is not None else sizes(placed.events)
    values = served.publish(colouring.values.tobytes())
    shown = Shown(
        points=served.publish(placed.buffer),
        values=values,
        sizes=served.publish(own.tobytes()) if sized or own is colouring.sizes else None,
        cards=_cards(placed, colouring.numbers, colour_label(by), values),
        title=colour_label(by),
        legend=legend(colouring),
        regions=_regions(placed) if by == "cluster" else (),
        palette={"light": colouring.palette(False), "dark": colouring.palette(True)},
        trail=way.trail,
        marks=way.marks,
        ring=row,
        fly=st.session_state.setdefault("map_fly", "link" if state.get("item") else ""),
        twin=TWIN,
        alt=t("embeddings.map.alt", run=name, n=len(placed.codes), colour=colour_label(by)),
    )
    places = st.columns(1 if pair is None else 2)  # the first map stays where it is, and lives on
    for place, title in zip(places, titles or ("",), strict=True):
        head = place.container()
        if title:
            head.markdown(f"**{escaped(title)}**")
    second = None
    if pair is not None:
        carry, only = carried(colouring, pair)
        shown, second = _linked(shown, pair, carry, only, titles[1])
        with places[1]:
            point_map(second, key=MAP_BESIDE, on_click=lambda: _clicked(pair.second, MAP_BESIDE))
    with places[0]:
        selected = point_map(shown, key=MAP, on_click=lambda: _clicked(placed, MAP))
    if colouring.kind == "category" and by.startswith("attribute:"):
        st.caption(t("embeddings.colour.several"))
    found = _chosen(placed, selected, shown, colouring)
    if found is None and pair is not None and second is not None:
        other = _chosen(pair.second, selected, second, carry)
        found = None if other is None else back(pair, other)
    return found if found is not None and found.any() else None


def _linked(
    shown: Shown, pair: Pair, colouring: Colouring, only: int, title: str
) -> tuple[Shown, Shown]:
    """The first map as one of two, and the second, in the same colours.

    Args:
        shown: The first by itself.
        pair: Both.
        colouring: The first one's colours, carried to the second.
        only: How many points only the second has.
        title: What the second is called.
    """
    placed, codes = pair.second, legend(colouring)
    own = colouring.sizes if colouring.sizes is not None else sizes(placed.events)
    first = replace(shown, height=BESIDE_HIGH, link={"name": MAP})
    palette = dict(shown.palette)
    if only and not colouring.scaled:
        palette = {mode: (*palette[mode], theme.faint(mode == "dark")) for mode in palette}
        lone = {"text": t("embeddings.beside.only"), "n": f"{only:,}"}
        codes["entries"].append({"value": len(palette["light"]) - 1, **lone})
    groups = pair.first.groups
    if groups and shown.regions:
        groups = Groups(np.append(groups.codes, PAD)[pair.to_first], groups.names)
    rows = served.publish(pair.to_first.astype("<i4").tobytes())
    return first, replace(
        first,
        points=served.publish(placed.buffer),
        values=served.publish(colouring.values.tobytes()),
        sizes=shown.sizes and served.publish(own.tobytes()),
        cards=_cards(placed, None, "", ""),
        legend=codes,
        regions=_regions(replace(placed, groups=groups)) if shown.regions else (),
        palette=palette,
        trail=_across(pair, shown.trail),
        marks=_across(pair, shown.marks),
        ring=placed.row(state.get("item")),
        alt=t("embeddings.map.alt", run=title, n=len(placed.codes), colour=shown.title),
        link={"name": MAP, "rows": rows, "of": shown.points},
    )


def _across(pair: Pair, rows: Sequence[int]) -> tuple[int, ...]:
    return tuple(row for row in pair.to_second[list(rows)].tolist() if row != PAD)


def _regions(placed: PlacedItems) -> tuple[Mapping[str, Any], ...]:
    """Each cluster's name, beginning on the item that lies most in its middle."""
    if placed.groups is None:
        return ()
    found = []
    for code, name in enumerate(placed.groups.names):
        rows = np.flatnonzero(placed.groups.codes == code)
        if not len(rows):  # of these the second of two maps has none
            continue
        x, y = placed.x[rows], placed.y[rows]
        middle = np.argmin(np.abs(x - np.median(x)) + np.abs(y - np.median(y)))
        place = {"x": float(x[middle]), "y": float(y[middle])}
        found.append({**place, "text": ", ".join(group_label(name).split(", ")[:2])})
    return tuple(found)


def _clicked(placed: PlacedItems, key: str) -> None:
    row = clicked(key)
    if row is not None and 0 <= row < len(placed.codes):
        state.put("item", str(placed.ids(np.array([row]))[0]))


def _chosen(
    placed: PlacedItems, selected: Mapping[str, Any] | None, shown: Shown, colouring: Colouring
) -> Array | None:
    """What the polygon surrounds and was not hidden; None if nothing, or on another map."""
    if not selected or selected.get("points") != shown.points:
        return None
    found = inside(selected.get("polygon"), placed.x, placed.y)
    hidden = [value for value in selected.get("hidden") or [] if isinstance(value, int)]
    if hidden:
        content = served.held(str(selected.get("values")))
        values = colouring.values if content is None else np.frombuffer(content, np.uint8)
        found &= ~np.isin(values, hidden) if len(values) == len(found) else True
    return found if found.any() else None


def _cards(placed: PlacedItems, numbers: Array | None, title: str, values: str) -> str:
    """The address of what is written about single items, in the language of the page.

    Args:
        placed: Whose.
        numbers: What they are coloured by, where that is a number; else None.
        title: What that is called.
        values: The address of the colours, which stands for the numbers.
    """
    language, events = state.language(), placed.events

    def lines(row: int) -> list[str]:
        found = [text(language, "map.events", n=int(events[row]))]
        if numbers is not None and np.isfinite(numbers[row]):
            said = f"{numbers[row]:,.4g}"
            found.insert(0, text(language, "map.number", name=title, value=said))
        return found

    def cards(rows: Sequence[int]) -> list[Mapping[str, Any]]:
        pairs = zip(placed.names(rows), rows, strict=True)
        return [{"name": name, "lines": lines(row)} for name, row in pairs]

    about = f"{placed.identity} {language}"
    return served.describe(about if numbers is None else f"{about} {values} {title}", cards)
