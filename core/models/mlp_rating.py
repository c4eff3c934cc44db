"""A network of a history with its ratings and an item: will it be taken, how will it be rated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from core.models.common.rating_baselines import DAMPING, Ratings, required
from core.models.common.settings import history_decay_setting, setting
from core.models.common.tensors import tensor
from core.models.neumf import HELD, Negatives
from core.models.neural.gradient_model import GradientModel, Task
from core.models.neural.start_state import Scores
from core.models.neural.train_loop import TrainingSettings
from core.models.neural.training_state import Batches
from core.models.two_tower import Bags, Pairs
from core.types import Array, Floats, Interactions, Queries, TrainData


@dataclass(frozen=True)
class MLPRatingConfig(TrainingSettings):
    """Size of the network, and how it learns."""

    batch: int = setting(1024, "Events to be foretold per step", min=1, max=65536, step=64)
    learning_rate: float = setting(3e-3, "Size of a step", min=1e-6, max=1.0, step=1e-4)
    dim: int = setting(32, "Numbers per item", min=4, max=1024, step=16)
    layers: int = setting(
        3, "Layers of the network, each half as wide as the one before", min=1, max=8, step=1
    )
    max_len: int = setting(50, "Latest events of a history that count", min=1, max=2000, step=50)
    history_decay: float = history_decay_setting(0.8)
    dropout: float = setting(0.2, "Signals dropped in training", min=0.0, max=0.9, step=0.1)
    rating_weight: float = setting(
        0.1, "Weight of the ratings' error beside that of strength", min=0.0, max=100.0, step=0.1
    )
    negatives: int = setting(4, "Items not taken, drawn per event", min=1, max=1024, step=1)


class MLPRating(GradientModel["Network"]):
    """MLP([mean of e_j ; mean of z_j e_j ; e_i]): how strongly i is taken, and how it is rated.

    e are embeddings; means over the history are weighted by log2(1 + weight). The first fades by
    history_decay; the other one holds the ratings, z_j = (r_j - mean - item_j) / spread (see
    RatingBaseline), 0 where there is none. Two outputs learn by squared error: *strength*,
    log2(1 + weight) of an event and 0 of `negatives` items that its user did not take; *rating*,
    where the log has values, what is left of z_i when the person's part of the baseline is taken
    off; in training that baseline leaves the rating in question out. rating_weight is small, since
    ratings would else be overfitted by the time that strengths are learnt, which decide when to
    stop. An event is foretold from the max_len before it, or, where the log has no times, from all
    others of its user. Of a history without events the means are a start state (start_state.py).

    The ranking is by strength alone: what is taken next is not what would be rated best.
    Embeddings into an MLP as in Covington et al., "Deep Neural Networks for YouTube
    Recommendations", RecSys 2016. Differs: squared error; people are known only by their history;
    histories and items share their embeddings.
    """

    Config: ClassVar[type] = MLPRatingConfig
    gives_shares: ClassVar[bool] = False  # its outputs are strengths and ratings

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self._ratings: Ratings | None = None
        self._items = torch.zeros(0, 0)  # what each adds to the first layer, (I, H)
        self._typical = 1.0  # mean log2(1 + weight) of an event: how strongly one is taken

    def _network(self, train: TrainData, log: Interactions) -> Network:
        self._ratings = Ratings.of(log)
        self._typical = float(np.log2(1 + log.weights).mean()) if len(log) else 1.0
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
        z, device = self._z(log), net.ordered.device
        aims = z if self._ratings is None else tensor(self._ratings.aims(log), device)
        aims = aims[pairs.targets]

        def loss(rows: Tensor) -> Tensor:
            history, targets, weights = pairs.batch(rows)
            items, valid = negatives.beside(targets, rows)
            said = z[history.places]
            strength, rating = net(net.users(history, said), net.items_at(items)).unbind(dim=2)
            wanted = functional.pad(weights[:, None], (0, config.negatives))
            missed = ((strength - wanted).square() * valid).sum() / len(rows)
            aim = aims[rows.to(device)] - person(history, said)
            rated = aim.isfinite()
            errors = (rating[:, 0] - aim.nan_to_num()).square() * rated
            total: Tensor = missed + config.rating_weight * errors.sum() / rated.sum().clamp(min=1)
            return total

        return Batches(torch.ones(len(pairs)), config.batch, generator), loss

    def _z(self, events: Interactions | Queries) -> Tensor:
        """How high each event is rated, (E,), NaN where it has no rating."""
        z = (
            np.full(len(events.items), np.nan, np.float32)
            if self._ratings is None
            else self._ratings.z(events)
        )
        return tensor(z, self._scores_of_none.device)

    def _refresh(self, net: Network) -> None:
        every = torch.arange(net.items.num_embeddings, device=net.ordered.device)
        with torch.no_grad():
            self._items = net.items_at(every)

    def reads(self) -> int | None:
        """The latest events of a history that count; all where the log has no times."""
        return self.config.max_len if self._fitted().ordered else None

    def _history(self, net: Network, queries: Queries) -> tuple[Bags, Tensor]:
        """What counts of these histories, and z of its events."""
        latest = queries.latest(self.config.max_len) if net.ordered else queries
        return Bags.of(latest, net.ordered.device), self._z(latest)

    def _start_scores(self, net: Network) -> tuple[Scores, int]:
        items, layer = self._items, net.user_layer

        def scores(means: Tensor) -> Tensor:
            strength: Tensor = net(layer(means.float())[None, None], items)[0, :, 0]
            return strength.double()

        return scores, layer.in_features

    def _start_loss(self, scores: Tensor, shares: Tensor) -> Tensor:
        """Squared error of an event's strength, and of as many negatives as in training."""
        missed = ((scores - self._typical).square() * shares).sum()
        loss: Tensor = missed + self.config.negatives * scores.square().mean()
        return loss

    def _scores(self, net: Network, queries: Queries) -> Tensor:
        with torch.no_grad():
            users = net.users(*self._history(net, queries))
            size = max(1, HELD // max(1, users.numel()))
            parts = [net(users, block)[..., 0] for block in torch.split(self._items, size)]
        return torch.cat(parts, dim=1)

    def predict(self, queries: Queries, items: Array) -> Floats:
        """Mean + item + spread · (person + rating), in the range of the log's values, (B,).

        A history without events gets the baseline.

        Raises:
            NotFitted: the model is not fitted.
            BadInput: its log has no values.
        """
        net, ratings = self._fitted(), required(self._ratings)
        history, z = self._history(net, queries)
        codes = tensor(np.asarray(items, np.int64), z.device)[:, None]
        with torch.no_grad():
            rating = net(net.users(history, z), net.items_at(codes))[:, 0, 1]
        above = (person(history, z) + rating * (history.lengths > 0)) * ratings.spread
        return ratings.baseline.predict(above.cpu().numpy(), items)

    def state(self) -> dict[str, Array]:
        """The network's, and the scale of the ratings where the log has values."""
        return super().state() | ({} if self._ratings is None else self._ratings.state())

    def load(self, state: Mapping[str, Array], *, device: str = "cpu") -> Self:
        """Take up what an earlier fit learnt."""
        self._ratings = Ratings.load(state)
        others = {name: value for name, value in state.items() if not name.startswith("rating_")}
        return super().load(others, device=device)


def person(history: Bags, z: Tensor) -> Tensor:
    """The person's part of RatingBaseline, (B,): Σ z / (n + 5) over n events that have a rating."""
    rated = z.isfinite() & (history.weights > 0)
    return history.sum(z.where(rated, 0.0)) / (history.sum(rated.to(z.dtype)) + DAMPING)


class Network(nn.Module):
    """From histories with ratings and items to strength and rating."""

    ordered: Tensor

    def __init__(self, config: Any, n_items: int) -> None:
        super().__init__()
        self.register_buffer("ordered", torch.tensor(True))
        self._decay, dim = float(config.history_decay), config.dim
        widths = [max(2, 2 * dim >> layer) for layer in range(config.layers)]
        self.items = nn.Embedding(n_items, dim)
        nn.init.normal_(self.items.weight, std=0.1)
        self.drop = nn.Dropout(config.dropout)
        self.user_layer = nn.Linear(2 * dim, widths[0])
        self.item_layer = nn.Linear(dim, widths[0], bias=False)
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        self.out = nn.Linear(widths[-1], 2)

    def users(self, history: Bags, z: Tensor) -> Tensor:
        """What histories add to the first layer, (B, 1, H)."""
        table = self.items.weight
        seen = history.mean(table, self._decay if self.ordered else 1.0)
        said = history.mean(table, 1.0, z.nan_to_num())
        added: Tensor = self.user_layer(self.drop(torch.cat([seen, said], dim=1)))
        return added[:, None]

    def items_at(self, items: Tensor) -> Tensor:
        """What items (…) add to the first layer, (…, H)."""
        added: Tensor = self.item_layer(self.drop(self.items(items)))
        return added

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Strength and rating (B, n, 2) with the same n items (n, H) or own ones (B, n, H)."""
        x = functional.relu(users + items)
        for layer in self.layers:
            x = functional.relu(layer(x))
        both: Tensor = self.out(x)
        return both
