"""A causal transformer over events, gated, with biases for distance and time; and its losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from core.models.heads import FAR, Heads, class_loss, persons, square_loss
from core.models.losses import full_softmax, sampled_softmax
from core.models.tower import ItemTower
from core.models.towered import TowerNet
from core.models.windows import History, Next
from core.types import PAD

TIME_BUCKETS = 64


class Network(TowerNet):
    """Items and events in, what comes next out."""

    def __init__(self, config: Any, tower: ItemTower, sizes: Mapping[str, int]) -> None:
        super().__init__()
        dim, heads = config.dim, min(config.heads, config.dim // 2)
        heads = max(h for h in range(1, heads + 1) if dim % h == 0)
        self.tower = tower
        for name in ("events", "platforms"):
            if sizes[name]:
                marks = nn.Embedding(sizes[name], 2 * dim)  # what to scale an item by, and to add
                nn.init.normal_(marks.weight[:, :dim], std=0.3)  # small scales are slow to grow
                nn.init.normal_(marks.weight[:, dim:], std=0.02)
                self.add_module(name, marks)
        self.position_bias = nn.Parameter(torch.zeros(heads, config.max_len))
        if sizes["times"]:
            self.time_bias = nn.Parameter(torch.zeros(heads, TIME_BUCKETS))
        self.blocks = nn.ModuleList(Block(dim, heads, config.dropout) for _ in range(config.layers))
        self.norm = nn.LayerNorm(dim)
        self.drop = nn.Dropout(config.dropout)
        self.log_temperature = nn.Parameter(torch.tensor(float(np.log(config.temperature))))
        if sizes["rated"]:
            self.value = nn.Linear(dim, dim)
        self.heads = Heads(dim, sizes["told"], bool(sizes["rated"]), sizes["labels"])

    def sharpness(self) -> Tensor:
        """1 / τ, τ in .02 … .2."""
        return 1 / self.log_temperature.exp().clamp(0.02, 0.2)

    def items(self, table: Tensor) -> Tensor:
        """Unit vectors (n, dim) of rows of the item tower."""
        return functional.normalize(table, dim=1)

    def forward(self, table: Tensor, history: History, at: Tensor | None = None) -> Tensor:
        """The state after each event, (B, L, dim), from the items' vectors (I, dim).

        With places (B,) only the state after that event of each history, (B, dim), for less work.
        """
        x = table[history["items"]]
        for name in ("events", "platforms"):
            if name in history and hasattr(self, name):
                known, kinds = getattr(self, name), history[name]
                last = known.num_embeddings - 1
                silent = ((kinds < 0) | (kinds > last))[..., None]  # of no kind, or of a new one
                marks = known(kinds.clamp(0, last)).masked_fill(silent, 0)
                scale, shift = marks.chunk(2, dim=-1)
                x = x + x * scale + shift  # to buy A is not to look at it, nor to buy B
        if "values" in history:
            z = history["values"].nan_to_num().clamp(-FAR, FAR)[..., None]
            x = x + z * self.value(table[history["items"]])  # to like A is not to like B
        x = self.drop(x)
        inner, last = (
            (len(self.blocks), None) if at is None else (len(self.blocks) - 1, at[:, None])
        )
        if inner:
            bias = self._bias(history)
            for block in self.blocks[:inner]:
                x = block(x, bias)
        if last is not None:
            x = self.blocks[-1](x, self._bias(history, last), last)[:, 0]
        state: Tensor = self.norm(x)
        return state

    def _bias(self, history: History, at: Tensor | None = None) -> Tensor:
        """What attention adds, (1 or B, heads, L, L): -inf for what comes later.

        With places (B, Q) only what it adds there, (B, heads, Q, L).
        """
        width = history["items"].shape[1]
        places = torch.arange(width, device=self.position_bias.device)
        seen_from = places[None] if at is None else at
        distance = seen_from[:, :, None] - places
        bias = self.position_bias[:, distance.clamp(min=0)].transpose(0, 1)
        if "times" in history and hasattr(self, "time_bias"):
            times = history["times"]
            then = times if at is None else times.gather(1, at)
            passed = (then[:, :, None] - times[:, None, :]).clamp(min=0)
            bucket = (2 * torch.log2(1 + passed.float())).long().clamp(max=TIME_BUCKETS - 1)
            bias = bias + self.time_bias[:, bucket].transpose(0, 1)
        return bias.masked_fill((distance < 0)[:, None], -torch.inf)

    def loss(
        self,
        history: History,
        then: Next,
        among: tuple[Tensor, Tensor] | None,
        config: Any,
    ) -> Tensor:
        """The mean cross-entropy of the next items, and what the heads add to it.

        Among all items, or the target and some: codes, and how often each is expected there.
        """
        valid = then.items != PAD
        wanted, weights = then.items[valid], then.weights[valid]
        rate = config.id_dropout if self.training else 0.0
        if among is None:
            table = self.tower(rate)
        else:  # of a large catalogue only what this step needs
            drawn, often = among
            codes = torch.cat([history["items"].flatten(), wanted, drawn])
            needed, places = torch.unique(codes, return_inverse=True)
            table = self.tower(rate, needed)
            sizes = [history["items"].numel(), len(wanted), len(drawn)]
            seen, wanted, drawn = places.split(sizes)
            history = history | {"items": seen.view_as(history["items"])}
        states = self(table, history)[valid]
        units = functional.normalize(states.float(), dim=1) * self.sharpness()
        vectors = functional.normalize(table.float(), dim=1)
        if among is None:
            losses = full_softmax(units, vectors, wanted)
        else:
            losses = sampled_softmax(units, vectors, wanted, drawn, often)
        total = (losses * weights).sum() / weights.sum()
        heads = self.heads
        if hasattr(heads, "joint"):
            h = heads.of_pairs(states, table[wanted])
            if hasattr(heads, "event") and then.kinds is not None:
                total = total + config.event_weight * class_loss(heads.event(h), then.kinds[valid])
            if hasattr(heads, "rating") and then.aims is not None:
                said = heads.rating(h)[:, 0] + persons(history["values"])[valid]
                total = total + config.rating_weight * square_loss(said, then.aims[valid])
        if then.labels is not None:
            labels = then.labels[:, None].expand_as(valid)[valid]
            total = total + config.label_weight * class_loss(heads.label(states), labels)
        return total


class Block(nn.Module):
    """Attention, then SwiGLU; each behind a gate that the input opens."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.gate_1, self.gate_2 = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.up = nn.Linear(dim, 8 * dim)
        self.down = nn.Linear(4 * dim, dim)
        self.drop = nn.Dropout(dropout)

    def forward(self, x: Tensor, bias: Tensor, at: Tensor | None = None) -> Tensor:
        """The next state, (B, L, dim), or that at some places (B, Q), (B, Q, dim)."""
        b, width, dim = x.shape
        q, k, v = (
            part.view(b, width, self.heads, -1).transpose(1, 2)
            for part in self.qkv(self.norm_1(x)).chunk(3, dim=2)
        )
        if at is not None:
            x = x.gather(1, at[:, :, None].expand(-1, -1, dim))
            q = q.gather(2, at[:, None, :, None].expand(-1, self.heads, -1, q.shape[3]))
        bias = bias.expand(b, -1, -1, -1).to(q.dtype)
        seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        seen = self.out(seen.transpose(1, 2).reshape(b, -1, dim))
        x = x + torch.sigmoid(self.gate_1(x)) * self.drop(seen)
        gate, value = self.up(self.norm_2(x)).chunk(2, dim=2)
        made = self.down(functional.silu(gate) * value)
        after: Tensor = x + torch.sigmoid(self.gate_2(x)) * self.drop(made)
        return after
