"""What items are made of: the attributes that the columns of their features belong to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from core.models.common.attributes import attributes
from core.types import Array, FeatureBlock, Features, Ints, ItemPart

ID = ItemPart("id", "")
EMBEDDINGS = ("text_embedding", "image_embedding")


def item_parts(kind: str, block: FeatureBlock) -> dict[ItemPart, Ints]:
    """The block's columns by part; a number is one of its own, an embedding is one as a whole.

    >>> block = FeatureBlock(("genre=A", "year=1", "genre=B"), None)
    >>> {part.name: c.tolist() for part, c in item_parts("categorical", block).items()}
    {'genre': [0, 2], 'year': [1]}
    """
    if kind in EMBEDDINGS:
        return {ItemPart(kind, ""): np.arange(block.matrix.shape[1])}
    columns = attributes(block.names, kind)
    return {ItemPart(kind, name): own for name, own in columns.items()}


def rows_like(array: Array, like: Array) -> Array:
    """The rows of these items (M,), 0 for PAD.

    >>> rows_like(np.array([3, 4, 5]), np.array([2, -1]))
    array([5, 0])
    """
    return np.where((like >= 0).reshape(-1, *[1] * (array.ndim - 1)), array[like], 0).astype(
        array.dtype
    )


def unembedded(features: Features) -> Features:
    """The same without what encoders made of texts and images."""
    return replace(features, text_embedding=None, image_embedding=None)
