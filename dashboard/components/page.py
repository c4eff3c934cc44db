"""The parts that every page has: its question and answer, tables, charts, empty states."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd
import streamlit as st
from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype
from plotly.graph_objects import Figure

from core.data.store import DatasetInfo
from dashboard.charts import theme
from dashboard.state import dark, t
from dashboard.text import Text, literal, plain, strong

ColumnConfig = Any  # what st.column_config gives: Streamlit has no public name for it

ROW = 35  # pixels of a table's row, its header too
COUNTS = ("events", "users", "items", "rows", "times", "fewest", "most")  # with thousands
WIDTHS = {"item_id": "small", "label": "medium"}  # what may be long leaves room for what is not


def heading(page: str, answer: Text) -> None:
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
    row_height: int = ROW,
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
        row_height: Pixels of a row but for the header.
        own_names: The columns are a person's own, and keep their names.
        on_select: Called when a cell is clicked; which one is in the session's state.
    """
    named = plain if own_names else header
    widths: Mapping[str, ColumnConfig] = {} if own_names else WIDTHS
    config = {
        name: st.column_config.Column(named(name), width=widths.get(name)) for name in frame.columns
    }
    if not own_names:
        counts = [name for name in COUNTS if name in frame and is_numeric_dtype(frame[name])]
        count = st.column_config.NumberColumn
        config |= {name: count(named(name), format="localized") for name in counts}
    st.dataframe(
        _shown(frame),
        hide_index=True,
        alt=plain(alt),
        key=key,
        column_config={**config, **(columns or {})},
        height=height or "auto",
        row_height=row_height,
        placeholder="–",
        on_select=on_select or "ignore",
        selection_mode="single-cell",
    )


def listing(columns: Mapping[str, Iterable[Any]], *, alt: str) -> None:
    """A short table to be read: headers and cells wrap; a Text may be a link."""
    markdown = {
        literal(name): [literal(cell) if isinstance(cell, str) else cell for cell in cells]
        for name, cells in columns.items()
    }
    st.table(pd.DataFrame(markdown), border="horizontal", hide_index=True, alt=plain(alt))


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    shown = frame.copy(deep=False)
    for at, kind in enumerate(frame.dtypes):
        if not (is_numeric_dtype(kind) or is_datetime64_any_dtype(kind)):
            shown.isetitem(at, frame.iloc[:, at].map(_cell).array)
    return shown


def _cell(value: Any) -> Any:
    if isinstance(value, list):
        return [_cell(each) for each in value]
    return plain(value) if isinstance(value, str) else value


def header(column: str) -> str:
    """The text of a column's header, or its own name where it is the log's."""
    try:
        return plain(t(f"column.{column}"))
    except KeyError:
        return plain(column)


def figure(drawn: Figure, *, alt: str, key: str, **more: Any) -> None:
    """A chart in the page's colours; `more` as st.plotly_chart takes it."""
    words = theme.words(dark())
    drawn.update_layout(font_color=words)
    drawn.update_xaxes(tickfont_color=words, title_font_color=words)
    drawn.update_yaxes(tickfont_color=words, title_font_color=words)
    st.plotly_chart(drawn, key=key, alt=plain(alt), config={"displaylogo": False}, **more)


def empty(what: Text, why: Text) -> None:
    """An empty state: what will be here, and why it is not; the caller adds a button below it."""
    st.info(strong(what) + " " + why, icon=":material/info:")


def first_step(dataset: DatasetInfo | None) -> None:
    """The way to what a page without runs is missing: data, else a run."""
    if dataset is None:
        link("data", t("action.add_data"), icon=":material/upload:")
    else:
        link("train", t("action.go_train"), icon=":material/model_training:")


def link(page: str, label: Text, *, icon: str | None = None, **query: str) -> None:
    """A link to another page of the app that keeps the context."""
    st.page_link(f"views/{page}.py", label=label, icon=icon, query_params=query or None)
