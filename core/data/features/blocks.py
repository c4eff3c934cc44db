"""Columns of attributes whose kind is known → blocks of `Features`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from core.types import Array, FeatureBlock

# What keeps a catalogue of millions within memory; what is cut off is told in `left_out`.
MAX_VALUES = 1_000  # categories kept per column, the most frequent
MAX_TERMS = 10_000  # terms kept per text column, the most frequent

CJK = "\u3400-\u9fff\uf900-\ufaff\u3040-\u30ff"  # Chinese and Japanese, written without spaces
WORDS = re.compile(rf"[{CJK}]+|[^\W_{CJK}]{{2,}}")

Values = list[Any]  # of one column, missing ones left out
Kind = str


@dataclass(frozen=True)
class Column:
    """One attribute column: what was recognised, and the rows that have a value."""

    name: str
    kind: Kind  # "categorical", "multi_hot", "numeric" or "text"
    rows: Array  # (n,) positions
    values: Values  # (n,) str; list of str for multi_hot; float for numeric
    cut: str = ""  # at what texts are cut into labels; "" where they are not, or are lists already


def one_hot(learnt: Column, column: Column, n: int) -> tuple[list[str], Any, int]:
    """Names ("genres=Comedy"), CSR (n, F) of 0/1, and how many rarer values were cut off.

    Args:
        learnt: Whose values there are.
        column: The values that are told; others than those of `learnt` are not.
        n: Rows in all.
    """
    counts = pd.Series(
        [label for own in _label_sets(learnt) for label in own], dtype="str"
    ).value_counts()
    # by falling count, equal counts by name: the same choice on every machine
    kept = sorted(sorted(counts.index, key=lambda label: (-counts[label], label))[:MAX_VALUES])
    known = set(kept)
    # A second to load, which a log need not await that no model reads attributes of.
    from sklearn.preprocessing import MultiLabelBinarizer

    binarizer = MultiLabelBinarizer(classes=kept, sparse_output=True)
    matrix = binarizer.fit_transform(
        [[v for v in own if v in known] for own in _label_sets(column)]
    )
    names = [f"{column.name}={label}" for label in kept]
    return names, _spread(matrix.astype(np.float32), column.rows, n), len(counts) - len(kept)


def _label_sets(column: Column) -> list[Iterable[str]]:
    return [[value] if column.kind == "categorical" else set(value) for value in column.values]


def tfidf(learnt: Column, column: Column, n: int) -> tuple[list[str], Any, int]:
    """Names ("title: toy"), CSR (n, F) of TF-IDF with rows of length 1, and 0; see one_hot."""
    from sklearn.feature_extraction.text import TfidfVectorizer  # as in one_hot

    many = len(learnt.values) >= 1000
    vectorizer = TfidfVectorizer(
        analyzer=_terms,
        sublinear_tf=True,
        max_features=MAX_TERMS,
        min_df=2 if many else 1,  # a term of a single row likens it to no other
        max_df=0.5 if many else 1.0,  # and a term of most rows tells none apart
        dtype=np.float32,
    )
    try:
        matrix = vectorizer.fit_transform(learnt.values)
    except ValueError:  # no term is left
        return [], sparse.csr_matrix((n, 0), dtype=np.float32), 0
    if others := column.values[len(learnt.values) :]:
        matrix = sparse.vstack([matrix, vectorizer.transform(others)], format="csr")
    names = [f"{column.name}: {term}" for term in vectorizer.get_feature_names_out()]
    return names, _spread(matrix, column.rows, n), 0


def _terms(text: str) -> list[str]:
    """Words in lower case; runs of Chinese or Japanese characters as overlapping pairs.

    >>> _terms("Toy Story 2：玩具总动员")
    ['toy', 'story', '玩具', '具总', '总动', '动员']
    """
    terms: list[str] = []
    for run in WORDS.findall(text.lower()):
        if len(run) > 2 and re.match(f"[{CJK}]", run):
            terms += [run[i : i + 2] for i in range(len(run) - 1)]
        else:
            terms.append(run)
    return terms


def dense(columns: Sequence[Column], n: int) -> FeatureBlock:
    """The numbers of these columns, (n, F); NaN where missing."""
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
