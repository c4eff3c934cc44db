"""LightGCN and SimGCL: items' vectors that have gone over the graph of who took what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn
from torch.nn import functional

from core.models.common.settings import history_decay_setting, setting
from core.models.common.strengths import strengths
from core.models.common.tensors import tensor
from core.models.neural.gradient_model import GradientModel, Task
from core.models.neural.losses import NEVER, sampled_softmax
from core.models.neural.start_state import Scores
from core.models.neural.train_loop import TrainingSettings
from core.models.neural.training_state import Batches
from core.models.two_tower import Bags, Pairs
from core.types import Array, Interactions, Queries, TrainData

CONTRASTED = 4096  # of a batch at most: each is compared with each
START = 0.1  # standard deviation of the first vectors, as in the authors' code


@dataclass(frozen=True)
class LightGCNConfig(TrainingSettings):
    """Size of the vectors, how far they go, and how they learn."""

    patience: int = setting(
        5, "Passes without progress on validation before it stops", min=1, max=1000, step=1
    )
    batch: int = setting(2048, "Events to be foretold per step", min=1, max=65536, step=512)
    learning_rate: float = setting(0.01, "Size of a step", min=1e-6, max=1.0, step=1e-3)
    weight_decay: float = setting(
        1e-4, "Pulls the items' first vectors towards 0", min=0.0, max=10.0, step=1e-4
    )
    dim: int = setting(64, "Numbers per item and per history", min=4, max=2048, step=32)
    layers: int = setting(
        1, "Times that vectors go from items to people and back", min=0, max=8, step=1
    )
    max_len: int = setting(50, "Latest events of a history that count", min=1, max=2000, step=50)
    history_decay: float = history_decay_setting(0.8)
    temperature: float = setting(0.1, "τ: lower is sharper", min=0.02, max=1.0, step=0.01)
    negatives: int = setting(
        1024, "Items drawn per step; all if there are no more", min=1, max=65536, step=256
    )


class LightGCN(GradientModel["Network"]):
    """Vectors of items, smoothed over the graph; a person is the sum of what they took.

    score_i = x̂·v̂_i / τ, of unit length; v = Σ_k (AᵀA)^k e / (K + 1), k = 0 … K = layers, with e
    (I, dim) learned, A = D_U^-½ R D_I^-½ and R (U, I) = log2(1 + Σ event weights); x = Σ_j
    w_j d_j^-½ v_j over the history, d the items' sums in R, w = log2(1 + weight), fading by
    history_decay where the log has times. He et al., "LightGCN", SIGIR 2020, arXiv:2002.02126.

    Differs: people have no vectors of their own (that theirs are 0 at the start makes x their row
    of A v), so anyone is scored by history alone, as in INMO, Wu et al., SIGIR 2022,
    arXiv:2107.05247; of their layers the items so have the even ones, people the odd ones, and one
    round counts as two. An event is foretold from those before it, or, without times, from all
    others of its user (two_tower.py), never from itself. The loss is softmax with uniform negatives
    on cosines, as in Wu et al., arXiv:2201.02327, instead of BPR on products. A history of only
    items that nobody took is scored as an empty one, from a start state (start_state.py).
    """

    Config: ClassVar[type] = LightGCNConfig

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self._table = self._vectors = torch.zeros(0, 0)  # v, and v̂

    def _network(self, train: TrainData, log: Interactions) -> Network:
        net = Network(self.config, log.n_items, strengths(log))
        net.ordered.fill_(log.times is not None)
        return net

    def _network_of(self, weights: Mapping[str, Tensor]) -> Network:
        return Network(self.config, len(weights["scale"]))

    def _task(self, net: Network, log: Interactions, generator: torch.Generator) -> Task | None:
        config, device = self.config, net.ordered.device
        pairs = Pairs(log, config.max_len, device)
        if not len(pairs):  # nobody did two things
            return None
        people = tensor(log.users, device)[pairs.targets]
        every = torch.arange(log.n_items, device=device)

        def loss(rows: Tensor) -> Tensor:
            history, targets, weights = pairs.batch(rows)
            candidates = every
            if config.negatives < log.n_items:
                candidates = torch.randint(log.n_items, (config.negatives,), device=device)
            expected = torch.full_like(candidates, len(candidates) / log.n_items, dtype=torch.float)
            table = net()
            users, items = net.users(history, table), functional.normalize(table, dim=1)
            losses = sampled_softmax(users, items, targets, candidates, expected)
            length: Tensor = net.table(targets).square().sum(dim=1).mean()
            beside = self._beside(net, history, people[rows.to(device)], targets)
            return (
                (losses * weights).sum() / weights.sum()
                + float(config.weight_decay) * length
                + beside
            )

        return Batches(torch.ones(len(pairs)), config.batch, generator), loss

    def _beside(
        self, net: Network, history: Bags, people: Tensor, targets: Tensor
    ) -> Tensor | float:
        """What the loss is besides: here nothing."""
        return 0.0

    def _refresh(self, net: Network) -> None:
        with torch.no_grad():
            self._table = net().detach()
            self._vectors = functional.normalize(self._table, dim=1)

    def encode(self, queries: Queries) -> Tensor:
        """x̂ / τ of each history, (B, dim); times encode_items() it is the score.

        Of one that has no item that anyone took it is the start vector.
        """
        users = self._users(queries)
        if self._start is None:
            return users
        return torch.where(users.any(dim=1, keepdim=True), users, self._start.vector)

    def reads(self) -> int | None:
        """The latest events of a history that count; all where the log has no times."""
        return self.config.max_len if self._fitted().ordered else None

    def _users(self, queries: Queries) -> Tensor:
        net = self._fitted()
        latest = queries.latest(self.config.max_len) if net.ordered else queries
        with torch.no_grad():
            return net.users(Bags.of(latest, self._table.device), self._table)

    def encode_items(self) -> Tensor:
        """The items as unit vectors v̂, (I, dim)."""
        self._fitted()
        return self._vectors

    def _scores(self, net: Network, queries: Queries) -> Tensor:
        users = self._users(queries)
        silent = ~users.any(dim=1)  # nobody ever took any of these items
        return torch.where(silent[:, None], self._scores_of_none, users @ self._vectors.T)

    def _start_scores(self, net: Network) -> tuple[Scores, int]:
        vectors = self._vectors.double()
        return lambda vector: vectors @ vector, vectors.shape[1]

    def state(self) -> dict[str, Array]:
        """Of the items v (I, dim) as table.weight, d^-½ (I,); the start state; if times count."""
        return super().state() | {"table.weight": self._table.cpu().numpy()}


@dataclass(frozen=True)
class SimGCLConfig(LightGCNConfig):
    """The same, and what keeps the vectors apart."""

    contrast: float = setting(
        0.1, "Weight of telling people and items apart", min=0.0, max=10.0, step=0.1
    )
    contrast_temperature: float = setting(
        0.2, "τ of telling apart: lower is sharper", min=0.02, max=1.0, step=0.01
    )
    noise: float = setting(
        0.1,
        "Noise per step over the graph, relative to a vector's length",
        min=0.0,
        max=1.0,
        step=0.05,
    )


class SimGCL(LightGCN):
    """LightGCN whose vectors are spread out: each must know itself again under noise.

    Adds contrast · (InfoNCE of the batch's people + that of its items) between two passes over the
    graph in which each step adds noise · |x| · sign(x) ⊙ r̂ to a vector x, r uniform in (0, 1).
    Yu et al., "Are Graph Augmentations Necessary?", SIGIR 2022, arXiv:2112.08679. Differs: what
    LightGCN differs in; the noise is relative to the length; the first vectors stay in the mean.
    """

    Config: ClassVar[type] = SimGCLConfig

    def _beside(
        self, net: Network, history: Bags, people: Tensor, targets: Tensor
    ) -> Tensor | float:
        config = self.config
        views = []
        for _ in range(2):
            table = net(config.noise)
            users = perturbed(net.users(history, table), config.noise)
            views.append((users, table[targets]))
        (users, items), (users_again, items_again) = views
        loss = info_nce(users, users_again, people, config.contrast_temperature)
        loss = loss + info_nce(items, items_again, targets, config.contrast_temperature)
        return float(config.contrast) * loss


def info_nce(view: Tensor, other: Tensor, codes: Tensor, temperature: float) -> Tensor:
    """Mean cross-entropy of finding each row (n, dim) again in the other view, by cosine.

    Rows of the same code (n,) are not held against each other.
    """
    view, other = (functional.normalize(rows[:CONTRASTED], dim=1) for rows in (view, other))
    codes, places = codes[:CONTRASTED], torch.arange(len(view), device=view.device)
    same = (codes[:, None] == codes) & (places[:, None] != places)
    logits = (view @ other.T / temperature).masked_fill(same, NEVER)
    return functional.cross_entropy(logits, places)


def perturbed(x: Tensor, noise: float) -> Tensor:
    """The vectors (n, dim), moved by this share of their length within their own orthant."""
    if not noise:
        return x
    shift = functional.normalize(torch.rand_like(x), dim=1) * x.detach().norm(dim=1, keepdim=True)
    moved: Tensor = x + noise * x.detach().sign() * shift
    return moved


class Rows(nn.Module):
    """A sparse matrix (N, M) whose product with a dense one (M, F) is asked for; not in the state.

    embedding_bag is several times as fast on a CPU as torch's sparse products.
    """

    places: Tensor
    starts: Tensor
    values: Tensor

    def __init__(self, matrix: sparse.csr_matrix) -> None:
        super().__init__()
        types = {"places": np.int64, "starts": np.int64, "values": np.float32}
        arrays = (matrix.indices, matrix.indptr, matrix.data)
        for (name, kind), array in zip(types.items(), arrays, strict=True):
            self.register_buffer(name, torch.from_numpy(array.astype(kind)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.embedding_bag(
            self.places,
            x,
            self.starts,
            mode="sum",
            per_sample_weights=self.values,
            include_last_offset=True,
        )


class Step(torch.autograd.Function):
    """A product with a sparse matrix; its gradient is one with the transpose."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Rows, transposed: Rows) -> Tensor:
        ctx.transposed = transposed
        product: Tensor = matrix(x)
        return product

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return ctx.transposed(gradient.contiguous()), None, None


def step(x: Tensor, matrix: Rows, transposed: Rows) -> Tensor:
    """The product of the matrix (N, M) and x (M, F); gradients go back by the transpose."""
    product: Tensor = Step.apply(x, matrix, transposed)  # type: ignore[no-untyped-call]
    return product


class Network(nn.Module):
    """The items' first vectors and the graph they go over; once loaded, v and no graph."""

    ordered: Tensor
    scale: Tensor

    def __init__(self, config: Any, n_items: int, taken: sparse.csr_matrix | None = None) -> None:
        super().__init__()
        self._config, self._graph = config, taken is not None
        self.register_buffer("ordered", torch.tensor(True))
        self.register_buffer("scale", torch.zeros(n_items))  # d^-½, 0 for an item never taken
        self.table = nn.Embedding(n_items, config.dim)
        nn.init.normal_(self.table.weight, std=START)
        if taken is not None:
            people, items = (_root_inverse(taken.sum(axis=axis)) for axis in (1, 0))
            self.scale.copy_(torch.from_numpy(items))
            a = (sparse.diags(people) @ taken @ sparse.diags(items)).tocsr()
            self.there, self.back = Rows(a), Rows(a.T.tocsr())

    def forward(self, noise: float = 0.0) -> Tensor:
        """v, (I, dim); each step over the graph adds noise."""
        total = x = self.table.weight
        if not self._graph:
            return total
        for _ in range(self._config.layers):
            x = perturbed(step(x, self.there, self.back), noise)
            x = perturbed(step(x, self.back, self.there), noise)
            total = total + x
        return total / (int(self._config.layers) + 1)

    def users(self, histories: Bags, table: Tensor) -> Tensor:
        """x̂ / τ of the histories, (B, dim), from v; 0 if nobody ever took any of their items."""
        decay = self._config.history_decay if self.ordered else 1.0
        means = histories.mean(table, decay, self.scale[histories.items])
        return functional.normalize(means, dim=1) / float(self._config.temperature)


def _root_inverse(sums: Array) -> Array:
    """sums^-½, 0 where the sum is 0."""
    sums = np.asarray(sums, np.float32).ravel()
    return np.power(sums, np.float32(-0.5), out=np.zeros_like(sums), where=sums > 0)
