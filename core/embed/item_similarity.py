"""What a model's neighbours are held against: items of like content, and those taken together."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from core.embed.neighbours import Neighbours
from core.embed.vectors import weights_of
from core.models.common.gram import chunks
from core.models.common.vectors import unit_rows
from core.models.content import Content
from core.types import Array, Features, Interactions, TrainData


class Overlap:
    """Items as rows of a sparse matrix (I, F), compared by the cosine of what they share."""

    def __init__(self, matrix: sparse.csr_matrix) -> None:
        self._whole = sparse.csr_matrix(matrix, dtype=np.float64)
        self.matrix = sparse.csr_matrix(unit_rows(self._whole))
        self._columns = self.matrix.T.tocsr()

    def nearest(self, items: Array, k: int) -> Neighbours:
        """The k others of highest cosine to each of these items (B,); PAD where all others have 0.

        O(Σ over what an item has of how many have it, too).
        """
        items = np.asarray(items, np.int64)
        near = Neighbours.none(len(items), k)
        for chunk in chunks(len(items), self.matrix.shape[0]):
            shared = sparse.csr_matrix(self.matrix[items[chunk]] @ self._columns)
            for row, own in enumerate(items[chunk].tolist(), chunk.start):
                at = slice(*shared.indptr[row - chunk.start : row - chunk.start + 2])
                codes, cosines = shared.indices[at], shared.data[at].round(12)
                keep = (codes != own) & (cosines > 0)
                codes, cosines = codes[keep], cosines[keep]
                best = np.lexsort((codes, -cosines))[:k]
                near.items[row, : len(best)] = codes[best]
                near.cosines[row, : len(best)] = cosines[best]
        return near

    def shared(self, item: int, others: Array) -> Array:
        """The item's row times each of the others' (n,): of rows of 0 and 1, how much both have."""
        rows = self._whole[np.asarray(others, np.int64)]
        products: Array = np.asarray((rows @ self._whole[[item]].T).todense()).ravel()
        return products


def content(features: Features | None, log: Interactions) -> Overlap:
    """Items by all that is known of them, weighted as the `content` model does.

    Raises:
        BadInput: nothing is known of the items.
    """
    train = TrainData(log, item_features=features)
    model = Content().fit(train, rng=np.random.default_rng(0))
    return Overlap(weights_of(model))


def together(log: Interactions) -> Overlap:
    """Items by who took them: people who took both / √(those of one · those of the other)."""
    return Overlap(takers(log))


def takers(log: Interactions) -> sparse.csr_matrix:
    """Who took each item, (I, U) of 0 and 1."""
    pairs = (np.ones(len(log)), (log.items, log.users))
    matrix = sparse.csr_matrix(pairs, shape=(log.n_items, log.n_users))
    matrix.data[:] = 1
    return matrix
