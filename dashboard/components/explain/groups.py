"""What kinds of things speak for an item: the history in a few groups, each one player, exactly."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from core.explain import Explanation
from dashboard import cache
from dashboard.charts import explain as charts
from dashboard.components.explain.case import Case
from dashboard.components.explain.words import figures, listed
from dashboard.components.labels import event_label, text_or
from dashboard.components.page import figure, section
from dashboard.state import dark, mark, t
from dashboard.text import Text, plain

FEWEST = 3  # events that are worth grouping


def history_groups(case: Case, explanation: Explanation) -> None:
    """A choice of how to group, and a bar per group; nothing where the history plays no part."""
    if len(case.query.items) < FEWEST or not explanation.moves[case.column]:
        return
    groupings = cache.ways(case.workspace, case.run, case.query)
    section("explain.groups")
    first = next((i for i, grouping in enumerate(groupings) if grouping.startswith("item.")), 0)
    how = st.radio(
        t("explain.groups.by"),
        groupings,
        index=first,
        format_func=_grouping,
        key=f"groups_{mark(groupings)}",
        horizontal=True,
    )
    grouped = cache.groups(case.workspace, case.run, case.query, case.item, how or groupings[0])
    labels = [
        plain(t("explain.group", name=_group(how or "", name), n=int(size)))
        for name, size in zip(grouped.names, grouped.counts, strict=True)
    ]
    values = grouped.values
    frame = pd.DataFrame({"label": labels, "value": values, "se": 0.0, "text": figures(values)})
    if how != "visit":
        frame = frame.sort_values("value", key=np.abs, ascending=False, ignore_index=True)
    texts = [f"{row.label} {row.text}" for row in frame.head(3).itertuples(index=False)]
    drawn = charts.diverging(frame, x=t("explain.components.axis"), dark=dark())
    alt = t("explain.groups.alt", item=case.name(case.item), groups=listed(texts))
    st.caption(t("explain.groups.lead"))
    figure(drawn, alt=alt, key=f"groups_{case.item}_{how}")


def _grouping(grouping: str) -> Text:
    """A way of grouping in words; an attribute by its own name."""
    return text_or(f"explain.groups.{grouping}", grouping.removeprefix("item."))


def _group(how: str, name: str) -> str:
    if name == "other":
        return t("explain.group.other")
    if how == "event":
        return event_label(name)
    return t("explain.group.visit", places=name) if how == "visit" else name
