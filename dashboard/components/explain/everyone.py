"""What a model goes by over many users: places, kinds of things, components, what drives what."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core.errors import BadInput
from core.explain.survey.overview import Overview
from core.explain.survey.tables import Bar
from dashboard import cache
from dashboard.charts import compare as intervals
from dashboard.charts import explain as charts
from dashboard.components.explain.case import Case
from dashboard.components.explain.components import component_labels
from dashboard.components.explain.words import figures, listed
from dashboard.components.labels import text_or
from dashboard.components.page import figure, table
from dashboard.state import dark, mark, t
from dashboard.text import Text, plain

MOST = 12  # rows of a chart or table


def everyone(case: Case) -> None:
    """A box that is filled once it is opened: it takes a while."""
    box = st.expander(t("explain.all"), key="everyone", on_change="rerun")
    if not box.open:
        return
    with box:
        slot = st.empty()
        under_way = cache.survey(case.workspace, case.run)
        for _ in under_way:
            slot.progress(under_way.share or 0.0, text=t("explain.all.working"))
        slot.empty()
        if under_way.last is not None:
            _survey(case, under_way.last)


def _survey(case: Case, overview: Overview) -> None:
    share = float(np.mean(overview.base_share))
    said = {"users": len(overview.rows), "k": overview.k, "base": share, "history": 1 - share}
    st.markdown(t("explain.all.lead", **said))
    ways = [by for by in overview.tables if by != "base"]
    by = st.radio(
        t("explain.all.by"),
        ways,
        format_func=_way,
        key=f"all_by_{mark(ways)}",
        horizontal=True,
    )
    left, right = st.columns(2)
    with left:
        _sizes(case, overview, by)
    with right:
        _cohorts(case, overview, by)
    left, right = st.columns(2)
    with left:
        _influences(case, overview)
    with right:
        _idle(case, overview)


def _way(by: str) -> Text:
    """What events are grouped by, in words; an attribute by its own name."""
    return text_or(f"explain.all.by.{by}", by.removeprefix("item."))


def _names(case: Case, by: str, names: Sequence[str]) -> list[str]:
    """What the groups are called."""
    if by == "component":
        return component_labels(case)
    if by == "recency":
        return [plain(t("explain.all.place", places=name)) for name in names]
    if by == "part":
        return [plain(text_or(f"explain.part.{name}", name, name=name)) for name in names]
    return [plain(t("explain.group.other")) if name == "other" else name for name in names]


def _sizes(case: Case, overview: Overview, by: str) -> None:
    """How much a group matters, in either direction, with standard errors over users."""
    st.markdown(t("explain.all.sizes"))
    bars = overview.bars(by)
    labels = _names(case, by, [bar.name for bar in bars])
    pairs: list[tuple[str, Bar]] = list(zip(labels, bars, strict=True))
    if by != "recency":
        pairs.sort(key=lambda pair: -pair[1].size)
    pairs = pairs[:MOST]
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


def _cohorts(case: Case, overview: Overview, by: str) -> None:
    """Long histories against short ones: by what share of all the model goes by each group."""
    middle = int(np.median(overview.lengths))
    st.markdown(t("explain.all.cohorts", n=middle))
    try:
        differences = overview.compare(overview.lengths > middle, by)
    except BadInput:
        st.caption(t("explain.all.cohorts.none"))
        return
    names = dict(
        zip(
            (bar.name for bar in overview.bars(by)),
            _names(case, by, [bar.name for bar in overview.bars(by)]),
            strict=True,
        )
    )
    ordered = sorted(differences, key=lambda each: -abs(each.difference))[:MOST]
    frame = pd.DataFrame(
        {
            "run": [charts.shortened(names[each.name]) for each in ordered],
            "mean": [each.difference for each in ordered],
            "low": [each.low for each in ordered],
            "high": [each.high for each in ordered],
        }
    )
    if frame.empty:
        st.caption(t("explain.all.cohorts.none"))
        return
    drawn = intervals.intervals(frame, x=t("explain.all.cohorts.axis"), dark=dark(), zero=True)
    drawn.update_xaxes(tickformat="+.0%")
    real = [names[each.name] for each in ordered if each.low > 0 or each.high < 0]
    key = "explain.all.cohorts.alt" if real else "explain.all.cohorts.alt.none"
    figure(drawn, alt=t(key, groups=listed(real)), key=f"all_cohorts_{by}")


def _influences(case: Case, overview: Overview) -> None:
    """Which item that people took drives which that they are recommended."""
    st.markdown(t("explain.all.influences"))
    influences = overview.influences[:MOST]
    if not influences:
        st.caption(t("explain.all.influences.none"))
        return
    case.learn(item for pair in influences for item in (pair.driver, pair.item))
    frame = pd.DataFrame(
        {
            "driver": [case.name(pair.driver) for pair in influences],
            "driven": [case.name(pair.item) for pair in influences],
            "users": [pair.users for pair in influences],
        }
    )
    table(frame, alt=t("explain.all.influences.alt", n=len(influences)), key="influences")


def _idle(case: Case, overview: Overview) -> None:
    """Which items hardly matter to whoever took them."""
    st.markdown(t("explain.all.idle"))
    idle = overview.idle[:MOST]
    if not idle:
        st.caption(t("explain.all.idle.none"))
        return
    case.learn(each.item for each in idle)
    frame = pd.DataFrame(
        {"label": [case.name(each.item) for each in idle], "users": [each.users for each in idle]}
    )
    table(frame, alt=t("explain.all.idle.alt", n=len(idle)), key="idle")
