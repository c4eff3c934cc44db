"""Histories and logs as padded tensors on the device, for a model of sequences."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from core.models.common.rating_baselines import Ratings
from core.models.common.tensors import tensor
from core.models.neural.losses import candidates
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
    weights: Tensor  # (B, L) log2(1 + event weight), 0 behind the end
    kinds: Tensor | None  # (B, L) of events, PAD behind the end
    aims: Tensor | None  # (B, L) z of ratings, NaN where there is none
    labels: Tensor | None  # (B, L) of the people, PAD where unknown

    def at(self, places: slice | Tensor) -> Next:
        """What came after these of the B · L places, (P,) each; item 0, at no weight, for PAD."""

        def flat(table: Tensor) -> Tensor:
            return table.flatten()[places]

        optional = (None if values is None else flat(values) for values in self[2:])
        return Next(flat(self.items).clamp(min=0), flat(self.weights), *optional)


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
        self._starts = torch.tensor([*starts, 0], dtype=torch.int64, device=device)
        self.lengths = torch.tensor(lengths, dtype=torch.int64)
        self._lengths = functional.pad(self.lengths, (0, 1)).to(device)  # the last one is empty
        self._weights = tensor(np.log2(1 + log.weights), device)
        self._arrays = {
            name: tensor(values, device)
            for name in ("items", "events", "platforms", "times")
            if (values := getattr(log, name)) is not None
        }
        self._aims = tensor(ratings.aims(log), device) if ratings else None
        if ratings:
            self._arrays["values"] = tensor(ratings.z(log), device)
        self._labels = None
        if labels is not None:
            self._labels = tensor(np.r_[labels[log.users[starts]], PAD], device)
        later = log.items[np.diff(log.users, prepend=PAD) == 0]  # all targets of an epoch
        shares = np.bincount(later, minlength=log.n_items) / max(1, len(later))
        self._shares = tensor(shares.astype(np.float32), device)

    def batch(self, rows: Tensor, width: int | None = None) -> tuple[History, Next]:
        """The history (B, L) of these windows, and what came next.

        With a width, L + 1, for rows that are on the device already and may be len(self.lengths):
        a window in which nothing is.
        """
        if width is None:
            width = int(self.lengths[rows].max())
            rows = rows.to(self.device)
        places = torch.arange(width, device=self.device)
        inside = places < self._lengths[rows][:, None]
        take = (self._starts[rows][:, None] + places).masked_fill(~inside, 0)
        history = {name: values[take[:, :-1]] for name, values in self._arrays.items()}
        take, inside = take[:, 1:], inside[:, 1:]
        return history, Next(
            items=self._arrays["items"][take].masked_fill(~inside, PAD),
            weights=self._weights[take] * inside,
            kinds=self._arrays["events"][take].masked_fill(~inside, PAD)
            if "events" in self._arrays
            else None,
            aims=None if self._aims is None else self._aims[take].masked_fill(~inside, torch.nan),
            labels=None
            if self._labels is None
            else self._labels[rows][:, None].expand_as(inside).masked_fill(~inside, PAD),
        )

    def candidates(self, then: Next, drawn: int, mixed: bool) -> tuple[Tensor, Tensor]:
        """Items to compare a batch's targets with, and how often each is expected (losses.py).

        So many are drawn; mixed, what the batch took comes with them, of a large one as many.
        """
        own = then.items[then.items != PAD] if mixed else then.items.new_zeros(0)
        if len(own) > drawn:
            own = own[torch.randperm(len(own), device=self.device)[:drawn]]
        return candidates(self._shares, drawn, own)
