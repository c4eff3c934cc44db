"""How much events matter over many people: bars, a dot for each, and each against a number."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from core.explain.survey.dependence import Dependence, dependence, gaps
from core.explain.survey.event_values import EventValues
from core.explain.survey.overview import Overview
from core.explain.survey.tables import Bar
from core.types import Ints
from dashboard.charts import explain as charts
from dashboard.charts import swarm
from dashboard.components.explain.case import Case
from dashboard.components.explain.everyone.ways import MOST, choose_way, group_names
from dashboard.components.explain.words import figures, listed
from dashboard.components.labels import text_or
from dashboard.components.page import figure
from dashboard.state import dark, mark, t
from dashboard.text import Text, plain

ROWS = 8  # groups of the swarm
THIRDS = ("low", "middle", "high")


def values(case: Case, overview: Overview) -> None:
    """Bars of a way to group, the single values behind them, and these against a number."""
    by = choose_way(overview, "all_by")
    bars = _bars(case, overview, by)
    _sizes(bars, by)
    single = overview.values
    if not len(single) or not single.numbers:
        return
    numbers = {name: plain(_number(name)) for name in single.numbers}
    number = st.selectbox(
        t("explain.all.number"),
        list(numbers),
        format_func=numbers.__getitem__,
        key=f"all_number_{mark(numbers)}",
    )
    number = number or next(iter(numbers))
    left, right = st.columns(2)
    with left:
        if by in single.groups:
            _swarm(case, single, by, number, bars)
        else:
            st.caption(t("explain.all.swarm.none"))
    with right:
        _dependence(case, single, number)
    if len(single) < single.total:
        st.caption(t("explain.all.kept", n=len(single), of=single.total))


def _bars(case: Case, overview: Overview, by: str) -> list[tuple[str, Bar]]:
    """What each group is called, and its bar; those that matter most first, places in order."""
    bars = overview.bars(by)
    labels = group_names(case, by, [bar.name for bar in bars])
    pairs = list(zip(labels, bars, strict=True))
    if by != "recency":
        pairs.sort(key=lambda pair: -pair[1].size)
    return pairs[:MOST]


def _sizes(pairs: list[tuple[str, Bar]], by: str) -> None:
    """How much a group matters, in either direction, with standard errors over users."""
    st.markdown(t("explain.all.sizes"))
    sizes = [bar.size for _, bar in pairs]
    frame = pd.DataFrame(
        {
            "label": [label for label, _ in pairs],
            "value": sizes,
            "se": [bar.se for _, bar in pairs],
            "text": [text.lstrip("+") for text in figures(sizes)],
        }
    )
    drawn = charts.diverging(frame, x=t("explain.all.size.axis"), dark=dark())
    texts = [f"{row.label} {row.text}" for row in frame.head(3).itertuples(index=False)]
    figure(drawn, alt=t("explain.all.sizes.alt", groups=listed(texts)), key=f"all_{by}")


def _number(name: str) -> Text:
    """What values are held against, in words; an attribute by its own name."""
    return text_or(f"explain.all.number.{name}", name.removeprefix("item."))


def _swarm(
    case: Case, single: EventValues, by: str, number: str, pairs: list[tuple[str, Bar]]
) -> None:
    """A dot for each value, by group; and which groups surely lie apart from the others."""
    st.markdown(t("explain.all.swarm"))
    member = single.groups[by]
    order = [member.names.index(bar.name) for _, bar in pairs[:ROWS]]
    row_of = np.full(len(member.names), -1)
    row_of[order] = np.arange(len(order))
    rows, at = _drawn(np.flatnonzero(row_of[member.groups] >= 0)), row_of[member.groups]
    own = member.rows[rows]
    frame = _dots(case, single, own, number).assign(group=at[rows])
    names = [label for label, _ in pairs[:ROWS]]
    what = _number(number)
    drawn = swarm.beeswarm(
        frame,
        names=names,
        thirds=[plain(t(f"explain.all.swarm.{third}", number=what)) for third in THIRDS],
        unknown=plain(t("explain.all.swarm.unknown", number=what)),
        x=t("explain.components.axis"),
        dark=dark(),
    )
    said = _apart(case, single, by)
    alt = t("explain.all.swarm.alt", n=len(frame), number=what, said=said)
    figure(drawn, alt=alt, key=f"all_swarm_{by}_{number}")
    st.caption(said)


def _apart(case: Case, single: EventValues, by: str) -> Text:
    """Which groups' values surely lie above or below the others of the same people."""
    member = single.groups[by]
    names = dict(zip(member.names, group_names(case, by, member.names), strict=True))
    every = gaps(single, member)
    if not every:
        return t("explain.all.gaps.few")
    above = [names[gap.name] for gap in sorted(every, key=lambda gap: -gap.gap) if gap.low > 0]
    below = [names[gap.name] for gap in sorted(every, key=lambda gap: gap.gap) if gap.high < 0]
    said = []
    if above:
        said.append(t("explain.all.gaps.above", groups=listed(above)))
    if below:
        said.append(t("explain.all.gaps.below", groups=listed(below)))
    return t("explain.space").join(said) if said else t("explain.all.gaps.none")


def _dependence(case: Case, single: EventValues, number: str) -> None:
    """A dot for each value against the number, and whether one surely goes with the other."""
    what = _number(number)
    st.markdown(t("explain.all.dependence", number=what))
    rows = _drawn(np.flatnonzero(np.isfinite(single.numbers[number])))
    frame = _dots(case, single, rows, number)
    said = _trend(dependence(single, number), what)
    size = dependence(single, number, size=True)
    if size.direction != "few":
        said = t("explain.space").join([said, _trend(size, what, ".size")])
    drawn = swarm.dependence(frame, x=plain(what), y=t("explain.components.axis"), dark=dark())
    alt = t("explain.all.dependence.alt", n=len(frame), number=what, said=said)
    figure(drawn, alt=alt, key=f"all_dependence_{number}")
    st.caption(said)


def _trend(own: Dependence, what: Text, of: str = "") -> Text:
    """No more than the interval over people allows."""
    said = {"number": what, "people": own.people}
    if own.direction == "few":
        return t("explain.all.trend.few", **said)
    ends = {"rho": f"{own.rho:+.2f}", "low": f"{own.low:+.2f}", "high": f"{own.high:+.2f}"}
    return t(f"explain.all.trend{of}.{own.direction}", **said, **ends)


def _drawn(rows: Ints) -> Ints:
    """As many of these as a chart has room for, each as likely, in order."""
    if len(rows) <= swarm.MOST_DOTS:
        return rows
    rng = np.random.default_rng(0)
    return np.sort(rng.choice(rows, swarm.MOST_DOTS, replace=False))


def _dots(case: Case, single: EventValues, rows: Ints, number: str) -> pd.DataFrame:
    """value, number, text of these values."""
    case.learn(np.unique([single.taken[rows], single.items[rows]]).tolist())
    worth, numbers = single.values[rows], single.numbers[number][rows]
    texts = []
    for row, value, own in zip(rows.tolist(), figures(worth), numbers.tolist(), strict=True):
        said = {
            "taken": charts.shortened(case.name(int(single.taken[row]))),
            "item": charts.shortened(case.name(int(single.items[row]))),
            "value": value,
            "number": _number(number),
            "own": "–" if np.isnan(own) else f"{own:,.4g}",
        }
        texts.append(plain(t("explain.all.dot", **said)))
    return pd.DataFrame({"value": worth, "number": numbers, "text": texts})
