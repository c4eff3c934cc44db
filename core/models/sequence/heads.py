"""What else a sequence model tells beside the next item: its kind of event, its rating, a label."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from core.errors import BadInput
from core.models.common.rating_baselines import DAMPING
from core.types import PAD, Features, Floats, Interactions, Ints

APART = 0.1  # share of the people whose label is known, kept from training to judge by
FAR = 5.0  # a value further from what was expected, in deviations, counts as one so far


class Heads(nn.Module):
    """From a history's state u and the vector v of an item that is taken: how it is taken.

    h = GELU(W [u ; v ; u ⊙ v]) says by softmax which kind of event it is, and linearly how it is
    rated; the label of a person is told from u alone, by softmax.
    """

    worth: Tensor
    label_shares: Tensor

    def __init__(self, dim: int, events: int, rated: bool, labels: int) -> None:
        super().__init__()
        if events or rated:
            self.joint = nn.Linear(3 * dim, dim)
        if events:
            self.event = nn.Linear(dim, events)
            self.register_buffer("worth", torch.ones(events))  # mean log2(1 + weight) of each kind
        if rated:
            self.rating = nn.Linear(dim, 1)
        if labels:
            self.label = nn.Linear(dim, labels)
            self.register_buffer("label_shares", torch.full((labels,), 1 / labels))

    def of_pairs(self, states: Tensor, items: Tensor) -> Tensor:
        """What they say together, h (…, D), of states and items (…, D) each."""
        both = torch.cat([states, items, states * items], dim=-1)
        return functional.gelu(self.joint(both))


def persons(z: Tensor) -> Tensor:
    """The person's part of the baseline after each event, (B, L) of z (B, L), NaN where unrated."""
    rated = z.isfinite()
    return z.nan_to_num().cumsum(dim=1) / (rated.cumsum(dim=1) + DAMPING)


def worths(log: Interactions) -> Floats:
    """The mean log2(1 + weight) of each kind of event, (kinds,); no kind has no say."""
    assert log.events is not None
    of_a_kind = log.events >= 0
    kinds, value = log.events[of_a_kind], np.log2(1 + log.weights[of_a_kind])
    counts = np.maximum(np.bincount(kinds), 1)
    return (np.bincount(kinds, value) / counts).astype(np.float32)


def label_codes(features: Features | None, name: str, n_users: int) -> tuple[Ints, tuple[str, ...]]:
    """The label of each user, (U,), PAD where unknown, and what the codes mean.

    Args:
        features: What is known of the users; the label is one of their categories.
        name: The attribute's name.
        n_users: Users.

    Raises:
        BadInput: there is no such category, or only one kind of it.
    """
    block = features.categorical if features else None
    names = block.names if block else ()
    columns = [c for c, kind in enumerate(names) if kind.partition("=")[0] == name]
    if len(columns) < 2 or block is None:
        categories = ", ".join(sorted({kind.partition("=")[0] for kind in names})) or "none"
        raise BadInput(
            f"label must be a category of the users with two kinds or more, not {name!r}: "
            f"there are {categories}"
        )
    table = block.matrix.tocsc()[:, columns].tocoo()
    codes = np.full(n_users, PAD, np.int64)
    codes[table.row] = table.col
    return codes, tuple(names[c].partition("=")[2] for c in columns)


def kept_apart(codes: Ints) -> Ints:
    """The users (n,) whose known label shall not be learnt from, drawn from torch's own state."""
    labelled = np.flatnonzero(codes >= 0)
    order = torch.randperm(len(labelled)).numpy()
    return np.sort(labelled[order[: int(APART * len(labelled))]])


def class_loss(logits: Tensor, kinds: Tensor) -> Tensor:
    """Mean cross-entropy of the kinds (B,) that are known; 0 if none is."""
    counted = (kinds >= 0) & (kinds < logits.shape[1])
    losses = functional.cross_entropy(
        logits.float(), kinds.where(counted, torch.zeros_like(kinds)), reduction="none"
    )
    mean: Tensor = (losses * counted).sum() / counted.sum().clamp(min=1)
    return mean


def square_loss(predicted: Tensor, aims: Tensor) -> Tensor:
    """Mean squared error against the aims (B,) that are not NaN; 0 if all are. ±FAR at most."""
    rated = aims.isfinite()
    errors = (predicted.float() - aims.nan_to_num().clamp(-FAR, FAR)).square() * rated
    mean: Tensor = errors.sum() / rated.sum().clamp(min=1)
    return mean
