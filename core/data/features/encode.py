"""Attributes of the items, or of the users, in whatever columns they come → `Features`."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from core.data.features.blocks import CJK, WORDS, Column, Kind, dense, one_hot, tfidf
from core.types import Array, FeatureBlock, Features

MAX_NUMBERS = 200  # numeric columns, which are dense; what is cut off is told in `left_out`

_TEXT_NAME = re.compile(
    r"title|name|desc|text|summary|review|tag|keyword|标题|名称|描述|标签", re.I
)
_CODE_NAME = re.compile(r"(^|[_ ])(id|code|zip)$", re.I)
_SEPARATORS = ("|", ";", ", ")
_LIST = "[]"  # stands for a separator where texts are JSON or Python lists
# what stands for "no label", as in MovieLens' "(no genres listed)"
_NOTHING = re.compile(r"\(no .*\)|n/?a|none|null|nan|unknown|-+|", re.I)
_IDENTIFIERS_FROM = 20  # fewer rows can be all different by chance


def features(
    table: pd.DataFrame, id_column: str, learnt: int | None = None
) -> tuple[Features, dict[str, str]]:
    """The attributes of this table, and what was left out: column → why.

    Lists, JSON lists and `A|B|C` become `multi_hot`, recurring strings `categorical`, numbers and
    dates `numeric` (NaN where missing; dates as days since 1970), titles, descriptions and tags
    `text` (TF-IDF, unit length per column; Chinese and Japanese by pairs of characters). Columns
    that say nothing (empty, constant, an identifier) are left out.

    Args:
        table: A row per item (or user), in code order; all-missing where nothing is known.
        id_column: The column to leave alone.
        learnt: The first so many rows decide what each column is and which values it has, and come
            out as they do alone; the rest are told by that, values never seen as missing. All rows
            if not given.
    """
    first = table.iloc[:learnt]
    columns: list[Column] = []
    left_out: dict[str, str] = {}
    for name in table.columns:
        if name != id_column:
            found = _column(str(name), first[name])
            if isinstance(found, Column):
                columns.append(found)
            else:
                left_out[str(name)] = found
    numbers = [column for column in columns if column.kind == "numeric"]
    for column in numbers[MAX_NUMBERS:]:
        left_out[column.name] = f"more than {MAX_NUMBERS} columns of numbers"
    whole = {
        column.name: _with_others(column, table[column.name], len(first)) for column in columns
    }
    makers: dict[Kind, Callable[[Column, Column, int], tuple[list[str], Any, int]]] = {
        "categorical": one_hot,
        "multi_hot": one_hot,
        "text": tfidf,
    }
    parts: dict[str, FeatureBlock] = {}
    for kind, make in makers.items():
        names: list[str] = []
        matrices = []
        for column in columns:
            if column.kind == kind:
                own, matrix, rare = make(column, whole[column.name], len(table))
                names += own
                matrices.append(matrix)
                if rare:
                    left_out[f"{column.name} ({rare} rarer values)"] = f"only {len(own)} are kept"
        if names:
            parts[kind] = FeatureBlock(tuple(names), sparse.hstack(matrices, format="csr"))
    if numbers:
        kept = [whole[column.name] for column in numbers[:MAX_NUMBERS]]
        parts["numeric"] = dense(kept, len(table))
    return Features(**parts), left_out


def texts(table: pd.DataFrame, id_column: str) -> list[str]:
    """What the texts of each row say, as "title: Heat (1995)", a line per column; "" for nothing.

    A column with the name of a text counts whatever its values were taken for: few short titles
    pass for categories, single words for identifiers, and tags are lists.
    """
    lines: list[list[str]] = [[] for _ in range(len(table))]
    for column in table.columns:
        name, series = str(column), table[column]
        if name == id_column or pd.api.types.is_numeric_dtype(series):
            continue
        found = _column(name, series)
        is_text = isinstance(found, Column) and found.kind == "text"
        if not is_text and (_CODE_NAME.search(name) or not _TEXT_NAME.search(name)):
            continue
        for row in np.flatnonzero(series.notna()):
            value = series.iloc[row]
            several = isinstance(value, (list, tuple, np.ndarray))
            said = ", ".join(map(str, value)) if several else str(value).strip()
            if not _NOTHING.fullmatch(said):
                lines[row].append(f"{name}: {said}")
    return ["\n".join(own) for own in lines]


def _column(name: str, series: pd.Series[Any]) -> Column | str:
    """The column with its kind, or why it is left out."""
    total = len(series)
    present = np.flatnonzero(series.notna())
    series = series.iloc[present]
    if not len(present):
        return "no values"
    if pd.api.types.is_datetime64_any_dtype(series):
        return _numbers(name, present, _amounts(series), identifier=False)
    if pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series):
        whole = pd.api.types.is_integer_dtype(series)
        if whole and _CODE_NAME.search(name):  # category_id 2053013555 is a name, not an amount
            return _strings(name, present, series.astype(str).tolist(), total)
        return _numbers(name, present, _amounts(series), identifier=whole)
    values = series.tolist()
    if _are_lists(values):
        return _lists(name, present, _labels(values, ""))
    return _strings(name, present, [str(value).strip() for value in values], total)


def _with_others(column: Column, series: pd.Series[Any], n: int) -> Column:
    """The column with the values of all rows, those from n on read as the first n were."""
    if n == len(series):
        return column
    others = series.iloc[n:]
    rows = np.flatnonzero(others.notna())
    others = others.iloc[rows]
    if column.kind == "numeric":
        amounts = _amounts(others)
        finite = np.isfinite(amounts)
        rows, values = rows[finite], amounts[finite].tolist()
    elif _are_lists(values := others.tolist()):
        values = _labels(values, "")
    else:
        rows, values = _said(rows, [str(value).strip() for value in values])
        if column.cut:
            values = _labels(values, column.cut)
    return replace(
        column,
        rows=np.concatenate([column.rows, n + rows]).astype(np.int64),
        values=[*column.values, *values],
    )


def _amounts(series: pd.Series[Any]) -> Array:
    """Numbers as they are, dates as days since 1970; none is missing."""
    if pd.api.types.is_datetime64_any_dtype(series):
        micros = series.dt.tz_localize(None).astype("datetime64[us]").astype("int64")
        series = micros / 86_400e6
    amounts: Array = series.to_numpy(float)
    return amounts


def _numbers(name: str, rows: Array, values: Array, *, identifier: bool) -> Column | str:
    finite = np.isfinite(values)
    rows, values = rows[finite], values[finite]
    distinct = len(np.unique(values))
    if distinct <= 1:
        return "the same number everywhere"
    if identifier and distinct == len(values) >= _IDENTIFIERS_FROM:
        return "a number of its own in each row, so an identifier"
    return Column(name, "numeric", rows, values.tolist())


def _strings(name: str, rows: Array, values: list[str], total: int) -> Column | str:
    rows, values = _said(rows, values)
    distinct = sorted(set(values))
    if not distinct:
        return "no values"
    if cut := _list_sign(distinct) or _separator(distinct, len(values)):
        return _lists(name, rows, _labels(values, cut), cut)
    if len(distinct) == 1 and len(values) == total:
        return "the same value everywhere"
    words = float(np.mean([len(WORDS.findall(value)) for value in distinct]))
    cjk = any(re.search(f"[{CJK}]", value) for value in distinct[:100])
    recurring = len(distinct) <= len(values) / 2
    if not recurring and (words > 3 or (_TEXT_NAME.search(name) and (words > 1 or cjk))):
        return Column(name, "text", rows, values)
    if len(distinct) == len(values) >= _IDENTIFIERS_FROM:
        if words > 1.5:
            return Column(name, "text", rows, values)
        return "a value of its own in each row, so an identifier"
    return Column(name, "categorical", rows, values)


def labels_of_texts(texts: list[str], n: int) -> dict[str, list[str]] | None:
    """Text → its labels, if texts such as "Action|Comedy" or lists in cells are what these are.

    Args:
        texts: All that differ, in order.
        n: Of how many cells they are.
    """
    said = [text for text in texts if not _NOTHING.fullmatch(text)]
    cut = said and (_list_sign(said) or _separator(said, n))
    return dict(zip(said, _labels(said, cut), strict=True)) if cut else None


def _said(rows: Array, values: list[str]) -> tuple[Array, list[str]]:
    """Rows and values without those that stand for no value."""
    filled = [at for at, value in enumerate(values) if not _NOTHING.fullmatch(value)]
    return rows[filled], [values[at] for at in filled]


def _lists(name: str, rows: Array, values: list[list[str]], cut: str = "") -> Column | str:
    if not any(values):
        return "no values"
    return Column(name, "multi_hot", rows, values, cut)


def _are_lists(values: list[Any]) -> bool:
    return bool(values) and isinstance(values[0], (list, tuple, np.ndarray))


def _labels(values: list[Any], cut: str) -> list[list[str]]:
    """The labels of each value: of a text that is cut so, or of a list as it is."""
    by_value: dict[str, list[str]] = {}
    if cut:
        by_value = {value: _cut(value, cut) or [] for value in set(values)}
    lists = [by_value[value] if cut else [str(each) for each in value] for value in values]
    return [
        [text for label in labels if not _NOTHING.fullmatch(text := label.strip())]
        for labels in lists
    ]


def _cut(value: str, cut: str) -> list[str] | None:
    """The parts of a text; None where it is to be a list and is none."""
    if cut != _LIST:
        return [label for each in value.split(cut) if (label := each.strip())]
    if value.startswith("[") and value.endswith("]"):
        for read in (json.loads, ast.literal_eval):
            try:
                return [str(each) for each in read(value)]
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
    return None


def _list_sign(distinct: list[str]) -> str:
    """_LIST if all of these are JSON (or Python) lists of scalars, else ""."""
    return _LIST if all(_cut(value, _LIST) is not None for value in distinct) else ""


def _separator(distinct: list[str], n: int) -> str:
    """What the values are to be cut at, if that gives few labels that recur; else "".

    A bar is hardly ever part of a text. A semicolon or comma is, so there the labels must be short
    and far fewer than the values.
    """
    for separator in _SEPARATORS:
        with_it = sum(separator in value for value in distinct)
        if with_it < max(1, 0.05 * len(distinct)):
            continue
        labels = {label for value in distinct for label in _cut(value, separator) or ()}
        short = max(len(label) for label in labels) <= 40 if labels else False
        few = len(labels) <= 0.2 * n and with_it >= 0.2 * len(distinct)
        if labels and ((short and few) or (separator == "|" and (len(labels) <= n or n < 20))):
            return separator
    return ""
