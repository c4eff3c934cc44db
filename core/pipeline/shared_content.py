"""What is known of two items alike: the values and words that both have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from core.pipeline.labels import reads_content
from core.pipeline.loaded_run import LoadedRun
from core.types import FeatureBlock

MOST = 10  # values, and words, that are named


@dataclass(frozen=True)
class SharedValue:
    """A value or word that two items have in common."""

    name: str  # as the features have it: "genres=Comedy", "title: toy"
    items: int  # of the catalogue that have it

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "items": self.items}


@dataclass(frozen=True)
class SharedContent:
    """What two items have in common, the rarest first, MOST of each kind at most."""

    attributes: tuple[SharedValue, ...]
    words: tuple[SharedValue, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "attributes": [value.to_json() for value in self.attributes],
            "words": [word.to_json() for word in self.words],
        }


def shared_content(loaded: LoadedRun, item: int, others: Sequence[int]) -> dict[int, SharedContent]:
    """What an item has in common with each of these others, by code.

    Empty where the run's model reads no content, or nothing is known of the items.
    """
    features = loaded.load_dataset().item_features if reads_content(loaded.model) else None
    if features is None:
        return {}
    attributes = [block for block in (features.categorical, features.multi_hot) if block]
    words = [features.text] if features.text else []
    named = [[_rarest(block, item, others) for block in kind] for kind in (attributes, words)]
    return {
        other: SharedContent(*(_first([block[row] for block in kind]) for kind in named))
        for row, other in enumerate(others)
    }


def _rarest(block: FeatureBlock, item: int, others: Sequence[int]) -> list[list[SharedValue]]:
    """Of each of the others the columns that it shares with the item."""
    matrix = sparse.csr_matrix(block.matrix != 0)
    counts = np.asarray(matrix.sum(axis=0)).ravel().astype(int)
    own = set(matrix[[item]].indices.tolist())
    rows = matrix[np.asarray(others, np.int64)]
    return [
        [
            SharedValue(block.names[column], int(counts[column]))
            for column in rows.indices[start:stop].tolist()
            if column in own
        ]
        for start, stop in zip(rows.indptr[:-1], rows.indptr[1:], strict=True)
    ]


def _first(blocks: Sequence[Sequence[SharedValue]]) -> tuple[SharedValue, ...]:
    """The rarest of these, equally rare ones by name."""
    values = [value for block in blocks for value in block]
    return tuple(sorted(values, key=lambda value: (value.items, value.name))[:MOST])
