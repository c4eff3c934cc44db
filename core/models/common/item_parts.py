"""The attributes that the columns of item features belong to: what items are made of."""

from __future__ import annotations

import numpy as np

from core.types import FeatureBlock, Ints, ItemPart

ID = ItemPart("id", "")
EMBEDDINGS = ("text_embedding", "image_embedding")


def attributes(kind: str, block: FeatureBlock) -> dict[ItemPart, Ints]:
    """The block's columns by attribute; a number is one of its own, an embedding is one as a whole.

    >>> block = Block(("genre=A", "year=1", "genre=B"), None)
    >>> {part.name: c.tolist() for part, c in attributes("categorical", block).items()}
    {'genre': [0, 2], 'year': [1]}
    """
    if kind in EMBEDDINGS:
        return {ItemPart(kind, ""): np.arange(block.matrix.shape[1])}
    columns: dict[str, list[int]] = {}
    for column, name in enumerate(block.names):
        columns.setdefault(_attribute(kind, name), []).append(column)
    return {ItemPart(kind, name): np.array(own) for name, own in columns.items()}


def _attribute(kind: str, name: str) -> str:
    """Of "genres=Comedy" genres, of "title: toy" title, of "price" price."""
    if kind == "text":
        return name.rpartition(": ")[0] or name  # a term has no colon, a column may
    return name if kind == "numeric" else name.partition("=")[0]
