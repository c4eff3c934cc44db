"""A causal transformer over events, gated, with biases for distance and time; and its losses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

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
        x = self.drop(self._inputs(table, history))
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

    def of_parts(
        self, table: Tensor, history: History, parts: Iterable[tuple[Tensor, Tensor]]
    ) -> Iterator[Tensor]:
        """The state after each of some parts of one history, to rounding as `forward` has it.

        What hangs on one event alone, or on two, is made once and looked up: all that the first
        block multiplies before it attends.

        Args:
            table: The items' vectors (I, dim).
            history: The one of E events, (1, E).
            parts: Of B parts at a time, where in it their events stand, rising (B, L), whatever is
                behind the last one, and the last one's place among them, (B,).

        Yields:
            (B, dim)
        """
        events, elapsed = self._inputs(table, history)[0], self._elapsed(history)
        apart = None if elapsed is None else elapsed[0].flatten(1)
        blocks = cast("list[Block]", list(self.blocks))
        q, k, v, gate = blocks[0].alone(events)
        logits = (q @ k.transpose(1, 2) / q.shape[2] ** 0.5).flatten(1)  # (heads, E · E)
        if apart is not None:
            logits = logits + apart
        for places, last in parts:
            width = places.shape[1]
            order = torch.arange(width, device=places.device)[None]
            for n, block in enumerate(blocks, start=1):
                at = last[:, None] if n == len(blocks) else None
                rows = places if at is None else places.gather(1, at)
                bias = self._distant(order if at is None else at, width)
                pairs = (rows[:, :, None] * len(events) + places[:, None, :]).flatten()
                if n == 1:
                    alike = logits.index_select(1, pairs).view(-1, *rows.shape, width)
                    shares = torch.softmax(alike.transpose(0, 1) + bias, dim=3)
                    seen = shares @ v[:, places].transpose(0, 1)
                    x = block.after(events[rows], seen, gate[rows])
                    continue
                if apart is not None:
                    passed = apart.index_select(1, pairs).view(-1, *rows.shape, width)
                    bias = bias + passed.transpose(0, 1)
                x = block(x, bias, at)
            yield self.norm(x[:, 0])

    def _inputs(self, table: Tensor, history: History) -> Tensor:
        """What each event says by itself, (B, L, dim)."""
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
        return x

    def _bias(self, history: History, at: Tensor | None = None) -> Tensor:
        """What attention adds, (1 or B, heads, L, L): -inf for what comes later.

        With places (B, Q) only what it adds there, (B, heads, Q, L).
        """
        width = history["items"].shape[1]
        from_ = torch.arange(width, device=self.position_bias.device)[None] if at is None else at
        bias, passed = self._distant(from_, width), self._elapsed(history, at)
        return bias if passed is None else bias + passed

    def _distant(self, places: Tensor, width: int) -> Tensor:
        """What attention adds for the events between, (B, heads, Q, width), from places (B, Q)."""
        distance = places[:, :, None] - torch.arange(width, device=places.device)
        bias = self.position_bias[:, distance.clamp(min=0)].transpose(0, 1)
        return bias.masked_fill((distance < 0)[:, None], -torch.inf)

    def _elapsed(self, history: History, at: Tensor | None = None) -> Tensor | None:
        """What it adds for the time between, (B, heads, Q or L, L); None if it knows no time."""
        if "times" not in history or not hasattr(self, "time_bias"):
            return None
        times = history["times"]
        then = times if at is None else times.gather(1, at)
        passed = (then[:, :, None] - times[:, None, :]).clamp(min=0)
        bucket = (2 * torch.log2(1 + passed.float())).long().clamp(max=TIME_BUCKETS - 1)
        return self.time_bias[:, bucket].transpose(0, 1)

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
        normed = self.norm_1(x)
        if at is None:
            q, k, v = self._split(self.qkv(normed), 3)
        else:  # asked there alone; what is seen is everywhere
            dim = x.shape[2]
            weight, offset = self.qkv.weight, self.qkv.bias
            there = at[:, :, None].expand(-1, -1, dim)
            x, normed_there = x.gather(1, there), normed.gather(1, there)
            (q,) = self._split(functional.linear(normed_there, weight[:dim], offset[:dim]), 1)
            k, v = self._split(functional.linear(normed, weight[dim:], offset[dim:]), 2)
        bias = bias.expand(len(x), -1, -1, -1).to(q.dtype)
        seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.after(x, seen, self.gate_1(x))

    def _split(self, made: Tensor, parts: int) -> tuple[Tensor, ...]:
        """(B, L, parts · dim) → so many (B, heads, L, dim / heads)."""
        b, width, _ = made.shape
        chunks = made.chunk(parts, dim=2)
        return tuple(one.view(b, width, self.heads, -1).transpose(1, 2) for one in chunks)

    def alone(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Query, key, value (heads, E, dim / heads) and gate (E, dim) of events x (E, dim)."""
        q, k, v = (part[0] for part in self._split(self.qkv(self.norm_1(x))[None], 3))
        return q, k, v, self.gate_1(x)

    def after(self, x: Tensor, seen: Tensor, gate: Tensor) -> Tensor:
        """From what attention saw, (B, heads, Q, dim / heads), and how far x opens to it."""
        seen = self.out(seen.transpose(1, 2).reshape(x.shape))
        x = torch.addcmul(x, torch.sigmoid(gate), self.drop(seen))
        opened, value = self.up(self.norm_2(x)).chunk(2, dim=2)
        made = self.down(functional.silu(opened) * value)
        return torch.addcmul(x, torch.sigmoid(self.gate_2(x)), self.drop(made))
