"""Every column of a log and what lies beside it, its figures written for people."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from core.data.store import DatasetInfo
from dashboard import cache
from dashboard.components.labels import day, text_or
from dashboard.components.page import section, table
from dashboard.state import t
from dashboard.text import plain

OWN = ("user_id", "item_id", "timestamp", "event", "value", "platform")  # columns of ours
ID = re.compile(r"(?:^|[_ .])[Ii][Dd]$|(?<=[a-z])I[Dd]$", re.ASCII)  # itemId, user_id
FIGURES = ("min", "q25", "median", "q75", "max", "mean")
MIDDLES = ("q25", "median", "q75", "mean")
YEARS = (1500, 2200)  # whole numbers within are read as years, which have no thousands
KINDS = {  # how DuckDB's types begin → what people call them
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), "number"),
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"), "number"),
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL"), "number"),
    **dict.fromkeys(("TIMESTAMP", "DATE"), "time"),
    **{"VARCHAR": "text", "BOOLEAN": "boolean"},
}


def columns_tab(dataset: DatasetInfo) -> None:
    """Every column of the log, the items and the users."""
    for part in ("events", "items", "users"):
        if dataset.path(part) is None:
            continue
        section(f"data.columns.{part}")
        shown = for_people(cache.columns(dataset, part))
        percent = st.column_config.NumberColumn(t("column.missing"), format="percent")
        count = st.column_config.NumberColumn(t("column.distinct"), format="localized")
        table(
            shown,
            alt=t("data.columns.alt"),
            key=f"columns_{part}",
            columns={"missing": percent, "distinct": count},
        )


def for_people(profile: pd.DataFrame) -> pd.DataFrame:
    """What core.data.queries.column_profile gives, its types in words and its figures as texts."""
    rows = [_row(row) for row in profile.to_dict("records")]
    return pd.DataFrame(rows, columns=profile.columns)


def kind_of(type_name: str) -> str:
    """What a type of DuckDB's is called: number, text, time, list, boolean; else its own name."""
    if type_name.endswith("[]"):
        return "list"
    return next((kind for begin, kind in KINDS.items() if type_name.startswith(begin)), type_name)


def _row(row: Mapping[Any, Any]) -> dict[str, Any]:
    kind, name = kind_of(str(row["type"])), str(row["column"])
    years = kind == "number" and _are_years(row)
    figures = {figure: _figure(row[figure], kind, years=years) for figure in FIGURES}
    is_id = bool(ID.search(name))
    if is_id or kind not in ("number", "time"):  # of ids a middle says nothing
        figures |= dict.fromkeys(MIDDLES, "–")
    if is_id:  # an id is written as it is, without thousands
        figures |= {end: _as_it_is(row[end]) for end in ("min", "max")}
    return {
        **row,
        "column": plain(text_or(f"role.{name}", name)) if name in OWN else name,
        "type": plain(text_or(f"type.{kind}", kind)),
        **figures,
    }


def _are_years(row: Mapping[Any, Any]) -> bool:
    ends = [_number(row["min"]), _number(row["max"])]
    return all(x is not None and x == int(x) and YEARS[0] <= x <= YEARS[1] for x in ends)


def _figure(value: Any, kind: str, *, years: bool) -> str:
    if _as_it_is(value) == "–":
        return "–"
    if kind == "time":
        return day(str(value))
    number = _number(value) if kind == "number" else None
    if number is None:
        return str(value)
    if years:
        return f"{number:.0f}"
    if number == int(number) or abs(number) >= 1000:
        return f"{number:,.0f}" if number == int(number) else f"{number:,.1f}"
    return f"{number:.4g}"


def _number(value: Any) -> float | None:
    """The finite number that this is or says, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _as_it_is(value: Any) -> str:
    missing = value is None or (isinstance(value, float) and math.isnan(value))
    return "–" if missing else str(value)
