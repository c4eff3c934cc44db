"""What an item's score is held against: what is explained is how far it lies above that."""

from __future__ import annotations

from enum import StrEnum

import torch
from torch import Tensor

from core.types import GivesShares, Recommender


class Contrast(StrEnum):
    """What v(S) of an item is, for a history of the events S alone; its text says it in words.

    A score by itself has no offset that means anything: what an event moves for all items alike is
    no reason for one of them.
    """

    MEAN = "score - mean score of the items that may be recommended"
    # of exp(score) among the items that may be recommended; of a value x times exp(x)
    SHARE = "logarithm of the share of the softmax of the items that may be recommended"
    ITEM = "score - score of the item it is held against"

    @classmethod
    def of(cls, model: Recommender, against: int | None = None) -> Contrast:
        """What explains this model best: the share where it learnt one, else the mean.

        With `against` it is that item. What was measured: docs/decisions/explanations.md.
        """
        if against is not None:
            return cls.ITEM
        return cls.SHARE if isinstance(model, GivesShares) and model.gives_shares else cls.MEAN

    def level(self, others: Tensor) -> Tensor:
        """What scores are held against, (b,) float64; not for ITEM.

        Args:
            others: Scores of the items that may be recommended, (b, C).
        """
        if self is Contrast.MEAN:
            return others.mean(dim=1, dtype=torch.float64)
        most = others.amax(dim=1, keepdim=True)
        total = (others - most).exp_().sum(dim=1, dtype=torch.float64)
        return total.log() + most[:, 0].double()
