"""Histories and logs as padded tensors on the device, for a model of sequences."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from core.models.blocks import tensor
from core.models.losses import candidates
from core.models.ratings import Ratings
from core.types import PAD, Interactions, Ints, Queries

History = dict[str, Tensor]  # items (B, L), 0 behind the end; events, platforms, times if there


def padded(queries: Queries, ratings: Ratings | None, device: torch.device) -> History:
    """The histories, each from place 0, filled up behind with 0, or NaN for values."""
    rows, places = queries.rows, np.arange(len(queries.items))
    places = places - np.repeat(queries.offsets[:-1], queries.lengths)
    shape = (len(queries), int(queries.lengths.max(initial=1)))
    arrays = {name: getattr(queries, name) for name in ("items", "events", "platforms", "times")}
    if ratings:
        arrays["values"] = ratings.z(queries)
    history = {}
    for name, values in arrays.items():
        if values is not None:
            table = np.full(shape, np.nan, np.float32) if name == "values" else np.zeros(shape, int)
            table[rows, places] = values
            history[name] = torch.from_numpy(table).to(device)
    return history


class Next(NamedTuple):
    """What came after each place of B windows of L places, and who did it."""

    items: Tensor  # (B, L), PAD behind the end
    weights: Tensor  # (B, L) log2(1 + event weight)
    kinds: Tensor | None  # (B, L) of events
    aims: Tensor | None  # (B, L) z of ratings, NaN where there is none
    labels: Tensor | None  # (B,) of the people, PAD where unknown


class Windows:
    """A log on the device, cut from the end into runs of at most max_len + 1 events of a user."""

    def __init__(
        self,
        log: Interactions,
        max_len: int,
        device: torch.device,
        ratings: Ratings | None = None,
        labels: Ints | None = None,
    ) -> None:
        starts, lengths = [], []
        for low, high in zip(log.offsets[:-1].tolist(), log.offsets[1:].tolist(), strict=True):
            while high - low > 1:  # a window begins with the first target of the one after it
                begin = max(low, high - max_len - 1)
                starts.append(begin)
                lengths.append(high - begin)
                high = begin + 1
        self.device = device
        self._starts = torch.tensor(starts, dtype=torch.int64, device=device)
        self.lengths = torch.tensor(lengths, dtype=torch.int64)
        self._lengths = self.lengths.to(device)
        self._weights = tensor(np.log2(1 + log.weights), device)
        self._arrays = {
            name: tensor(values, device)
            for name in ("items", "events", "platforms", "times")
            if (values := getattr(log, name)) is not None
        }
        self._aims = tensor(ratings.aims(log), device) if ratings else None
        if ratings:
            self._arrays["values"] = tensor(ratings.z(log), device)
        self._labels = None if labels is None else tensor(labels[log.users[starts]], device)
        later = log.items[np.diff(log.users, prepend=PAD) == 0]  # all targets of an epoch
        shares = np.bincount(later, minlength=log.n_items) / max(1, len(later))
        self._shares = tensor(shares.astype(np.float32), device)

    def batch(self, rows: Tensor) -> tuple[History, Next]:
        """The history (B, L) of these windows, and what came next."""
        width = int(self.lengths[rows].max())
        rows = rows.to(self.device)
        places = torch.arange(width, device=self.device)
        inside = places < self._lengths[rows][:, None]
        take = torch.where(inside, self._starts[rows][:, None] + places, 0)
        history = {name: values[take[:, :-1]] for name, values in self._arrays.items()}
        take, inside = take[:, 1:], inside[:, 1:]
        then = Next(
            items=self._arrays["items"][take].masked_fill(~inside, PAD),
            weights=self._weights[take],
            kinds=self._arrays["events"][take] if "events" in self._arrays else None,
            aims=None if self._aims is None else self._aims[take],
            labels=None if self._labels is None else self._labels[rows],
        )
        return history, then

    def candidates(self, then: Next, drawn: int, mixed: bool) -> tuple[Tensor, Tensor]:
        """Items to compare a batch's targets with, and how often each is expected (losses.py).

        So many are drawn; mixed, what the batch took comes with them, of a large one as many.
        """
        own = then.items[then.items != PAD] if mixed else then.items.new_zeros(0)
        if len(own) > drawn:
            own = own[torch.randperm(len(own), device=self.device)[:drawn]]
        return candidates(self._shares, drawn, own)
