"""Every column of a log and what lies beside it, as people read it."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import streamlit as st

from core.data.profile.columns import ColumnProfile, TableProfile
from dashboard import cache
from dashboard.components.data.filtering import Filtered
from dashboard.components.labels import day, text_or
from dashboard.components.page import section, table
from dashboard.state import t
from dashboard.text import plain

OWN = ("user_id", "item_id", "timestamp", "event", "value", "platform")  # columns of ours
ID = re.compile(r"(?:^|[_ .])[Ii][Dd]$|(?<=[a-z])I[Dd]$", re.ASCII)  # itemId, user_id
YEARS = (1500, 2200)  # whole numbers within are read as years, which have no thousands
LONGEST = 30  # letters of a value that is named
NAMED = 3  # of the most frequent values
RARE = 0.001  # share of the rows below which a value is not worth its name


def columns_tab(view: Filtered) -> None:
    """Every column of the log, the items and the users, in what the filter leaves."""
    if not view.figures.events:
        st.info(t("data.filter.nothing"), icon=":material/filter_alt_off:")
        return
    for part in ("events", "items", "users"):
        if view.dataset.path(part) is None:
            continue
        section(f"data.columns.{part}")
        with st.spinner(t("data.computing")):
            profile = cache.table_profile(view.coded, view.filter, part, view.figures.left)
        if profile.of > 1:
            st.caption(t("data.columns.drawn", n=profile.rows, of=profile.of))
        _table(profile, part)


def _table(profile: TableProfile, part: str) -> None:
    table(
        for_people(profile),
        alt=t("data.columns.alt"),
        key=f"columns_{part}",
        columns={
            "missing": st.column_config.ProgressColumn(
                t("column.missing"), format="percent", min_value=0, max_value=1, width="small"
            ),
            "distinct": st.column_config.NumberColumn(t("column.distinct"), format="localized"),
            "bars": st.column_config.BarChartColumn(t("column.bars"), y_min=0, width="small"),
            "range": st.column_config.Column(t("column.range"), width="medium"),
            "top": st.column_config.Column(t("column.top"), width="large"),
        },
    )


def for_people(profile: TableProfile) -> pd.DataFrame:
    """column, type, missing, distinct, bars, range, top: types in words, values as texts.

    An id has no range and no histogram, which would say nothing.
    """
    rows = [_row(column, profile.rows) for column in profile.columns]
    names = ["column", "type", "missing", "distinct", "bars", "range", "top"]
    return pd.DataFrame(rows, columns=names)


def _row(column: ColumnProfile, n_rows: int) -> dict[str, Any]:
    name, is_id = column.column, bool(ID.search(column.column))
    has_range = not is_id and column.least is not None and column.most is not None
    ends = [figure(end, column) for end in (column.least, column.most)] if has_range else []
    shares = [(value, n / max(1, n_rows)) for value, n in column.top[:NAMED]]
    frequent = [f"{_short(_value(value, column))} {share:.1%}" for value, share in shares]
    if column.kind == "time" or not shares or shares[0][1] < RARE:
        frequent = [t("data.columns.differ")] if column.distinct > 1 else []
    return {
        "column": plain(text_or(f"role.{name}", name)) if name in OWN else name,
        "type": plain(t("type.id") if is_id else text_or(f"type.{column.kind}", column.kind)),
        "missing": column.missing,
        "distinct": column.distinct,
        "bars": None if is_id or not column.bars else list(column.bars),
        "range": " – ".join(dict.fromkeys(ends)) or "–",
        "top": " · ".join(map(str, frequent)) or "–",
    }


def figure(value: str | float | None, column: ColumnProfile) -> str:
    """A number or a time as people write it."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return day(value)
    if _are_years(column):
        return f"{value:.0f}"
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"
    return f"{value:.4g}"


def _value(value: str, column: ColumnProfile) -> str:
    """A frequent value: a number without the decimals that it does not need."""
    if column.kind != "number" or ID.search(column.column):
        return value
    try:
        return figure(float(value), column)
    except ValueError:
        return value


def _are_years(column: ColumnProfile) -> bool:
    ends = (column.least, column.most)
    return all(
        isinstance(end, float) and end == int(end) and YEARS[0] <= end <= YEARS[1] for end in ends
    )


def _short(value: str) -> str:
    seen = plain(value)
    return seen if len(seen) <= LONGEST else f"{seen[: LONGEST - 1]}…"
