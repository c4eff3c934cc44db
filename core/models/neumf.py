"""NeuMF: a product and a small network, side by side, say how a history and an item agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from core.models.common.settings import history_decay_setting, setting
from core.models.common.tensors import tensor
from core.models.neural.gradient_model import GradientModel, Task
from core.models.neural.start_state import Scores
from core.models.neural.train_loop import TrainingSettings
from core.models.neural.training_state import Batches
from core.models.two_tower import Bags, Pairs
from core.types import Interactions, Queries, TrainData

HELD = 2**20  # numbers of the first layer held at once when all pairs are scored; fits a cache


@dataclass(frozen=True)
class NeuMFConfig(TrainingSettings):
    """Size of both halves, and how they learn."""

    batch: int = setting(1024, "Events to be foretold per step", min=1, max=65536, step=64)
    learning_rate: float = setting(3e-3, "Size of a step", min=1e-6, max=1.0, step=1e-4)
    dim: int = setting(32, "Numbers per item and half", min=4, max=1024, step=16)
    layers: int = setting(
        3, "Layers of the network, each half as wide as the one before", min=1, max=8, step=1
    )
    max_len: int = setting(50, "Latest events of a history that count", min=1, max=2000, step=50)
    history_decay: float = history_decay_setting(0.8)
    dropout: float = setting(0.2, "Signals dropped in training", min=0.0, max=0.9, step=0.1)
    negatives: int = setting(4, "Items not taken, drawn per event", min=1, max=1024, step=1)


class NeuMF(GradientModel["Network"]):
    """score(u, i) = h · [p_u ⊙ q_i ; MLP(p'_u, q'_i)]: generalised factorisation beside a network.

    He et al., "Neural Collaborative Filtering", WWW 2017, arXiv:1708.05031, eq. 12: q and q' are
    embeddings, layers of relu halve in width. The loss is log loss (eq. 7) of each event and of
    `negatives` items that its user did not take, drawn uniformly, all weighted by log2(1 + weight).

    Differs: a person has no embedding: p_u and p'_u are means of q and of q' over the history,
    weighted by log2(1 + weight) and fading by history_decay; in training, over the max_len events
    before the one foretold, or, where the log has no times, all others of the user. Both halves
    learn together from the start, with dropout on p, p', q and q'. Of a history without events p
    and p' are a start state (start_state.py).
    """

    Config: ClassVar[type] = NeuMFConfig

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self._product = self._first = torch.zeros(0, 0)  # of the items: q (I, dim), W q' (I, H)

    def _network(self, train: TrainData, log: Interactions) -> Network:
        net = Network(self.config, log.n_items)
        net.ordered.fill_(log.times is not None)
        return net

    def _network_of(self, weights: Mapping[str, Tensor]) -> Network:
        return Network(self.config, len(weights["items.weight"]))

    def _task(self, net: Network, log: Interactions, generator: torch.Generator) -> Task | None:
        config = self.config
        pairs = Pairs(log, config.max_len, net.ordered.device)
        if not len(pairs):  # nobody did two things
            return None
        negatives = Negatives(log, pairs, config.negatives)

        def loss(rows: Tensor) -> Tensor:
            history, targets, weights = pairs.batch(rows)
            items, valid = negatives.beside(targets, rows)
            counts = valid * weights[:, None]
            logits = net(net.users(history), net.items_at(items))
            wanted = torch.zeros_like(logits)
            wanted[:, 0] = 1
            losses = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
            return (losses * counts).sum() / weights.sum()

        return Batches(torch.ones(len(pairs)), config.batch, generator), loss

    def _refresh(self, net: Network) -> None:
        every = torch.arange(net.items.num_embeddings, device=net.ordered.device)
        with torch.no_grad():
            self._product, self._first = net.items_at(every)

    def _start_scores(self, net: Network) -> tuple[Scores, int]:
        items = self._product, self._first
        size = net.items.embedding_dim
        return lambda means: net(net.of_means(means[None].float()), items)[0].double(), size

    def _start_loss(self, scores: Tensor, shares: Tensor) -> Tensor:
        """Log loss of an event, and of as many negatives of all alike as in training."""
        refused = self.config.negatives * functional.softplus(scores).mean()
        loss: Tensor = (functional.softplus(-scores) * shares).sum() + refused
        return loss

    def reads(self) -> int | None:
        """The latest events of a history that count; all where the log has no times."""
        return self.config.max_len if self._fitted().ordered else None

    def _scores(self, net: Network, queries: Queries) -> Tensor:
        latest = queries.latest(self.config.max_len) if net.ordered else queries
        with torch.no_grad():
            users = net.users(Bags.of(latest, net.ordered.device))
            size = max(1, HELD // max(1, users[1].numel()))
            items = (torch.split(half, size) for half in (self._product, self._first))
            return torch.cat([net(users, block) for block in zip(*items, strict=True)], dim=1)


class Negatives:
    """Draws items uniformly, n for each event; what its user took is none."""

    def __init__(self, log: Interactions, pairs: Pairs, n: int) -> None:
        self.n, self._n_items = n, log.n_items
        device = pairs.targets.device
        self._users = tensor(log.users, device)[pairs.targets]
        self._taken = tensor(np.unique(log.users * log.n_items + log.items), device)

    def beside(self, targets: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The targets of these rows of the pairs, then negatives, (B, 1 + n); and which count."""
        device = targets.device
        drawn = torch.randint(self._n_items, (len(targets), self.n), device=device)
        keys = self._users[rows.to(device)][:, None] * self._n_items + drawn
        nearest = torch.searchsorted(self._taken, keys).clamp(max=len(self._taken) - 1)
        valid = functional.pad(self._taken[nearest] != keys, (1, 0), value=True)
        return torch.cat([targets[:, None], drawn], dim=1), valid


Halves = tuple[Tensor, Tensor]  # for the product (…, dim), and what goes into the first relu (…, H)


class Network(nn.Module):
    """Both halves, from histories and items to logits.

    The first layer of [p'_u ; q'_i] is the sum of a layer of p'_u and a layer of q'_i, so that all
    pairs are scored by adding.
    """

    ordered: Tensor

    def __init__(self, config: Any, n_items: int) -> None:
        super().__init__()
        self.register_buffer("ordered", torch.tensor(True))
        self._decay, dim = float(config.history_decay), config.dim
        widths = [max(2, dim >> layer) for layer in range(config.layers)]
        self.items = nn.Embedding(n_items, 2 * dim)
        nn.init.normal_(self.items.weight, std=0.1)
        self.drop = nn.Dropout(config.dropout)
        self.user_layer = nn.Linear(dim, widths[0])
        self.item_layer = nn.Linear(dim, widths[0], bias=False)
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        self.out = nn.Linear(dim + widths[-1], 1)

    def users(self, histories: Bags) -> Halves:
        """P ⊙ h (B, 1, dim) and W p' + b (B, 1, H) of histories."""
        means = histories.mean(self.items.weight, self._decay if self.ordered else 1.0)
        return self.of_means(self.drop(means))

    def of_means(self, means: Tensor) -> Halves:
        """The same of means (B, 2 · dim): p and p', one after the other."""
        product, first = means[:, None].chunk(2, dim=-1)
        return product * self.out.weight[0, : product.shape[-1]], self.user_layer(first)

    def items_at(self, items: Tensor) -> Halves:
        """Q (…, dim) and W q' (…, H) of item codes (…)."""
        product, first = self.drop(self.items(items)).chunk(2, dim=-1)
        return product, self.item_layer(first)

    def forward(self, users: Halves, items: Halves) -> Tensor:
        """Logits (B, n) of users (B, 1, ·) with the same n items (n, ·) or own ones (B, n, ·)."""
        x = functional.relu(users[1] + items[1])
        for layer in self.layers:
            x = functional.relu(layer(x))
        dim = items[0].shape[-1]
        product = (users[0] @ items[0].mT)[:, 0]
        return product + x @ self.out.weight[0, dim:] + self.out.bias
