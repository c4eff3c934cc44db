"""Like these, less those: items named on both sides, what is nearest to them, and why."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from core.embed.vector_arithmetic import WEIGHT
from core.errors import BadInput
from core.pipeline.vector_arithmetic import CombinedItems, CombinedNeighbour
from dashboard import cache, state
from dashboard.charts import arithmetic as charts
from dashboard.components.explain.words import listed
from dashboard.components.page import figure, listing, section
from dashboard.map.item_map import ItemMap
from dashboard.map.items import recommended
from dashboard.state import dark, t
from dashboard.text import Text, plain

ANSWERS = 10
MOST = 8  # items named on both sides together: as many as there are colours
HEAVIEST = 2.0  # weight of what is wanted less
BESIDE = 3  # named items, of which table and chart have room beside each other
TERMS = 6  # told of what stands out


@dataclass(frozen=True, eq=False)
class VectorSum:
    """The items on both sides, as the URL has them, and those nearest to what they add up to."""

    item_map: ItemMap
    like: tuple[str, ...]
    less: tuple[str, ...]
    weight: float
    answer: CombinedItems | None
    problem: Text | None  # why there is no answer

    @property
    def marks(self) -> tuple[int, ...]:
        """The rows of the answers, the best first."""
        nearest = self.answer.vectors if self.answer else ()
        return tuple(self.item_map.row(str(near.item)) for near in nearest)

    def show(self, *, marked: bool) -> None:
        """The boxes, and below them the answer.

        Args:
            marked: Whether the map has the answers' numbers.
        """
        section("embeddings.sum")
        st.caption(t("embeddings.sum.lead"))
        like, less, weight = st.columns([4, 4, 2], vertical_alignment="top")
        with like:
            _box(self.item_map, "like", self.like)
        with less:
            _box(self.item_map, "less", self.less)
        if self.less:
            with weight:
                _weight(self.weight)
        if self.problem:
            st.warning(self.problem, icon=":material/info:")
        if self.answer:
            _answer(self.item_map, self.answer, self.marks, marked=marked)


def vector_sum(item_map: ItemMap) -> VectorSum:
    """What the URL asks for; ids that the run does not know are taken out of it, and told."""
    sides = []
    for side in ("like", "less"):
        named = list(dict.fromkeys(state.many(side)))
        on_map = [ident for ident in named if item_map.row(ident) >= 0]
        if unknown := [ident for ident in named if ident not in on_map]:
            items = listed(unknown)
            st.warning(t("embeddings.sum.unknown", items=items), icon=":material/link_off:")
            state.put_many(side, on_map)
        sides.append(tuple(on_map))
    like, less = sides
    weight, answer, problem = _url_weight(), None, _problem(item_map, like, less)
    if like and not problem:
        try:
            answer = cache.combined_neighbours(item_map, like, less, weight, ANSWERS)
        except BadInput:  # the rest has been looked at
            problem = t("embeddings.sum.cancel")
    return VectorSum(item_map, like, less, weight, answer, problem)


def _url_weight() -> float:
    """The URL's weight if it is one, else the usual one."""
    asked = state.get("weight")
    if not asked:
        return WEIGHT
    with suppress(ValueError):
        if 0 <= float(asked) <= HEAVIEST:
            return float(asked)
    state.amiss("weight", asked)
    return WEIGHT


def _problem(item_map: ItemMap, like: Sequence[str], less: Sequence[str]) -> Text | None:
    """Why there can be no answer to this, None if there can be one."""
    if not like and not less:
        return None
    if not like:
        return t("embeddings.sum.nothing")
    if len(like) + len(less) > MOST:
        return t("embeddings.sum.many", most=MOST)
    if both := [ident for ident in like if ident in less]:
        return t("embeddings.sum.both", item=_name(item_map, both[0]))
    for ident in (*like, *less):
        if not item_map.near.vectors.values[item_map.codes[item_map.row(ident)]].any():
            return t("embeddings.sum.zero", item=_name(item_map, ident))
    return None


def _name(item_map: ItemMap, ident: str) -> str:
    return item_map.names([item_map.row(ident)])[0]


def _box(item_map: ItemMap, side: str, chosen: Sequence[str]) -> None:
    """A box of the most popular items, of which several can be taken, and any other be found."""
    info = item_map.loaded.load_dataset().info
    names = {
        ident: name for ident, name in cache.popular_items(info).items() if item_map.row(ident) >= 0
    }
    names |= {ident: item_map.names([item_map.row(ident)])[0] for ident in chosen}
    names = state.apart(names)
    key = f"map_{side}"
    st.session_state[key] = list(chosen)

    def changed() -> None:
        if st.session_state[key] == list(chosen):  # the browser echoes what it was told
            return
        texts = [text for text in st.session_state[key] or [] if isinstance(text, str)]
        ids = {text: text if text in names else cache.find_item(info, text) for text in texts}
        lost = [text for text, ident in ids.items() if item_map.row(ident) < 0]
        if lost:
            st.session_state[f"{key}_lost"] = lost[0]
        kept = [ident for text, ident in ids.items() if ident and text not in lost]
        state.put_many(side, dict.fromkeys(kept))

    st.multiselect(
        t(f"embeddings.sum.{side}"),
        list(names),
        format_func=lambda ident: names.get(ident, ident),
        key=key,
        placeholder=t("embeddings.search.hint"),
        help=t("embeddings.sum.help"),
        accept_new_options=True,
        filter_mode="contains",
        select_all=False,
        wrap=True,
        on_change=changed,
    )
    if lost := st.session_state.pop(f"{key}_lost", None):
        st.warning(t("explain.what_if.unknown", value=lost), icon=":material/search_off:")


def _weight(weight: float) -> None:
    key = "map_weight"
    st.session_state[key] = weight
    st.slider(
        t("embeddings.sum.weight"),
        0.0,
        HEAVIEST,
        step=0.1,
        key=key,
        help=t("embeddings.sum.weight.help"),
        on_change=lambda: state.put("weight", f"{st.session_state[key]:g}"),
    )


def _answer(item_map: ItemMap, answer: CombinedItems, rows: Sequence[int], *, marked: bool) -> None:
    nearest = answer.vectors
    if not nearest:
        st.caption(t("embeddings.neighbours.none"))
        return
    values = np.array([[added.value for added in near.parts] for near in nearest])
    named = [f"+ {item.label}" for item in answer.like]
    named += [f"− {item.label}" for item in answer.less]
    alt = t("embeddings.sum.alt", n=len(nearest), items=listed(named))
    beside = len(named) <= BESIDE
    table, chart = st.columns(2) if beside else (st.container(), st.container())
    with table:
        listing(_table(nearest, named, values), alt=alt)
    with chart:
        drawn = charts.parts(
            [f"{rank}. {near.label}" for rank, near in enumerate(nearest, 1)],
            named,
            values,
            wanted=len(answer.like),
            total=t("column.similarity"),
            x=t("embeddings.sum.axis"),
            dark=dark(),
        )
        figure(drawn, alt=alt, key=f"map_sum_{state.mark([*map(str, rows), *named])}")
    st.caption(
        t("embeddings.sum.told") + (t("explain.space") + t("embeddings.sum.marked")) * marked
    )
    _stands_out(answer)
    chosen = np.zeros(len(item_map.codes), bool)
    chosen[list(rows)] = True
    recommended(item_map, np.packbits(chosen).tobytes(), len(rows), key="map_for_sum")


def _table(
    nearest: Sequence[CombinedNeighbour], named: Sequence[str], values: Any
) -> dict[str, Any]:
    """No., item, cosine, and what each named item adds to it."""
    columns: dict[str, Any] = {
        t("column.rank"): range(1, len(nearest) + 1),
        t("column.item"): [near.label for near in nearest],
        t("column.similarity"): [f"{near.cosine:.2f}" for near in nearest],
    }
    for added, name in zip(values.T, named, strict=True):
        column = plain(name)
        while column in columns:  # items of one name
            column += "′"
        columns[column] = [f"{value:+.2f}".replace("-", "−") for value in added]
    return columns


def _stands_out(answer: CombinedItems) -> None:
    terms = [
        t("embeddings.sum.term", name=term.name, n=term.inside, lift=term.lift)
        for term in answer.terms[:TERMS]
    ]
    if terms:
        st.markdown(t("embeddings.sum.terms", k=answer.profiled, terms=listed(terms)))
    else:
        st.caption(t("embeddings.sum.no_terms", k=answer.profiled))
