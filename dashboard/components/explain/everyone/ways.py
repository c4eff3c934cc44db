"""By what the events of many people are grouped, and what the groups are called."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.explain.survey.overview import Overview
from dashboard.components.explain.case import Case
from dashboard.components.explain.components import component_labels
from dashboard.components.labels import event_label, text_or
from dashboard.state import mark, t
from dashboard.text import Text, literal, plain

MOST = 12  # rows of a chart or table


def choose_way(overview: Overview, key: str) -> str:
    """A choice of how to group."""
    ways = {by: _way(by) for by in overview.tables if by != "base"}
    by: str | None = st.radio(
        t("explain.all.by"),
        list(ways),
        format_func=lambda by: literal(ways[by]),
        key=f"{key}_{mark(ways)}",
        horizontal=True,
    )
    return by or next(iter(ways))


def _way(by: str) -> Text:
    """What events are grouped by, in words; an attribute by its own name."""
    return text_or(f"explain.all.by.{by}", by.removeprefix("item."))


def group_names(case: Case, by: str, names: Sequence[str]) -> list[str]:
    """What the groups of a table, all of them, are called."""
    if by == "component":
        return component_labels(case)
    if by == "recency":
        return [plain(t("explain.all.place", places=name)) for name in names]
    if by == "part":
        return [plain(text_or(f"explain.part.{name}", name, name=name)) for name in names]
    own = event_label if by == "event" else str
    return [plain(t("explain.group.other")) if name == "other" else own(name) for name in names]
