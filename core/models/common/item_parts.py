"""What items are made of: the attributes that the columns of their features belong to."""

from __future__ import annotations

import numpy as np

from core.models.common.attributes import attributes
from core.types import FeatureBlock, Ints, ItemPart

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
