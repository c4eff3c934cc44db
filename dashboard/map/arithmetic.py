"""Like these, less those: items named on both sides, what is nearest to them, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.embed.vector_arithmetic import WEIGHT
from core.errors import BadInput
from dashboard import cache, state
from dashboard.charts import arithmetic as charts
from dashboard.components.explain.words import listed
from dashboard.components.page import figure, section
from dashboard.components.people import escaped
from dashboard.map.items import recommended
from dashboard.map.placement import PlacedItems
from dashboard.state import dark, t

ANSWERS = 10
MOST = 8  # items named on both sides together: as many as there are colours
HEAVIEST = 2.0  # weight of what is wanted less
BESIDE = 3  # named items, of which table and chart have room beside each other
TERMS = 6  # told of what stands out


@dataclass(frozen=True, eq=False)
class Sum:
    """What the URL asks for, and the answer."""

    placed: PlacedItems
    like: tuple[str, ...]
    less: tuple[str, ...]
    weight: float
    found: dict[str, Any] | None  # see core.pipeline.toward
    wrong: str | None  # why there is no answer

    @property
    def marks(self) -> tuple[int, ...]:
        """The rows of the answers, the best first."""
        return tuple(
            self.placed.row(str(one["item"])) for one in (self.found or {}).get("vectors", ())
        )

    def show(self, *, marked: bool) -> None:
        """The boxes, and below them the answer.

        Args:
            marked: Whether the map has the answers' numbers.
        """
        section("embeddings.sum")
        st.caption(t("embeddings.sum.lead"))
        like, less, weight = st.columns([4, 4, 2], vertical_alignment="top")
        with like:
            _box(self.placed, "like", self.like)
        with less:
            _box(self.placed, "less", self.less)
        if self.less:
            with weight:
                _weight(self.weight)
        if self.wrong:
            st.warning(self.wrong, icon=":material/info:")
        if self.found:
            _answer(self.placed, self.found, self.marks, marked=marked)


def asked(placed: PlacedItems) -> Sum:
    """What the URL asks for; ids that the run does not know are taken out of it, and told."""
    sides = []
    for side in ("like", "less"):
        named = list(dict.fromkeys(state.many(side)))
        known = [ident for ident in named if placed.row(ident) >= 0]
        if unknown := [ident for ident in named if ident not in known]:
            said = t("embeddings.sum.unknown", items=listed([escaped(one) for one in unknown]))
            st.warning(said, icon=":material/link_off:")
            state.put_many(side, known)
        sides.append(tuple(known))
    like, less = sides
    weight, found, wrong = _weighed(), None, _wrong(placed, like, less)
    if like and not wrong:
        try:
            found = cache.combined_neighbours(placed, like, less, weight, ANSWERS)
        except BadInput:  # the rest has been looked at
            wrong = t("embeddings.sum.cancel")
    return Sum(placed, like, less, weight, found, wrong)


def _weighed() -> float:
    """The URL's weight if it is one, else the usual one."""
    try:
        weight = float(state.get("weight") or WEIGHT)
    except ValueError:
        return WEIGHT
    return weight if math.isfinite(weight) and 0 <= weight <= HEAVIEST else WEIGHT


def _wrong(placed: PlacedItems, like: Sequence[str], less: Sequence[str]) -> str | None:
    """Why there can be no answer to this, None if there can be one."""
    if not like and not less:
        return None
    if not like:
        return t("embeddings.sum.nothing")
    if len(like) + len(less) > MOST:
        return t("embeddings.sum.many", most=MOST)
    if both := [ident for ident in like if ident in less]:
        return t("embeddings.sum.both", item=_name(placed, both[0]))
    for ident in (*like, *less):
        if not placed.near.vectors.values[placed.codes[placed.row(ident)]].any():
            return t("embeddings.sum.zero", item=_name(placed, ident))
    return None


def _name(placed: PlacedItems, ident: str) -> str:
    return escaped(placed.names([placed.row(ident)])[0])


def _box(placed: PlacedItems, side: str, chosen: Sequence[str]) -> None:
    """A box of the most popular items, of which several can be taken, and any other be found."""
    info = placed.ready.load_dataset().info
    names = {
        ident: name for ident, name in cache.popular_items(info).items() if placed.row(ident) >= 0
    }
    names |= {one: placed.names([placed.row(one)])[0] for one in chosen}
    names = state.apart(names)
    key = f"map_{side}"
    st.session_state[key] = list(chosen)

    def changed() -> None:
        if st.session_state[key] == list(chosen):  # the browser echoes what it was told
            return
        texts = [text for text in st.session_state[key] or [] if isinstance(text, str)]
        found = {text: text if text in names else cache.find_item(info, text) for text in texts}
        lost = [text for text, ident in found.items() if placed.row(ident) < 0]
        if lost:
            st.session_state[f"{key}_lost"] = lost[0]
        kept = [ident for text, ident in found.items() if ident and text not in lost]
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
        st.warning(t("explain.what_if.unknown", value=escaped(lost)), icon=":material/search_off:")


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


def _answer(
    placed: PlacedItems, found: dict[str, Any], rows: Sequence[int], *, marked: bool
) -> None:
    like, less = found["like"], found["less"]
    answers = found["vectors"]
    if not answers:
        st.caption(t("embeddings.neighbours.none"))
        return
    values = np.array([[part["value"] for part in one["parts"]] for one in answers])
    named = [f"+ {one['label']}" for one in like] + [f"− {one['label']}" for one in less]
    alt = t("embeddings.sum.alt", n=len(answers), items=listed(named))
    beside = len(named) <= BESIDE
    table, chart = st.columns(2) if beside else (st.container(), st.container())
    with table:
        st.table(_table(answers, named, values), border="horizontal", hide_index=True, alt=alt)
    with chart:
        drawn = charts.parts(
            [f"{place}. {one['label']}" for place, one in enumerate(answers, 1)],
            named,
            values,
            wanted=len(like),
            total=t("column.similarity"),
            x=t("embeddings.sum.axis"),
            dark=dark(),
        )
        figure(drawn, alt=alt, key=f"map_sum_{state.mark([*map(str, rows), *named])}")
    st.caption(
        t("embeddings.sum.told") + (t("explain.space") + t("embeddings.sum.marked")) * marked
    )
    _stands_out(found)
    chosen = np.zeros(len(placed.codes), bool)
    chosen[list(rows)] = True
    recommended(placed, np.packbits(chosen).tobytes(), len(rows), key="map_for_sum")


def _table(answers: list[dict[str, Any]], named: Sequence[str], values: Any) -> pd.DataFrame:
    """No., item, cosine, and what each named item adds to it."""
    columns: dict[str, Any] = {
        t("column.rank"): range(1, len(answers) + 1),
        t("column.item"): [escaped(one["label"]) for one in answers],
        t("column.similarity"): [f"{one['cosine']:.2f}" for one in answers],
    }
    for place, name in enumerate(named):
        column = escaped(name)
        while column in columns:  # items of one name
            column += " "
        columns[column] = [f"{value:+.2f}".replace("-", "−") for value in values[:, place]]
    return pd.DataFrame(columns)


def _stands_out(found: dict[str, Any]) -> None:
    terms = [
        t(
            "embeddings.sum.term",
            name=escaped(term["name"]),
            n=term["inside"],
            lift=term["lift"],
        )
        for term in found["terms"][:TERMS]
    ]
    if terms:
        said = t("embeddings.sum.terms", k=found["profiled"], terms=listed(terms))
        st.markdown(said)
    else:
        st.caption(t("embeddings.sum.no_terms", k=found["profiled"]))
