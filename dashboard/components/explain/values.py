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
from dashboard.text import plain

STRONGEST = 8  # events with a bar of their own


@dataclass(frozen=True, eq=False)
class Values:
    """What adds up: of the whole score, or of one component's part of it."""

    base: float
    each: Array  # (n,) of the players
    se: Array  # (n,)
    players: Ints  # (E,) the player that each event is

    @classmethod
    def of(cls, explanation: Explanation, column: int, component: int | None = None) -> Values:
        if component is None:
            own = explanation.values[:, column], explanation.se[:, column]
            return cls(float(explanation.base[column]), *own, explanation.players)
        each = explanation.by_component[:, column, component]
        se = np.zeros(len(each)) if explanation.exact else np.full(len(each), np.nan)
        return cls(
            float(explanation.base_by_component[column, component]), each, se, explanation.players
        )

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

    def draw(self, explanation: Explanation) -> None:
        """Once more, if it says something new."""
        if explanation.evaluations == self._drawn:
            return
        self._drawn = explanation.evaluations
        values = Values.of(explanation, self.case.column, self.component)
        frame = strongest(self.case, values)
        key = f"waterfall_{self.case.item}_{self.component}_{explanation.evaluations}"
        with self._place.container():
            drawn = charts.waterfall(
                frame,
                base=values.base,
                names=[t("explain.base"), t("explain.score")],
                ends=totals(values),
                x=t(f"explain.score.axis.{explanation.contrast.name.lower()}"),
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
        events = int(np.isin(values.players, rest).sum())  # a player may be several
        others = {
            "label": plain(t("explain.others" if n else "explain.others.all", n=events)),
            "value": values.each[rest].sum(),
            "se": np.sqrt((values.se[rest] ** 2).sum()),
        }
        frame = pd.concat([frame, pd.DataFrame([others])], ignore_index=True)
    if base is not None and abs(values.base) > 1e-3 * np.abs(values.each).max(initial=0):
        first = pd.DataFrame([{"label": plain(base), "value": values.base, "se": 0.0}])
        frame = pd.concat([first, frame], ignore_index=True)
    frame["text"] = figures(frame["value"])
    return frame


def player_labels(case: Case, players: Ints, shown: Array) -> list[str]:
    """What these players are called; an item that comes several times also by day or number.

    By day only where that tells its events apart.
    """
    items = case.query.items
    times = np.bincount(items, minlength=1)
    labels = []
    for player in shown:
        events = np.flatnonzero(players == player)
        if len(events) > 1:
            labels.append(plain(t("explain.oldest", n=len(events))))
            continue
        event = int(events[0])
        name = case.name(int(items[event]))
        if times[items[event]] > 1:
            days = [case.when(int(other)) for other in np.flatnonzero(items == items[event])]
            by_day = len({*days} - {""}) == len(days)
            apart = f" · {case.when(event) if by_day else f'#{event + 1}'}"
            name = charts.shortened(name, charts.LONGEST - len(apart)) + apart
        labels.append(name)
    return labels


def totals(values: Values) -> list[str]:
    """Base and score as text, with as many digits as the values of the events have."""
    n = digits(values.each)
    return [f"{values.base:,.{n}f}", f"{values.score:,.{n}f}"]


def _alt(case: Case, frame: pd.DataFrame, values: Values) -> str:
    texts = [f"{row.label} {row.text}" for row in frame.head(3).itertuples(index=False)]
    base, score = totals(values)
    return t(
        "explain.waterfall.alt",
        item=case.name(case.item),
        base=base,
        score=score,
        events=listed(texts),
    )


def event_table(case: Case, explanation: Explanation) -> None:
    """Every event with its value: the waterfall's twin, the latest first."""
    frame = event_frame(case, explanation).iloc[::-1]
    number = {
        name: st.column_config.NumberColumn(t(f"column.{name}"), format="%.6g")
        for name in ("effect", "se", "value")
        if name in frame
    }
    alt = t("explain.events.alt", n=len(case.query.items), item=case.name(case.item))
    table(
        frame.drop(columns="item_id"),
        alt=alt,
        key=f"events_{case.item}_{explanation.evaluations}",
        columns=number,
    )


def event_frame(case: Case, explanation: Explanation) -> pd.DataFrame:
    """number, timestamp, item_id, label, value, effect, se, sure: a row per player, oldest first.

    The oldest of very many events are one row together: number "1–241", no item.
    """
    query, column = case.query, case.column
    n = len(explanation.values)
    first = np.searchsorted(explanation.players, np.arange(n))
    sizes = np.bincount(explanation.players, minlength=n)
    alone = sizes == 1
    ends = [
        f"{a + 1}" if single else f"{a + 1}–{a + size}"
        for a, size, single in zip(first, sizes, alone, strict=True)
    ]
    columns: dict[str, object] = {"number": ends}
    if query.times is not None:
        columns["timestamp"] = [case.when(event) or str(query.times[event]) for event in first]
    ids = case.vocab.decode(query.items[first]).astype(object)
    columns["item_id"] = [key if single else None for key, single in zip(ids, alone, strict=True)]
    labels = player_labels(case, explanation.players, np.arange(n))
    columns["label"] = [
        case.name(int(query.items[event])) if single else label
        for event, single, label in zip(first, alone, labels, strict=True)
    ]
    if query.values is not None:
        columns["value"] = np.where(alone, query.values[first], np.nan)
    columns["effect"] = explanation.values[:, column]
    columns["se"] = explanation.se[:, column]
    columns["sure"] = explanation.sure[:, column]
    return pd.DataFrame(columns)
