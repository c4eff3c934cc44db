"""One transformer over events, one tower for what items are: sequence and content in a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from core.models.blocks import setting, tensor
from core.models.course import Batches
from core.models.tower import ItemTower, content
from core.models.trained import SCORED_AT_ONCE, Task, Trained
from core.models.training import TrainingSettings
from core.types import PAD, Interactions, Queries, TrainData

FULL_SOFTMAX_ITEMS = 30_000  # above, "auto" samples
LOGITS = 2**28  # positions × items held at once; beyond, they are made again on the way back
TIME_BUCKETS = 64


@dataclass(frozen=True)
class UnifiedConfig(TrainingSettings):
    """Size and shape of the network, and how it learns."""

    dim: int = setting(64, "Numbers per item and per layer", min=4, max=2048, step=32)
    layers: int = setting(2, "Transformer blocks", min=1, max=32, step=1)
    heads: int = setting(
        2, "Attention heads; fewer where dim cannot be divided so", min=1, max=64, step=1
    )
    max_len: int = setting(50, "Latest events of a history that count", min=1, max=2000, step=50)
    dropout: float = setting(
        0.3, "Share of signals dropped in training", min=0.0, max=0.9, step=0.1
    )
    id_dropout: float = setting(
        0.1, "How often an item must do without its own id in training", min=0.0, max=0.9, step=0.1
    )
    temperature: float = setting(
        0.07, "Where the learned sharpness starts: lower is sharper", min=0.02, max=0.2, step=0.01
    )
    loss: str = setting(
        "auto",
        "full compares with every item, sampled with some; auto samples above 30,000 items",
        choices=("auto", "full", "sampled"),
    )
    negatives: int = setting(
        1024, "Items that a sampled step compares with", min=1, max=65536, step=256
    )
    content: bool = setting(True, "Learn from the items' attributes and text")
    time_bias: bool = setting(True, "See how long ago events were")


class Unified(Trained["Network"]):
    """A causal transformer whose items carry both an id and their content.

    score_i = cos(u, e_i) / τ: e_i from the item tower (tower.py), u the last output of gated
    pre-norm blocks, x ← x + σ(Wx) ⊙ sublayer(LN x) (LiGR: Borisyuk et al., arXiv:2502.03417;
    eSASRec, arXiv:2508.06450), with a bias per head for how many events and how much time lie
    between (HSTU, arXiv:2402.17152). Every position predicts the next item by softmax over all
    items, or over shared uniform negatives, accidental hits masked (Klenitskiy and Vasilev,
    arXiv:2309.07602). An event counts log2(1 + weight). Differs: cosine with a learned τ; no
    absolute positions; histories longer than max_len + 1 are cut into windows. An empty history
    gets popularity.
    """

    Config: ClassVar[type] = UnifiedConfig
    needs_features: ClassVar[bool] = True

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self._table = self._vectors = torch.zeros(0, 0)  # of the items, as inputs and as answers

    def _network(self, train: TrainData, log: Interactions) -> Network:
        features = train.item_features if self.config.content else None
        sizes = {
            "events": 0 if log.events is None else int(log.events.max(initial=0)) + 1,
            "platforms": 0 if log.platforms is None else int(log.platforms.max(initial=0)) + 1,
            "times": int(self.config.time_bias and log.times is not None),
        }
        tower = ItemTower(self.config.dim, *content(features, log.n_items))
        net = Network(self.config, tower, sizes)
        net.tower.known.copy_(torch.from_numpy(np.bincount(log.items, minlength=log.n_items) > 0))
        return net

    def _network_of(self, weights: Mapping[str, Tensor]) -> Network:
        tower = ItemTower.of_state(self.config.dim, weights)
        sizes = {name: len(weights.get(f"{name}.weight", ())) for name in ("events", "platforms")}
        return Network(self.config, tower, sizes | {"times": int("time_bias" in weights)})

    def _task(self, net: Network, log: Interactions, generator: torch.Generator) -> Task | None:
        config = self.config
        windows = Windows(log, config.max_len, next(net.parameters()).device)
        if not len(windows.lengths):  # nobody did two things
            return None
        sampled = config.loss == "sampled" or (
            config.loss == "auto" and log.n_items > FULL_SOFTMAX_ITEMS
        )

        def loss(rows: Tensor) -> Tensor:
            history, targets, weights = windows.batch(rows)
            negatives = (
                torch.randint(log.n_items, (config.negatives,), device=windows.device)
                if sampled
                else None
            )
            with torch.autocast(windows.device.type, torch.bfloat16, windows.device.type == "cuda"):
                return net.loss(history, targets, weights, negatives, config.id_dropout)

        return Batches(windows.lengths, config.batch, generator), loss

    def _refresh(self, net: Network) -> None:
        with torch.no_grad():
            self._table = net.tower()
        self._vectors = functional.normalize(self._table, dim=1)

    def encode(self, queries: Queries) -> Tensor:
        """What each history says, as unit vectors (B, dim); 0 for an empty history."""
        net = self._fitted()
        device = self._popularity.device
        vectors = torch.zeros((len(queries), self.config.dim), device=device)
        latest = queries.latest(self.config.max_len)
        order = np.flatnonzero(latest.lengths)
        order = order[np.argsort(latest.lengths[order], kind="stable")]
        for low in range(0, len(order), SCORED_AT_ONCE):
            chosen = order[low : low + SCORED_AT_ONCE]
            part = latest[chosen]
            with torch.no_grad():
                hidden = net(self._table, _padded(part, device))
                last = tensor(part.lengths - 1, device)
                found = hidden[torch.arange(len(part), device=device), last]
            vectors[tensor(chosen, device)] = functional.normalize(found, dim=1)
        return vectors

    def encode_items(self) -> Tensor:
        """The items as unit vectors (I, dim)."""
        self._fitted()
        return self._vectors

    def _scores(self, net: Network, queries: Queries) -> Tensor:
        return self.encode(queries) @ self._vectors.T * net.sharpness()


History = dict[str, Tensor]  # items (B, L), 0 behind the end; events, platforms, times if there


def _padded(queries: Queries, device: torch.device) -> History:
    """The histories, each from place 0, filled up with 0 behind."""
    rows, places = queries.rows, np.arange(len(queries.items))
    places = places - np.repeat(queries.offsets[:-1], queries.lengths)
    shape = (len(queries), int(queries.lengths.max(initial=1)))
    history = {}
    for name in ("items", "events", "platforms", "times"):
        values = getattr(queries, name)
        if values is not None:
            table = np.zeros(shape, np.int64)
            table[rows, places] = values
            history[name] = torch.from_numpy(table).to(device)
    return history


class Windows:
    """A log on the device, cut from the end into runs of at most max_len + 1 events of a user."""

    def __init__(self, log: Interactions, max_len: int, device: torch.device) -> None:
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

    def batch(self, rows: Tensor) -> tuple[History, Tensor, Tensor]:
        """The history (B, L), the next items (B, L), PAD behind the end, and their weights."""
        width = int(self.lengths[rows].max())
        rows = rows.to(self.device)
        places = torch.arange(width, device=self.device)
        inside = places < self._lengths[rows][:, None]
        take = torch.where(inside, self._starts[rows][:, None] + places, 0)
        history = {name: values[take[:, :-1]] for name, values in self._arrays.items()}
        targets = torch.where(inside, self._arrays["items"][take], PAD)[:, 1:]
        return history, targets, self._weights[take[:, 1:]]


class Network(nn.Module):
    """Items and events in, what comes next out."""

    def __init__(self, config: UnifiedConfig, tower: ItemTower, sizes: Mapping[str, int]) -> None:
        super().__init__()
        dim, heads = config.dim, min(config.heads, config.dim // 2)
        heads = max(h for h in range(1, heads + 1) if dim % h == 0)
        self.tower = tower
        for name in ("events", "platforms"):
            if sizes[name]:
                self.add_module(name, nn.Embedding(sizes[name], dim))
                nn.init.normal_(getattr(self, name).weight, std=0.02)
        self.position_bias = nn.Parameter(torch.zeros(heads, config.max_len))
        if sizes["times"]:
            self.time_bias = nn.Parameter(torch.zeros(heads, TIME_BUCKETS))
        self.blocks = nn.ModuleList(Block(dim, heads, config.dropout) for _ in range(config.layers))
        self.norm = nn.LayerNorm(dim)
        self.drop = nn.Dropout(config.dropout)
        self.log_temperature = nn.Parameter(torch.tensor(float(np.log(config.temperature))))

    def sharpness(self) -> Tensor:
        """1 / τ, τ in .02 … .2."""
        return 1 / self.log_temperature.exp().clamp(0.02, 0.2)

    def forward(self, table: Tensor, history: History) -> Tensor:
        """The state after each event, (B, L, dim), from the items' vectors (I, dim)."""
        x = table[history["items"]]
        for name in ("events", "platforms"):
            if name in history and hasattr(self, name):
                known, kinds = getattr(self, name), history[name]
                unseen = (kinds >= known.num_embeddings)[..., None]  # says nothing
                x = x + known(kinds.clamp(max=known.num_embeddings - 1)).masked_fill(unseen, 0)
        x, bias = self.drop(x), self._bias(history)
        for block in self.blocks:
            x = block(x, bias)
        state: Tensor = self.norm(x)
        return state

    def _bias(self, history: History) -> Tensor:
        """What attention adds, (1 or B, heads, L, L): -inf for what comes later."""
        width = history["items"].shape[1]
        places = torch.arange(width, device=self.position_bias.device)
        distance = places[:, None] - places
        bias = self.position_bias[:, distance.clamp(min=0)][None]
        if "times" in history and hasattr(self, "time_bias"):
            times = history["times"]
            passed = (times[:, :, None] - times[:, None, :]).clamp(min=0)
            bucket = (2 * torch.log2(1 + passed.float())).long().clamp(max=TIME_BUCKETS - 1)
            bias = bias + self.time_bias[:, bucket].transpose(0, 1)
        return bias.masked_fill(distance < 0, -torch.inf)

    def loss(
        self,
        history: History,
        targets: Tensor,
        weights: Tensor,
        negatives: Tensor | None,
        id_dropout: float,
    ) -> Tensor:
        """The mean cross-entropy of the next items, over all items or the target and negatives."""
        table = self.tower(id_dropout if self.training else 0.0)
        valid = targets != PAD
        state = functional.normalize(self(table, history)[valid].float(), dim=1) * self.sharpness()
        wanted, weights = targets[valid], weights[valid]
        vectors = functional.normalize(table.float(), dim=1)
        if negatives is not None:
            losses = _sampled(state, vectors, wanted, negatives)
        else:
            losses = _full(state, vectors, wanted)
        return (losses * weights).sum() / weights.sum()


def _full(state: Tensor, vectors: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy (T,) against all items; never more than LOGITS logits at once."""
    size = max(1, LOGITS // len(vectors))
    if len(state) <= size:
        return _cross_entropy(state, vectors, wanted)
    pairs = zip(torch.split(state, size), torch.split(wanted, size), strict=True)
    parts = [checkpoint(_cross_entropy, s, vectors, w, use_reentrant=False) for s, w in pairs]
    return torch.cat(parts)


def _cross_entropy(state: Tensor, vectors: Tensor, wanted: Tensor) -> Tensor:
    return functional.cross_entropy((state @ vectors.T).float(), wanted, reduction="none")


def _sampled(state: Tensor, vectors: Tensor, wanted: Tensor, negatives: Tensor) -> Tensor:
    """Cross-entropy (T,) against shared uniform negatives, those equal to the target masked."""
    positive = (state * vectors[wanted]).sum(dim=1, keepdim=True)
    others = (state @ vectors[negatives].T).float()
    others = others.masked_fill(negatives == wanted[:, None], -torch.inf)
    return torch.logsumexp(torch.cat([positive.float(), others], dim=1), dim=1) - positive[:, 0]


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

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """The next state, (B, L, dim)."""
        b, width, dim = x.shape
        q, k, v = (
            part.view(b, width, self.heads, -1).transpose(1, 2)
            for part in self.qkv(self.norm_1(x)).chunk(3, dim=2)
        )
        bias = bias.expand(b, -1, -1, -1).to(q.dtype)
        seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        seen = self.out(seen.transpose(1, 2).reshape(b, width, dim))
        x = x + torch.sigmoid(self.gate_1(x)) * self.drop(seen)
        gate, value = self.up(self.norm_2(x)).chunk(2, dim=2)
        made = self.down(functional.silu(gate) * value)
        after: Tensor = x + torch.sigmoid(self.gate_2(x)) * self.drop(made)
        return after
