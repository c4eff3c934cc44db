"""A causal transformer over events, gated, with biases for distance and time; and its losses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from core.models.neural.item_tower import ItemTower
from core.models.neural.item_tower_model import TowerNet
from core.models.neural.losses import full_softmax, had_from, had_so_far, sampled_softmax
from core.models.sequence.heads import FAR, Heads, class_loss, persons, square_loss
from core.models.sequence.prefix_tree import PrefixTree
from core.models.sequence.windows import History, Next
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
        self.blocks = nn.ModuleList(
            TransformerBlock(dim, heads, config.dropout) for _ in range(config.layers)
        )
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
        self, table: Tensor, history: History, parts: Iterable[PrefixTree]
    ) -> Iterator[Tensor]:
        """The state after each of some parts of one history, to rounding as `forward` has it.

        What hangs on one event alone, or on two, is made once and looked up: all that the first
        block multiplies before it attends. What hangs on how a part begins is made once for all
        that begin so.

        Args:
            table: The items' vectors (I, dim).
            history: The one of E events, (1, E).
            parts: Of B parts at a time how they begin.

        Yields:
            (B, dim)
        """
        events, elapsed = self._inputs(table, history)[0], self._elapsed(history)
        apart = None if elapsed is None else elapsed[0]  # (heads, E, E)
        first, *others = cast("list[TransformerBlock]", list(self.blocks))
        q, k, v, gate = first.alone(events)
        logits = q @ k.transpose(1, 2) / q.shape[2] ** 0.5  # (heads, E, E)
        if apart is not None:
            logits = logits + apart
        for tree in parts:
            chosen = slice(None) if others else tree.last
            event, rank = tree.events[chosen], tree.ranks[chosen]
            order = tree.order.index_select(0, tree.parts[chosen])
            distance = rank.int()[:, None] - order  # (N, E), < 0 for what is not seen
            biased = self._distant(distance[None])[0].add_(logits.index_select(1, event))
            shares = torch.softmax(biased, dim=2)  # (heads, N, E)
            seen = (shares @ v).transpose(0, 1).flatten(1)  # (N, heads, dim / heads) → (N, dim)
            x = first.after(_rows(events, event), seen, _rows(gate, event))
            for n, block in enumerate(others, start=1):
                final = n == len(others)
                width = tree.paths.shape[1]
                order = torch.arange(width, device=x.device)
                end = tree.ranks[tree.last]
                distance = (end[:, None, None] if final else order[None, :, None]) - order
                bias = self._distant(distance)
                if apart is not None:
                    then = tree.events[tree.paths]  # (B, L)
                    now = tree.events[tree.last][:, None] if final else then  # (B, 1) or (B, L)
                    pairs = (now[:, :, None] * len(events) + then[:, None, :]).flatten()
                    passed = apart.flatten(1).index_select(1, pairs)  # (heads, B · (1 or L) · L)
                    passed = passed.view(-1, *now.shape, width)  # (heads, B, 1 or L, L)
                    bias = bias + passed.transpose(0, 1)  # (B, heads, 1 or L, L)
                if final:
                    x = block.last(x, tree.paths, tree.last, bias)  # (B, dim)
                else:
                    x = block(_rows(x, tree.paths), bias)[tree.parts, tree.ranks]  # (N, dim)
            yield self.norm(x)

    def _inputs(self, table: Tensor, history: History) -> Tensor:
        """What each event says by itself, (B, L, dim)."""
        own = x = _rows(table, history["items"])
        for name in ("events", "platforms"):
            if name in history and hasattr(self, name):
                embedding, kinds = getattr(self, name), history[name]
                last = embedding.num_embeddings - 1
                silent = ((kinds < 0) | (kinds > last))[..., None]  # of no kind, or of a new one
                marks = embedding(kinds.clamp(0, last)).masked_fill(silent, 0)  # (B, L, 2 · dim)
                scale, shift = marks.chunk(2, dim=-1)  # (B, L, dim) each
                x = x + x * scale + shift  # to buy A is not to look at it, nor to buy B
        if "values" in history:
            z = history["values"].nan_to_num().clamp(-FAR, FAR)[..., None]
            x = x + z * self.value(own)  # to like A is not to like B
        return x

    def _bias(self, history: History, at: Tensor | None = None) -> Tensor:
        """What attention adds, (1 or B, heads, L, L): -inf for what comes later.

        With places (B, Q) only what it adds there, (B, heads, Q, L).
        """
        width = history["items"].shape[1]
        order = torch.arange(width, device=self.position_bias.device)
        from_ = order[None] if at is None else at
        bias, passed = self._distant(from_[:, :, None] - order), self._elapsed(history, at)
        return bias if passed is None else bias + passed

    def _distant(self, distance: Tensor) -> Tensor:
        """What attention adds for so many events between, (B, Q, L) → (B, heads, Q, L)."""
        padded = functional.pad(self.position_bias, (1, 0), value=-torch.inf)  # (heads, 1 + max)
        columns = (distance + 1).clamp_(min=0)  # 0 for what is not seen
        bias = padded.index_select(1, columns.flatten())  # (heads, B · Q · L)
        return bias.view(-1, *distance.shape).transpose(0, 1)  # (B, heads, Q, L)

    def _elapsed(self, history: History, at: Tensor | None = None) -> Tensor | None:
        """What it adds for the time between, (B, heads, Q or L, L); None if it knows no time."""
        if "times" not in history or not hasattr(self, "time_bias"):
            return None
        times = history["times"]
        then = times if at is None else times.gather(1, at)
        passed = (then[:, :, None] - times[:, None, :]).clamp(min=0)  # (B, Q, L)
        bucket = (2 * torch.log2(1 + passed.float())).long().clamp(max=TIME_BUCKETS - 1)
        return self.time_bias[:, bucket].transpose(0, 1)  # (heads, B, Q, L) → (B, heads, Q, L)

    def loss(
        self,
        history: History,
        then: Next,
        among: tuple[Tensor, Tensor] | None,
        config: Any,
        *,
        fixed: bool = False,
        once: bool = False,
    ) -> Tensor:
        """The mean cross-entropy of the next items, and what the heads add to it.

        Among all items, or the target and some: codes, and how often each is expected there.
        With fixed shapes what is behind the end is reckoned too, at no weight. Where an item is
        taken once at most, those of the history do not compete.
        """
        places = slice(None) if fixed else (then.items.flatten() != PAD).nonzero()[:, 0]
        aim = then.at(places)
        wanted = aim.items
        rate = config.id_dropout if self.training else 0.0
        if among is None:
            table = self.tower(rate)
        else:  # of a large catalogue only what this step needs
            drawn, often = among
            codes = torch.cat([history["items"].flatten(), wanted, drawn])
            needed, own = torch.unique(codes, return_inverse=True)
            table = self.tower(rate, needed)
            sizes = [history["items"].numel(), len(wanted), len(drawn)]
            seen, wanted, drawn = own.split(sizes)
            history = history | {"items": seen.view_as(history["items"])}
        states = self(table, history).flatten(0, 1)  # (B · L, dim)
        states = states if isinstance(places, slice) else _rows(states, places)
        units = functional.normalize(states.float(), dim=1) * self.sharpness()
        vectors = functional.normalize(table.float(), dim=1)
        had = None
        if among is None:
            if once:
                had = had_so_far(history["items"]).flatten(0, 1)[places]  # (P, K)
            losses = full_softmax(units, vectors, wanted, had)
        else:
            if once:
                row, column = (then.items != PAD).nonzero(as_tuple=True)  # (P,) each
                had = had_from(history["items"], drawn).int()[row] <= column[:, None]  # (P, C)
            losses = sampled_softmax(units, vectors, wanted, drawn, often, had)
        total = (losses * aim.weights).sum() / aim.weights.sum()
        heads = self.heads
        if hasattr(heads, "joint"):
            h = heads.of_pairs(states, _rows(table, wanted))
            if hasattr(heads, "event") and aim.kinds is not None:
                total = total + config.event_weight * class_loss(heads.event(h), aim.kinds)
            if hasattr(heads, "rating") and aim.aims is not None:
                said = heads.rating(h)[:, 0] + persons(history["values"]).flatten()[places]
                total = total + config.rating_weight * square_loss(said, aim.aims)
        if aim.labels is not None:
            total = total + config.label_weight * class_loss(heads.label(states), aim.labels)
        return total


class TransformerBlock(nn.Module):
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
        else:  # queries there alone; keys and values everywhere
            dim = x.shape[2]
            weight, offset = self.qkv.weight, self.qkv.bias
            there = at[:, :, None].expand(-1, -1, dim)  # (B, Q, dim)
            x, normed_there = x.gather(1, there), normed.gather(1, there)
            (q,) = self._split(functional.linear(normed_there, weight[:dim], offset[:dim]), 1)
            k, v = self._split(functional.linear(normed, weight[dim:], offset[dim:]), 2)
        return self._attend(x, q, k, v, bias)

    def last(self, x: Tensor, paths: Tensor, last: Tensor, bias: Tensor) -> Tensor:
        """The next of N states (N, dim) at B of them, (B, dim), which see a path (B, L) each."""
        dim, normed = x.shape[1], self.norm_1(x)
        weight, offset = self.qkv.weight, self.qkv.bias
        q = functional.linear(normed[last], weight[:dim], offset[:dim])[:, None]  # (B, 1, dim)
        keys_values = functional.linear(normed, weight[dim:], offset[dim:])  # (N, 2 · dim)
        k, v = self._split(_rows(keys_values, paths), 2)  # (B, heads, L, dim / heads) each
        return self._attend(x[last][:, None], self._split(q, 1)[0], k, v, bias)[:, 0]

    def alone(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Query, key, value (heads, E, dim / heads) and gate (E, dim) of events x (E, dim)."""
        q, k, v = (heads[0] for heads in self._split(self.qkv(self.norm_1(x))[None], 3))
        return q, k, v, self.gate_1(x)

    def after(self, x: Tensor, seen: Tensor, gate: Tensor) -> Tensor:
        """From what attention saw and how far x opens to it, (…, dim) each."""
        x = torch.addcmul(x, torch.sigmoid(gate), self.drop(self.out(seen)))
        opened, value = self.up(self.norm_2(x)).chunk(2, dim=-1)  # (…, 4 · dim) each
        update = self.down(functional.silu(opened) * value)
        return torch.addcmul(x, torch.sigmoid(self.gate_2(x)), self.drop(update))

    def _attend(self, x: Tensor, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        bias = bias.expand(len(x), -1, -1, -1).to(q.dtype)  # (B, heads, Q, L)
        seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        seen = seen.transpose(1, 2).flatten(2)  # (B, heads, Q, dim / heads) → (B, Q, dim)
        return self.after(x, seen, self.gate_1(x))

    def _split(self, projected: Tensor, parts: int) -> tuple[Tensor, ...]:
        """(B, L, parts · dim) → so many (B, heads, L, dim / heads)."""
        b, width, _ = projected.shape
        chunks = projected.chunk(parts, dim=2)  # (B, L, dim) each
        split = (chunk.view(b, width, self.heads, -1) for chunk in chunks)  # (B, L, heads, …)
        return tuple(chunk.transpose(1, 2) for chunk in split)  # (B, heads, L, …)


def _rows(table: Tensor, places: Tensor) -> Tensor:
    """Rows of (N, D) as (…, D); forth and back faster than by brackets."""
    return table.index_select(0, places.flatten()).view(*places.shape, -1)
