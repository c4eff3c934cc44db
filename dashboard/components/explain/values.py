"""What each event, and each component of a fusion, adds to the score: for an analyst."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from core.explain import Explanation
from core.types import Array, Ints
from dashboard.charts import explain as charts
from dashboard.components.explain.case import Case
from dashboard.components.explain.words import digits, figures, listed
from dashboard.components.page import figure, table
from dashboard.state import dark, t

STRONGEST = 10  # events with a bar of their own


@dataclass(frozen=True, eq=False)
class Values:
    """What adds up: of the whole score, or of one component's part of it."""

    base: float
    each: Array  # (n,) of the players
    se: Array  # (n,)
    players: Ints  # (E,) the player that each event is

    @classmethod
    def of(cls, found: Explanation, place: int, component: int | None = None) -> Values:
        if component is None:
            own = found.values[:, place], found.se[:, place]
            return cls(float(found.base[place]), *own, found.players)
        each = found.by_component[:, place, component]
        se = np.zeros(len(each)) if found.exact else np.full(len(each), np.nan)
        return cls(float(found.base_by_component[place, component]), each, se, found.players)

    @property
    def score(self) -> float:
        return self.base + float(self.each.sum())


class Waterfall:
    """The bars from the base to the score, in a place that is filled again as they get better."""

    def __init__(self, case: Case, component: int | None = None) -> None:
        self.case, self.component = case, component
        self._place, self._drawn = st.empty(), -1
        with self._place.container():
            st.skeleton(height=420)

    def draw(self, found: Explanation) -> None:
        """Once more, if it says something new."""
        if found.evaluations == self._drawn:
            return
        self._drawn = found.evaluations
        values = Values.of(found, self.case.place, self.component)
        frame = strongest(self.case, values)
        key = f"waterfall_{self.case.item}_{self.component}_{found.evaluations}"
        with self._place.container():
            drawn = charts.waterfall(
                frame,
                base=values.base,
                names=[t("explain.base"), t("explain.score")],
                ends=totals(values),
                x=t("explain.score.axis"),
                dark=dark(),
            )
            figure(drawn, alt=_alt(self.case, frame, values), key=key)


def strongest(case: Case, values: Values, *, base: str | None = None) -> pd.DataFrame:
    """label, value, se, text: the base if it has a name, the strongest events, all the others."""
    order = np.argsort(-np.abs(values.each), kind="stable")
    least = 1e-9 * max(1.0, abs(values.score))
    n = min(STRONGEST, int((np.abs(values.each) > least).sum()))
    shown, rest = order[:n], order[n:]
    frame = pd.DataFrame(
        {
            "label": player_labels(case, values.players, shown),
            "value": values.each[shown],
            "se": values.se[shown],
        }
    )
    if len(rest):
        others = {
            "label": t("explain.others" if n else "explain.others.all", n=len(rest)),
            "value": values.each[rest].sum(),
            "se": np.sqrt((values.se[rest] ** 2).sum()),
        }
        frame = pd.concat([frame, pd.DataFrame([others])], ignore_index=True)
    if base is not None and abs(values.base) > 1e-3 * np.abs(values.each).max(initial=0):
        first = pd.DataFrame([{"label": base, "value": values.base, "se": 0.0}])
        frame = pd.concat([first, frame], ignore_index=True)
    frame["text"] = figures(frame["value"])
    return frame


def player_labels(case: Case, players: Ints, some: Array) -> list[str]:
    """What these players are called; an item that comes several times also by day or number."""
    items = case.query.items
    times = np.bincount(items, minlength=1)
    found = []
    for player in some:
        events = np.flatnonzero(players == player)
        if len(events) > 1:
            found.append(t("explain.oldest", n=len(events)))
            continue
        event = int(events[0])
        name = case.name(int(items[event]))
        if times[items[event]] > 1:
            name = f"{charts.shortened(name)} · {case.when(event) or f'#{event + 1}'}"
        found.append(name)
    return found


def totals(values: Values) -> list[str]:
    """Base and score as text, with as many digits as the values of the events have."""
    n = digits(values.each)
    return [f"{values.base:,.{n}f}", f"{values.score:,.{n}f}"]


def _alt(case: Case, frame: pd.DataFrame, values: Values) -> str:
    some = [f"{row.label} {row.text}" for row in frame.head(3).itertuples(index=False)]
    base, score = totals(values)
    return t(
        "explain.waterfall.alt",
        item=case.name(case.item),
        base=base,
        score=score,
        events=listed(some),
    )


def event_table(case: Case, found: Explanation) -> None:
    """Every event with its value: the waterfall's twin, the latest first."""
    frame = event_frame(case, found).iloc[::-1]
    number = {
        name: st.column_config.NumberColumn(t(f"column.{name}"), format="%.6g")
        for name in ("effect", "se", "value")
        if name in frame
    }
    alt = t("explain.events.alt", n=len(frame), item=case.name(case.item))
    table(
        frame.drop(columns="item_id"),
        alt=alt,
        key=f"events_{case.item}_{found.evaluations}",
        columns=number,
    )


def event_frame(case: Case, found: Explanation) -> pd.DataFrame:
    """number, timestamp, item_id, label, value, effect, se, sure: a row per player, oldest first.

    The oldest of very many events are one row together: number "1–241", no item.
    """
    query, place = case.query, case.place
    n = len(found.values)
    first = np.searchsorted(found.players, np.arange(n))
    sizes = np.bincount(found.players, minlength=n)
    alone = sizes == 1
    ends = [
        f"{a + 1}" if one else f"{a + 1}–{a + size}"
        for a, size, one in zip(first, sizes, alone, strict=True)
    ]
    columns: dict[str, object] = {"number": ends}
    if query.times is not None:
        columns["timestamp"] = [case.when(event) or str(query.times[event]) for event in first]
    ids = case.vocab.decode(query.items[first]).astype(object)
    columns["item_id"] = [key if one else None for key, one in zip(ids, alone, strict=True)]
    labels = player_labels(case, found.players, np.arange(n))
    columns["label"] = [
        case.name(int(query.items[event])) if one else label
        for event, one, label in zip(first, alone, labels, strict=True)
    ]
    if query.values is not None:
        columns["value"] = np.where(alone, query.values[first], np.nan)
    columns["effect"] = found.values[:, place]
    columns["se"] = found.se[:, place]
    columns["sure"] = found.sure[:, place]
    return pd.DataFrame(columns)
