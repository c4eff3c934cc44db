"""Two towers, one for histories and one for items, that meet only in an inner product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from core.models.common.settings import history_decay_setting, setting
from core.models.common.tensors import tensor
from core.models.neural.gradient_model import Task
from core.models.neural.item_tower import ItemTower
from core.models.neural.item_tower_model import ItemTowerModel, TowerNet
from core.models.neural.losses import candidates, is_sampled, others
from core.models.neural.train_loop import TrainingSettings
from core.models.neural.training_state import Batches
from core.types import Interactions, Queries, TrainData


@dataclass(frozen=True)
class TwoTowerConfig(TrainingSettings):
    """Size of the towers, and how they learn."""

    batch: int = setting(512, "Events to be foretold per step", min=1, max=65536, step=64)
    dim: int = setting(64, "Numbers per item and per history", min=4, max=2048, step=32)
    max_len: int = setting(50, "Latest events of a history that count", min=1, max=2000, step=50)
    history_decay: float = history_decay_setting(0.8)
    dropout: float = setting(0.3, "Signals dropped in training", min=0.0, max=0.9, step=0.1)
    id_dropout: float = setting(0.1, "Ids dropped in training", min=0.0, max=0.9, step=0.1)
    temperature: float = setting(0.07, "First τ: lower is sharper", min=0.02, max=0.2, step=0.01)
    loss: str = setting(
        "auto",
        "full compares with every item, sampled with some; auto samples above 30,000 items",
        choices=("auto", "full", "sampled"),
    )
    negatives: int = setting(1024, "Items drawn per sampled step", min=1, max=65536, step=256)
    content: bool = setting(True, "Learn from the items' attributes and text")


class TwoTower(ItemTowerModel["Towers"]):
    """A tower makes a vector of a history, another one of an item; the score is how they agree.

    score_i = Σ_j w_j x_j y_ij / τ: y_i = e_i + MLP(e_i), e from the item tower (tower.py), and
    x = m + MLP(m), m the mean of e over the history, by log2(1 + weight) and history_decay; both
    of unit length; w ≥ 0 has mean 1, w and τ are learned. Covington et al., RecSys 2016 (history as
    a mean); Yi et al., RecSys 2019 (two towers, negatives from the batch). Each event is foretold
    from those before it, or, without times, from all others of its user. The loss is softmax over
    all items, or over the batch's own and uniform negatives (losses.py). Differs: the towers
    share e; the product is weighted; people are known only by their history, and by a start state
    (start_state.py) before they have one.
    """

    Config: ClassVar[type] = TwoTowerConfig

    def _network(self, train: TrainData, log: Interactions) -> Towers:
        net = Towers(self.config, self._tower(train, log))
        net.ordered.fill_(log.times is not None)
        return net

    def _network_of(self, weights: Mapping[str, Tensor]) -> Towers:
        return Towers(self.config, ItemTower.of_state(self.config.dim, weights))

    def _task(self, net: Towers, log: Interactions, generator: torch.Generator) -> Task | None:
        config = self.config
        pairs = Pairs(log, config.max_len, net.ordered.device)
        if not len(pairs):  # nobody did two things
            return None
        sampled = is_sampled(config.loss, log.n_items)
        every = torch.arange(log.n_items, device=net.ordered.device)

        def loss(rows: Tensor) -> Tensor:
            history, targets, weights = pairs.batch(rows)
            drawn, often = every, torch.ones_like(pairs.shares)
            if sampled:
                drawn, often = candidates(pairs.shares, config.negatives, targets)
            table = net.tower(config.id_dropout)
            users, items = net.users(history, table), net.items(table[drawn])
            wanted = items[: len(targets)] if sampled else items[targets]
            rest = others(users, targets, items, drawn, often)
            losses = functional.softplus(rest - (users * wanted).sum(dim=1))
            return (losses * weights).sum() / weights.sum()

        return Batches(torch.ones(len(pairs)), config.batch, generator), loss

    def reads(self) -> int | None:
        """The latest events of a history that count; all where the log has no times."""
        return self.config.max_len if self._fitted().ordered else None

    def encode(self, queries: Queries) -> Tensor:
        """What each history says, (B, dim); times encode_items() it is the score."""
        net = self._fitted()
        latest = queries.latest(self.config.max_len) if net.ordered else queries
        with torch.no_grad():
            users = net.users(Bags.of(latest, self._table.device), self._table)
        return self._or_start(users, queries)


class Bags(NamedTuple):
    """B histories on the device, jagged, one after another."""

    items: Tensor  # (E,)
    weights: Tensor  # (E,) log2(1 + event weight), 0 for one that must not count
    ages: Tensor  # (E,) how many events came after
    lengths: Tensor  # (B,)
    places: Tensor  # (E,) where the event stands in the log or in the queries

    @classmethod
    def of(cls, queries: Queries, device: torch.device) -> Bags:
        weights, places = np.log2(1 + queries.weights), np.arange(len(queries.items))
        arrays = (queries.items, weights, queries.ages, queries.lengths, places)
        return cls(*(tensor(array, device) for array in arrays))

    def sum(self, values: Tensor) -> Tensor:
        """Σ of the values (E,) of each history's events, (B,)."""
        owners = torch.repeat_interleave(self.lengths)
        return values.new_zeros(len(self.lengths)).index_add(0, owners, values)

    def mean(self, table: Tensor, decay: float, factors: Tensor | float = 1.0) -> Tensor:
        """Mean of factor (E,) · table[item] by weight · decay^age, (B, D); 0 if no event counts."""
        weights, starts = self.weights * decay**self.ages, self.lengths.cumsum(0) - self.lengths
        totals = functional.embedding_bag(
            self.items, table, starts, mode="sum", per_sample_weights=weights * factors
        )
        return totals / self.sum(weights).clamp(min=1e-9)[:, None]


class Pairs:
    """A log on the device: each event as a target, and the max_len events before it.

    Without times all that its user did with other items goes before; of more, max_len are drawn.
    """

    def __init__(self, log: Interactions, max_len: int, device: torch.device) -> None:
        self.max_len, self.ordered = max_len, log.times is not None
        starts, stops = log.offsets[log.users], log.offsets[log.users + 1]
        events = np.arange(len(log))
        targets = events[events > starts if self.ordered else stops - starts > 1]
        self.targets = tensor(targets, device)  # (T,) where they stand in the log
        self._starts, self._stops = tensor(starts[targets], device), tensor(stops[targets], device)
        self._items = tensor(log.items, device)
        self._weights = tensor(np.log2(1 + log.weights), device)
        shares = np.bincount(log.items[targets], minlength=log.n_items) / max(1, len(targets))
        self.shares = tensor(shares.astype(np.float32), device)  # of the targets, (I,)

    def __len__(self) -> int:
        return len(self.targets)

    def batch(self, rows: Tensor) -> tuple[Bags, Tensor, Tensor]:
        """What goes before, the items (B,) that came, and their log2(1 + weight), (B,)."""
        rows = rows.to(self.targets.device)
        targets, starts, stops = self.targets[rows], self._starts[rows], self._stops[rows]
        if self.ordered:
            starts, stops = torch.maximum(starts, targets - self.max_len), targets
        lengths = (stops - starts).clamp(max=self.max_len)
        owners = torch.repeat_interleave(lengths)
        ends = (starts + lengths)[owners]
        places = ends - lengths.cumsum(0)[owners] + torch.arange(len(owners), device=rows.device)
        if self.ordered:
            ages, weights = ends - 1 - places, self._weights[places]
        else:
            spans = (stops - starts)[owners]
            drawn = (torch.rand(len(owners), device=rows.device) * spans).long()
            drawn = starts[owners] + torch.minimum(drawn, spans - 1)
            places = torch.where(spans > self.max_len, drawn, places)
            same = self._items[places] == self._items[targets][owners]
            ages, weights = torch.zeros_like(places), self._weights[places].masked_fill(same, 0)
        bags = Bags(self._items[places], weights, ages, lengths, places)
        return bags, self._items[targets], self._weights[targets]


class Towers(TowerNet):
    """Both towers, and the inner product between them."""

    ordered: Tensor

    def __init__(self, config: Any, tower: ItemTower) -> None:
        super().__init__()
        self.register_buffer("ordered", torch.tensor(True))
        self._decay = float(config.history_decay)
        self.tower = tower
        self.user_layers, self.item_layers = _layers(config), _layers(config)
        self.drop = nn.Dropout(config.dropout)
        self.relevance = nn.Parameter(torch.zeros(config.dim))
        self.log_temperature = nn.Parameter(torch.tensor(float(np.log(config.temperature))))

    def users(self, histories: Bags, table: Tensor) -> Tensor:
        """x_j w_j / τ of the histories, (B, dim), from the item tower's rows; τ in .02 … .2."""
        means = self.drop(histories.mean(table, self._decay if self.ordered else 1.0))
        x = functional.normalize(means + self.user_layers(means), dim=1)
        x = x * torch.softmax(self.relevance, 0) * len(self.relevance)
        return x / self.log_temperature.exp().clamp(0.02, 0.2)

    def items(self, table: Tensor) -> Tensor:
        """Unit vectors (n, dim) of rows of the item tower."""
        return functional.normalize(table + self.item_layers(table), dim=1)


def _layers(config: Any) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(config.dim, 2 * config.dim),
        nn.GELU(),
        nn.Dropout(config.dropout),
        nn.Linear(2 * config.dim, config.dim),
    )
