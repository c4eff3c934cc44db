"""The parts that every page has: its question and answer, tables, charts, empty states."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st
from plotly.graph_objects import Figure

from core.data.store import DatasetInfo
from dashboard.state import t

ColumnConfig = Any  # what st.column_config gives: Streamlit has no public name for it

ROW = 35  # pixels of a table's row, its header too


def heading(page: str, answer: str) -> None:
    """The page's question, and under it the sentence that answers it."""
    st.title(t(f"{page}.question"), anchor=False)
    st.markdown(answer)


def section(key: str, **values: Any) -> None:
    st.header(t(key, **values), anchor=False)


def table(
    frame: pd.DataFrame,
    *,
    alt: str,
    key: str,
    columns: Mapping[str, ColumnConfig] | None = None,
    height: int | None = None,
    own_names: bool = False,
    on_select: Callable[[], None] | None = None,
) -> None:
    """A table whose headers are texts: column `x` is called t("column.x") where that exists.

    Args:
        frame: What to show, without its index.
        alt: What it shows, for those who cannot see it.
        key: The widget's key.
        columns: Streamlit column configurations that override the plain header.
        height: Pixels; as high as its rows (ten at most) if not given.
        own_names: The columns are a person's own, and keep their names.
        on_select: Called when a cell is clicked; which one is in the session's state.
    """
    shown: list[str] = [] if own_names else list(frame.columns)
    config = {name: st.column_config.Column(header(name)) for name in shown}
    st.dataframe(
        frame,
        hide_index=True,
        alt=alt,
        key=key,
        column_config={**config, **(columns or {})},
        height=height or "auto",
        row_height=ROW,
        placeholder="–",
        on_select=on_select or "ignore",
        selection_mode="single-cell",
    )


def header(column: str) -> str:
    """The text of a column's header, or its own name where it is the log's."""
    try:
        return t(f"column.{column}")
    except KeyError:
        return column


def figure(drawn: Figure, *, alt: str, key: str) -> None:
    st.plotly_chart(drawn, key=key, alt=alt, config={"displaylogo": False})


def empty(what: str, why: str) -> None:
    """An empty state: what will be here, and why it is not; the caller adds a button below it."""
    st.info(f"**{what}** {why}", icon=":material/info:")


def first_step(dataset: DatasetInfo | None) -> None:
    """The way to what a page without runs is missing: data, else a run."""
    if dataset is None:
        link("data", t("action.add_data"), icon=":material/upload:")
    else:
        link("train", t("action.go_train"), icon=":material/model_training:")


def link(page: str, label: str, *, icon: str | None = None, **query: str) -> None:
    """A link to another page of the app that keeps the context."""
    st.page_link(f"views/{page}.py", label=label, icon=icon, query_params=query or None)
