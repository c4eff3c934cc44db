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
COMMON = 0.05  # of the items: words that more of them have say nothing, such as "the"
FEW = 20  # items, up to which no word is common


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
    most = max(FEW, int(COMMON * len(loaded.items)))
    named = [
        [_shared(block, item, others, limit) for block in kind]
        for kind, limit in ((attributes, len(loaded.items)), (words, most))
    ]
    return {
        other: SharedContent(*(_rarest([block[row] for block in kind]) for kind in named))
        for row, other in enumerate(others)
    }


def _shared(
    block: FeatureBlock, item: int, others: Sequence[int], most: int
) -> list[list[SharedValue]]:
    """Of each of the others what it shares with the item and so many items at most have."""
    matrix = sparse.csr_matrix(block.matrix != 0)
    counts = np.asarray(matrix.sum(axis=0)).ravel().astype(int)
    own = set(matrix[[item]].indices.tolist())
    rows = matrix[np.asarray(others, np.int64)]
    return [
        [
            SharedValue(block.names[column], int(counts[column]))
            for column in rows.indices[start:stop].tolist()
            if column in own and counts[column] <= most
        ]
        for start, stop in zip(rows.indptr[:-1], rows.indptr[1:], strict=True)
    ]


def _rarest(blocks: Sequence[Sequence[SharedValue]]) -> tuple[SharedValue, ...]:
    """The rarest of these, equally rare ones by name."""
    values = [value for block in blocks for value in block]
    return tuple(sorted(values, key=lambda value: (value.items, value.name))[:MOST])
