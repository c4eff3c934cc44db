"""Attributes of the items, or of the users, in whatever columns they come → `Features`."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from core.types import Array, FeatureBlock, Features

# What keeps a catalogue of millions within memory; what is cut off is told in `left_out`.
MAX_VALUES = 1_000  # categories kept per column, the most frequent
MAX_TERMS = 10_000  # terms kept per text column, the most frequent
MAX_NUMBERS = 200  # numeric columns, which are dense

_TEXT_NAME = re.compile(
    r"title|name|desc|text|summary|review|tag|keyword|标题|名称|描述|标签", re.I
)
_CODE_NAME = re.compile(r"(^|[_ ])(id|code|zip)$", re.I)
_SEPARATORS = ("|", ";", ", ")
_CJK = "\u3400-\u9fff\uf900-\ufaff\u3040-\u30ff"  # Chinese and Japanese, written without spaces
_WORDS = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]{{2,}}")
# what stands for "no label", as in MovieLens' "(no genres listed)"
_NOTHING = re.compile(r"\(no .*\)|n/?a|none|null|nan|unknown|-+|", re.I)
_IDENTIFIERS_FROM = 20  # fewer rows can be all different by chance

Values = list[Any]  # of one column, missing ones left out
Kind = str


@dataclass(frozen=True)
class Column:
    """One attribute column: what was recognised, and the rows that have a value."""

    name: str
    kind: Kind  # "categorical", "multi_hot", "numeric" or "text"
    rows: Array  # (n,) positions
    values: Values  # (n,) str; list of str for multi_hot; float for numeric


def features(table: pd.DataFrame, id_column: str) -> tuple[Features, dict[str, str]]:
    """The attributes of this table, and what was left out: column → why.

    Lists, JSON lists and `A|B|C` become `multi_hot`, recurring strings `categorical`, numbers and
    dates `numeric` (NaN where missing; dates as days since 1970), titles, descriptions and tags
    `text` (TF-IDF, unit length per column; Chinese and Japanese by pairs of characters). Columns
    that say nothing (empty, constant, an identifier) are left out.

    Args:
        table: A row per item (or user), in code order; all-missing where nothing is known.
        id_column: The column to leave alone.
    """
    columns: list[Column] = []
    left_out: dict[str, str] = {}
    for name in table.columns:
        if name != id_column:
            found = _column(str(name), table[name])
            if isinstance(found, Column):
                columns.append(found)
            else:
                left_out[str(name)] = found
    numbers = [column for column in columns if column.kind == "numeric"]
    for column in numbers[MAX_NUMBERS:]:
        left_out[column.name] = f"more than {MAX_NUMBERS} columns of numbers"
    makers: dict[Kind, Callable[[Column, int], tuple[list[str], Any, int]]] = {
        "categorical": _one_hot,
        "multi_hot": _one_hot,
        "text": _tfidf,
    }
    parts: dict[str, FeatureBlock] = {}
    for kind, make in makers.items():
        names: list[str] = []
        matrices = []
        for column in columns:
            if column.kind == kind:
                own, matrix, rare = make(column, len(table))
                names += own
                matrices.append(matrix)
                if rare:
                    left_out[f"{column.name} ({rare} rarer values)"] = f"only {len(own)} are kept"
        if names:
            parts[kind] = FeatureBlock(tuple(names), sparse.hstack(matrices, format="csr"))
    if numbers:
        parts["numeric"] = _dense(numbers[:MAX_NUMBERS], len(table))
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
        days = series.dt.tz_localize(None).astype("datetime64[us]").astype("int64") / 86_400e6
        return _numbers(name, present, days.to_numpy(float), identifier=False)
    if pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series):
        whole = pd.api.types.is_integer_dtype(series)
        if whole and _CODE_NAME.search(name):  # category_id 2053013555 is a name, not an amount
            return _strings(name, present, series.astype(str).tolist(), total)
        return _numbers(name, present, series.to_numpy(float), identifier=whole)
    values = series.tolist()
    if isinstance(values[0], (list, tuple, np.ndarray)):
        return _lists(name, present, [[str(v) for v in value] for value in values])
    return _strings(name, present, [str(value).strip() for value in values], total)


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
    filled = [place for place, value in enumerate(values) if not _NOTHING.fullmatch(value)]
    rows, values = rows[filled], [values[place] for place in filled]
    distinct = sorted(set(values))
    if not distinct:
        return "no values"
    if lists := _parsed(distinct) or _separated(distinct, len(values)):
        return _lists(name, rows, [lists[value] for value in values])
    if len(distinct) == 1 and len(values) == total:
        return "the same value everywhere"
    words = float(np.mean([len(_WORDS.findall(value)) for value in distinct]))
    cjk = any(re.search(f"[{_CJK}]", value) for value in distinct[:100])
    recurring = len(distinct) <= len(values) / 2
    if not recurring and (words > 3 or (_TEXT_NAME.search(name) and (words > 1 or cjk))):
        return Column(name, "text", rows, values)
    if len(distinct) == len(values) >= _IDENTIFIERS_FROM:
        if words > 1.5:
            return Column(name, "text", rows, values)
        return "a value of its own in each row, so an identifier"
    return Column(name, "categorical", rows, values)


def _lists(name: str, rows: Array, values: list[list[str]]) -> Column | str:
    values = [
        [text for label in labels if not _NOTHING.fullmatch(text := label.strip())]
        for labels in values
    ]
    if not any(values):
        return "no values"
    return Column(name, "multi_hot", rows, values)


def _parsed(distinct: list[str]) -> dict[str, list[str]]:
    """Each value read as a JSON (or Python) list of scalars; {} unless all of them are that."""
    if not all(value.startswith("[") and value.endswith("]") for value in distinct):
        return {}
    found: dict[str, list[str]] = {}
    for value in distinct:
        for read in (json.loads, ast.literal_eval):
            try:
                found[value] = [str(part) for part in read(value)]
                break
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
        else:
            return {}
    return found


def _separated(distinct: list[str], n: int) -> dict[str, list[str]]:
    """Each value cut at the separator, if that gives few labels that recur; else {}.

    A bar is hardly ever part of a text. A semicolon or comma is, so there the labels must be short
    and far fewer than the values.
    """
    for separator in _SEPARATORS:
        with_it = sum(separator in value for value in distinct)
        if with_it < max(1, 0.05 * len(distinct)):
            continue
        cut = {
            value: [label for part in value.split(separator) if (label := part.strip())]
            for value in distinct
        }
        labels = {label for parts in cut.values() for label in parts}
        short = max(len(label) for label in labels) <= 40 if labels else False
        few = len(labels) <= 0.2 * n and with_it >= 0.2 * len(distinct)
        if labels and ((short and few) or (separator == "|" and (len(labels) <= n or n < 20))):
            return cut
    return {}


def _one_hot(column: Column, n: int) -> tuple[list[str], Any, int]:
    """Names ("genres=Comedy"), CSR (n, F) of 0/1, and how many rarer values were cut off."""
    single = column.kind == "categorical"
    labels: list[Iterable[str]] = [[value] if single else set(value) for value in column.values]
    counts = pd.Series([label for own in labels for label in own], dtype="str").value_counts()
    # by falling count, equal counts by name: the same choice on every machine
    kept = sorted(sorted(counts.index, key=lambda label: (-counts[label], label))[:MAX_VALUES])
    known = set(kept)
    # A second to load, which a log need not await that no model reads attributes of.
    from sklearn.preprocessing import MultiLabelBinarizer

    binarizer = MultiLabelBinarizer(classes=kept, sparse_output=True)
    matrix = binarizer.fit_transform([[v for v in own if v in known] for own in labels])
    names = [f"{column.name}={label}" for label in kept]
    return names, _spread(matrix.astype(np.float32), column.rows, n), len(counts) - len(kept)


def _tfidf(column: Column, n: int) -> tuple[list[str], Any, int]:
    """Names ("title: toy"), CSR (n, F) of TF-IDF with rows of length 1, and 0."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # as in _one_hot

    many = len(column.values) >= 1000
    vectorizer = TfidfVectorizer(
        analyzer=_terms,
        sublinear_tf=True,
        max_features=MAX_TERMS,
        min_df=2 if many else 1,  # a term of a single row likens it to no other
        max_df=0.5 if many else 1.0,  # and a term of most rows tells none apart
        dtype=np.float32,
    )
    try:
        matrix = vectorizer.fit_transform(column.values)
    except ValueError:  # no term is left
        return [], sparse.csr_matrix((n, 0), dtype=np.float32), 0
    names = [f"{column.name}: {term}" for term in vectorizer.get_feature_names_out()]
    return names, _spread(matrix, column.rows, n), 0


def _terms(text: str) -> list[str]:
    """Words in lower case; runs of Chinese or Japanese characters as overlapping pairs.

    >>> _terms("Toy Story 2：玩具总动员")
    ['toy', 'story', '玩具', '具总', '总动', '动员']
    """
    terms: list[str] = []
    for run in _WORDS.findall(text.lower()):
        if len(run) > 2 and re.match(f"[{_CJK}]", run):
            terms += [run[i : i + 2] for i in range(len(run) - 1)]
        else:
            terms.append(run)
    return terms


def _dense(columns: list[Column], n: int) -> FeatureBlock:
    matrix = np.full((n, len(columns)), np.nan, np.float32)
    for f, column in enumerate(columns):
        matrix[column.rows, f] = column.values
    return FeatureBlock(tuple(column.name for column in columns), matrix)


def _spread(matrix: Any, rows: Array, n: int) -> Any:
    """The rows (len(rows), F) put at these places of an otherwise empty (n, F)."""
    counts = np.zeros(n, np.int64)
    counts[rows] = np.diff(matrix.indptr)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return sparse.csr_matrix((matrix.data, matrix.indices, indptr), shape=(n, matrix.shape[1]))
